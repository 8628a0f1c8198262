"""
The class chain: a step function as tables of a few bits each, the lowest bits of x first.

Of the lowest k bits of x a step function needs to know only how many of its positions modulo 2^k they have reached:
the class, a number of at most `positions` + 1 values, however large k is. One table makes the first class of the lowest
bits, each further table the next class of a class and the next bits, the last one the result. With three positions
each table of six inputs takes in four bits of x, with fifteen two. This suits any spacing of the positions.

Integers only, no IR.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from c4ml_xdsl.circuits.cost import Cost, table_cost
from c4ml_xdsl.circuits.step_function import StepFunction, StepPlan, width_of_range

MAXIMUM_INPUTS = 14
"""The most inputs of a table."""

TABLE_OF_TABLES = 2.5
"""LUTs that synthesis takes for one of a table that reads others, measured: it looks through them and gets lost."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A table: its inputs are `width` bits of x from bit `start` on and below them the class; it gives `bits` bits."""

    start: int
    width: int
    class_bits: int
    bits: int
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClassChain(StepPlan):
    """`cuts` are where the stages begin."""

    cuts: tuple[int, ...]

    @property
    def cost(self) -> Cost:
        """LUT sites and delay."""
        sites = delay = 0.0
        class_bits = 0
        for start, end in self._spans():
            inputs = class_bits + end - start
            last = end == self.width
            class_bits = 0 if last else _class_bits(self.function.positions, end)
            cost = table_cost(inputs)
            sites += cost.lut * (self.bits if last else class_bits) * (TABLE_OF_TABLES if start > self.cuts[0] else 1)
            delay += cost.delay_ns
        return Cost(math.ceil(sites), delay)

    def _spans(self) -> list[tuple[int, int]]:
        return list(zip(self.cuts, (*self.cuts[1:], self.width), strict=True))

    def stages(self) -> list[Stage]:
        """The tables, in order; the last one gives the result."""
        function, width = self.function, self.width
        known = [0]  # the lowest integer of each class
        class_bits = 0
        stages: list[Stage] = []
        for start, end in self._spans():
            last = end == width
            residues = _residues(function.positions, end)
            entries: list[int] = []
            for chunk in range(1 << (end - start)):
                for number in range(1 << class_bits):
                    x = (chunk << start) + known[min(number, len(known) - 1)]
                    entries.append(self.entry(x) if last else bisect_right(residues, x))
            bits = self.bits if last else _class_bits(function.positions, end)
            stages.append(Stage(start, end - start, class_bits, bits, tuple(entries)))
            known, class_bits = [0, *residues], bits
        return stages


def _residues(positions: tuple[int, ...], bits: int) -> list[int]:
    """The positions modulo 2^bits; 0 tells nothing."""
    mask = (1 << bits) - 1
    return sorted({position & mask for position in positions} - {0})


def _class_bits(positions: tuple[int, ...], bits: int) -> int:
    """The bits of a class of so many low bits."""
    mask = (1 << bits) - 1
    return len({position & mask for position in positions} - {0}).bit_length()


def class_chain(function: StepFunction, low: int, high: int, bits: int) -> ClassChain | None:
    """The cheapest chain, of as few tables as that takes; None where a table would have too many inputs."""
    width = width_of_range(low, high)
    # what is known of a function on some bits up to `end`: its sites, tables, cuts
    class_bits = [_class_bits(function.positions, end) for end in range(width)]
    cuts = _cheapest_cuts(tuple(class_bits), width, bits)
    return None if cuts is None else ClassChain(function, low, high, bits, cuts)


@lru_cache(maxsize=1 << 12)
def _cheapest_cuts(class_bits: tuple[int, ...], width: int, bits: int) -> tuple[int, ...] | None:
    """Where the stages begin, given the bits of the class at each place."""
    best: list[tuple[int, int, tuple[int, ...]] | None] = [(0, 0, ())]
    for end in range(1, width + 1):
        outputs = bits if end == width else class_bits[end]
        found: tuple[int, int, tuple[int, ...]] | None = None
        for start in range(end):
            known = best[start]
            inputs = class_bits[start] + end - start
            if known is None or inputs > MAXIMUM_INPUTS:
                continue
            candidate = known[0] + outputs * table_cost(inputs).lut, known[1] + 1, (*known[2], start)
            if found is None or candidate < found:
                found = candidate
        if end < width and class_bits[end] == 0:
            found = 0, 0, ()  # no position is inside so few bits: they tell nothing
        best.append(found)
    last = best[width]
    return None if last is None else last[2]
