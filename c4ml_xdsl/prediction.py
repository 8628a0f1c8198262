"""
What a compile will take and give, predicted from the network of integer tensors in a moment.

Adders are those of the structure `direct`: rows of three operands on the Xilinx targets, of two else, narrow ones
first; their LUT sites are what is left of them where sums share adders. Time and memory are fitted to compiles of the
benchmarks (`python -m benchmarks scale`); the search for shared adders runs on all cores.
"""

import math
import os
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.circuits.adder_graph.budget import Effort, groups_of, microseconds_of, permille_of
from c4ml_xdsl.circuits.adder_rows import signed_digits
from c4ml_xdsl.circuits.cost import Target, row_operands
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.numerics.chain import Integers

SECONDS_AT_LEAST, SECONDS_AN_ADDER, SECONDS_A_WIRE = 0.5, 4.2e-4, 1.2e-5
MEGABYTES_AT_LEAST, MEGABYTES_AN_ADDER, MEGABYTES_A_WIRE = 75.0, 0.0095, 0.0005
"""What a module's adders take once, and what an instance's inputs take each."""
SECONDS_A_MICROSECOND = 1.25e-6
"""What the search's budget calls a microsecond, in seconds."""
SHARES = {
    "lbir-unroll-neurons": 0.03,
    "neuron-fold-offsets": 0.12,
    "neuron-tabulate": 0.02,
    "neuron-compress-sums": 0.02,
    "neuron-expand-sums": 0.04,
    "convert-neuron-to-hw": 0.16,
    "comb-simplify": 0.07,
    "hw-legalize-names": 0.02,
    "estimate": 0.18,
    "prove": 0.2,
    "verilog": 0.05,
}
"""What the phases behind the prediction take of the time without the search, about."""
VERIFYING = 0.12
"""What the self-check takes beyond that."""
SEARCHING = "neuron-share-sums"
SHARED = 0.8
"""Of the LUT sites of sums so many are left where they share adders: 0.74 to 0.84 in the benchmarks."""


@dataclass(frozen=True)
class LayerPrediction:
    """
    One layer: adders and LUT sites of all its positions; `once` and `lines` are those of its module.

    `wires` are the inputs of all instances; `digits` those of each group of sums whose adders are searched together.
    """

    name: str
    operation: str
    positions: int
    adders: int
    lut: int
    once: int
    lines: int
    wires: int = 0
    digits: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """All layers, and what a compile takes."""

    layers: tuple[LayerPrediction, ...]
    effort: Effort

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
        """Seconds for a compile without its self-check, on this machine's cores."""
        return round(self._building() + self._search(), 1)

    def phases(self, verify: bool) -> dict[str, float]:
        """The seconds by phase, of those that come behind the prediction; what an option leaves out is in it too."""
        building = self._building()
        seconds = {phase: building * share for phase, share in SHARES.items()}
        seconds[SEARCHING] = self._search()
        if verify:
            seconds["verify"] = building * VERIFYING
        return seconds

    def _building(self) -> float:
        """Seconds for all but the search."""
        adders, wires = sum(layer.once for layer in self.layers), sum(layer.wires for layer in self.layers)
        return SECONDS_AT_LEAST + SECONDS_AN_ADDER * adders + SECONDS_A_WIRE * wires

    def _search(self) -> float:
        """Seconds of the search for shared adders: groups of sums are searched at the same time."""
        groups = [digits for layer in self.layers for digits in layer.digits]
        permille = permille_of(self.effort, groups)
        seconds = [microseconds_of(self.effort, digits) * permille / 1000 * SECONDS_A_MICROSECOND for digits in groups]
        return max(sum(seconds) / (os.cpu_count() or 1), max(seconds, default=0.0))

    @property
    def megabytes(self) -> int:
        """The peak of memory."""
        adders, wires = sum(layer.once for layer in self.layers), sum(layer.wires for layer in self.layers)
        return round(MEGABYTES_AT_LEAST + MEGABYTES_AN_ADDER * adders + MEGABYTES_A_WIRE * wires)


def predict(module: ModuleOp, target: Target, effort: Effort = "normal") -> Prediction:
    """The prediction for a module's folded network."""
    found: list[LayerPrediction] = []
    for operation in network_of(module).body.block.ops:
        if isinstance(operation, lbir.LayerOp):
            layer = _layer(operation, target, effort)
            if layer is not None:
                found.append(layer)
    return Prediction(tuple(found), effort)


def _layer(operation: lbir.LayerOp, target: Target, effort: Effort) -> LayerPrediction | None:
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
    layer = LayerPrediction(operation.label, name, positions, adders * positions, lut * positions, once, lines)
    if not linear:
        return layer
    weights = lbir.integers(operation.weights)
    rows = weights.reshape(len(weights), -1)
    return replace(layer, wires=positions * rows.shape[1], digits=tuple(groups_of(effort, rows)))


def _sums(weights: Integers, bits: int, target: Target) -> tuple[int, int]:
    """Adders and LUT sites of sums of weights times inputs of so many bits."""
    odd = np.abs(weights)
    while np.any(even := (odd > 0) & (odd % 2 == 0)):
        odd = np.where(even, odd // 2, odd)
    arity = row_operands(target)
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
    lut += int((rows * widths).sum() * kept)
    return adders + int(rows.sum() * kept), int(lut * SHARED)
