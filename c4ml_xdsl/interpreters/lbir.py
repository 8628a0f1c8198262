"""Runs an `lbir.network` on a batch of integers, whole tensors at a time, at every stage of its lowering."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.interpreters.neuron import run_layer
from c4ml_xdsl.numerics.chain import Integers, evaluate
from c4ml_xdsl.numerics.rounding import RoundingMode, round_shift

Trace = Callable[[SSAValue, Integers], None]


def network_of(module: ModuleOp) -> lbir.NetworkOp:
    """The one network of a module."""
    for operation in module.ops:
        if isinstance(operation, lbir.NetworkOp):
            return operation
    raise InputDataError("the module holds no lbir.network")


def run(
    module: ModuleOp, inputs: Mapping[str, Integers], trace: dict[str, Integers] | None = None
) -> dict[str, Integers]:
    """
    Runs the module's network on integers by the ports' tensor names, each of shape (samples, *the model's shape).

    `trace` receives the result of every layer by the name of its node.
    """
    network = network_of(module)
    layers = {op.sym_name.data: op for op in module.ops if isinstance(op, neuron.LayerOp)}
    values: dict[SSAValue, Integers] = {}
    for port, argument in zip(network.inputs, network.body.block.args, strict=True):
        given = np.asarray(inputs[port.tensor.data], np.int64)
        values[argument] = given.reshape(-1, *lbir.shape_of(argument))
    for operation in network.body.block.ops:
        if isinstance(operation, lbir.OutputOp):
            break
        result = _evaluate(operation, values[operation.operands[0]], layers)
        values[operation.results[0]] = result
        if trace is not None and isinstance(operation, lbir.LayerOp) and operation.node is not None:
            trace[operation.label] = result
    return {
        port.tensor.data: values[value] for port, value in zip(network.outputs, network.output_op.operands, strict=True)
    }


def _by_element(x: Integers, function: Callable[[Integers], Integers]) -> Integers:
    """Applies a function of (elements, samples) to a batch."""
    return function(np.ascontiguousarray(x.reshape(len(x), -1).T)).T.reshape(x.shape)


def _top_k(operation: lbir.TopKOp, x: Integers) -> Integers:
    margins, size = lbir.integers(operation.margins), x.shape[-1]
    key = x if operation.order.data == "largest" else -x
    earlier = np.triu(np.ones((size, size), np.bool_), 1)
    before = (key[..., :, None] - key[..., None, :] >= margins) & earlier
    # of two elements exactly one comes before the other
    ranks = before.sum(axis=-2) + (~before & earlier).sum(axis=-1)
    return np.argsort(ranks, axis=-1)[..., : lbir.shape_of(operation.result)[-1]]


def _evaluate(operation: Operation, x: Integers, layers: Mapping[str, Any]) -> Integers:
    match operation:
        case lbir.DenseOp():
            # float64 products would be faster, but only exact below 2**53
            return x @ lbir.integers(operation.weights).T + lbir.integers(operation.bias)
        case lbir.ActivateOp():
            chain = operation.chain()
            return _by_element(x, lambda n: evaluate(chain, n))
        case lbir.RequantizeOp():
            element = lbir.range_of(operation.result)
            offset = lbir.integers(operation.offset)
            shifted = x + (offset.reshape(x.shape[1:]) if offset.size > 1 else offset.reshape(()))
            rounded = round_shift(shifted, operation.shift.value.data, RoundingMode(operation.rounding.data))
            return np.clip(rounded, element.low, element.high)
        case lbir.ThresholdOp():
            thresholds = lbir.integers(operation.thresholds)
            base, ascending = lbir.integers(operation.base), lbir.integers(operation.ascending)

            def count(n: Integers) -> Integers:
                rows = zip(thresholds, n, strict=True)
                reached: Integers = np.array([np.searchsorted(row, each, side="right") for row, each in rows], np.int64)
                return base[:, None] + np.where(ascending[:, None] == 1, reached, -reached)

            return _by_element(x, count)
        case lbir.TableOp():
            table, low = lbir.integers(operation.table), lbir.range_of(operation.input).low
            return _by_element(x, lambda n: np.take_along_axis(table, n - low, axis=1))
        case lbir.TopKOp():
            return _top_k(operation, x)
        case lbir.ReshapeOp():
            return x.reshape(len(x), *lbir.shape_of(operation.result))
        case lbir.TransposeOp():
            return np.transpose(x, (0, *(axis + 1 for axis in operation.order)))
        case lbir.CallOp():
            outputs = run_layer(layers[operation.layer.data], x.reshape(len(x), -1).T)
            return outputs.T.reshape(len(x), *lbir.shape_of(operation.result))
        case _:
            raise NotImplementedError(operation.name)
