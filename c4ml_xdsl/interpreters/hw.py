"""
Runs `hw` modules of `comb` and `seq` operations on a batch, bit by bit what the Verilog does.

In a design with registers the samples of a batch are what is there in one clock cycle after the other: a register has
in each cycle what it was given in the one before. What it has in the first one is arbitrary.

A value of up to 62 bits is an int64 array of unsigned integers, one a sample. Wider values, which are packed tensors,
are held as their parts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias, cast

import numpy as np
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.numerics.chain import Integers

NARROW = 62
CHUNK = 2048
BATCH = 1 << 16
"""The most samples that instances of one module are run on at once."""
POWER_ON = 0x2A5A5A5A5A5A5A5A
"""What registers hold in the first cycle: as arbitrary as any other, so that nobody counts on zeros."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Parts side by side, the first one in the least significant bits: (width, unsigned integers) each."""

    parts: tuple[tuple[int, Integers], ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, parts: Sequence[tuple[int, Integers]]) -> "Packed":
        """Joins parts."""
        ends = accumulate((width for width, _ in parts), initial=0)
        return cls(tuple(parts), tuple(ends)[:-1])

    @property
    def width(self) -> int:
        """All bits."""
        return sum(width for width, _ in self.parts)

    def slice(self, low: int, width: int) -> "Value":
        """`width` bits from bit `low` on."""
        index = bisect_right(self.starts, low) - 1
        if self.starts[index] == low and self.parts[index][0] == width:
            return self.parts[index][1]
        pieces: list[tuple[int, Integers]] = []
        for index in range(index, bisect_left(self.starts, low + width)):
            position, (part_width, part) = self.starts[index], self.parts[index]
            first, last = max(low, position), min(low + width, position + part_width)
            if first < last:
                pieces.append((last - first, (part >> (first - position)) & ((1 << (last - first)) - 1)))
        return join(pieces)


Value: TypeAlias = Integers | Packed


def join(parts: Sequence[tuple[int, Integers]]) -> Value:
    """Parts side by side, the first in the least significant bits."""
    if sum(width for width, _ in parts) > NARROW:
        return Packed.of(parts)
    total = np.zeros_like(parts[0][1])
    position = 0
    for width, part in parts:
        total |= part << position
        position += width
    return total


def pack(integers: Integers, bits: int) -> Value:
    """A tensor of (samples, elements) as a port, element 0 in the least significant bits."""
    mask = (1 << bits) - 1
    return join([(bits, np.ascontiguousarray(column)) for column in (integers & mask).T])


def stack(values: Sequence[Value]) -> Value:
    """The batches of several values of the same width, one after the other."""
    plain = [value for value in values if not isinstance(value, Packed)]
    if len(plain) == len(values):
        return np.concatenate(plain)
    packed = [value for value in values if isinstance(value, Packed)]
    boundaries = sorted({position for value in packed for position in value.starts} | {packed[0].width})
    pieces = [(low, high - low) for low, high in pairwise(boundaries)]
    columns = [[cast(Integers, value.slice(low, width)) for value in packed] for low, width in pieces]
    return Packed.of([(width, np.concatenate(column)) for (_, width), column in zip(pieces, columns, strict=True)])


def unstack(value: Value, count: int) -> list[Value]:
    """The batches that `stack` has put together, which are of the same length."""
    if not isinstance(value, Packed):
        return list(np.split(value, count))
    parts = [(width, np.split(part, count)) for width, part in value.parts]
    return [Packed.of([(width, split[index]) for width, split in parts]) for index in range(count)]


def unpack(value: Value, elements: int, bits: int, signed: bool) -> Integers:
    """A port as a tensor of (samples, elements)."""
    packed = value if isinstance(value, Packed) else Packed.of([(elements * bits, value)])
    columns = [cast(Integers, packed.slice(index * bits, bits)) for index in range(elements)]
    unsigned = np.stack(columns, axis=1)
    return unsigned - ((unsigned >> (bits - 1)) << bits) if signed else unsigned


Instance: TypeAlias = tuple[str, ...]
"""An instance by its path from the module that is run, which is the empty one itself."""

Observer: TypeAlias = Callable[[Sequence[Instance], SSAValue, Value], None]
"""
Is told every value of every instance as it is computed: inputs first, then results.

The batches of the instances stand one after the other in the value. An instance's results are told outside it too.
"""


