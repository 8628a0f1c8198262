"""The pass `neuron-drop-unread`."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.dialects.lbir import NumbersAttr
from c4ml_xdsl.interpreters.lbir import evaluate_operation, padded
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.neuron_infer_ranges import describe, is_constant, remove_unused

UNREAD = "c4ml.unread"
"""An attribute of a `neuron.layer`, then of its `hw.module`: the positions of its results that nothing reads."""


@dataclass(frozen=True)
class NeuronDropUnread(ModulePass):
    """
    Removes neurons that nothing reads, from the network's outputs back across its layers.

    In their place a layer yields a constant, and `c4ml.unread` lists them, but for those that are constants anyway. A result counts as read where any row of
    it is. Layers that are called twice keep all results.

    Before:
    ```mlir
    neuron.layer @first {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>):
      %s = neuron.sum %a, %b times [1, 1] plus 0 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<0, 6>
      neuron.yield %a, %s : !lbir.int<0, 3>, !lbir.int<0, 6>
    }
    neuron.layer @second {
    ^bb0(%c: !lbir.int<0, 6>, %d: !lbir.int<0, 6>):
      neuron.yield %c : !lbir.int<0, 6>
    }
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 3 range [0, 6] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<0, 3>>):
      %y = lbir.call @first(%x) : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x2x!lbir.int<0, 6>>
      %z = lbir.call @second(%y) : tensor<1x2x!lbir.int<0, 6>> -> tensor<1x1x!lbir.int<0, 6>>
      lbir.output %z : tensor<1x1x!lbir.int<0, 6>>
    }
    ```
    After `neuron-drop-unread`:
    ```mlir
    neuron.layer @first attributes {c4ml.unread = #lbir.numbers[1]} {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>):
      %unread = neuron.constant 0 : !lbir.int<0, 0>
      neuron.yield %a, %unread : !lbir.int<0, 3>, !lbir.int<0, 0>
    }
    neuron.layer @second {
    ^bb0(%c: !lbir.int<0, 6>, %d: !lbir.int<0, 6>):
      neuron.yield %c : !lbir.int<0, 6>
    }
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 3 range [0, 6] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<0, 3>>):
      %y = lbir.call @first(%x) : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x2x!lbir.int<0, 6>>
      %z = lbir.call @second(%y) : tensor<1x2x!lbir.int<0, 6>> -> tensor<1x1x!lbir.int<0, 6>>
      lbir.output %z : tensor<1x1x!lbir.int<0, 6>>
    }
    ```
    """  # noqa: E501

    name = "neuron-drop-unread"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        layers = {each.sym_name.data: each for each in op.body.block.ops if isinstance(each, neuron.LayerOp)}
        networks = [each for each in op.body.block.ops if isinstance(each, lbir.NetworkOp)]
        calls = [each for network in networks for each in network.body.block.ops if isinstance(each, lbir.CallOp)]
        times = Counter(each.layer.data for each in calls)
        numbers, count = dict[SSAValue, Integers](), 0
        for network in networks:
            count = _number(network, numbers, count)
        read = np.zeros(count, np.bool_)
        for network in networks:
            for value in network.output_op.operands:
                _mark(read, numbers[value])
        for call in reversed(calls):
            layer = layers[call.layer.data]
            unread: list[int] = np.flatnonzero(~read[numbers[call.result].reshape(call.rows, -1)].any(axis=0)).tolist()
            unread = [position for position in unread if not is_constant(layer.yielded[position])]
            if unread and times[call.layer.data] == 1:
                _drop(layer, unread, lbir.range_of(call.result))
            rows = np.concatenate([numbers[each].reshape(call.rows, -1) for each in call.inputs], axis=1)
            _mark(read, rows[:, [bool(each.uses) for each in layer.body.block.args]])


def _number(network: lbir.NetworkOp, numbers: dict[SSAValue, Integers], count: int) -> int:
    """A number for each element of the network's inputs and of its layers' results, from `count` on; -1 for others."""
    for value in network.body.block.args:
        numbers[value] = np.arange(count, count + lbir.size_of(value)).reshape(1, *lbir.shape_of(value))
        count += lbir.size_of(value)
    for operation in network.body.block.ops:
        if isinstance(operation, lbir.OutputOp):
            break
        result = operation.results[0]
        if isinstance(operation, lbir.CallOp):
            numbers[result] = np.arange(count, count + lbir.size_of(result)).reshape(1, *lbir.shape_of(result))
            count += lbir.size_of(result)
        elif isinstance(operation, lbir.PadOp):
            numbers[result] = padded(operation, numbers[operation.input], np.array(-1))
        else:  # what only moves elements
            numbers[result] = evaluate_operation(operation, [numbers[each] for each in operation.operands], {})
    return count


def _mark(read: NDArray[np.bool_], elements: Integers) -> None:
    read[elements[elements >= 0]] = True


def _drop(layer: neuron.LayerOp, positions: list[int], element: lbir.IntType) -> None:
    """Makes results of a layer constants that its tensor can hold, and removes what computed them."""
    last = layer.body.block.last_op
    assert last is not None
    constant = neuron.ConstantOp.of(min(max(0, element.low), element.high))
    layer.body.block.insert_op_before(constant, last)
    constant.result.name_hint = "unread"
    for position in positions:
        last.operands[position] = constant.result
    layer.attributes[UNREAD] = NumbersAttr.of(positions)
    describe(layer, f"{len(positions)} of {len(layer.yielded)} outputs read by nothing")
    remove_unused(layer)
