"""Estimates of what a module of `hw` and `comb` operations costs: LUT sites, delay, adders."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.circuits.adder_graph import LARGEST
from c4ml_xdsl.circuits.adder_graph._search import row_sites
from c4ml_xdsl.circuits.cost import (
    CARRY_NS,
    SAVE_NS,
    START_NS,
    Cost,
    Target,
    comparison_cost,
    logic_cost,
    row_cost,
    table_cost,
)
from c4ml_xdsl.dialects import comb


@dataclass(frozen=True)
class _Arrival:
    """When a value's bits are there: bit 0 after `start` nanoseconds, each later one `slope` later, all by `end`."""

    start: float
    slope: float
    end: float

    @classmethod
    def line(cls, start: float, slope: float, width: int) -> "_Arrival":
        """So many bits one after the other."""
        return cls(start, slope, start + slope * (width - 1))


def estimate(module: hw.HWModuleOp, target: Target) -> tuple[Cost, int]:
    """
    The cost of one module without its instances, and its number of adders.

    Arrival times are those of bits: in chains of rows, the carries of one run right behind those of the one before.
    """
    arrivals: dict[SSAValue, _Arrival] = {}
    lut = adders = 0
    merged: set[Operation] = set()
    for operation in module.body.block.ops:
        if not operation.results:
            continue
        cost = Cost(0, 0.0)
        known = [arrivals.get(operand, _Arrival(0.0, 0.0, 0.0)) for operand in operation.operands]
        width = comb.width_of(operation.results[0]) if isinstance(operation.results[0].type, IntegerType) else 1
        match operation:
            case comb.ExtractOp():
                start = known[0].start + known[0].slope * operation.low_bit.value.data
                line = _Arrival.line(start, known[0].slope, width)
                arrival = _Arrival(start, line.slope, min(line.end, known[0].end))
            case comb.ConcatOp():
                arrival = _joined(operation, known)
            case comb.ReplicateOp():
                arrival = _Arrival(known[0].end, 0.0, known[0].end)
            case comb.AddOp() | comb.SubOp():
                if _is_part_of_a_row(operation, merged):
                    merged.add(operation)
                else:
                    adders += 1
                    cost = _row_cost(operation, _row_operands(operation, merged), width, target)
                start = max(each.start for each in known)
                if start <= 0.0 and cost.lut:
                    start = START_NS
                arrival = _Arrival.line(start + cost.delay_ns, CARRY_NS, width)
            case comb.XorOp() | comb.OrOp() if len(operation.operands) == 3:  # parity and majority of three words
                if isinstance(operation, comb.OrOp):
                    cost = Cost(_majorities(operation), 0.0)
                start = max(each.start for each in known) + SAVE_NS
                end = max(each.end for each in known) + SAVE_NS
                arrival = _Arrival(start, max(each.slope for each in known), end)
            case comb.XorOp() | comb.AndOp() | comb.OrOp():
                slope, end = max(each.slope for each in known), max(each.end for each in known)
                arrival = _Arrival(max(each.start for each in known), slope, end)
            case _:
                cost = _choice_cost(operation)
                end = max((each.end for each in known), default=0.0) + cost.delay_ns
                arrival = _Arrival(end, 0.0, end)
        lut += cost.lut
        for result in operation.results:
            arrivals[result] = arrival
    outputs = module.body.block.last_op
    assert outputs is not None
    delay = max((arrivals[each].end for each in outputs.operands if each in arrivals), default=0.0)
    return Cost(lut, delay), adders


def _choice_cost(operation: Operation) -> Cost:
    """What compares, chooses or looks up; other operations cost nothing."""
    match operation:
        case comb.ICmpOp():
            return comparison_cost(comb.width_of(operation.lhs), isinstance(operation.rhs.owner, hw.ConstantOp))
        case comb.MuxOp() if not isinstance(operation.true_value.owner, hw.ConstantOp):
            return logic_cost(comb.width_of(operation.result))
        case comb.TruthTableOp():
            return table_cost(len(operation.inputs))
        case _:
            return Cost(0, 0.0)


def _joined(operation: comb.ConcatOp, known: Sequence[_Arrival]) -> _Arrival:
    """The arrival of values side by side, the first in the most significant bits: the latest line through a part."""
    position, slope = 0, max(each.slope for each in known)
    start = 0.0
    for operand, each in zip(reversed(operation.operands), reversed(known), strict=True):
        if each.start > 0.0 or each.slope > 0.0:
            start = max(start, each.start - slope * position)
        position += comb.width_of(operand)
    return _Arrival(start, slope, max(each.end for each in known))


def _is_part_of_a_row(operation: comb.AddOp | comb.SubOp, merged: set[Operation]) -> bool:
    """Whether a sum of two is what a subtraction, which alone reads it, takes something from."""
    if not operation.result.has_one_use() or len(_row_operands(operation, merged)) > 2:
        return False
    user = next(iter(operation.result.uses))
    return isinstance(user.operation, comb.SubOp) and user.index == 0


def _row_operands(operation: Operation, merged: set[Operation]) -> list[tuple[SSAValue, bool]]:
    """The words that a row adds, and whether they are subtracted; without a 0."""
    found: list[tuple[SSAValue, bool]] = []
    for index, operand in enumerate(operation.operands):
        owner = operand.owner
        if isinstance(owner, Operation) and owner in merged:
            found += _row_operands(owner, merged)  # what something is taken from: the signs stay
        elif not (isinstance(owner, hw.ConstantOp) and owner.value.value.data == 0):
            found.append((operand, isinstance(operation, comb.SubOp) and index == 1))
    return found


def _row_cost(operation: Operation, operands: list[tuple[SSAValue, bool]], width: int, target: Target) -> Cost:
    """A row, by the rule that the search for shared adders goes by."""
    simple = row_cost(width, len(operands), target)
    if len(operands) > (3 if target == "xilinx" else 2) or 1 << width >= LARGEST:
        return simple
    sites = row_sites([(*_ends(word, width), negative) for word, negative in operands], width)
    return Cost(sites, simple.delay_ns)


def _ends(word: SSAValue, width: int) -> tuple[int, int, int]:
    """The lowest and highest integer of a word that is a shifted and extended value, and its lowest bit to be 1."""
    if isinstance(word.owner, hw.ConstantOp):
        value = comb.signed(word.owner.value.value.data & (1 << width) - 1, width)
        return value, value, (value & -value).bit_length() - 1
    start, top = _alive(word, width)
    if top == width:
        return -1 << (width - 1), (1 << (width - 1)) - (1 << start), start
    return 0, (1 << top) - (1 << start), start


def _alive(word: SSAValue, width: int) -> tuple[int, int]:
    """From where to where the bits of a word aren't known to be 0."""
    start, top = 0, width
    if isinstance(word.owner, comb.ConcatOp):
        parts = list(word.owner.operands)
        while parts and _is_zero(parts[-1]):
            start += comb.width_of(parts.pop())
        while parts and _is_zero(parts[0]):
            top -= comb.width_of(parts.pop(0))
    return start, top


def _is_zero(value: SSAValue) -> bool:
    return isinstance(value.owner, hw.ConstantOp) and value.owner.value.value.data == 0


def _majorities(operation: comb.OrOp) -> int:
    """The bits of a majority of three words that are read and have two words at least: the highest makes no carry."""
    width = comb.width_of(operation.result)
    words = dict.fromkeys(
        operand for pair in operation.operands if isinstance(pair.owner, comb.AndOp) for operand in pair.owner.operands
    )
    alive = [_alive(word, width) for word in words]
    return sum(sum(start <= position < top for start, top in alive) > 1 for position in range(width - 1))
