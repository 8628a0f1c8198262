"""The pass `lbir-unroll-neurons`."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, cast

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, TensorType, i64
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.unique_names import unique_name

ACTIVATIONS = (lbir.RequantizeOp, lbir.ThresholdOp, lbir.TableOp)
LAYERS = (
    lbir.DenseOp,
    lbir.ConvOp,
    lbir.MaxPoolOp,
    lbir.AddOp,
    lbir.MultiplyOp,
    lbir.MaximumOp,
    lbir.TopKOp,
    *ACTIVATIONS,
)


@dataclass(frozen=True)
class LbirUnrollNeurons(ModulePass):
    """
    Makes a `neuron.layer` of scalars of each layer, together with the activation that alone reads it, and calls it.

    Biases and offsets go where they cost least: into thresholds, or with the rounding constant into the sum.

    Before:
    ```mlir
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 1 range [0, 1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<0, 3>>):
      %y = lbir.dense %x weights dense<[[1, -2]]> : tensor<1x2xi8> bias dense<[1]> : tensor<1xi8> node "Gemm_0" : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<-5, 4>>
      %z = lbir.threshold %y, dense<[[3]]> : tensor<1x1xi8> base dense<[0]> : tensor<1xi8> ascending dense<[1]> : tensor<1xi8> : tensor<1x1x!lbir.int<-5, 4>> -> tensor<1x1x!lbir.int<0, 1>>
      lbir.output %z : tensor<1x1x!lbir.int<0, 1>>
    }
    ```
    After `lbir-unroll-neurons`:
    ```mlir
    neuron.layer @Gemm_0 "dense 2 -> 1, threshold; inputs 0 to 3, sums -6 to 3, outputs 0 to 1" {
    ^bb0(%x0: !lbir.int<0, 3>, %x1: !lbir.int<0, 3>):
      %acc0 = neuron.sum %x0, %x1 times [1, -2] plus 0 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<-6, 3>
      %y0 = neuron.threshold %acc0, [2] base 0 falling 0 : !lbir.int<-6, 3> -> !lbir.int<0, 1>
      neuron.yield %y0 : !lbir.int<0, 1>
    }
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 1 range [0, 1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<0, 3>>):
      %z = lbir.call @Gemm_0(%x) node "Gemm_0" operations [0, 1] : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 1>>
      lbir.output %z : tensor<1x1x!lbir.int<0, 1>>
    }
    ```
    """  # noqa: E501

    name = "lbir-unroll-neurons"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        names: set[str] = set()
        for network in list(op.body.block.ops):
            if isinstance(network, lbir.NetworkOp):
                names.add(network.sym_name.data)
                operations = list(network.body.block.ops)
                positions = {operation: position for position, operation in enumerate(operations)}
                for operation in operations:
                    if operation.parent is not None and isinstance(operation, LAYERS):
                        _unroll(operation, network, names, positions)


def _fused_activation(operation: lbir.LayerOp) -> Operation | None:
    """The activation that alone reads a layer's result and has the same parameters at every position."""
    if isinstance(operation, (*ACTIVATIONS, lbir.TopKOp)) or not operation.results[0].has_one_use():
        return None
    reader = next(iter(operation.results[0].uses)).operation
    if not isinstance(reader, ACTIVATIONS):
        return None
    free = _function_axes(operation)
    shape = _parameter_shape(reader)
    fits = free is None or all(size == 1 or axis in free for axis, size in enumerate(shape))
    return reader if fits else None


def _parameter_shape(operation: Operation) -> tuple[int, ...]:
    """The shape of an elementwise operation's parameters: 1 along the axes that they don't vary along."""
    rank = len(lbir.shape_of(operation.results[0]))
    shapes: list[tuple[int, ...]] = [(1,) * rank]
    match operation:
        case lbir.RequantizeOp():
            shapes.append(lbir.integers(operation.offset).shape)
        case lbir.ThresholdOp():
            shapes.append(lbir.integers(operation.base).shape)
        case lbir.TableOp():
            shapes.append(lbir.integers(operation.table).shape[:-1])
        case lbir.AddOp():
            shapes += [lbir.integers(each).shape for each in (*operation.coefficients, operation.constant)]
        case _:
            pass
    return np.broadcast_shapes(*shapes)


