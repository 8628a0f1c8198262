"""
A network as a chain of integer layers, which is how the peers are told what to build.

Every step reads elements of the flat vector before it by their numbers (`gather`), so convolutions and pools need no
words of their own: a layer multiplies rows of gathered elements by one matrix.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from benchmarks.errors import NotDescribableError
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.frontend import import_model, load_model
from c4ml_xdsl.interpreters.lbir import moved, network_of
from c4ml_xdsl.numerics.rounding import RoundingMode, round_shift
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw

Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Rounding:
    """round(sum / 2^shift), saturated to so many bits."""

    shift: int
    mode: str
    """A `RoundingMode`, or "ties_up": to the nearest, ties towards infinity, which is all that da4ml has."""
    bits: int
    signed: bool

    @property
    def low(self) -> int:
        """The lowest result."""
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def high(self) -> int:
        """The highest result."""
        return (1 << self.bits - self.signed) - 1


@dataclass(frozen=True)
class Thresholds:
    """How many of the levels a sum has reached: levels (outputs, levels), ascending."""

    levels: Integers


@dataclass(frozen=True)
class Layer:
    """rows · weights + bias, then the activation: gather (rows, inputs), weights (inputs, outputs), bias (outputs,)."""

    gather: Integers
    weights: Integers
    bias: Integers
    activation: Rounding | Thresholds | None = None

    @property
    def size(self) -> int:
        """The number of elements that it gives, row by row."""
        return len(self.gather) * self.weights.shape[1]


@dataclass(frozen=True)
class Maximum:
    """The largest of each row of gathered elements."""

    gather: Integers

    @property
    def size(self) -> int:
        """The number of elements that it gives."""
        return len(self.gather)


@dataclass(frozen=True)
class IntegerNetwork:
    """A chain of steps on integers from `low` to `high`; `order` picks the outputs from the last step's elements."""

    inputs: int
    low: int
    high: int
    steps: tuple[Layer | Maximum, ...]
    order: Integers


def lower_to_lbir(model: bytes) -> ModuleOp:
    """The integer network of a QONNX model, by the front half of the default pipeline."""
    module = import_model(load_model(model))
    for each in ConvertQonnxToHw().to_lbir():
        each.apply(Context(), module)
    return module


def describe(module: ModuleOp) -> IntegerNetwork:
    """
    The description of a module's `lbir.network`.

    Raises NotDescribableError for several inputs or outputs, joins, and operations that aren't one of dense,
    convolution without groups, requantisation, threshold, max pool or a move.
    """
    network = network_of(module)
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise NotDescribableError("the network has several inputs or outputs")
    argument = network.body.block.args[0]
    element = lbir.range_of(argument)
    size = lbir.size_of(argument)
    chain = _Chain(np.arange(size).reshape(lbir.shape_of(argument)), element)
    chain.value = argument
    for operation in network.body.block.ops:
        if isinstance(operation, lbir.OutputOp):
            break
        chain.add(operation)
    return IntegerNetwork(size, element.low, element.high, tuple(chain.steps), chain.places.reshape(-1))


