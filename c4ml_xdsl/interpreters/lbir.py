"""Runs an `lbir.network` on a batch of integers, whole tensors at a time, at every stage of its lowering."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.interpreters.neuron import run_layer
from c4ml_xdsl.numerics.chain import Integers, evaluate
from c4ml_xdsl.numerics.rounding import RoundingMode, round_shift

Observer = Callable[[SSAValue, Integers], None]
"""Is told every tensor of a network as it is computed: arguments first, then results, each (samples, *its shape)."""


def network_of(module: ModuleOp) -> lbir.NetworkOp:
    """The one network of a module."""
    for operation in module.ops:
        if isinstance(operation, lbir.NetworkOp):
            return operation
    raise InputDataError("the module holds no lbir.network")


def run(module: ModuleOp, inputs: Mapping[str, Integers], observe: Observer | None = None) -> dict[str, Integers]:
    """Runs the module's network on integers by the ports' tensor names, each of shape (samples, *the model's shape)."""
    network = network_of(module)
    layers = {op.sym_name.data: op for op in module.ops if isinstance(op, neuron.LayerOp)}
    values: dict[SSAValue, Integers] = {}
    for port, argument in zip(network.inputs, network.body.block.args, strict=True):
        given = np.asarray(inputs[port.tensor.data], np.int64)
        values[argument] = given.reshape(-1, *lbir.shape_of(argument))
        if observe is not None:
            observe(argument, values[argument])
    for operation in network.body.block.ops:
        if isinstance(operation, lbir.OutputOp):
            break
        result = evaluate_operation(operation, [values[each] for each in operation.operands], layers)
        values[operation.results[0]] = result
        if observe is not None:
            observe(operation.results[0], result)
    return {
        port.tensor.data: values[value] for port, value in zip(network.outputs, network.output_op.operands, strict=True)
    }


def _by_function(x: Integers, shape: tuple[int, ...], function: Callable[[Integers], Integers]) -> Integers:
    """
    Applies a function of (functions, samples) to a batch.

    `shape` broadcasts against a sample: an axis of more than 1 numbers functions, the others count as samples.
    """
    rank = x.ndim - 1
    shape = (1,) * (rank - len(shape)) + shape
    chosen = [axis for axis in range(rank) if shape[axis] > 1]
    order = [axis + 1 for axis in chosen] + [0] + [axis + 1 for axis in range(rank) if axis not in chosen]
    moved = x.transpose(order)
    result = function(np.ascontiguousarray(moved).reshape(math.prod(shape), -1))
    return result.reshape(moved.shape).transpose(np.argsort(order))


def _top_k(operation: lbir.TopKOp, x: Integers) -> Integers:
    margins, size = lbir.integers(operation.margins), x.shape[-1]
    key = x if operation.order.data == "largest" else -x
    earlier = np.triu(np.ones((size, size), np.bool_), 1)
    before = (key[..., :, None] - key[..., None, :] >= margins) & earlier
    # of two elements exactly one comes before the other
    ranks = before.sum(axis=-2) + (~before & earlier).sum(axis=-1)
    return np.argsort(ranks, axis=-1)[..., : lbir.shape_of(operation.result)[-1]]


def weighted(operation: lbir.DenseOp | lbir.ConvOp, weights: Integers, x: Integers) -> Integers:
    """The sums of a layer on a batch, for weights in place of its own, without its bias."""
    if isinstance(operation, lbir.DenseOp):
        # float64 products would be faster, but only exact below 2**53
        return x @ weights.T
    groups = operation.groups.value.data
    samples, outputs = len(x), len(weights) // groups
    windows = lbir.patches(
        x.reshape(samples, *x.shape[2:]), weights.shape[2:], operation.strides.data, operation.dilations.data
    )
    # (groups, samples, positions, elements) times (groups, elements, outputs)
    rows = windows.reshape(samples, windows.shape[1], groups, -1).transpose(2, 0, 1, 3)
    sums = rows @ weights.reshape(groups, 1, outputs, -1).swapaxes(2, 3)
    return sums.transpose(1, 0, 3, 2).reshape(samples, *lbir.shape_of(operation.result))


def biased(operation: lbir.DenseOp | lbir.ConvOp, sums: Integers) -> Integers:
    """The sums of a layer with its bias: along the last axis, or along the channels of a convolution."""
    bias = lbir.integers(operation.bias)
    return sums + (bias if isinstance(operation, lbir.DenseOp) else bias.reshape(-1, *(1,) * (sums.ndim - 3)))


Functions = Callable[[Integers, Integers], Integers]
"""Some of an elementwise operation's functions, by number, of integers (functions, samples)."""


def elementwise(operation: lbir.RequantizeOp | lbir.ThresholdOp | lbir.TableOp) -> tuple[tuple[int, ...], Functions]:
    """
    An activation as numbered functions of an integer.

    The shape broadcasts against the tensor and numbers the functions, row by row.
    """
    match operation:
        case lbir.RequantizeOp():
            offset, element = lbir.integers(operation.offset), lbir.range_of(operation.result)
            shift, mode = operation.shift.value.data, RoundingMode(operation.rounding.data)

            def requantize(functions: Integers, n: Integers) -> Integers:
                rounded = round_shift(n + offset.reshape(-1)[functions, None], shift, mode)
                return np.clip(rounded, element.low, element.high)

            return offset.shape, requantize
        case lbir.ThresholdOp():
            thresholds = lbir.integers(operation.thresholds)
            count = math.prod(thresholds.shape[:-1])
            rows = thresholds.reshape(count, -1) if thresholds.size else np.zeros((count, 0), np.int64)
            base, ascending = (lbir.integers(each).reshape(-1) for each in (operation.base, operation.ascending))

            def reach(functions: Integers, n: Integers) -> Integers:
                pairs = zip(rows[functions], n, strict=True)
                reached: Integers = np.array(
                    [np.searchsorted(row, each, side="right") for row, each in pairs], np.int64
                )
                signed = np.where(ascending[functions, None] == 1, reached, -reached)
                return base[functions, None] + signed

            return thresholds.shape[:-1], reach
        case lbir.TableOp():
            table, low = lbir.integers(operation.table), lbir.range_of(operation.input).low
            entries = table.reshape(-1, table.shape[-1])

            def look_up(functions: Integers, n: Integers) -> Integers:
                return entries[functions[:, None], n - low]

            return table.shape[:-1], look_up


def _elementwise(operation: lbir.RequantizeOp | lbir.ThresholdOp | lbir.TableOp, x: Integers) -> Integers:
    shape, function = elementwise(operation)
    return _by_function(x, shape, lambda n: function(np.arange(len(n)), n))


def _activate(operation: lbir.ActivateOp, x: Integers) -> Integers:
    chain = operation.chain()
    shape = np.broadcast_shapes((1,) * (x.ndim - 1), *lbir.step_shapes(chain))
    flat = lbir.flattened(chain, shape)
    return _by_function(x, shape, lambda n: evaluate(flat, n))


def _call(operation: lbir.CallOp, xs: Sequence[Integers], layers: Mapping[str, Any]) -> Integers:
    columns = [each for x in xs for each in x.reshape(-1, x.shape[-1]).T]
    outputs = run_layer(layers[operation.layer.data], np.stack(columns))
    return outputs.T.reshape(len(xs[0]), *lbir.shape_of(operation.result))


def moved(operation: Operation, x: Integers) -> Integers:
    """An operation that only moves integers, on a batch of them or of what stands for them."""
    match operation:
        case lbir.ReshapeOp():
            return x.reshape(len(x), *lbir.shape_of(operation.result))
        case lbir.TransposeOp():
            return np.transpose(x, (0, *(axis + 1 for axis in operation.order)))
        case lbir.GatherOp():
            return np.take(x, operation.indices.data, operation.axis.value.data + 1)
        case lbir.BroadcastOp():
            shape = lbir.shape_of(operation.result)
            lead = (1,) * (len(shape) + 1 - x.ndim)
            return np.broadcast_to(x.reshape(len(x), *lead, *x.shape[1:]), (len(x), *shape))
        case lbir.PatchesOp():
            windows = operation.kernel.data, operation.strides.data, operation.dilations.data
            return lbir.patches(x.reshape(len(x), *x.shape[2:]), *windows)[:, None]
        case _:
            raise NotImplementedError(operation.name)


def padded(operation: lbir.PadOp, x: Integers, value: Integers) -> Integers:
    """A batch with what broadcasts against the result around it."""
    result = np.empty((len(x), *lbir.shape_of(operation.result)), np.int64)
    result[...] = value
    inner = (slice(low, low + size) for low, size in zip(operation.low.data, x.shape[1:], strict=True))
    result[(slice(None), *inner)] = x
    return result


def evaluate_operation(operation: Operation, xs: Sequence[Integers], layers: Mapping[str, Any]) -> Integers:
    """One operation's result for a batch of each operand, (samples, *shape); `layers` are those that calls name."""
    x = xs[0]
    match operation:
        case lbir.DenseOp() | lbir.ConvOp():
            return biased(operation, weighted(operation, lbir.integers(operation.weights), x))
        case lbir.ActivateOp():
            return _activate(operation, x)
        case lbir.RequantizeOp() | lbir.ThresholdOp() | lbir.TableOp():
            return _elementwise(operation, x)
        case lbir.TopKOp():
            return _top_k(operation, x)
        case lbir.MaxPoolOp():
            windows = lbir.windows_of(x, operation.kernel.data, operation.strides.data, operation.dilations.data)
            return windows.max(axis=tuple(range(x.ndim, windows.ndim)))
        case lbir.AddOp():
            total = lbir.integers(operation.constant)
            for coefficient, each in zip(operation.coefficients, xs, strict=True):
                total = total + lbir.integers(coefficient) * each
            return np.broadcast_to(total, (len(x), *lbir.shape_of(operation.result)))
        case lbir.MultiplyOp():
            return x * xs[1]
        case lbir.MaximumOp():
            return np.maximum(x, xs[1])
        case lbir.ConcatOp():
            return np.concatenate(xs, axis=operation.axis.value.data + 1)
        case lbir.PadOp():
            return padded(operation, x, lbir.integers(operation.value))
        case lbir.CallOp():
            return _call(operation, xs, layers)
        case _:
            return moved(operation, x)
