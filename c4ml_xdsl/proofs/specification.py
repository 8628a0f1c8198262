"""
What each `hw.module` of a design has to compute, from the folded `lbir` network alone.

A module says which of the network's operations it stands for (`c4ml.operations`, their positions) and how it lays their
result out in rows (`c4ml.axes`). Neither is believed: the checker proves that the module computes just that, and that
the network puts the modules together as the operations are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import Functions, elementwise
from c4ml_xdsl.numerics.chain import Integers

Numbers: TypeAlias = Callable[[tuple[int, ...]], Integers]
"""For parameters of a shape, the number of each output's one."""
ACTIVATIONS = (lbir.RequantizeOp, lbir.ThresholdOp, lbir.TableOp)


class SpecificationError(Exception):
    """Operations and rows that no module can stand for; the message says why."""


@dataclass(frozen=True)
class Sum:
    """An output's accumulator: coefficient by input element, none of them 0, and a constant."""

    terms: dict[int, int]
    constant: int


@dataclass
class Specification:
    """One row of a layer: input elements (of all operands, one after the other) to outputs."""

    node: str
    """The name of the model's node whose tensor it gives."""
    operations: tuple[lbir.LayerOp, ...]
    """The layer, and the activation behind it where it has one."""
    axes: tuple[int, ...]
    """The result's axes in the order in which the rows have them."""
    rows: int
    outputs: int
    operands: list[tuple[lbir.IntType, int]]
    """The integers of each operand and the elements of a row."""
    ranges: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """
    The lowest and highest integer of each input element, in any row.

    They are narrower than the operand's type where elements of what computes it have ranges of their own.
    """
    sums: list[Sum] | None = None
    """The accumulator of each output, where the layer is linear."""
    activation: Functions | None = None
    functions: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    """The number of each output's function of the activation."""

    @property
    def result(self) -> lbir.IntType:
        """The integers of the outputs."""
        return lbir.range_of(self.operations[-1].results[0])

    @property
    def layer(self) -> lbir.LayerOp:
        """The operation without its activation."""
        return self.operations[0]

    def rows_of(self, tensor: Integers) -> Integers:
        """The rows (…, rows, elements) that the layer's instances read of an operand (…, *shape)."""
        lead = len(tensor)
        match self.layer:
            case lbir.DenseOp() | lbir.TopKOp():
                return tensor.reshape(lead, -1, tensor.shape[-1])
            case lbir.ConvOp() | lbir.MaxPoolOp() as layer:
                kernel = lbir.integers(layer.weights).shape[2:] if isinstance(layer, lbir.ConvOp) else layer.kernel.data
                space = tensor.reshape(lead, *tensor.shape[2:])
                return lbir.patches(space, kernel, layer.strides.data, layer.dilations.data)
            case _:
                shape = lbir.shape_of(self.layer.results[0])
                ones = (1,) * (len(shape) + 1 - tensor.ndim)
                full = np.broadcast_to(tensor.reshape(lead, *ones, *tensor.shape[1:]), (lead, *shape))
                return full.transpose(0, *(axis + 1 for axis in self.axes)).reshape(lead, self.rows, self.outputs)

    def activated(self, output: int, n: Integers) -> Integers:
        """What becomes of an output's accumulator."""
        return n if self.activation is None else self.activation(self.functions[output : output + 1], n[None])[0]

    def function(self, output: int) -> int:
        """The number of an output's function of the activation."""
        return int(self.functions[output]) if self.activation is not None else 0

    def key(self, output: int) -> tuple[object, ...]:
        """What, with the ranges, tells outputs apart as functions of the input elements that they read."""
        if self.sums is not None:
            return (*self.sums[output].terms.values(), self.sums[output].constant, self.function(output))
        return (output if isinstance(self.layer, lbir.TopKOp) else 0, self.function(output))

    def read(self, output: int) -> Sequence[int]:
        """The input elements that an output depends on."""
        operation = self.layer
        if self.sums is not None:
            return list(self.sums[output].terms)
        match operation:
            case lbir.MaxPoolOp():
                size = self.operands[0][1] // self.outputs
                return range(output * size, (output + 1) * size)
            case lbir.TopKOp():
                return range(self.operands[0][1])
            case _:
                return [output + group * self.outputs for group in range(len(self.operands))]

    def evaluate(self, output: int, x: dict[int, Integers]) -> Integers:
        """An output's integers for those of the input elements that it depends on."""
        operation = self.layer
        if self.sums is not None:
            mine = self.sums[output]
            n = np.asarray(mine.constant, np.int64)
            for index, coefficient in mine.terms.items():
                n = n + coefficient * x[index]
            if n.ndim == 0:
                n = np.broadcast_to(n, np.shape(next(iter(x.values()))) if x else (1,))
            return self.activated(output, n)
        values = [x[index] for index in self.read(output)]
        match operation:
            case lbir.MultiplyOp():
                result = values[0] * values[1]
            case lbir.TopKOp():
                result = _top_k(operation, np.stack(values, axis=-1))[:, output]
            case _:
                result = values[0]
                for each in values[1:]:
                    result = np.maximum(result, each)
        return self.activated(output, result)


def _top_k(operation: lbir.TopKOp, x: Integers) -> Integers:
    """The ranks' elements, from the comparisons' definition."""
    margins, size = lbir.integers(operation.margins), x.shape[-1]
    key = x if operation.order.data == "largest" else -x
    ranks = np.zeros_like(x)
    for a in range(size):
        for b in range(a + 1, size):
            first = key[:, a] - key[:, b] >= margins[a, b]
            ranks[:, b] += first
            ranks[:, a] += ~first
    return np.argsort(ranks, axis=-1, kind="stable")


