"""The pass `neuron-infer-ranges`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter
from xdsl.utils.exceptions import PassFailedException

from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.dialects.lbir import IntType, NumbersAttr
from c4ml_xdsl.interpreters.lbir import evaluate_operation as evaluate_tensor
from c4ml_xdsl.interpreters.neuron import evaluate_operation
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.lbir_unroll_neurons import integer_type

COUNTS = (neuron.PopcountOp, neuron.BitOp, neuron.CompareOp)


@dataclass(frozen=True)
class NeuronInferRanges(ModulePass):
    """
    Narrows every scalar to the integers that can occur, from the network's inputs on and across its layers.

    An element of a tensor often takes fewer integers than the tensor does. What takes one alone becomes a constant,
    and sums, maxima, products and tables of constants become smaller; thresholds that aren't reached go. A layer that
    computes several rows gets what occurs in any of them. Layers of counters, and those that are called twice, are left
    as they are.

    Before:
    ```mlir
    neuron.layer @first {
    ^bb0(%a: !lbir.int<0, 3>):
      %s = neuron.sum %a times [-1] plus 1 : !lbir.int<0, 3> -> !lbir.int<-2, 1>
      %r = neuron.requantize %s offset 0 shift 1 round "floor" : !lbir.int<-2, 1> -> !lbir.int<0, 3>
      neuron.yield %a, %r : !lbir.int<0, 3>, !lbir.int<0, 3>
    }
    neuron.layer @second {
    ^bb0(%b: !lbir.int<0, 3>, %c: !lbir.int<0, 3>):
      %t = neuron.sum %b, %c times [2, 3] plus 1 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<1, 16>
      neuron.yield %t : !lbir.int<1, 16>
    }
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 5 range [1, 16] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x1x!lbir.int<0, 3>>):
      %y = lbir.call @first(%x) : tensor<1x1x!lbir.int<0, 3>> -> tensor<1x2x!lbir.int<0, 3>>
      %z = lbir.call @second(%y) : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<1, 16>>
      lbir.output %z : tensor<1x1x!lbir.int<1, 16>>
    }
    ```
    After `neuron-infer-ranges`:
    ```mlir
    neuron.layer @first {
    ^bb0(%a: !lbir.int<0, 3>):
      %r = neuron.constant 0 : !lbir.int<0, 0>
      neuron.yield %a, %r : !lbir.int<0, 3>, !lbir.int<0, 0>
    }
    neuron.layer @second {
    ^bb0(%b: !lbir.int<0, 3>, %c: !lbir.int<0, 0>):
      %t = neuron.sum %b times [2] plus 1 : !lbir.int<0, 3> -> !lbir.int<1, 7>
      neuron.yield %t : !lbir.int<1, 7>
    }
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 5 range [1, 16] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x1x!lbir.int<0, 3>>):
      %y = lbir.call @first(%x) : tensor<1x1x!lbir.int<0, 3>> -> tensor<1x2x!lbir.int<0, 3>>
      %z = lbir.call @second(%y) : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<1, 16>>
      lbir.output %z : tensor<1x1x!lbir.int<1, 16>>
    }
    ```
    """  # noqa: E501

    name = "neuron-infer-ranges"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        layers = {each.sym_name.data: each for each in op.body.block.ops if isinstance(each, neuron.LayerOp)}
        networks = [each for each in op.body.block.ops if isinstance(each, lbir.NetworkOp)]
        calls = Counter(
            each.layer.data for network in networks for each in network.body.block.ops if isinstance(each, lbir.CallOp)
        )
        for network in networks:
            # the lowest and the highest integer of each element of a tensor: (2, *shape)
            ends: dict[SSAValue, Integers] = {each: _declared(each) for each in network.body.block.args}
            for operation in network.body.block.ops:
                if isinstance(operation, lbir.OutputOp):
                    break
                result, operands = operation.results[0], [ends[each] for each in operation.operands]
                if not isinstance(operation, lbir.CallOp):  # what only moves elements
                    ends[result] = evaluate_tensor(operation, operands, {})
                    continue
                layer = layers[operation.layer.data]
                if calls[operation.layer.data] == 1 and not any(isinstance(o, COUNTS) for o in layer.body.block.ops):
                    low, high = np.concatenate([each.reshape(2, operation.rows, -1) for each in operands], axis=2)
                    _narrow(layer, low.min(axis=0).tolist(), high.max(axis=0).tolist())
                elements = [lbir.range_of(each) for each in layer.yielded]
                row = np.array([[each.low for each in elements], [each.high for each in elements]], np.int64)
                shape = lbir.shape_of(result)
                ends[result] = np.broadcast_to(row.reshape(2, *(1,) * (len(shape) - 1), -1), (2, *shape))


def _declared(value: SSAValue) -> Integers:
    """What a tensor's type says of its elements."""
    element, shape = lbir.range_of(value), lbir.shape_of(value)
    return np.stack([np.full(shape, element.low, np.int64), np.full(shape, element.high, np.int64)])