class _Chain:
    """
    The steps so far; `places` numbers the last step's elements in the shape of the tensor `value`.

    `element` is the range of these, `read` the range of what the last layer multiplies.
    """

    def __init__(self, places: Integers, element: lbir.IntType):
        self.places, self.element, self.read = places, element, element
        self.steps: list[Layer | Maximum] = []
        self.value: SSAValue | None = None

    def add(self, operation: Operation) -> None:
        if list(operation.operands) != [self.value]:
            raise NotDescribableError(f"{operation.name} joins tensors")
        places = self.places
        match operation:
            case lbir.DenseOp():
                weights = lbir.integers(operation.weights).T
                self._layer(places.reshape(-1, len(weights)), weights, lbir.integers(operation.bias))
                self.places = np.arange(self.steps[-1].size).reshape(lbir.shape_of(operation.result))
            case lbir.ConvOp():
                if operation.groups.value.data != 1:
                    raise NotDescribableError("the convolution has groups")
                weights = lbir.integers(operation.weights)
                strides, dilations = operation.strides.data, operation.dilations.data
                rows = lbir.patches(places, weights.shape[2:], strides, dilations)[0]
                self._layer(rows, weights.reshape(len(weights), -1).T, lbir.integers(operation.bias))
                numbers = np.arange(self.steps[-1].size).reshape(len(rows), len(weights))
                self.places = numbers.T.reshape(lbir.shape_of(operation.result))
            case lbir.RequantizeOp() | lbir.ThresholdOp():
                self._activate(operation)
            case lbir.MaxPoolOp():
                kernel, strides, dilations = operation.kernel.data, operation.strides.data, operation.dilations.data
                windows = lbir.windows_of(places[None], kernel, strides, dilations)
                rows = windows.reshape(lbir.size_of(operation.result), -1)
                self.steps.append(Maximum(rows))
                self.places = np.arange(len(rows)).reshape(lbir.shape_of(operation.result))
            case _:
                try:
                    self.places = moved(operation, places[None])[0]
                except NotImplementedError as error:
                    raise NotDescribableError(f"{operation.name} isn't described to peers") from error
        self.value = operation.results[0]
        self.element = lbir.range_of(self.value)

    def _layer(self, gather: Integers, weights: Integers, bias: Integers) -> None:
        self.steps.append(Layer(gather, weights, bias))
        self.read = self.element

    def _activate(self, operation: lbir.RequantizeOp | lbir.ThresholdOp) -> None:
        result = lbir.range_of(operation.result)
        if isinstance(operation, lbir.RequantizeOp):
            offset, shift = lbir.integers(operation.offset), operation.shift.value.data
            same = result.low <= self.element.low and self.element.high <= result.high
            if shift == 0 and not offset.any() and same:
                return  # a quantiser behind one of the same format
        last = self.steps[-1] if self.steps else None
        if not isinstance(last, Layer) or last.activation is not None or self.places.size != last.size:
            raise NotDescribableError(f"{operation.name} doesn't follow a dense layer or a convolution")
        if isinstance(operation, lbir.RequantizeOp):
            moved_sums = replace(last, bias=last.bias + self._per_output(lbir.integers(operation.offset), last))
            shift, mode = operation.shift.value.data, operation.rounding.data
            self.steps[-1] = _with_rounding(moved_sums, self.read, shift, mode, result)
            return
        base = lbir.integers(operation.base)
        if not np.all(lbir.integers(operation.ascending) == 1) or np.any(base != base.flat[0]):
            raise NotDescribableError("the thresholds descend, or count from several bases")
        levels = self._per_output(lbir.integers(operation.thresholds), last, 1)
        self.steps[-1] = _with_thresholds(last, self.read, levels, int(base.flat[0]))

    def _per_output(self, parameters: Integers, layer: Layer, tail: int = 0) -> Integers:
        """Parameters that broadcast against the tensor (but for `tail` axes) as one for each output of the layer."""
        rest = parameters.shape[parameters.ndim - tail :]
        spread = np.broadcast_to(parameters, (*self.places.shape, *rest)).reshape(-1, *rest)
        flat = np.empty_like(spread)
        flat[self.places.reshape(-1)] = spread
        rows = flat.reshape(len(layer.gather), -1, *rest)
        if np.any(rows != rows[:1]):
            raise NotDescribableError("the activation differs between the positions of a convolution")
        return rows[0]


def _rounded(sums: Integers, shift: int, mode: str) -> Integers:
    if mode == "ties_up":
        return (sums + (1 << shift >> 1)) >> shift
    return round_shift(sums, shift, RoundingMode(mode))


def _with_rounding(layer: Layer, read: lbir.IntType, shift: int, mode: str, result: lbir.IntType) -> Layer:
    """
    A layer whose results are rounded and clipped to a range.

    An end of the range that no sum passes may lie further out, so that saturating to bits, as the peers do, is enough.
    """
    low, high = lbir.dense_ranges(layer.weights.T, layer.bias, read)
    lowest, highest = (int(each) for each in _rounded(np.array([low.min(), high.max()]), shift, mode))
    rounding = Rounding(shift, mode, result.bits, result.signed)
    if (lowest < result.low and rounding.low != result.low) or (highest > result.high and rounding.high != result.high):
        raise NotDescribableError(f"an activation saturates to {result.low} and {result.high}, which are no bits' ends")
    return replace(layer, activation=rounding)