def specify(
    operations: Sequence[lbir.LayerOp],
    axes: Sequence[int] | None,
    rows: int,
    ranges: Mapping[SSAValue, Integers],
) -> Specification:
    """
    The specification of a module that stands for a layer, or a layer and the activation that reads it.

    `axes` and `rows` are how the result is laid out, `ranges` the lowest and highest integers of the elements of what
    the layer reads. Raises SpecificationError where that can't be.
    """
    layer, last = operations[0], operations[-1]
    if len(operations) > 2 or (len(operations) == 2 and not isinstance(last, ACTIVATIONS)):
        raise SpecificationError("the operations are no layer with an activation")
    if len(operations) == 2 and (last.operands[0] is not layer.results[0] or not layer.results[0].has_one_use()):
        raise SpecificationError("the activation isn't what alone reads the layer")
    shape = lbir.shape_of(last.results[0])
    order = tuple(range(len(shape))) if axes is None else tuple(axes)
    size = math.prod(shape)
    if sorted(order) != list(range(len(shape))) or rows < 1 or size % rows:
        raise SpecificationError(f"{rows} rows along the axes {order} don't fit the shape {shape}")
    outputs = size // rows

    def numbers(function_shape: tuple[int, ...]) -> Integers:
        """For each output of a row the number of its function, which must be the same in all rows."""
        count = math.prod(function_shape)
        table = np.broadcast_to(np.arange(count).reshape(function_shape), shape).transpose(order).reshape(rows, outputs)
        if np.any(table != table[0]):
            raise SpecificationError("the rows don't have the same parameters")
        return table[0]

    node = last.node if last.node is not None else layer.node
    operands = [
        (lbir.range_of(value), _row_size(layer, lbir.size_of(value), rows, outputs)) for value in layer.operands
    ]
    specification = Specification(
        last.label if node is None else node.data, tuple(operations), order, rows, outputs, operands
    )
    for value in layer.operands:
        lowest, highest = specification.rows_of(ranges[value])
        specification.ranges.extend(zip(lowest.min(axis=0).tolist(), highest.max(axis=0).tolist(), strict=True))
    specification.sums = _sums(layer, shape, order, rows, outputs, numbers)
    if isinstance(last, ACTIVATIONS):
        function_shape, specification.activation = elementwise(last)
        specification.functions = numbers((1,) * (len(shape) - len(function_shape)) + function_shape)
    return specification


def _row_size(layer: lbir.LayerOp, size: int, rows: int, outputs: int) -> int:
    """The elements of an operand that one row reads."""
    match layer:
        case lbir.DenseOp():
            return lbir.integers(layer.weights).shape[1]
        case lbir.TopKOp():
            return lbir.shape_of(layer.input)[-1]
        case lbir.ConvOp():
            weights = lbir.integers(layer.weights)
            return lbir.shape_of(layer.input)[1] * math.prod(weights.shape[2:])
        case lbir.MaxPoolOp():
            return lbir.shape_of(layer.input)[1] * math.prod(layer.kernel.data)
        case _:
            return outputs


def _sums(
    layer: lbir.LayerOp, shape: tuple[int, ...], order: tuple[int, ...], rows: int, outputs: int, numbers: Numbers
) -> list[Sum] | None:
    match layer:
        case lbir.DenseOp():
            _require(order == tuple(range(len(shape))) and outputs == shape[-1], "a dense layer's rows")
            return _weighted(lbir.integers(layer.weights), lbir.integers(layer.bias), 1)
        case lbir.ConvOp():
            _require(order == _channels_last(len(shape)) and outputs == shape[1], "a convolution's rows")
            weights = lbir.integers(layer.weights)
            return _weighted(weights.reshape(len(weights), -1), lbir.integers(layer.bias), layer.groups.value.data)
        case lbir.AddOp():
            constant = lbir.integers(layer.constant)
            constants = constant.reshape(-1)[numbers(constant.shape)].tolist()
            factors: list[list[int]] = []
            for each in layer.coefficients:
                array = lbir.integers(each)
                factors.append(array.reshape(-1)[numbers(array.shape)].tolist())
            return [
                Sum(
                    {group * outputs + o: row[o] for group, row in enumerate(factors) if row[o]},
                    constants[o],
                )
                for o in range(outputs)
            ]
        case lbir.MaxPoolOp():
            _require(order == _channels_last(len(shape)) and outputs == shape[1], "a pool's rows")
            return None
        case lbir.TopKOp():
            _require(order == tuple(range(len(shape))) and outputs == shape[-1], "the rows")
            return None
        case lbir.MaximumOp() | lbir.MultiplyOp():
            return None
        case lbir.RequantizeOp() | lbir.ThresholdOp() | lbir.TableOp():
            return [Sum({o: 1}, 0) for o in range(outputs)]
        case _:
            raise SpecificationError(f"{layer.name} is no layer")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise SpecificationError(f"{what} aren't along the channels")


def _channels_last(rank: int) -> tuple[int, ...]:
    return (0, *range(2, rank), 1)


def _weighted(matrix: Integers, bias: Integers, groups: int) -> list[Sum]:
    sums: list[Sum] = []
    size = matrix.shape[1]
    for output, (row, constant) in enumerate(zip(matrix.tolist(), bias.tolist(), strict=True)):
        start = output // (len(matrix) // groups) * size
        sums.append(Sum({start + index: weight for index, weight in enumerate(row) if weight}, constant))
    return sums