def _narrow(layer: neuron.LayerOp, low: Sequence[int], high: Sequence[int]) -> None:
    """Narrows a layer to arguments of these ranges."""
    block = layer.body.block
    operations = [each for each in block.ops if not isinstance(each, neuron.YieldOp)]
    declared = {operation: [lbir.range_of(each) for each in operation.operands] for operation in operations}
    for index, (lowest, highest) in enumerate(zip(low, high, strict=True)):
        argument = block.args[index]
        if lbir.range_of(argument) != (element := integer_type(lowest, highest)):
            if lowest == highest and argument.uses:
                first = block.first_op
                assert first is not None
                argument.replace_all_uses_with(_inserted(first, neuron.ConstantOp.of(lowest)))
            Rewriter.replace_value_with_new_type(argument, element)
    for operation in operations:
        result = operation.results[0]
        narrowed = _narrowed(operation, declared[operation])
        if narrowed is not operation.results[0]:
            result.replace_all_uses_with(narrowed)
    remove_unused(layer)
    constants = sum(map(is_constant, layer.yielded))
    if constants:
        describe(layer, f"{constants} of {len(layer.yielded)} outputs constant")


def is_constant(value: SSAValue) -> bool:
    """Whether a scalar is a constant."""
    return isinstance(value.owner, neuron.ConstantOp)


def describe(layer: neuron.LayerOp, words: str) -> None:
    """Adds words to a layer's description, where it has one."""
    if layer.description is not None:
        layer.properties["description"] = StringAttr(f"{layer.description.data}; {words}")


def remove_unused(layer: neuron.LayerOp) -> None:
    """Removes operations of a layer whose results nothing reads."""
    for operation in reversed(list(layer.body.block.ops)):
        if not isinstance(operation, neuron.YieldOp) and not operation.results[0].uses:
            operation.detach()
            operation.erase()


def _inserted(place: Operation, operation: Operation) -> SSAValue:
    """The result of an operation that is put in front of another one."""
    block = place.parent_block()
    assert block is not None
    block.insert_op_before(operation, place)
    return operation.results[0]


