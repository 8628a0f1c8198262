"""
Which integers each element of a network's tensors can be, from the folded `lbir` network alone: interval arithmetic.

A layer's own elements are taken as independent of each other, so a range may be wider than what occurs.
"""

import numpy as np
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import biased, evaluate_operation, weighted
from c4ml_xdsl.numerics.chain import Integers

MAXIMUM_ENTRIES = 1 << 22
"""Table entries that are looked at together for one tensor; beyond that its type is believed."""


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
            return _declared(operation.result)
        case _:  # monotone in every operand
            return np.sort(evaluate_operation(operation, xs, {}), axis=0)


def _looked_up(operation: lbir.TableOp, x: Integers) -> Integers:
    """The least and the greatest entry among those of each element's range."""
    element = lbir.range_of(operation.input)
    entries = element.high - element.low + 1
    if entries * x[0].size > MAXIMUM_ENTRIES:
        return _declared(operation.result)
    index = np.arange(element.low, element.high + 1)
    values = np.broadcast_to(index.reshape(-1, *(1,) * (x.ndim - 1)), (entries, *x.shape[1:]))
    results = evaluate_operation(operation, [values], {})
    outside = (values < x[0]) | (values > x[1])
    declared = lbir.range_of(operation.result)
    least, greatest = np.where(outside, declared.high, results), np.where(outside, declared.low, results)
    return np.stack([least.min(axis=0), greatest.max(axis=0)])
