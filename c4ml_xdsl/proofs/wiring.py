"""
Proves that the top puts its instances together as the network's operations are.

Every bit that the top moves has a number; the lbir tensors are arrays of such numbers, and an instance's inputs must be
those of the row of the tensor that it computes from.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from xdsl.dialects import hw
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import comb, lbir
from c4ml_xdsl.interpreters.lbir import moved
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.proofs.specification import Specification

ZERO, ONE, FIRST = 0, 1, 2
"""The numbers of the constant bits, and the first of the others."""


MOVES = (hw.ConstantOp, comb.ExtractOp, comb.ConcatOp, comb.ReplicateOp)
"""Operations that make no new bits."""


class _Mismatch(Exception):
    """What isn't put together as the network is; the message says what."""


def check_wiring(
    network: lbir.NetworkOp,
    top: hw.HWModuleOp,
    specifications: Mapping[str, Specification],
    instances: Mapping[str, Sequence[hw.InstanceOp]],
) -> list[str]:
    """What can't be proved of the top, given what its modules are proved to compute; nothing where all is right."""
    try:
        _Wiring(network, top, specifications, instances).check()
    except _Mismatch as error:
        return [f"{top.sym_name.data}: {error}"]
    return []


def number_bits(top: hw.HWModuleOp, wires: dict[SSAValue, Integers]) -> Sequence[SSAValue] | None:
    """Numbers all bits of a module in `wires`, equal numbers being one bit; the values that it gives, if it does."""
    count = FIRST

    def fresh(width: int) -> Integers:
        nonlocal count
        count += width
        return np.arange(count - width, count)

    for argument in top.body.block.args:
        wires[argument] = fresh(comb.width_of(argument))
    for operation in top.body.block.ops:
        match operation:
            case hw.OutputOp():
                return operation.operands
            case hw.ConstantOp():
                value = operation.value.value.data
                width = comb.width_of(operation.result)
                wires[operation.result] = np.array([value >> bit & 1 for bit in range(width)], np.int64)
            case comb.ExtractOp():
                low = operation.low_bit.value.data
                wires[operation.result] = wires[operation.input][low : low + comb.width_of(operation.result)]
            case comb.ConcatOp():
                wires[operation.result] = np.concatenate([wires[each] for each in reversed(operation.inputs)])
            case comb.ReplicateOp():
                part = wires[operation.input]
                wires[operation.result] = np.tile(part, comb.width_of(operation.result) // len(part))
            case _:
                for result in operation.results:
                    wires[result] = fresh(comb.width_of(result))
    return None


def _resized(tensor: Integers, element: lbir.IntType, width: int) -> Integers:
    """Elements (bits, …) of another width: the same integers where they fit."""
    bits = len(tensor)
    if width <= bits:
        return tensor[:width]
    extension = tensor[-1:] if element.signed else np.full_like(tensor[:1], ZERO)
    return np.concatenate([tensor, np.repeat(extension, width - bits, axis=0)])


class _Wiring:
    def __init__(
        self,
        network: lbir.NetworkOp,
        top: hw.HWModuleOp,
        specifications: Mapping[str, Specification],
        instances: Mapping[str, Sequence[hw.InstanceOp]],
    ):
        self.network, self.top = network, top
        self.modules = {specification.operations[-1]: name for name, specification in specifications.items()}
        self.specifications, self.instances = specifications, instances
        self.wires: dict[SSAValue, Integers] = {}
        self.tensors: dict[SSAValue, Integers] = {}

    def check(self) -> None:
        """Raises _Mismatch at the first thing that is put together otherwise."""
        outputs = number_bits(self.top, self.wires)
        if outputs is None:
            raise _Mismatch("it has no output")
        arguments = self.network.body.block.args
        if len(arguments) != len(self.top.body.block.args):
            raise _Mismatch("it doesn't have the network's inputs")
        for port, argument, wire in zip(self.network.inputs, arguments, self.top.body.block.args, strict=True):
            element, shape, width = lbir.range_of(argument), lbir.shape_of(argument), port.bits.data
            bits = self.wires[wire]
            if len(bits) != math.prod(shape) * width:
                raise _Mismatch(f"the input {port.tensor.data} doesn't have {width} bits an element")
            self.tensors[argument] = bits.reshape(-1, width).T.reshape(width, *shape)[: element.bits]
        for operation in self.network.body.block.ops:
            if operation in self.modules:
                assert isinstance(operation, lbir.LayerOp)
                self._layer(operation)
            elif operation.results and all(operand in self.tensors for operand in operation.operands):
                self._move(operation)
        ports = self.network.outputs
        if len(outputs) != len(ports):
            raise _Mismatch("it doesn't have the network's outputs")
        for port, value, wire in zip(ports, self.network.output_op.operands, outputs, strict=True):
            wanted = _resized(self._tensor(value), lbir.range_of(value), port.bits.data)
            if not np.array_equal(self.wires[wire], _packed(wanted.reshape(len(wanted), 1, -1))[0]):
                raise _Mismatch(f"the output {port.tensor.data} isn't the network's")

    def _tensor(self, value: SSAValue) -> Integers:
        if value not in self.tensors:
            owner = value.owner
            label = owner.label if isinstance(owner, lbir.LayerOp) else "an operation"
            raise _Mismatch(f"no module computes {label}")
        return self.tensors[value]

    def _layer(self, operation: lbir.LayerOp) -> None:
        """The instances of a layer read the rows of its operands; what they give is its result."""
        name = self.modules[operation]
        specification, instances = self.specifications[name], self.instances.get(name, ())
        layer, rows = specification.layer, specification.rows
        for position, (value, (element, _)) in enumerate(zip(layer.operands, specification.operands, strict=True)):
            tensor = _resized(self._tensor(value), element, element.bits)
            wanted = _packed(specification.rows_of(tensor))
            given = [self.wires[instance.operands[position]] for instance in instances]
            if len(given) != rows or any(len(each) != wanted.shape[1] for each in given):
                raise _Mismatch(f"the instances of {name} don't fit the node {specification.node}")
            wrong = np.flatnonzero(np.any(np.stack(given) != wanted, axis=1))
            if wrong.size:
                raise _Mismatch(f"instance {wrong[0]} of {name} doesn't read what the node {specification.node} does")
        result, width = operation.results[0], specification.result.bits
        shape, axes = lbir.shape_of(result), specification.axes
        given = np.stack([self.wires[instance.results[0]] for instance in instances])
        tensor = np.moveaxis(given.reshape(rows, specification.outputs, width), -1, 0)
        tensor = tensor.reshape(width, *(shape[axis] for axis in axes))
        self.tensors[result] = tensor.transpose(0, *(int(axis) + 1 for axis in np.argsort(axes)))

    def _move(self, operation: Operation) -> None:
        """An operation that only moves elements; what is none has a module, or isn't known."""
        match operation:
            case lbir.PadOp():
                element = lbir.range_of(operation.result)
                value = np.broadcast_to(lbir.integers(operation.value), lbir.shape_of(operation.result))
                result = np.stack([value >> bit & 1 for bit in range(element.bits)])
                own = self.tensors[operation.input]
                inner = (slice(low, low + size) for low, size in zip(operation.low.data, own.shape[1:], strict=True))
                result[(slice(None), *inner)] = _resized(own, lbir.range_of(operation.input), element.bits)
            case lbir.ConcatOp():
                width = lbir.range_of(operation.result).bits
                parts = [_resized(self.tensors[each], lbir.range_of(each), width) for each in operation.inputs]
                result = np.concatenate(parts, axis=operation.axis.value.data + 1)
            case lbir.ReshapeOp() | lbir.TransposeOp() | lbir.GatherOp() | lbir.BroadcastOp() | lbir.PatchesOp():
                result = moved(operation, self.tensors[operation.input])
            case _:
                return
        self.tensors[operation.results[0]] = result


def _packed(rows: Integers) -> Integers:
    """Elements (bits, rows, elements) as (rows, bits), the first element and its lowest bit first."""
    return np.moveaxis(rows, 0, -1).reshape(rows.shape[1], -1)
