"""
The tensors of a folded network for `report.json`: what each holds, and which of its bits are wasted.

Everything here follows from the exact ranges of the network's integers. An element's own range is what its weights and
thresholds let it be when its layer's operands take any integers of their ranges; so what is called constant or never
reached is so for all inputs, while more may be.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import elementwise, evaluate_operation, moved, network_of
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.convert_neuron_to_hw import OPERATIONS
from c4ml_xdsl.transforms.lbir_unroll_neurons import ACTIVATIONS

Mask = NDArray[np.bool_]
Ranges = dict[int, lbir.IntType]
"""Ranges by an operation's position in its network."""

MOVES = (lbir.ReshapeOp, lbir.TransposeOp, lbir.GatherOp, lbir.BroadcastOp, lbir.PatchesOp)
RISING = (*MOVES, lbir.PadOp, lbir.ConcatOp, lbir.MaxPoolOp, lbir.MaximumOp, lbir.RequantizeOp, lbir.ThresholdOp)
"""Operations whose elements rise with all that they read, or fall: their ends come of the operands' ends."""


def quantiser_ranges(module: ModuleOp) -> Ranges:
    """The integers of the model's quantisers: those of activations before lbir-infer-ranges narrows them."""
    operations = network_of(module).body.block.ops
    return {
        position: lbir.range_of(operation.results[0])
        for position, operation in enumerate(operations)
        if isinstance(operation, ACTIVATIONS)
    }


def tensors_of(
    module: ModuleOp, design: ModuleOp, quantisers: Ranges, inputs: Sequence[str], outputs: Sequence[str]
) -> list[dict[str, Any]]:
    """
    One entry a tensor of the folded network `module`, in the order of the data flow, the network's inputs first.

    `design` has the `hw.module` of each layer; `inputs` and `outputs` are the names of its ports, in their order.
    """
    network = network_of(module)
    block = network.body.block
    operations = [each for each in block.ops if isinstance(each, lbir.LayerOp)]
    layer_of = _layers(design)
    values: list[SSAValue] = [*block.args, *(each.results[0] for each in operations)]
    numbers = {value: number for number, value in enumerate(values)}
    ports: dict[SSAValue, list[str]] = {value: [name] for value, name in zip(block.args, inputs, strict=True)}
    for value, name in zip(network.output_op.operands, outputs, strict=True):
        ports.setdefault(value, []).append(name)
    ends = _ends(block.args, operations)
    read = _read(operations, ends, network.output_op.operands)
    entries: list[dict[str, Any]] = []
    for value in values:
        owner = value.owner
        position = -1
        if isinstance(owner, Operation):
            position = numbers[value] - len(block.args)  # the output alone comes behind
        element, shape = lbir.range_of(value), lbir.shape_of(value)
        low, high = ends[value]
        quantiser = quantisers.get(position)
        entry: dict[str, Any] = {
            "id": numbers[value],
            "name": owner.label if isinstance(owner, lbir.LayerOp) else network.inputs.data[numbers[value]].tensor.data,
            "op": owner.name.removeprefix("lbir.") if isinstance(owner, lbir.LayerOp) else "input",
            "from": [numbers[each] for each in owner.operands] if isinstance(owner, lbir.LayerOp) else [],
            "layer": layer_of.get(position),
            "internal": _is_internal(value, position, layer_of, numbers, len(block.args)),
            "ports": ports.get(value, []),
            "shape": list(shape[1:] if shape[:1] == (1,) else shape),
            "min": element.low,
            "max": element.high,
            "bits": element.bits,
            "spare_bits": int((element.bits - varying_bits(low, high)).sum()),
            "constant_elements": int((low == high).sum()),
            "unread_elements": int((~read[value]).sum()),
        }
        if isinstance(owner, ACTIVATIONS) and quantiser is not None:
            entry["quantiser"] = {
                "min": quantiser.low,
                "max": quantiser.high,
                "bits": quantiser.bits,
                "reached": _levels(owner, *ends[owner.input]),
            }
        entries.append(entry)
    return entries


