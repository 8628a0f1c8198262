"""
Functions of a few small integers as a circuit of truth tables, each the size of a LUT.

Some bits are bound together: what the result still depends on, once they are known, is their class, and assignments of
the same class have the same result whatever the other bits are. Tables of the bound bits give the class as a code,
which takes their place. That is done again until the rest is a table. Binding the code that was made last makes a chain
of tables, binding other inputs makes groups that one table joins; which bits are bound is found by trial, a beam of the
best beginnings being kept.

For a neuron the classes are intervals of the partial sum; but only the function's values are looked at, so any function
will do. Bits of the result may be built apart, as each alone has fewer classes. What integers an input can't be, and
codes that no class has, don't matter.

Integers only, no IR.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.circuits.step_function import width_of_range
from c4ml_xdsl.numerics.chain import Integers

Aim = Literal["area", "delay", "balanced"]

MAXIMUM_INPUT_BITS = 14
"""The most bits of all inputs together."""

LUT_INPUTS = 6
"""The inputs of a table that takes one site, and the most bits that are bound together."""

LARGEST_TABLE = 8
"""The inputs of the largest table that a plan may end in: four sites and the multiplexers beside them."""

BEAM, BRANCHES = 4, 8
"""How many beginnings are kept, and how many ways to go on from them are tried."""

LARGEST_TRIAL = 1 << 19
"""The entries looked at to compare bound sets in one step, so the sets are fewer where the table is large."""

LEVEL_SITES: dict[Aim, int] = {"area": 1, "balanced": 50, "delay": 400}
"""What one more level of tables may cost, in hundredths of a site."""

SITES_A_BIT = 130
"""Hundredths of a site that each bit beyond `LUT_INPUTS` is expected to take."""


@dataclass(frozen=True, slots=True)
class Table:
    """One bit as a function of others: the first input is the index's most significant bit."""

    inputs: tuple[int, ...]
    entries: tuple[int, ...]

    @property
    def sites(self) -> int:
        """LUT sites; a constant or another bit is none."""
        return 0 if len(self.inputs) < 2 else 1 << max(0, len(self.inputs) - LUT_INPUTS)

    @property
    def levels(self) -> int:
        """Levels of LUTs; two stages of multiplexers behind them count as one more."""
        return 0 if len(self.inputs) < 2 else 1 + max(0, len(self.inputs) - LUT_INPUTS + 1) // 2


@dataclass(frozen=True, slots=True)
class TablePlan:
    """
    Tables in an order in which each reads earlier ones.

    Bits are numbered: those of the inputs, each input's lowest first, then one a table. `outputs` are the result's,
    the lowest first. `levels` are the tables on the longest path.
    """

    input_bits: int
    tables: tuple[Table, ...]
    outputs: tuple[int, ...]

    @property
    def sites(self) -> int:
        """LUT sites."""
        return sum(table.sites for table in self.tables)

    @property
    def levels(self) -> int:
        """The tables on the longest path."""
        levels = [0] * self.input_bits
        for table in self.tables:
            levels.append(table.levels + max((levels[each] for each in table.inputs), default=0))
        return max((levels[each] for each in self.outputs), default=0)

    def objective(self, aim: Aim) -> int:
        """What is minimised, in hundredths of a site."""
        return 100 * self.sites + LEVEL_SITES[aim] * self.levels

    def evaluate(self, bits: Integers) -> Integers:
        """The result's bits (outputs, samples) for those of the inputs (input bits, samples)."""
        values = list(bits)
        for table in self.tables:
            index = np.zeros(bits.shape[1], np.int64)
            for each in table.inputs:
                index = index << 1 | values[each]
            values.append(np.array(table.entries, np.int64)[index])
        return np.stack([values[each] for each in self.outputs])


