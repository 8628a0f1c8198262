"""
When the bits of a design's values are there: a static timing analysis of `hw` and `comb` operations, bit by bit.

The carries of a row run right behind those of the row before, and a bit that is late goes to the fastest input of its
LUT; so chains of rows take far less than the sum of their delays. The model is that of the benchmarks' flow: Artix-7
cells, and the same time for every wire in front of a LUT. It is for ranking; it says nothing of a device.
"""

from collections.abc import Sequence
from typing import cast

from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerType, ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.circuits.cost import (
    CARRY_TO_SUM_NS,
    LUT_PINS_NS,
    MAJORITY_NS,
    POSITION_NS,
    SUM_TO_CARRY_NS,
    SUM_TO_SUM_NS,
    WIRE_NS,
    Target,
)
from c4ml_xdsl.dialects import comb

CONSTANT = float("-inf")
"""When a bit that never changes is there."""

Bits = list[float]
"""Nanoseconds after which each bit of a value is there, the lowest bit first."""


def delay_of(module: hw.HWModuleOp, target: Target) -> float:
    """Nanoseconds from a module's inputs to its last output; the module has no instances."""
    inputs = [[0.0] * comb.width_of(port) for port in module.body.block.args]
    return _latest(_Arrivals(target).run(module, inputs))


def delay_of_design(design: ModuleOp, top: str, target: Target) -> float:
    """Nanoseconds through the top module; of a module's instances, each input bit counts when it is there in all."""
    modules = {each.sym_name.data: each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp)}
    inputs = [[0.0] * comb.width_of(port) for port in modules[top].body.block.args]
    return _latest(_Arrivals(target, modules).run(modules[top], inputs))


def _latest(values: Sequence[Bits]) -> float:
    return max((bit for value in values for bit in value if bit > CONSTANT), default=0.0)