def _is_internal(
    value: SSAValue, position: int, layer_of: Mapping[int, str], numbers: Mapping[SSAValue, int], inputs: int
) -> bool:
    """Whether a tensor is read within its layer alone: it has no wires of its width."""
    readers = [use.operation for use in value.uses]
    if position not in layer_of or any(not isinstance(each, lbir.LayerOp) for each in readers):
        return False
    return all(layer_of.get(numbers[each.results[0]] - inputs) == layer_of[position] for each in readers)


def _layers(design: ModuleOp) -> dict[int, str]:
    """The module that each operation of the network, by its position, became part of."""
    found: dict[int, str] = {}
    for module in design.body.block.ops:
        positions = module.attributes.get(OPERATIONS)
        if isinstance(module, hw.HWModuleOp) and isinstance(positions, lbir.NumbersAttr):
            found.update(dict.fromkeys(positions.data, module.sym_name.data))
    return found


def _ends(
    arguments: Sequence[SSAValue], operations: Sequence[lbir.LayerOp]
) -> dict[SSAValue, tuple[Integers, Integers]]:
    """The lowest and highest integer of every element of each tensor."""
    found: dict[SSAValue, tuple[Integers, Integers]] = {}
    for value in (*arguments, *(each.results[0] for each in operations)):
        owner, shape, element = value.owner, lbir.shape_of(value), lbir.range_of(value)
        low, high = np.array(element.low, np.int64), np.array(element.high, np.int64)
        match owner:
            case lbir.DenseOp() | lbir.ConvOp() | lbir.AddOp():
                low, high = lbir.value_ranges(value)
            case lbir.TableOp():
                low, high = _table_ends(owner, *found[owner.input])
            case Operation() if isinstance(owner, RISING):
                both = [np.stack(found[each]) for each in owner.operands]
                low, high = np.sort(evaluate_operation(owner, both, {}), axis=0)
            case _:
                pass
        found[value] = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
    return found


def _table_ends(operation: lbir.TableOp, low: Integers, high: Integers) -> tuple[Integers, Integers]:
    """The lowest and highest entry of each element's table between the ends of its input."""
    table, first = lbir.integers(operation.table), lbir.range_of(operation.input).low
    rows = table.reshape(-1, table.shape[-1])
    number = np.broadcast_to(np.arange(len(rows)).reshape(table.shape[:-1]), low.shape)
    keys, inverse = np.unique(np.stack([number, low, high]).reshape(3, -1), axis=1, return_inverse=True)
    parts = [rows[row, start - first : end - first + 1] for row, start, end in keys.T.tolist()]
    lowest = np.array([each.min() for each in parts])[inverse.reshape(-1)].reshape(low.shape)
    highest = np.array([each.max() for each in parts])[inverse.reshape(-1)].reshape(low.shape)
    return lowest, highest


def _levels(operation: lbir.RequantizeOp | lbir.ThresholdOp | lbir.TableOp, low: Integers, high: Integers) -> int:
    """How many integers some element can be, where its input is any integer between its ends."""
    shape, functions = elementwise(operation)
    number = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), low.shape)
    keys = np.unique(np.stack([number, low, high]).reshape(3, -1), axis=1)
    if isinstance(operation, lbir.RequantizeOp):
        first, last = (functions(keys[0], each[:, None])[:, 0] for each in keys[1:])
        spans = np.unique(np.stack([first, last]), axis=1).T.tolist()
        return len({level for start, end in spans for level in range(start, end + 1)})
    found: set[int] = set()
    for row, start, end in keys.T.tolist():
        if isinstance(operation, lbir.ThresholdOp):
            steps = lbir.integers(operation.thresholds).reshape(math.prod(shape), -1)[row]
            tried = [start, *steps[(steps > start) & (steps <= end)].tolist()]
        else:
            tried = list(range(start, end + 1))
        found.update(functions(np.array([row]), np.array([tried], np.int64))[0].tolist())
    return len(found)


