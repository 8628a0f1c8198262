"""Runs a `neuron.layer` on a batch: one array of samples a scalar."""

from collections.abc import Mapping

import numpy as np
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import neuron
from c4ml_xdsl.dialects.lbir import range_of
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.numerics.rounding import RoundingMode, round_shift


def run_layer(layer: neuron.LayerOp, inputs: Integers) -> Integers:
    """The layer's outputs, of shape (outputs, samples), for inputs of shape (inputs, samples)."""
    block = layer.body.block
    values: dict[SSAValue, Integers] = dict(zip(block.args, inputs, strict=True))
    for operation in block.ops:
        if not isinstance(operation, neuron.YieldOp):
            values[operation.results[0]] = evaluate_operation(operation, values, inputs.shape[1])
    return np.stack([values[value] for value in layer.yielded])


def evaluate_operation(operation: Operation, values: Mapping[SSAValue, Integers], samples: int) -> Integers:
    """An operation's result for each sample, from those that it reads."""
    match operation:
        case neuron.ConstantOp():
            return np.full(samples, operation.value.value.data, np.int64)
        case neuron.SumOp():
            total = np.full(samples, operation.constant.value.data, np.int64)
            for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
                total += coefficient * values[term]
            return total
        case neuron.RequantizeOp():
            element = range_of(operation.result)
            shifted = values[operation.input] + operation.offset.value.data
            rounded = round_shift(shifted, operation.shift.value.data, RoundingMode(operation.rounding.data))
            return np.clip(rounded, element.low, element.high)
        case neuron.ThresholdOp():
            thresholds = np.array(operation.thresholds.data, np.int64)
            count = np.searchsorted(thresholds, values[operation.input], side="right")
            return operation.base.value.data + (-count if operation.falling.value.data else count)
        case neuron.TableOp():
            low = range_of(operation.input).low
            return np.array(operation.table.data, np.int64)[values[operation.input] - low]
        case neuron.LookupOp():
            sizes = [high - low + 1 for low, high in operation.ranges]
            places = tuple(values[term] - low for term, (low, _) in zip(operation.terms, operation.ranges, strict=True))
            return np.array(operation.entries.data, np.int64).reshape(sizes)[places]
        case neuron.PopcountOp():
            count = np.full(samples, operation.constant.value.data, np.int64)
            for term, inverted, weight in zip(
                operation.terms, operation.inverted.data, operation.weights.data, strict=True
            ):
                count += weight * (values[term] ^ inverted)
            return count
        case neuron.BitOp():
            return values[operation.input] >> operation.position.value.data & 1
        case neuron.CompareOp():
            total = np.zeros(samples, np.int64)
            for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
                total += coefficient * values[term]
            return (total >= operation.least.value.data).astype(np.int64)
        case neuron.MaxOp():
            return np.maximum.reduce([values[term] for term in operation.terms])
        case neuron.MultiplyOp():
            return values[operation.lhs] * values[operation.rhs]
        case _:
            raise NotImplementedError(operation.name)