def _function_axes(operation: Operation) -> tuple[int, ...] | None:
    """The axes of a result along which one module computes all elements; None where the layer may choose."""
    rank = len(lbir.shape_of(operation.results[0]))
    match operation:
        case lbir.DenseOp() | lbir.TopKOp():
            return (rank - 1,)
        case lbir.ConvOp() | lbir.MaxPoolOp():
            return (1,)
        case _:
            return None


def _unique(label: str, names: set[str]) -> str:
    """A module's name for a node: its label, with what a symbol doesn't like replaced."""
    base = re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_") or "layer"
    if base[0].isdigit():
        base = f"layer_{base}"
    return unique_name(base, names)


@lru_cache(maxsize=1 << 16)
def integer_type(low: int, high: int) -> lbir.IntType:
    """An interned range."""
    return lbir.IntType(low, high)


def rounding_constant(mode: RoundingMode, shift: int) -> int:
    """What an adder can take over from the rounding, so that only bits are dropped (and ties made even) afterwards."""
    if mode is RoundingMode.CEIL:
        return (1 << shift) - 1
    return (1 << shift) >> 1 if mode in (RoundingMode.HALF_EVEN, RoundingMode.HALF_UP) else 0


@dataclass(frozen=True)
class _Rows:
    """How a result is computed in rows: its axes, positions first, and the sizes of both."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    lead: int
    """How many of the axes number positions."""

    @staticmethod
    def of(operation: Operation, activation: Operation | None) -> "_Rows":
        """Rows as few and long as the operation needs; single positions where all axes are alike."""
        shape = lbir.shape_of(operation.results[0])
        axes = _function_axes(operation)
        if axes is None:
            parameters = np.broadcast_shapes(*(_parameter_shape(o) for o in (operation, activation) if o is not None))
            axes = tuple(axis for axis, size in enumerate(parameters) if size > 1)
            channel = min(1, len(shape) - 1)
            if channel not in axes and shape:
                axes = tuple(sorted((channel, *axes)))
        lead = tuple(axis for axis in range(len(shape)) if axis not in axes)
        return _Rows(shape, (*lead, *axes), len(lead))

    @property
    def positions(self) -> int:
        """The number of rows."""
        return math.prod(self.shape[axis] for axis in self.axes[: self.lead])

    @property
    def outputs(self) -> int:
        """The elements of a row."""
        return math.prod(self.shape) // self.positions

    @property
    def plain(self) -> bool:
        """Whether the rows are just the tensor's elements in order."""
        return self.axes == tuple(range(len(self.shape)))

    def parameters(self, array: Integers, trailing: int = 0) -> Integers:
        """A parameter that broadcasts against the result (but for its last axes), for each output of a row."""
        lead, tail = array.shape[: array.ndim - trailing], array.shape[array.ndim - trailing :]
        full = array.reshape((1,) * (len(self.shape) - len(lead)) + lead + tail)
        full = full.transpose(*self.axes, *range(len(self.shape), full.ndim))
        row = full[(0,) * self.lead]  # parameters don't vary along the positions
        sizes = tuple(self.shape[axis] for axis in self.axes[self.lead :])
        return np.broadcast_to(row, (*sizes, *tail)).reshape(self.outputs, *tail)