def _bit_lengths(x: Integers) -> Integers:
    """The bits of integers that aren't negative."""
    return np.searchsorted(1 << np.arange(62), x, side="right")


def varying_bits(low: Integers, high: Integers) -> Integers:
    """The bits of an element that aren't always the same, nor copies of its sign."""
    signed = (low < 0) & (high >= 0)
    both = np.maximum(_bit_lengths(np.where(signed, -low - 1, 0)), _bit_lengths(np.where(signed, high, 0))) + 1
    return np.where(signed, both, _bit_lengths(np.where(signed, 0, low ^ high)))


def _read(
    operations: Sequence[lbir.LayerOp],
    ends: Mapping[SSAValue, tuple[Integers, Integers]],
    outputs: Sequence[SSAValue],
) -> dict[SSAValue, Mask]:
    """Whether any output depends on an element of a tensor; constant elements depend on nothing."""
    read: dict[SSAValue, Mask] = {value: np.zeros(lbir.shape_of(value), np.bool_) for value in ends}
    for value in outputs:
        read[value][...] = True
    for operation in reversed(operations):
        result = operation.results[0]
        low, high = ends[result]
        needed = read[result] & (low != high)
        for index, operand in enumerate(operation.operands):
            read[operand].reshape(-1)[_sources(operation, index, needed)] = True
    return read


def _sources(operation: lbir.LayerOp, index: int, needed: Mask) -> Integers:
    """The elements of an operand, numbered, that some elements of the result depend on."""
    operand = operation.operands[index]
    shape = lbir.shape_of(operand)
    numbers = np.arange(math.prod(shape)).reshape(shape)
    match operation:
        case lbir.DenseOp():
            return np.flatnonzero(_any(needed.reshape(-1, needed.shape[-1]), lbir.integers(operation.weights) != 0))
        case lbir.ConvOp():
            weights, groups = lbir.integers(operation.weights) != 0, operation.groups.value.data
            windows = lbir.patches(
                numbers.reshape(1, *shape[1:]), weights.shape[2:], operation.strides.data, operation.dilations.data
            )
            # (groups, positions, outputs) times (groups, outputs, elements)
            asked = needed.reshape(groups, len(weights) // groups, -1).swapaxes(1, 2)
            taken = _any(asked, weights.reshape(groups, len(weights) // groups, -1))
            return np.unique(windows.reshape(windows.shape[1], groups, -1).swapaxes(0, 1)[taken])
        case lbir.AddOp():
            weight = np.broadcast_to(lbir.integers(operation.coefficients.data[index]) != 0, needed.shape)
            return np.broadcast_to(numbers, needed.shape)[needed & weight]
        case lbir.TopKOp():
            rows = np.flatnonzero(needed.reshape(-1, needed.shape[-1]).any(axis=1))
            return numbers.reshape(-1, shape[-1])[rows].reshape(-1)
        case lbir.MaxPoolOp():
            kernel, strides, dilations = operation.kernel.data, operation.strides.data, operation.dilations.data
            return np.unique(lbir.windows_of(numbers, kernel, strides, dilations)[needed])
        case lbir.PadOp():
            inner = tuple(slice(low, low + size) for low, size in zip(operation.low.data, shape, strict=True))
            return np.flatnonzero(needed[inner])
        case lbir.ConcatOp():
            axis = operation.axis.value.data
            start = sum(lbir.shape_of(each)[axis] for each in operation.operands[:index])
            return np.flatnonzero(np.take(needed, range(start, start + shape[axis]), axis))
        case lbir.ReshapeOp() | lbir.TransposeOp() | lbir.GatherOp() | lbir.BroadcastOp() | lbir.PatchesOp():
            return moved(operation, numbers[None])[0][needed]
        case _:
            return np.broadcast_to(numbers, needed.shape)[needed]


def _any(a: Mask, b: Mask) -> Mask:
    """The product of two matrices of truth values."""
    return a.astype(np.float32) @ b.astype(np.float32) > 0
