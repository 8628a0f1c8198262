"""The pass `lbir-unroll-neurons`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.unique_names import unique_name

ACTIVATIONS = (lbir.RequantizeOp, lbir.ThresholdOp, lbir.TableOp)


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
      %z = lbir.call @Gemm_0 %x node "Gemm_0" : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 1>>
      lbir.output %z : tensor<1x1x!lbir.int<0, 1>>
    }
    ```
    """  # noqa: E501

    name = "lbir-unroll-neurons"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        names: set[str] = set()
        for network in list(op.body.block.ops):
            if not isinstance(network, lbir.NetworkOp):
                continue
            names.add(network.sym_name.data)
            for operation in list(network.body.block.ops):
                if operation.parent is None or not isinstance(operation, (lbir.DenseOp, lbir.TopKOp, *ACTIVATIONS)):
                    continue
                activation: Operation | None = None
                if isinstance(operation, lbir.DenseOp):
                    uses = list(operation.result.uses)
                    if len(uses) == 1 and isinstance(uses[0].operation, ACTIVATIONS):
                        activation = uses[0].operation
                last = operation if activation is None else activation
                name = _unique(operation.label, names)
                layer = _unroll(name, operation, activation)
                op.body.block.insert_op_before(layer, network)
                # the call stands for the tensor that it produces, so it has the name of the last node
                node = last.node if isinstance(last, lbir.LayerOp) and last.node is not None else operation.node
                call = lbir.CallOp(
                    name, operation.operands[0], last.results[0].type, None if node is None else node.data
                )
                network.body.block.insert_op_before(call, operation)
                last.results[0].replace_all_uses_with(call.result)
                for old in (last, operation) if last is not operation else (operation,):
                    old.detach()
                    old.erase()


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


def _unroll(name: str, operation: lbir.LayerOp, activation: Operation | None) -> neuron.LayerOp:
    source = operation.operands[0]
    element, size = lbir.range_of(source), lbir.size_of(source)
    block = Block(arg_types=[integer_type(element.low, element.high)] * size)
    for index, argument in enumerate(block.args):
        argument.name_hint = f"x{index}"
    values: list[SSAValue] = [*block.args]
    words: list[str] = []
    operations: list[Operation] = []
    bias: Integers = np.zeros(size, np.int64)
    if isinstance(operation, lbir.DenseOp):
        inputs, outputs = lbir.shape_of(source)[-1], lbir.shape_of(operation.result)[-1]
        rows = size // inputs
        bias = np.tile(lbir.integers(operation.bias), rows)
        constant = np.zeros_like(bias)
        if activation is None:
            constant = bias
        elif isinstance(activation, lbir.RequantizeOp):
            mode, shift = RoundingMode(activation.rounding.data), activation.shift.value.data
            constant = bias + lbir.integers(activation.offset).reshape(-1) + rounding_constant(mode, shift)
        values = _sums(operation, values, rows, constant, operations)
        bias = bias - constant
        words.append(f"dense {inputs} -> {outputs}")
    sums = [lbir.range_of(value) for value in values]
    if isinstance(operation, lbir.TopKOp):
        values = _top_k(operation, values, operations)
        words.append(f"indices of the {operation.order.data} {lbir.shape_of(operation.result)[-1]}")
    elif activation is None and not isinstance(operation, lbir.DenseOp):
        activation = operation
    if activation is not None:
        values = _activations(activation, values, bias, operations)
        words.append(activation.name.removeprefix("lbir."))
    block.add_ops(operations)
    block.add_op(neuron.YieldOp(values))
    ends = [lbir.range_of(value) for value in values]
    description = ", ".join(words) + f"; inputs {element.low} to {element.high}"
    if isinstance(operation, lbir.DenseOp) and activation is not None:
        description += f", sums {min(s.low for s in sums)} to {max(s.high for s in sums)}"
    description += f", outputs {min(e.low for e in ends)} to {max(e.high for e in ends)}"
    return neuron.LayerOp(name, Region(block), description)


def _sums(
    dense: lbir.DenseOp, values: list[SSAValue], rows: int, constant: Integers, operations: list[Operation]
) -> list[SSAValue]:
    weights = lbir.integers(dense.weights)
    inputs = int(weights.shape[1])
    element = lbir.range_of(dense.input)
    low, high = lbir.dense_ranges(weights, np.zeros(len(weights), np.int64), element)
    used = [[index for index, weight in enumerate(row) if weight] for row in cast(list[list[int]], weights.tolist())]
    results: list[SSAValue] = []
    for row in range(rows):
        for output in range(len(weights)):
            index = len(results)
            added = int(constant[index])
            terms = [values[row * inputs + position] for position in used[output]]
            result_type = integer_type(int(low[output]) + added, int(high[output]) + added)
            if terms:
                operation: Operation = neuron.SumOp.of(
                    terms, weights[output, used[output]].tolist(), added, result_type
                )
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
    activation: Operation, values: list[SSAValue], bias: Integers, operations: list[Operation]
) -> list[SSAValue]:
    results: list[SSAValue] = []
    create = _creator(activation, bias)
    for index, value in enumerate(values):
        operation = create(index, value)
        operation.results[0].name_hint = f"y{index}"
        operations.append(operation)
        results.append(operation.results[0])
    return results


def _creator(activation: Operation, bias: Integers) -> Callable[[int, SSAValue], Operation]:
    """The scalar operation of an element, for a value to which `bias` is still to be added."""
    match activation:
        case lbir.RequantizeOp():
            offset = np.broadcast_to(lbir.integers(activation.offset).reshape(-1), bias.shape) + bias
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
            thresholds = lbir.integers(activation.thresholds) - bias[:, None]
            base, ascending = lbir.integers(activation.base), lbir.integers(activation.ascending)

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
            table, lowest = lbir.integers(activation.table), lbir.range_of(activation.input).low

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