def _unroll(operation: lbir.LayerOp, network: lbir.NetworkOp, names: set[str], positions: dict[Operation, int]) -> None:
    """Replaces a layer, with the activation that it is fused with, by a call."""
    activation = _fused_activation(operation)
    last = operation if activation is None else activation
    block = network.body.block
    rows = _Rows.of(operation, activation)

    def insert(created: lbir.LayerOp) -> SSAValue:
        block.insert_op_before(created, operation)
        return created.results[0]

    def reshaped(value: SSAValue, shape: tuple[int, ...]) -> SSAValue:
        return value if lbir.shape_of(value) == shape else insert(lbir.ReshapeOp(value, shape))

    def transposed(value: SSAValue, axes: tuple[int, ...]) -> SSAValue:
        return value if axes == tuple(range(len(axes))) else insert(lbir.TransposeOp(value, axes))

    match operation:
        case lbir.DenseOp() | lbir.TopKOp():
            operands = [operation.operands[0]]
            result_shape = rows.shape
        case lbir.ConvOp() | lbir.MaxPoolOp():
            kernel = (
                lbir.integers(operation.weights).shape[2:]
                if isinstance(operation, lbir.ConvOp)
                else operation.kernel.data
            )
            operands = [
                insert(lbir.PatchesOp(operation.input, kernel, operation.strides.data, operation.dilations.data))
            ]
            result_shape = (1, rows.positions, rows.outputs)
        case _:
            result_shape = (rows.positions, rows.outputs)
            operands = list[SSAValue]()
            for value in operation.operands:
                if lbir.shape_of(value) != rows.shape:
                    value = insert(lbir.BroadcastOp(value, rows.shape))
                operands.append(reshaped(transposed(value, rows.axes), result_shape))
    name = _unique(operation.label, names)
    layer = _layer(name, operation, activation, operands, rows)
    network_parent = network.parent
    assert network_parent is not None
    network_parent.insert_op_before(layer, network)
    # the call stands for the tensor that it produces, so it has the name of the last node
    node = last.node if isinstance(last, lbir.LayerOp) and last.node is not None else operation.node
    result_type = TensorType(lbir.range_of(last.results[0]), list(result_shape))
    axes = None if rows.plain else rows.axes
    stands_for = [positions[each] for each in (operation, activation) if each is not None]
    value = insert(lbir.CallOp(name, operands, result_type, None if node is None else node.data, axes, stands_for))
    if isinstance(operation, lbir.ConvOp | lbir.MaxPoolOp):
        value = transposed(value, (0, 2, 1))
        value = reshaped(value, rows.shape)
    elif result_shape != rows.shape or not rows.plain:
        value = reshaped(value, tuple(rows.shape[axis] for axis in rows.axes))
        value = transposed(value, tuple(int(axis) for axis in np.argsort(rows.axes)))
    last.results[0].replace_all_uses_with(value)
    for old in (last, operation) if last is not operation else (operation,):
        old.detach()
        old.erase()


def _layer(
    name: str, operation: lbir.LayerOp, activation: Operation | None, operands: list[SSAValue], rows: _Rows
) -> neuron.LayerOp:
    """The layer that computes one row."""
    sizes = [lbir.shape_of(value)[-1] for value in operands]
    types = [
        integer_type(lbir.range_of(value).low, lbir.range_of(value).high)
        for value, size in zip(operands, sizes, strict=True)
        for _ in range(size)
    ]
    block = Block(arg_types=types)
    letters = "x" if len(operands) == 1 else "abcdefghijklmnopqrstuvw"
    arguments: list[list[SSAValue]] = []
    position = 0
    for number, size in enumerate(sizes):
        group = block.args[position : position + size]
        position += size
        arguments.append([*group])
        for index, argument in enumerate(group):
            argument.name_hint = f"{letters[number % len(letters)]}{index}"
    operations: list[Operation] = []
    bias: Integers = np.zeros(rows.outputs, np.int64)
    words = f"{operation.name.removeprefix('lbir.')} {sum(sizes)} -> {rows.outputs}"
    values: list[SSAValue]
    if isinstance(operation, lbir.DenseOp | lbir.ConvOp | lbir.AddOp):
        if isinstance(operation, lbir.AddOp):
            bias = rows.parameters(lbir.integers(operation.constant))
        else:
            bias = lbir.integers(operation.bias)
        constant = np.zeros_like(bias)
        if activation is None:
            constant = bias
        elif isinstance(activation, lbir.RequantizeOp):
            mode, shift = RoundingMode(activation.rounding.data), activation.shift.value.data
            constant = bias + rows.parameters(lbir.integers(activation.offset)) + rounding_constant(mode, shift)
        values = _sums(_linear_forms(operation, arguments, rows), constant, operations)
        bias = bias - constant
    elif isinstance(operation, lbir.TopKOp):
        words = f"indices of the {operation.order.data} {rows.outputs} of {sum(sizes)}"
        values = _top_k(operation, arguments[0], operations)
    elif isinstance(operation, lbir.MaxPoolOp | lbir.MaximumOp | lbir.MultiplyOp):
        values = []
        for index in range(rows.outputs):
            if isinstance(operation, lbir.MaxPoolOp):
                size = sizes[0] // rows.outputs
                created: Operation = neuron.MaxOp.of(arguments[0][index * size : (index + 1) * size])
            elif isinstance(operation, lbir.MaximumOp):
                created = neuron.MaxOp.of([arguments[0][index], arguments[1][index]])
            else:
                created = neuron.MultiplyOp.of(arguments[0][index], arguments[1][index])
            created.results[0].name_hint = f"m{index}"
            operations.append(created)
            values.append(created.results[0])
    else:
        activation, values = operation, arguments[0]
    sums = [lbir.range_of(value) for value in values]
    if activation is not None:
        values = _activations(activation, values, bias, rows, operations)
        if activation is not operation:
            words += f", {activation.name.removeprefix('lbir.')}"
    block.add_ops(operations)
    block.add_op(neuron.YieldOp(values))
    ends = [lbir.range_of(value) for value in values]
    words += f"; inputs {min(t.low for t in types)} to {max(t.high for t in types)}"
    if activation is not None and activation is not operation:
        words += f", sums {min(s.low for s in sums)} to {max(s.high for s in sums)}"
    words += f", outputs {min(e.low for e in ends)} to {max(e.high for e in ends)}"
    return neuron.LayerOp(name, Region(block), words, sizes if len(sizes) > 1 else None)