def _narrowed(operation: Operation, declared: Sequence[IntType]) -> SSAValue:
    """
    What stands for an operation whose operands are narrower than they were declared.

    That is its own result, perhaps of another type, or a new value.
    """
    match operation:
        case neuron.ConstantOp():
            return operation.result
        case neuron.SumOp():
            return _narrowed_sum(operation, operation.terms, operation.coefficients.data, operation.constant.value.data)
        case neuron.MultiplyOp():
            for factor, other in ((operation.lhs, operation.rhs), (operation.rhs, operation.lhs)):
                if (element := lbir.range_of(factor)).low == element.high:
                    return _narrowed_sum(operation, [other], [element.low], 0)
            ends = lbir.product_range(lbir.range_of(operation.lhs), lbir.range_of(operation.rhs))
        case neuron.MaxOp():
            return _narrowed_maximum(operation)
        case neuron.RequantizeOp():
            ends = _ends(operation, operation.input)
        case neuron.ThresholdOp():
            ends = _ends(operation, operation.input)
            element, thresholds = lbir.range_of(operation.input), operation.thresholds.data
            always, reached = (sum(each <= end for each in thresholds) for end in (element.low, element.high))
            sign = -1 if operation.falling.value.data else 1
            operation.properties["thresholds"] = NumbersAttr.of(thresholds[always:reached])
            operation.properties["base"] = IntegerAttr(operation.base.value.data + sign * always, i64)
        case neuron.TableOp():
            table = _reached(operation.table.data, declared, operation.operands)
            operation.properties["table"] = NumbersAttr.of(table)
            ends = table
        case neuron.LookupOp():
            entries = _reached(operation.entries.data, declared, operation.operands)
            operation.properties["entries"] = NumbersAttr.of(entries)
            ends = entries
        case _:
            raise PassFailedException(f"{operation.name} has no narrower form")
    return _retyped(operation, min(ends), max(ends))


def _retyped(operation: Operation, low: int, high: int) -> SSAValue:
    """An operation's result, of a narrower type where that is known; a constant where it is one."""
    result = operation.results[0]
    old = lbir.range_of(result)
    low, high = max(low, old.low), min(high, old.high)
    if low == high:
        return _inserted(operation, neuron.ConstantOp.of(low))
    if (low, high) == (old.low, old.high):
        return result
    return Rewriter.replace_value_with_new_type(result, integer_type(low, high))


def _narrowed_sum(
    operation: Operation, terms: Sequence[SSAValue], coefficients: Sequence[int], constant: int
) -> SSAValue:
    """A sum, or what becomes one, without the terms that are constants."""
    kept: list[tuple[SSAValue, int]] = []
    for term, coefficient in zip(terms, coefficients, strict=True):
        element = lbir.range_of(term)
        if element.low == element.high:
            constant += coefficient * element.low
        elif coefficient:
            kept.append((term, coefficient))
    values, factors = [term for term, _ in kept], [factor for _, factor in kept]
    low, high = neuron.interval(values, factors, constant)
    if low == high or (isinstance(operation, neuron.SumOp) and len(kept) == len(terms)):
        return _retyped(operation, low, high)
    old = lbir.range_of(operation.results[0])
    moved = neuron.SumOp.of(values, factors, constant, integer_type(max(low, old.low), min(high, old.high)))
    return _inserted(operation, moved)


def _narrowed_maximum(operation: neuron.MaxOp) -> SSAValue:
    """A maximum without the operands that another one is never below."""
    elements = [lbir.range_of(term) for term in operation.terms]
    least = max(each.low for each in elements)
    best = max(range(len(elements)), key=lambda i: (elements[i].low, elements[i].high))
    kept = [term for i, term in enumerate(operation.terms) if i == best or elements[i].high > least]
    if len(kept) == 1:
        return kept[0]
    if len(kept) < len(elements):
        return _inserted(operation, neuron.MaxOp.of(kept))
    return _retyped(operation, least, max(each.high for each in elements))


def _ends(operation: Operation, term: SSAValue) -> list[int]:
    """What an activation gives at both ends of what it reads, between which it is monotone."""
    element = lbir.range_of(term)
    return evaluate_operation(operation, {term: np.array([element.low, element.high])}, 2).tolist()


def _reached(entries: Sequence[int], declared: Sequence[IntType], terms: Sequence[SSAValue]) -> list[int]:
    """The entries of a table for what its operands still can be."""
    table = np.array(entries, np.int64).reshape([each.high - each.low + 1 for each in declared])
    elements = map(lbir.range_of, terms)
    parts = (slice(e.low - old.low, e.high - old.low + 1) for e, old in zip(elements, declared, strict=True))
    return table[tuple(parts)].reshape(-1).tolist()