@dataclass(frozen=True, slots=True)
class _Function:
    """
    What is left to build: a function of bits, the first of them the index's most significant one.

    `values` has an entry for each index; only those that `matters` says can occur matter.
    """

    bits: tuple[int, ...]
    values: Integers
    matters: NDArray[np.bool_]

    def reduced(self) -> "_Function":
        """The same without bits that tell nothing."""
        bits, values, matters = list(self.bits), self.values, self.matters
        position = 0
        while position < len(bits):
            shape = (1 << position, 2, -1)
            halves, known = values.reshape(shape), matters.reshape(shape)
            if np.all((halves[:, 0] == halves[:, 1]) | ~known[:, 0] | ~known[:, 1]):
                values = np.where(known[:, 0], halves[:, 0], halves[:, 1]).reshape(-1)
                matters = (known[:, 0] | known[:, 1]).reshape(-1)
                del bits[position]
            else:
                position += 1
        return _Function(tuple(bits), values, matters)

    def bit(self, position: int) -> "_Function":
        """One bit of the result."""
        return _Function(self.bits, self.values >> position & 1, self.matters)

    def table(self) -> Table:
        """The function as one table, where it has results of one bit."""
        return Table(self.bits, tuple(self.values.tolist()))


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Some tables, and what is left to build; `levels` are those of all bits."""

    tables: tuple[Table, ...]
    levels: tuple[int, ...]
    rest: _Function

    def finished(self, positions: Sequence[int], largest: int) -> TablePlan | None:
        """The plan that ends here, with a table for each bit of the result; None where one is larger."""
        input_bits = len(self.levels) - len(self.tables)
        tables = list(self.tables)
        outputs: list[int] = []
        for position in positions:
            function = self.rest.bit(position).reduced()
            if len(function.bits) > largest:
                return None
            outputs.append(input_bits + len(tables))
            tables.append(function.table())
        return TablePlan(input_bits, tuple(tables), tuple(outputs))

    def estimate(self, outputs: int, aim: Aim) -> int:
        """What the plan is expected to take, in hundredths of a site."""
        sites = sum(table.sites for table in self.tables) + outputs
        more = max(0, len(self.rest.bits) - LUT_INPUTS)
        levels = max((self.levels[each] for each in self.rest.bits), default=0) + (more > 0)
        return 100 * sites + SITES_A_BIT * more + LEVEL_SITES[aim] * levels


@lru_cache(maxsize=1 << 10)
def decompose(
    ranges: tuple[tuple[int, int], ...], entries: tuple[int, ...], bits: int, aim: Aim = "balanced"
) -> TablePlan:
    """
    The tables for a function of some integers.

    `ranges` are the lowest and highest integer of each input, `entries` the results for all combinations from the
    lowest ones on, the last input's first. A result has `bits` bits; an input has as many as its range needs, in two's
    complement where it can be negative. Raises ValueError for more than `MAXIMUM_INPUT_BITS` bits of the inputs.
    """
    function = _function_of_bits(ranges, entries, bits)
    input_bits = len(function.bits)
    alone = [_plan(function, (position,), input_bits, aim) for position in range(bits)]
    # bits that are LUTs are as they are; neighbours among the others may share the classes
    best: list[TablePlan | None] = [TablePlan(input_bits, (), ())]
    for end in range(1, bits + 1):
        found: TablePlan | None = None
        for start in reversed(range(end)):
            if start < end - 1 and any(alone[each].levels <= 1 for each in range(start, end)):
                break
            before = best[start]
            assert before is not None
            group = alone[start] if start == end - 1 else _plan(function, range(start, end), input_bits, aim)
            plan = _joined(before, group)
            if found is None or plan.objective(aim) < found.objective(aim):
                found = plan
        best.append(found)
    last = best[-1]
    assert last is not None
    return last


def _function_of_bits(ranges: Sequence[tuple[int, int]], entries: Sequence[int], bits: int) -> _Function:
    """The function of all inputs' bits; integers that an input can't be are as the nearest one that it can."""
    widths = [width_of_range(low, high) for low, high in ranges]
    if sum(widths) > MAXIMUM_INPUT_BITS:
        raise ValueError(f"{sum(widths)} bits of inputs are more than {MAXIMUM_INPUT_BITS}")
    index, matters = np.zeros(1, np.int64), np.ones(1, np.bool_)
    numbers: list[int] = []
    for (low, high), width in zip(ranges, widths, strict=True):
        code = np.arange(1 << width)
        x = np.where(code >> (width - 1) & 1, code - (1 << width), code) if low < 0 else code
        inside = (x >= low) & (x <= high)
        position = np.clip(x, low, high) - low
        index = (index[:, None] * (high - low + 1) + position).reshape(-1)
        matters = (matters[:, None] & inside).reshape(-1)
        numbers += reversed(range(len(numbers), len(numbers) + width))
    values = np.array(entries, np.int64)[index] & ((1 << bits) - 1)
    return _Function(tuple(numbers), values, matters)


def _joined(first: TablePlan, second: TablePlan) -> TablePlan:
    """Two plans of the same inputs as one, equal tables made once."""
    tables = list(first.tables)
    known = {table: first.input_bits + number for number, table in enumerate(tables)}
    numbers = list(range(first.input_bits))
    for table in second.tables:
        moved = Table(tuple(numbers[each] for each in table.inputs), table.entries)
        if moved not in known:
            known[moved] = first.input_bits + len(tables)
            tables.append(moved)
        numbers.append(known[moved])
    return TablePlan(first.input_bits, tuple(tables), (*first.outputs, *(numbers[each] for each in second.outputs)))


def _plan(function: _Function, positions: Sequence[int], input_bits: int, aim: Aim) -> TablePlan:
    """The tables of some bits of the result, which share the classes."""
    mask = sum(1 << position for position in positions)
    start = _Function(function.bits, function.values & mask, function.matters).reduced()
    beam = [_Beginning((), (0,) * input_bits, start)]
    best = beam[0].finished(positions, MAXIMUM_INPUT_BITS)
    while beam:
        choices = [
            (score, number, bound) for number, each in enumerate(beam) for score, bound in _bound_sets(each, aim)
        ]
        grown = [_bound(beam[number], bound) for _, number, bound in sorted(choices)[:BRANCHES]]
        for beginning in grown:
            plan = beginning.finished(positions, LARGEST_TABLE)
            if plan is not None and (best is None or plan.objective(aim) < best.objective(aim)):
                best = plan
        estimates = [(each.estimate(len(positions), aim), number) for number, each in enumerate(grown)]
        known = None if best is None else best.objective(aim)
        beam = [grown[number] for estimate, number in sorted(estimates)[:BEAM] if known is None or estimate < known]
    assert best is not None
    return best


def _bound_sets(beginning: _Beginning, aim: Aim) -> list[tuple[int, tuple[int, ...]]]:
    """The positions of bits that are best bound together, and what the plan is then expected to take, by trial."""
    rest = beginning.rest
    count = len(rest.bits)
    levels = [beginning.levels[each] for each in rest.bits]
    before = 100 * sum(table.sites for table in beginning.tables)
    scored: list[tuple[int, tuple[int, ...]]] = []
    for size in range(min(LUT_INPUTS, count - 1), 1, -1) if count > LUT_INPUTS else ():
        sets, index, weights = _arrangements(count, size)
        # the sets' columns are compared by a hash: what is chosen is looked at again
        hashed = np.sort((rest.values.astype(np.uint64)[index] * weights).sum(axis=2), axis=1)
        classes = 1 + np.count_nonzero(np.diff(hashed, axis=1), axis=1)
        for bound, number in zip(sets, classes.tolist(), strict=True):
            code = (number - 1).bit_length()
            if code < size:
                level = max(levels[each] for each in bound)
                left = max(0, count - size + code - LUT_INPUTS)
                score = before + 100 * code + SITES_A_BIT * left + LEVEL_SITES[aim] * level
                scored.append((score, bound))
    return sorted(scored)[:BRANCHES]


@lru_cache(maxsize=32)
def _arrangements(count: int, size: int) -> tuple[list[tuple[int, ...]], NDArray[np.int32], NDArray[np.uint64]]:
    """
    Sets of so many positions out of `count`, and for each the indices of a table, (sets, bound, others).

    Also a factor for each of the others, of which sums modulo 2^64 make hashes.
    """
    sets = list(itertools.combinations(range(count), size))
    most = max(1, LARGEST_TRIAL >> count)
    if len(sets) > most:  # spread evenly
        sets = [sets[number * len(sets) // most] for number in range(most)]
    places = count - 1 - np.array(sets)
    others = np.array([[each for each in range(count) if each not in bound] for bound in sets])
    index = _spread(places, size)[:, :, None] + _spread(count - 1 - others, count - size)[:, None, :]
    weights = np.random.default_rng(count).integers(1 << 63, size=1 << (count - size), dtype=np.uint64) * 2 + 1
    return sets, index.astype(np.int32), weights


def _spread(places: Integers, width: int) -> Integers:
    """For numbers of so many bits, the sum of the places (sets, width) that their bits stand for, the highest first."""
    numbers = np.arange(1 << width)
    bits = numbers[:, None] >> np.arange(width - 1, -1, -1) & 1
    return (bits[None] << places[:, None, :]).sum(axis=2)


def _bound(beginning: _Beginning, bound: tuple[int, ...]) -> _Beginning:
    """Binds the bits at some positions: tables of their class, and the function of it and the other bits."""
    rest = beginning.rest
    count, size = len(rest.bits), len(bound)
    others = [each for each in range(count) if each not in bound]
    order = (*bound, *others)
    shape = (1 << size, 1 << (count - size))
    values = rest.values.reshape((2,) * count).transpose(order).reshape(shape)
    matters = rest.matters.reshape((2,) * count).transpose(order).reshape(shape)
    inputs = tuple(rest.bits[each] for each in bound)
    columns, classes = np.unique(values, axis=0, return_inverse=True)
    code, direct = _codes(classes.reshape(-1), size)
    occurs = np.asarray(matters.any(axis=1))
    width = int(code.max()).bit_length()
    first = len(beginning.levels)
    level = 1 + max(beginning.levels[each] for each in inputs)
    tables: list[Table] = []
    levels = list(beginning.levels)
    bits: list[int] = []
    for position in reversed(range(width)):
        if position in direct:
            bits.append(inputs[direct[position]])
            continue
        entries = code >> position & 1
        function = _Function(inputs, entries, occurs).reduced()
        bits.append(first + len(tables))
        tables.append(function.table())
        levels.append(level)
    # codes that no class has are as the last one
    new = np.repeat(columns[classes.reshape(-1)[int(code.argmax())]][None], 1 << width, axis=0)
    known = np.zeros((1 << width, shape[1]), np.bool_)
    new[code] = values
    np.logical_or.at(known, code, matters)
    function = _Function((*bits, *(rest.bits[each] for each in others)), new.reshape(-1), known.reshape(-1))
    return _Beginning((*beginning.tables, *tables), tuple(levels), function.reduced())


def _codes(classes: Integers, size: int) -> tuple[Integers, dict[int, int]]:
    """
    A code for each assignment of the bound bits, and which of the code's bits are which of the bound bits.

    Classes are numbered in the order of their columns, by a Gray code where a bit were else a parity: synthesis takes
    parities apart and doesn't find the way back. A bound bit is a bit of the code where the classes with and
    without it are so few that the code doesn't become longer; assignments of one class may then have different codes.
    """
    width = int(classes.max()).bit_length()
    direct: list[int] = []
    indices = np.arange(len(classes))
    part = np.zeros_like(indices)  # which assignment of the direct bits it has
    for position in range(size):
        if width == len(direct):
            break
        halves = part << 1 | indices >> (size - 1 - position) & 1
        room = 1 << (width - len(direct) - 1)
        if all(len(np.unique(classes[halves == each])) <= room for each in range(1 << len(direct) + 1)):
            part = halves
            direct.append(position)
    low = width - len(direct)
    code = part << low
    for each in range(1 << len(direct)):
        chosen = part == each
        code[chosen] |= np.unique(classes[chosen], return_inverse=True)[1].reshape(-1)
    if any(_is_parity(code >> position & 1) for position in range(low)):
        code ^= (code & ((1 << low) - 1)) >> 1
    return code, {width - 1 - number: position for number, position in enumerate(direct)}


def _is_parity(entries: Integers) -> bool:
    """Whether a table is the parity of all its inputs, or the inverse, and these are many."""
    parity = np.bitwise_count(np.arange(len(entries))) & 1
    return len(entries) >= 16 and bool(np.all(entries == parity) or np.all(entries != parity))