LinearForm: TypeAlias = tuple[list[SSAValue], list[int]]


def _linear_forms(
    operation: lbir.DenseOp | lbir.ConvOp | lbir.AddOp, arguments: list[list[SSAValue]], rows: _Rows
) -> list[LinearForm]:
    """The terms and coefficients of each output of a row."""
    if isinstance(operation, lbir.AddOp):
        factors = [cast(list[int], rows.parameters(lbir.integers(each)).tolist()) for each in operation.coefficients]
        columns = zip(*(zip(group, numbers, strict=True) for group, numbers in zip(arguments, factors, strict=True)))
        pairs = [[(term, number) for term, number in column if number] for column in columns]
        return [([term for term, _ in each], [number for _, number in each]) for each in pairs]
    weights = lbir.integers(operation.weights)
    groups = operation.groups.value.data if isinstance(operation, lbir.ConvOp) else 1
    matrix = weights.reshape(len(weights), -1)
    forms: list[LinearForm] = []
    for output, row in enumerate(matrix.tolist()):
        start = output // (len(matrix) // groups) * matrix.shape[1]
        used = [index for index, weight in enumerate(row) if weight]
        forms.append(([arguments[0][start + index] for index in used], [row[index] for index in used]))
    return forms


def _sums(forms: list[LinearForm], constant: Integers, operations: list[Operation]) -> list[SSAValue]:
    results: list[SSAValue] = []
    for index, ((terms, coefficients), added) in enumerate(zip(forms, cast(list[int], constant.tolist()), strict=True)):
        if terms:
            low, high = neuron.interval(terms, coefficients, added)
            operation: Operation = neuron.SumOp.of(terms, coefficients, added, integer_type(low, high))
        else:
            operation = neuron.ConstantOp.of(added)
        operation.results[0].name_hint = f"acc{index}"
        operations.append(operation)
        results.append(operation.results[0])
    return results


