"""
What a compile will take and give, predicted from the network of integer tensors in a moment.

Counts are those of the structure `direct`: rows of three operands on the target `xilinx`, of two else, narrow ones
first; what sums share makes the circuit smaller. Time and memory are fitted to compiles of the models in the benchmarks
on one core, at the effort `normal`.
"""

import math
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.circuits.adder_graph import SUMS_AT_ONCE, iterations_of
from c4ml_xdsl.circuits.adder_rows import signed_digits
from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.numerics.chain import Integers

SECONDS_AT_LEAST, SECONDS_AN_ADDER = 0.9, 3.3e-4
SECONDS_AN_ITERATION, SECONDS_AN_ITERATION_AND_DIGIT = 2.2e-5, 1.8e-8
"""An iteration of the search for shared adders takes longer in larger layers."""
MEGABYTES_AT_LEAST, MEGABYTES_AN_ADDER = 75.0, 0.008


@dataclass(frozen=True)
class LayerPrediction:
    """
    One layer: adders and LUT sites of all its positions; `once` and `lines` are those of its module.

    `search` is how many seconds the search for shared adders takes.
    """

    name: str
    operation: str
    positions: int
    adders: int
    lut: int
    once: int
    lines: int
    search: float = 0.0


@dataclass(frozen=True)
class Prediction:
    """All layers, and what a compile takes."""

    layers: tuple[LayerPrediction, ...]

    @property
    def adders(self) -> int:
        """Rows of adders."""
        return sum(layer.adders for layer in self.layers)

    @property
    def lut(self) -> int:
        """LUT sites."""
        return sum(layer.lut for layer in self.layers)

    @property
    def verilog_lines(self) -> int:
        """Lines of Verilog; a layer's module is written once, each position is an instance."""
        return sum(layer.lines for layer in self.layers)

    @property
    def seconds(self) -> float:
        """Seconds for a compile without its self-check, on one core."""
        search = sum(layer.search for layer in self.layers)
        return round(SECONDS_AT_LEAST + SECONDS_AN_ADDER * sum(layer.once for layer in self.layers) + search, 1)

    @property
    def megabytes(self) -> int:
        """The peak of memory."""
        return round(MEGABYTES_AT_LEAST + MEGABYTES_AN_ADDER * sum(layer.once for layer in self.layers))


def predict(module: ModuleOp, target: Target) -> Prediction:
    """The prediction for a module's folded network."""
    found: list[LayerPrediction] = []
    for operation in network_of(module).body.block.ops:
        if isinstance(operation, lbir.LayerOp):
            layer = _layer(operation, target)
            if layer is not None:
                found.append(layer)
    return Prediction(tuple(found))


def _layer(operation: lbir.LayerOp, target: Target) -> LayerPrediction | None:
    size = lbir.size_of(operation.results[0])
    element = lbir.range_of(operation.operands[0])
    name = operation.name.removeprefix("lbir.")
    match operation:
        case lbir.DenseOp() | lbir.ConvOp():
            weights = lbir.integers(operation.weights)
            positions = size // len(weights)
            adders, lut = _sums(weights.reshape(len(weights), -1), element.bits, target)
        case lbir.AddOp():
            positions, terms = size, len(operation.inputs)
            adders = terms - 1
            for coefficient in operation.coefficients:
                adders += max(0, len(signed_digits(int(np.abs(lbir.integers(coefficient)).max()))) - 1)
            lut = adders * lbir.range_of(operation.result).bits
        case lbir.RequantizeOp():
            positions, adders = size, 0
            lut = lbir.range_of(operation.result).bits + 3
        case lbir.ThresholdOp():
            positions, adders = size, 0
            levels = lbir.integers(operation.thresholds).shape[-1]
            lut = math.ceil(levels.bit_length() * element.bits * 0.6)
        case lbir.TableOp():
            positions, adders = size, 0
            lut = lbir.range_of(operation.result).bits << max(0, min(element.bits, 8) - 6)
        case lbir.MaxPoolOp() | lbir.MaximumOp():
            count = math.prod(operation.kernel.data) if isinstance(operation, lbir.MaxPoolOp) else 2
            positions, adders = size, 0
            lut = math.ceil((count - 1) * element.bits * 1.5)
        case lbir.MultiplyOp():
            positions = size
            other = lbir.range_of(operation.rhs).bits
            adders, lut = other - 1, element.bits * other
        case lbir.TopKOp():
            length = lbir.shape_of(operation.input)[-1]
            positions = lbir.size_of(operation.input) // length
            adders, lut = length * length, length * length * element.bits // 2
        case _:
            return None
    linear = isinstance(operation, lbir.DenseOp | lbir.ConvOp)
    shape = lbir.shape_of(operation.results[0])
    channels = shape[1] if len(shape) > 2 else math.prod(shape)
    once = adders if linear else channels * (adders + 2)
    lines = once + 3 * channels + (3 * positions if linear and positions > 1 else 0)
    search = _search(lbir.integers(operation.weights)) if linear else 0.0
    return LayerPrediction(operation.label, name, positions, adders * positions, lut * positions, once, lines, search)


def _search(weights: Integers) -> float:
    """Seconds of the search for the adders that a layer's sums share."""
    magnitudes = np.abs(weights).reshape(len(weights), -1)
    digits = np.bitwise_count(3 * magnitudes ^ magnitudes).sum(axis=1)  # those of the non-adjacent form
    group = SUMS_AT_ONCE["normal"]
    groups = [int(digits[start : start + group].sum()) for start in range(0, len(digits), group)]
    return sum(
        iterations_of("normal", each) * (SECONDS_AN_ITERATION + SECONDS_AN_ITERATION_AND_DIGIT * each)
        for each in groups
    )


def _sums(weights: Integers, bits: int, target: Target) -> tuple[int, int]:
    """Adders and LUT sites of sums of weights times inputs of so many bits."""
    odd = np.abs(weights)
    while np.any(even := (odd > 0) & (odd % 2 == 0)):
        odd = np.where(even, odd // 2, odd)
    arity = 3 if target == "xilinx" else 2
    adders = lut = 0
    for value in np.unique(odd[odd > 1]).tolist():  # products of an input by an odd number are made once
        inputs = int(np.any(odd == value, axis=0).sum())
        rows = -(-(len(signed_digits(value)) - 1) // (arity - 1))
        adders += inputs * rows
        lut += inputs * rows * (bits + value.bit_length())
    terms = (weights != 0).sum(axis=1)
    rows = -(-np.maximum(terms - 1, 0) // (arity - 1))
    # the first rows of neurons with few different weights are often the same
    patterns = max(2.0, len(np.unique(weights)) ** arity / 2)
    different = patterns * (1 - (1 - 1 / patterns) ** len(weights)) / len(weights)
    kept = 1 - (1 - different) * (arity - 1) / arity
    magnitude = np.where(terms > 0, np.log2(np.abs(weights) + 1).sum(axis=1) / np.maximum(terms, 1), 0)
    # rows become wider by the logarithm of what they have added up: summed over a tree that is a constant a row
    widths = bits + magnitude + (2.4 if arity == 3 else 2.0)
    return adders + int(rows.sum() * kept), lut + int((rows * widths).sum() * kept)
