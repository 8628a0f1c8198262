"""
Which integers each element of a network's tensors can be, from the folded `lbir` network alone: interval arithmetic.

A layer's own elements are taken as independent of each other, so a range may be wider than what occurs.
"""

import numpy as np
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import biased, evaluate_operation, weighted
from c4ml_xdsl.numerics.chain import Integers

MONOTONE = (
    lbir.RequantizeOp,
    lbir.ThresholdOp,
    lbir.MaxPoolOp,
    lbir.MaximumOp,
    lbir.PadOp,
    lbir.ConcatOp,
    lbir.ReshapeOp,
    lbir.TransposeOp,
    lbir.GatherOp,
    lbir.BroadcastOp,
    lbir.PatchesOp,
)
"""Operations whose elements all rise with every operand, or all fall: a threshold's functions may differ in that."""


def element_ranges(network: lbir.NetworkOp) -> dict[SSAValue, Integers]:
    """The lowest and the highest integer of each element, (2, *shape), for every tensor of a network."""
    ranges: dict[SSAValue, Integers] = {each: _declared(each) for each in network.body.block.args}
    for operation in network.body.block.ops:
        if isinstance(operation, lbir.OutputOp):
            break
        result = operation.results[0]
        low, high = _ranges(operation, [ranges[each] for each in operation.operands])
        element = lbir.range_of(result)
        ranges[result] = np.stack([np.maximum(low, element.low), np.minimum(high, element.high)])
    return ranges


def _declared(value: SSAValue) -> Integers:
    element, shape = lbir.range_of(value), lbir.shape_of(value)
    return np.stack([np.full(shape, element.low, np.int64), np.full(shape, element.high, np.int64)])


def _ranges(operation: Operation, xs: list[Integers]) -> Integers:
    """Both ends of an operation's result for those of its operands."""
    match operation:
        case lbir.DenseOp() | lbir.ConvOp():
            weights = lbir.integers(operation.weights)
            rising, falling = np.maximum(weights, 0), np.minimum(weights, 0)
            return biased(operation, weighted(operation, rising, xs[0]) + weighted(operation, falling, xs[0][::-1]))
        case lbir.AddOp():
            total = lbir.integers(operation.constant)
            for attribute, x in zip(operation.coefficients, xs, strict=True):
                factor = lbir.integers(attribute)
                total = total + np.maximum(factor, 0) * x + np.minimum(factor, 0) * x[::-1]
            return np.broadcast_to(total, (2, *lbir.shape_of(operation.result)))
        case lbir.MultiplyOp():
            ends = np.stack([evaluate_operation(operation, [xs[0], each], {}) for each in (xs[1], xs[1][::-1])])
            return np.stack([ends.min(axis=(0, 1)), ends.max(axis=(0, 1))])
        case lbir.TableOp():
            return _looked_up(operation, xs[0])
        case lbir.TopKOp():
            return _ranked(operation, xs[0])
        case operation if isinstance(operation, MONOTONE):
            return np.sort(evaluate_operation(operation, xs, {}), axis=0)
        case _:
            return _declared(operation.results[0])


def _looked_up(operation: lbir.TableOp, x: Integers) -> Integers:
    """The least and the greatest entry among those of each element's range."""
    entries = lbir.integers(operation.table)
    shape, rows = entries.shape[:-1], entries.reshape(-1, entries.shape[-1])
    numbers = np.broadcast_to(np.arange(len(rows)).reshape(shape), x.shape[1:])
    places = x.reshape(2, -1) - lbir.range_of(operation.input).low
    # elements of a channel mostly have one table and one range
    kinds, kind_of = np.unique(np.stack([numbers.reshape(-1), *places]), axis=1, return_inverse=True)
    parts = [rows[number, low : high + 1] for number, low, high in kinds.T.tolist()]
    ends = np.array([[part.min() for part in parts], [part.max() for part in parts]], np.int64)
    return ends[:, kind_of.reshape(-1)].reshape(x.shape)


def _ranked(operation: lbir.TopKOp, x: Integers) -> Integers:
    """The first and the last of the elements that can have each rank."""
    margins, size = lbir.integers(operation.margins), x.shape[-1]
    low, high = x if operation.order.data == "largest" else -x[::-1]
    earlier = np.triu(np.ones((size, size), np.bool_), 1)  # the pairs of a < b, which margins decide
    always = (low[..., :, None] - high[..., None, :] >= margins) & earlier
    perhaps = (high[..., :, None] - low[..., None, :] >= margins) & earlier
    # how many come before an element: those of lower index, and those of higher that don't come behind it
    least: Integers = always.sum(axis=-2) + (~perhaps & earlier).sum(axis=-1)
    most: Integers = perhaps.sum(axis=-2) + (~always & earlier).sum(axis=-1)
    ranks = np.arange(lbir.shape_of(operation.result)[-1])[:, None]
    possible = (least[..., None, :] <= ranks) & (ranks <= most[..., None, :])
    certain = possible & (least == most)[..., None, :]
    possible &= certain | ~certain.any(axis=-1)[..., None]
    return np.stack([possible.argmax(axis=-1), size - 1 - possible[..., ::-1].argmax(axis=-1)])