def _top_k(top_k: lbir.TopKOp, values: list[SSAValue], operations: list[Operation]) -> list[SSAValue]:
    """Every pair is compared; an element's rank is the number of those before it, which a table for each rank tells."""
    margins, size = lbir.integers(top_k.margins), lbir.shape_of(top_k.input)[-1]
    count, sign = lbir.shape_of(top_k.result)[-1], 1 if top_k.order.data == "largest" else -1

    def add(operation: Operation, name: str) -> SSAValue:
        operation.results[0].name_hint = name
        operations.append(operation)
        return operation.results[0]

    results: list[SSAValue] = []
    for start in range(0, len(values), size):
        row = values[start : start + size]
        before: dict[tuple[int, int], SSAValue] = {}
        for a in range(size):
            for b in range(a + 1, size):
                low, high = neuron.interval([row[a], row[b]], [sign, -sign], 0)
                margin = int(margins[a, b])
                if not low < margin <= high:
                    before[a, b] = add(neuron.ConstantOp.of(int(margin <= low)), f"before{a}x{b}")
                    continue
                difference = neuron.SumOp.of([row[a], row[b]], [sign, -sign], 0, integer_type(low, high))
                threshold = neuron.ThresholdOp.create(
                    operands=[add(difference, f"difference{a}x{b}")],
                    result_types=[integer_type(0, 1)],
                    properties={
                        "thresholds": lbir.NumbersAttr.of([margin]),
                        "base": IntegerAttr(0, i64),
                        "falling": IntegerAttr(0, i64),
                    },
                )
                before[a, b] = add(threshold, f"before{a}x{b}")
        hits: list[list[SSAValue]] = [[] for _ in range(count)]
        for a in range(size):
            terms = [before[min(a, b), max(a, b)] for b in range(size) if b != a]
            signs = [1 if b < a else -1 for b in range(size) if b != a]
            rank: SSAValue
            low, high = neuron.interval(terms, signs, size - 1 - a)
            if not terms:
                rank = add(neuron.ConstantOp.of(0), f"rank{a}")
            else:
                rank = add(neuron.SumOp.of(terms, signs, size - 1 - a, integer_type(low, high)), f"rank{a}")
            for position in range(count):
                table = [int(each == position) for each in range(low, high + 1)]
                look_up = neuron.TableOp.create(
                    operands=[rank],
                    result_types=[integer_type(min(table), max(table))],
                    properties={"table": lbir.NumbersAttr.of(table)},
                )
                hits[position].append(add(look_up, f"hit{a}x{position}"))
        for position in range(count):
            if size == 1:
                results.append(add(neuron.ConstantOp.of(0), f"y{len(results)}"))
                continue
            # exactly one element has this rank
            others, numbers = hits[position][1:], list(range(1, size))
            low, high = neuron.interval(others, numbers, 0)
            index = neuron.SumOp.of(others, numbers, 0, integer_type(low, min(high, size - 1)))
            results.append(add(index, f"y{len(results)}"))
    return results


def _activations(
    activation: Operation, values: list[SSAValue], bias: Integers, rows: _Rows, operations: list[Operation]
) -> list[SSAValue]:
    results: list[SSAValue] = []
    create = _creator(activation, bias, rows)
    for index, value in enumerate(values):
        operation = create(index, value)
        operation.results[0].name_hint = f"y{index}"
        operations.append(operation)
        results.append(operation.results[0])
    return results


def _creator(activation: Operation, bias: Integers, rows: _Rows) -> Callable[[int, SSAValue], Operation]:
    """The scalar operation of an element, for a value to which `bias` is still to be added."""
    match activation:
        case lbir.RequantizeOp():
            offset = rows.parameters(lbir.integers(activation.offset)) + bias
            element = lbir.range_of(activation.result)
            result_type = integer_type(element.low, element.high)

            def requantize(index: int, value: SSAValue) -> Operation:
                return neuron.RequantizeOp.create(
                    operands=[value],
                    result_types=[result_type],
                    properties={
                        "offset": IntegerAttr(int(offset[index]), i64),
                        "shift": activation.shift,
                        "rounding": activation.rounding,
                    },
                )

            return requantize
        case lbir.ThresholdOp():
            thresholds = rows.parameters(lbir.integers(activation.thresholds), 1) - bias[:, None]
            base, ascending = (rows.parameters(lbir.integers(e)) for e in (activation.base, activation.ascending))

            def threshold(index: int, value: SSAValue) -> Operation:
                element = lbir.range_of(value)
                row = thresholds[index]
                sign = 1 if ascending[index] else -1
                always = int((row <= element.low).sum())
                reached = row[(row > element.low) & (row <= element.high)].tolist()
                start = int(base[index]) + sign * always
                if not reached:
                    return neuron.ConstantOp.of(start)
                end = start + sign * len(reached)
                return neuron.ThresholdOp.create(
                    operands=[value],
                    result_types=[integer_type(min(start, end), max(start, end))],
                    properties={
                        "thresholds": lbir.NumbersAttr.of(reached),
                        "base": IntegerAttr(start, i64),
                        "falling": IntegerAttr(int(sign < 0), i64),
                    },
                )

            return threshold
        case lbir.TableOp():
            table, lowest = rows.parameters(lbir.integers(activation.table), 1), lbir.range_of(activation.input).low

            def look_up(index: int, value: SSAValue) -> Operation:
                element = lbir.range_of(value)
                start = element.low + int(bias[index]) - lowest
                part = table[index, start : start + element.high - element.low + 1]
                return neuron.TableOp.create(
                    operands=[value],
                    result_types=[integer_type(int(part.min()), int(part.max()))],
                    properties={"table": lbir.NumbersAttr.of(part.tolist())},
                )

            return look_up
        case _:
            raise NotImplementedError(activation.name)