class HwInterpreter:
    """Runs the modules of a design; every operation on all samples at once."""

    def __init__(self, module: ModuleOp):
        self.modules = {each.sym_name.data: each for each in module.body.block.ops if isinstance(each, hw.HWModuleOp)}
        self._schedules: dict[str, tuple[list[Operation], list[list[SSAValue]]]] = {}

    def run(
        self,
        name: str,
        inputs: Mapping[str, Value],
        observe: Observer | None = None,
    ) -> dict[str, Value]:
        """
        The outputs of a module by port name.

        The batch is the cycles of one stream. Clocks aren't given.
        """
        return self._run(name, inputs, observe, [()])

    def _run(
        self,
        name: str,
        inputs: Mapping[str, Value],
        observe: Observer | None,
        instances: Sequence[Instance],
    ) -> dict[str, Value]:
        """
        The outputs of a module for the batches of instances of it, one after the other.

        Instances of one module that stand together in it are run at once too.
        """
        if name not in self.modules:
            raise InputDataError(f"the design has no module {name}")
        module = self.modules[name]
        ports = module.module_type.ports.data
        names = [port.port_name.data for port in ports if port.dir.data.is_input_like()]
        samples = next((len(value) for value in inputs.values() if not isinstance(value, Packed)), None)
        if samples is None:
            samples = len(next(value.parts[0][1] for value in inputs.values() if isinstance(value, Packed)))
        cycles = samples // len(instances)
        no_clock = np.zeros(samples, np.int64)
        values: dict[SSAValue, Value] = {
            argument: no_clock if isinstance(argument.type, seq.ClockType) else inputs[port]
            for argument, port in zip(module.body.block.args, names, strict=True)
        }
        if observe is not None:
            for argument in module.body.block.args:
                observe(instances, argument, values[argument])
        operations, dead_after = self._schedule(name)
        position = 0
        while position < len(operations):
            operation = operations[position]
            last = position + 1
            if isinstance(operation, hw.OutputOp):
                outputs = [port.port_name.data for port in ports if not port.dir.data.is_input_like()]
                return {port: values[value] for port, value in zip(outputs, operation.operands, strict=True)}
            if isinstance(operation, hw.InstanceOp):
                most = max(1, BATCH // max(samples, 1))
                callee = operation.module_name.string_value()
                group = [operation]
                while last < len(operations) and len(group) < most:
                    following = operations[last]
                    if not isinstance(following, hw.InstanceOp) or following.module_name.string_value() != callee:
                        break
                    if any(operand not in values for operand in following.operands):
                        break
                    group.append(following)
                    last += 1
                self._run_instances(callee, group, values, observe, instances)
            elif isinstance(operation, seq.CompRegOp):
                values[operation.data] = _register(operation, values, cycles)
            else:
                values[operation.results[0]] = evaluate_operation(operation, values, samples)
            if observe is not None:
                for each in operations[position:last]:
                    for result in each.results:
                        observe(instances, result, values[result])
            for dead in dead_after[position:last]:
                for value in dead:
                    del values[value]
            position = last
        raise InputDataError(f"{name} has no hw.output")

    def _run_instances(
        self,
        callee: str,
        group: Sequence[hw.InstanceOp],
        values: dict[SSAValue, Value],
        observe: Observer | None,
        instances: Sequence[Instance],
    ) -> None:
        ports = [argument.data for argument in group[0].arg_names]
        given = {
            port: stack([values[instance.operands[index]] for instance in group]) for index, port in enumerate(ports)
        }
        inner = [(*outer, each.instance_name.data) for each in group for outer in instances]
        results = self._run(callee, given, observe, inner)
        for index, port in enumerate(group[0].result_names):
            for instance, value in zip(group, unstack(results[port.data], len(group)), strict=True):
                values[instance.results[index]] = value

    def _schedule(self, name: str) -> tuple[list[Operation], list[list[SSAValue]]]:
        """The operations, and after each of them the values that nothing reads any more."""
        known = self._schedules.get(name)
        if known is None:
            seen: set[SSAValue] = set()
            found: list[list[SSAValue]] = []
            operations = list(self.modules[name].body.block.ops)
            for operation in reversed(operations):
                dead = [value for value in dict.fromkeys(operation.operands) if value not in seen]
                seen.update(dead)
                found.append(dead + [result for result in operation.results if result not in seen])
            known = self._schedules[name] = operations, found[::-1]
        return known


def _register(operation: seq.CompRegOp, values: Mapping[SSAValue, Value], cycles: int) -> Value:
    """What a register holds in each cycle of each stream; a reset is synchronous."""
    given = values[operation.input]
    if isinstance(given, Packed):
        return Packed(tuple((width, _delayed(part, width, cycles)) for width, part in given.parts), given.starts)
    if operation.reset is not None and operation.reset_value is not None:
        reset = cast(Integers, values[operation.reset])
        given = np.where(reset != 0, cast(Integers, values[operation.reset_value]), given)
    return _delayed(given, comb.width_of(operation.data), cycles)


def _delayed(value: Integers, width: int, cycles: int) -> Integers:
    result = np.empty_like(value).reshape(-1, cycles)
    result[:, :1] = POWER_ON & ((1 << width) - 1)
    result[:, 1:] = value.reshape(-1, cycles)[:, :-1]
    return result.reshape(-1)


def _signed(value: Integers, width: int) -> Integers:
    return value - ((value >> (width - 1)) << width)


RELATIONS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
"""What a comparison's predicate says of two integers, without the letter that tells how their bits are read."""


def _compare(operation: comb.ICmpOp, values: Mapping[SSAValue, Value]) -> Integers:
    left, right = cast(Integers, values[operation.lhs]), cast(Integers, values[operation.rhs])
    predicate = operation.mnemonic
    if predicate[0] == "s":
        width = comb.width_of(operation.lhs)
        left, right = _signed(left, width), _signed(right, width)
    return RELATIONS[predicate[-2:]](left, right).astype(np.int64)


def _array(operation: hw.ArrayCreateOp) -> Integers:
    """The entries of a constant array, by index; the first operand has the highest one."""
    entries: list[int] = []
    for operand in reversed(operation.operands):
        owner = operand.owner
        if not isinstance(owner, hw.ConstantOp):
            raise NotImplementedError("an array whose entries aren't constants")
        entries.append(owner.value.value.data & ((1 << comb.width_of(operand)) - 1))
    return np.array(entries, np.int64)


def evaluate_operation(operation: Operation, values: Mapping[SSAValue, Value], samples: int) -> Value:
    """An operation's result on a batch; raises NotImplementedError for an operation that isn't known."""
    result = operation.results[0]
    match operation:
        case hw.ConstantOp():
            width = comb.width_of(result)
            number = operation.value.value.data & ((1 << width) - 1)
            pieces = [min(32, width - low) for low in range(0, width, 32)]
            return join(
                [
                    (piece, np.full(samples, number >> 32 * index & ((1 << piece) - 1), np.int64))
                    for index, piece in enumerate(pieces)
                ]
            )
        case comb.ExtractOp():
            source, low, width = values[operation.input], operation.low_bit.value.data, comb.width_of(result)
            if isinstance(source, Packed):
                return source.slice(low, width)
            return (source >> low) & ((1 << width) - 1)
        case comb.ConcatOp():
            parts: list[tuple[int, Integers]] = []
            for operand in reversed(operation.inputs):
                value = values[operand]
                parts.extend(value.parts if isinstance(value, Packed) else [(comb.width_of(operand), value)])
            return join(parts)
        case comb.ReplicateOp():
            width = comb.width_of(operation.input)
            part = cast(Integers, values[operation.input])
            return join([(width, part)] * (comb.width_of(result) // width))
        case comb.ICmpOp():
            return _compare(operation, values)
        case comb.TruthTableOp():
            index = np.zeros(samples, np.int64)
            for operand in operation.inputs:
                index = index << 1 | cast(Integers, values[operand])
            return np.array(operation.entries, np.int64)[index]
        case hw.ArrayCreateOp():
            return _array(operation)
        case hw.ArrayGetOp():
            # the entries are the same for all samples
            return cast(Integers, values[operation.operands[0]])[cast(Integers, values[operation.operands[1]])]
        case comb.MuxOp():
            condition, on_true, on_false = (cast(Integers, values[operand]) for operand in operation.operands)
            return np.where(condition != 0, on_true, on_false)
        case comb.ParityOp():
            value = cast(Integers, values[operation.input])
            for shift in (32, 16, 8, 4, 2, 1):
                value = value ^ (value >> shift)
            return value & 1
        case comb.ShlOp() | comb.ShrUOp() | comb.ShrSOp():
            value, amount = cast(Integers, values[operation.lhs]), cast(Integers, values[operation.rhs])
            return _shift(operation, value, amount)
        case _:
            return _arithmetic(operation, [cast(Integers, values[operand]) for operand in operation.operands])


def _shift(operation: comb.ShlOp | comb.ShrUOp | comb.ShrSOp, value: Integers, amount: Integers) -> Integers:
    width = comb.width_of(operation.result)
    mask, amount = (1 << width) - 1, np.minimum(amount, width)
    if isinstance(operation, comb.ShlOp):
        # what would leave the width is cut off before the shift, so that nothing overflows
        return (value & (mask >> amount)) << amount
    return ((_signed(value, width) if isinstance(operation, comb.ShrSOp) else value) >> amount) & mask


def _arithmetic(operation: Operation, operands: Sequence[Integers]) -> Integers:
    mask = (1 << comb.width_of(operation.results[0])) - 1
    functions: dict[type[Operation], Callable[[Integers, Integers], Integers]] = {
        comb.AddOp: np.add,
        comb.SubOp: np.subtract,
        comb.MulOp: np.multiply,
        comb.AndOp: np.bitwise_and,
        comb.OrOp: np.bitwise_or,
        comb.XorOp: np.bitwise_xor,
    }
    function = functions.get(type(operation))
    if function is None:
        raise NotImplementedError(f"{operation.name} can't be run")
    total = operands[0]
    for operand in operands[1:]:
        total = function(total, operand)
    return total & mask
