"""Estimates of what a module of `hw` and `comb` operations costs: LUT sites, delay, adders."""

from dataclasses import dataclass

from xdsl.dialects import hw, seq
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.circuits.adder_graph import LARGEST
from c4ml_xdsl.circuits.adder_graph._search import row_sites
from c4ml_xdsl.circuits.cost import Cost, Target, comparison_cost, row_cost, row_operands, table_cost
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.timing import delay_of

HEAP_ROWS_PERCENT, HEAP_TABLES_PERCENT = 80, 119
"""
What synthesis for speed makes of a module with heaps: it moves logic from the last rows in front of them.

Fitted by `python -m benchmarks fit`.
"""


@dataclass(frozen=True)
class Sites:
    """LUT sites of a module by what they are; `heaps` says whether it counts the bits of heaps."""

    rows: int
    """Adders, and carry-save adders in front of them."""
    tables: int
    choices: int
    """Comparisons and multiplexers."""
    heaps: bool

    @property
    def total(self) -> int:
        """All of them, as they are after synthesis."""
        rows, tables = (HEAP_ROWS_PERCENT, HEAP_TABLES_PERCENT) if self.heaps else (100, 100)
        return (self.rows * rows + self.tables * tables) // 100 + self.choices


def estimate(module: hw.HWModuleOp, target: Target) -> tuple[Cost, int]:
    """The cost of one module without its instances, and its number of adders."""
    sites, adders = count_sites(module, target)
    return Cost(sites.total, delay_of(module, target)), adders


def count_sites(module: hw.HWModuleOp, target: Target) -> tuple[Sites, int]:
    """The LUT sites of one module without its instances, and its number of adders."""
    rows = tables = choices = adders = 0
    heaps = False
    merged: set[Operation] = set()
    for operation in module.body.block.ops:
        match operation:
            case comb.AddOp() | comb.SubOp():
                if _is_part_of_a_row(operation, merged):
                    merged.add(operation)
                else:
                    adders += 1
                    rows += _row_sites(operation, _row_operands(operation, merged), target)
            case comb.OrOp() if len(operation.operands) == 3:  # the majority of three words
                rows += _majorities(operation)
            case comb.TruthTableOp():
                tables += table_cost(len(operation.inputs), target).lut
                heaps |= _counts_counts(operation)
            case _:
                choices += _choice_sites(operation, target)
    return Sites(rows, tables, choices, heaps), adders


def count_registered_parities(module: hw.HWModuleOp) -> int:
    """
    The bits of exclusive ors, as of rows that were split, which registers hold.

    Each takes a LUT. Without the register it is part of the row or table that reads it, and counted there.
    """
    bits = 0
    for operation in module.body.block.ops:
        if isinstance(operation, seq.CompRegOp):
            value = operation.input
            while isinstance(value.owner, comb.ExtractOp):
                value = value.owner.input
            if isinstance(value.owner, comb.XorOp):
                bits += comb.width_of(operation.data)
    return bits


def _counts_counts(operation: comb.TruthTableOp) -> bool:
    """Whether a truth table reads bits of words of truth tables, as the counters of a heap behind its first ones do."""
    for bit in operation.inputs:
        word = bit.owner.operands[0].owner if isinstance(bit.owner, comb.ExtractOp) else None
        if isinstance(word, comb.ConcatOp) and isinstance(word.operands[0].owner, comb.TruthTableOp):
            return True
    return False


def _choice_sites(operation: Operation, target: Target) -> int:
    """What compares or chooses; other operations cost nothing."""
    match operation:
        case comb.ICmpOp():
            constant = isinstance(operation.rhs.owner, hw.ConstantOp)
            return comparison_cost(comb.width_of(operation.lhs), constant, target).lut
        case comb.MuxOp() if not isinstance(operation.true_value.owner, hw.ConstantOp):
            return comb.width_of(operation.result)
        case _:
            return 0


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


def _row_sites(operation: Operation, operands: list[tuple[SSAValue, bool]], target: Target) -> int:
    """A row, by the rule that the search for shared adders goes by."""
    width = comb.width_of(operation.results[0])
    if len(operands) > row_operands(target) or 1 << width >= LARGEST:
        return row_cost(width, len(operands), target).lut
    return row_sites([(*_ends(word, width), negative) for word, negative in operands], width)


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