class _Arrivals:
    """The analysis of modules, given when their inputs are there."""

    def __init__(self, target: Target, modules: dict[str, hw.HWModuleOp] | None = None):
        self.target: Target = target
        self.modules = modules or {}
        self.values: dict[SSAValue, Bits] = {}

    def run(self, module: hw.HWModuleOp, inputs: Sequence[Bits]) -> list[Bits]:
        """When the outputs are there."""
        values, instances = self.values, dict[str, list[hw.InstanceOp]]()
        block = module.body.block
        values.update(zip(block.args, inputs, strict=True))
        for operation in block.ops:
            if isinstance(operation, hw.InstanceOp):
                instances.setdefault(operation.module_name.string_value(), []).append(operation)
        for operation in block.ops:
            if isinstance(operation, hw.InstanceOp):
                # the instances of one layer stand together, behind all that they read
                group = instances.pop(operation.module_name.string_value(), None)
                if group is not None:
                    self.instances(operation.module_name.string_value(), group)
            elif operation.results:
                values[operation.results[0]] = self.rule(operation)
        last = block.last_op
        assert last is not None
        return [values[each] for each in last.operands]

    def instances(self, name: str, group: Sequence[hw.InstanceOp]) -> None:
        """All instances of a module at once."""
        inputs = [
            [max(bits) for bits in zip(*(self.values[each] for each in operands), strict=True)]
            for operands in zip(*(each.operands for each in group), strict=True)
        ]
        outputs = _Arrivals(self.target).run(self.modules[name], inputs)
        for each in group:
            self.values.update(zip(each.results, outputs, strict=True))

    def rule(self, operation: Operation) -> Bits:
        """When the bits of an operation's result are there."""
        known = [self.values[operand] for operand in operation.operands]
        width = comb.width_of(operation.results[0]) if isinstance(operation.results[0].type, IntegerType) else 1
        match operation:  # the most frequent ones first
            case comb.ConcatOp():
                return [bit for part in reversed(known) for bit in part]
            case comb.ExtractOp():
                low = operation.low_bit.value.data
                return known[0][low : low + width]
            case comb.AddOp() | comb.SubOp():
                return self.row(operation, known, width)
            case comb.ReplicateOp():
                return known[0] * (width // len(known[0]))
            case hw.ConstantOp():
                return [CONSTANT] * width
            case comb.AndOp() | comb.OrOp() | comb.XorOp():
                return self.logic(operation, known)
            case comb.TruthTableOp():
                return [_lut([bits[0] for bits in known])]
            case comb.ICmpOp():
                return [self.comparison(known)]
            case comb.MuxOp():
                return [_lut([known[0][0], a, b]) for a, b in zip(known[1], known[2], strict=True)]
            case _:
                latest = max((bit for bits in known for bit in bits), default=CONSTANT)
                return [latest + len(known[0]) * WIRE_NS] * width if latest > CONSTANT else [CONSTANT] * width

    def row(self, operation: Operation, known: Sequence[Bits], width: int) -> Bits:
        """A row of adders: LUTs in front of a carry chain, with majorities between them where it adds three words."""
        words = [*known]
        if self.target == "xilinx" and isinstance(operation, comb.SubOp) and _is_inner(operation.operands[0]):
            inner = cast(Operation, operation.operands[0].owner)
            words = [*(self.values[each] for each in inner.operands), known[1]]
        words = [bits for bits in words if any(bit > CONSTANT for bit in bits)]
        most = 3 if self.target == "xilinx" else 2
        while len(words) > most:
            words = [self.chain(words[:most], width), *words[most:]]
        return self.chain(words, width)

    def chain(self, words: Sequence[Bits], width: int) -> Bits:
        """One carry chain that adds at most three words."""
        alive = [[bits[place] for bits in words if bits[place] > CONSTANT] for place in range(width)]
        carry = majority = CONSTANT
        started = False
        result: Bits = []
        for bits in alive:
            if not started and len(bits) < 2:
                result.append(bits[0] if bits else CONSTANT)  # passes by
                continue
            started = True
            if len(words) < 3:
                select = _lut(bits)
                entry = select
            else:
                own = _row_lut(bits)
                select = max(own, majority + MAJORITY_NS)
                entry, majority = select, own
            result.append(max(select + SUM_TO_SUM_NS, carry + CARRY_TO_SUM_NS))
            carry = max(entry + SUM_TO_CARRY_NS, carry + POSITION_NS)
        return result

    def logic(self, operation: Operation, known: Sequence[Bits]) -> Bits:
        """Bitwise logic merges with the LUTs behind it, but for the majority of three words."""
        rows = zip(*known, strict=True)
        if isinstance(operation, comb.OrOp) and len(known) == 3:
            return [_lut([bit for bit in bits if bit > CONSTANT]) for bits in rows]
        return [max(bits) for bits in rows]

    def comparison(self, known: Sequence[Bits]) -> float:
        """A comparison is the carry of a subtraction."""
        carry = CONSTANT
        for bits in zip(*known, strict=True):
            carry = max(_lut([bit for bit in bits if bit > CONSTANT]) + SUM_TO_CARRY_NS, carry + POSITION_NS)
        return carry + CARRY_TO_SUM_NS


def _is_inner(value: SSAValue) -> bool:
    """Whether a value is a sum of two that a subtraction alone reads: together they are a row of three."""
    return isinstance(value.owner, comb.AddOp | comb.SubOp) and len(value.owner.operands) == 2 and value.has_one_use()


def _lut(arrivals: Sequence[float]) -> float:
    """A LUT's output: the later a bit, the faster its pin; more than six bits take several levels."""
    ordered = sorted((bit for bit in arrivals if bit > CONSTANT), reverse=True)
    if not ordered:
        return CONSTANT
    if len(ordered) > len(LUT_PINS_NS):
        ordered = [*ordered[: len(LUT_PINS_NS) - 1], _lut(ordered[len(LUT_PINS_NS) - 1 :])]
        ordered.sort(reverse=True)
    return WIRE_NS + max(bit + pin for bit, pin in zip(ordered, LUT_PINS_NS, strict=False))


def _row_lut(arrivals: Sequence[float]) -> float:
    """The LUT of one bit of a row of three; its fastest pin is the majority's."""
    ordered = sorted(arrivals, reverse=True)
    pins = (*LUT_PINS_NS[2:4], LUT_PINS_NS[4])
    return WIRE_NS + max((bit + pin for bit, pin in zip(ordered, pins, strict=False)), default=CONSTANT)