def _with_thresholds(layer: Layer, read: lbir.IntType, levels: Integers, base: int) -> Layer:
    """
    A layer with thresholds, as a division by a power of two where they are spaced like that.

    The peers round and saturate by themselves, so what they know is given to them in their own words.
    """
    count = levels.shape[1]
    result = lbir.IntType(base, base + count)
    low, high = lbir.dense_ranges(layer.weights.T, layer.bias, read)
    reachable = np.clip(levels, low[:, None], high[:, None] + 1)
    steps = np.arange(levels.shape[1], dtype=np.int64)
    values: Integers = base + 1 + steps

    def fits(candidate: Integers) -> NDArray[np.bool_]:
        return np.all(np.clip(candidate, low[:, None], high[:, None] + 1) == reachable, axis=1)

    index, level = _anchor(levels, low, high)
    shifts = range(int(high.max() - low.min()).bit_length() + 1) if count > 1 else ()
    for shift in shifts:
        first = level - (index << shift)
        if fits(first[:, None] + (steps << shift)).all():
            bias = layer.bias - first + (1 + base << shift)
            return _with_rounding(replace(layer, bias=bias), read, shift, "floor", result)
    for shift in shifts[1:]:
        # round((2 sum + offset) / 2^(shift + 1)) reaches a value at 2 sum + offset = tie, or above it if it is odd
        ties = ((2 * values - 1) << shift) + values % 2
        offset = ties[index] - 2 * level
        matches = [fits(-((offset[:, None] + more - ties) // 2)) for more in (0, 1)]
        if np.all(matches[0] | matches[1]):
            bias = 2 * layer.bias + offset + np.where(matches[0], 0, 1)
            doubled = replace(layer, weights=2 * layer.weights, bias=bias)
            return _with_rounding(doubled, read, shift + 1, "half_even", result)
    if base:
        raise NotDescribableError("thresholds count from a number other than 0")
    return replace(layer, activation=Thresholds(levels))


def _anchor(levels: Integers, low: Integers, high: Integers) -> tuple[Integers, Integers]:
    """For each output the number and place of a level that sums meet; one outside of their range where none is."""
    between = (levels > low[:, None]) & (levels <= high[:, None])
    always = levels[:, -1] <= low
    index = np.where(between.any(axis=1), np.argmax(between, axis=1), np.where(always, levels.shape[1] - 1, 0))
    met = np.take_along_axis(levels, index[:, None], 1)[:, 0]
    return index, np.where(between.any(axis=1), met, np.where(always, low, high + 1))


def run(network: IntegerNetwork, x: Integers) -> Integers:
    """The network's outputs (samples, outputs) for integers (samples, inputs)."""
    for step in network.steps:
        rows = x[:, step.gather]
        if isinstance(step, Maximum):
            x = rows.max(axis=2)
            continue
        sums = rows @ step.weights + step.bias
        match step.activation:
            case Rounding() as rounding:
                sums = np.clip(_rounded(sums, rounding.shift, rounding.mode), rounding.low, rounding.high)
            case Thresholds(levels):
                sums = (sums[..., None] >= levels).sum(axis=-1)
            case None:
                pass
        x = sums.reshape(len(x), -1)
    return x[:, network.order]


def with_ties_up(network: IntegerNetwork) -> IntegerNetwork:
    """The network with every rounding to the nearest as da4ml does it: ties towards infinity."""
    steps: list[Layer | Maximum] = []
    for step in network.steps:
        if isinstance(step, Layer) and isinstance(step.activation, Rounding) and step.activation.mode != "floor":
            step = replace(step, activation=replace(step.activation, mode="ties_up"))
        steps.append(step)
    return replace(network, steps=tuple(steps))


def with_nearest(network: IntegerNetwork) -> IntegerNetwork:
    """The same function with each floor division as a rounding to the nearest of odd numbers, which has no ties."""
    steps: list[Layer | Maximum] = []
    for step in network.steps:
        if isinstance(step, Layer) and isinstance(step.activation, Rounding) and step.activation.mode == "floor":
            shift = step.activation.shift
            activation = replace(step.activation, shift=shift + 1, mode="half_even")
            bias = 2 * step.bias + 1 - (1 << shift)
            step = replace(step, weights=2 * step.weights, bias=bias, activation=activation)
        steps.append(step)
    return replace(network, steps=tuple(steps))


def save(parts: list[IntegerNetwork], path: Path) -> None:
    """Writes networks to an npz file: `description` is JSON in which arrays are named, the arrays lie beside it."""
    arrays: dict[str, Integers] = {}

    def stored(array: Integers) -> str:
        arrays[f"array{len(arrays)}"] = array
        return f"array{len(arrays) - 1}"

    def entry(step: Layer | Maximum) -> dict[str, Any]:
        if isinstance(step, Maximum):
            return {"kind": "maximum", "gather": stored(step.gather)}
        match step.activation:
            case Rounding():
                activation = {"kind": "rounding", **asdict(step.activation)}
            case Thresholds(levels):
                activation = {"kind": "thresholds", "levels": stored(levels)}
            case None:
                activation = None
        return {
            "kind": "layer",
            "gather": stored(step.gather),
            "weights": stored(step.weights),
            "bias": stored(step.bias),
            "activation": activation,
        }

    description = [
        {
            "inputs": part.inputs,
            "low": part.low,
            "high": part.high,
            "steps": [entry(step) for step in part.steps],
            "order": stored(part.order),
        }
        for part in parts
    ]
    np.savez_compressed(path, allow_pickle=False, description=np.array(json.dumps(description)), **arrays)


def load(path: Path) -> list[IntegerNetwork]:
    """The networks of a file that `save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:

        def step_of(entry: dict[str, Any]) -> Layer | Maximum:
            if entry["kind"] == "maximum":
                return Maximum(arrays[entry["gather"]])
            given, activation = entry["activation"], None
            if given is not None and given["kind"] == "rounding":
                activation = Rounding(given["shift"], given["mode"], given["bits"], given["signed"])
            elif given is not None:
                activation = Thresholds(arrays[given["levels"]])
            return Layer(arrays[entry["gather"]], arrays[entry["weights"]], arrays[entry["bias"]], activation)

        return [
            IntegerNetwork(
                part["inputs"],
                part["low"],
                part["high"],
                tuple(step_of(step) for step in part["steps"]),
                arrays[part["order"]],
            )
            for part in json.loads(str(arrays["description"]))
        ]
