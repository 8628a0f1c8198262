"""
Thresholds of sums of single bits as heaps: counters in few levels, down to two words and one carry.

A heap holds bits by their column, bit k counting 2^k, each as it is or inverted. Counters take up to six bits, of one
column or of two neighbouring ones. The comparison of the sum with a constant is the carry out of the last addition; the
constant's ones go to where there is room: into counters, into columns of one bit, into the carry at the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from c4ml_xdsl.circuits.compressor import COUNTER_BITS, Compression

HIGHEST = 7
"""Columns of more bits aren't tried to be brought to two in one level."""


@dataclass(frozen=True)
class Bit:
    """Bit `position` of a counter's result, or an input where `position` is negative; counted where it is 0 or 1."""

    source: int
    position: int
    inverted: bool = False

    def other(self, inverted: bool) -> "Bit":
        """The bit, inverted if that is asked for."""
        return Bit(self.source, self.position, self.inverted != inverted)


@dataclass(frozen=True)
class WeightedCounter:
    """The sum of weight * bit, and a constant."""

    bits: tuple[Bit, ...]
    weights: tuple[int, ...]
    plus: int = 0

    @property
    def most(self) -> int:
        """The largest result."""
        return sum(self.weights) + self.plus


@dataclass(frozen=True)
class Comparison:
    """Whether the sum of weight * bit, no bit inverted, is at least `least`."""

    bits: tuple[Bit, ...]
    weights: tuple[int, ...]
    least: int


@dataclass
class Heaps:
    """The counters of some thresholds, each reading earlier ones, and a comparison for each threshold."""

    counters: list[WeightedCounter] = field(default_factory=list[WeightedCounter])
    comparisons: list[Comparison] = field(default_factory=list[Comparison])
    sites: int = 0
    levels: int = 0
    _known: dict[WeightedCounter, int] = field(default_factory=dict[WeightedCounter, int])

    def count(self, bits: Sequence[Bit], weights: Sequence[int], plus: int) -> list[Bit]:
        """The bits of a counter's result, built once."""
        counter = WeightedCounter(tuple(bits), tuple(weights), plus)
        number = self._known.get(counter)
        if number is None:
            number = self._known[counter] = len(self.counters)
            self.counters.append(counter)
            self.sites += counter.most.bit_length()
        return [Bit(number, position) for position in range(counter.most.bit_length())]


Columns = list[list[Bit]]


def build(compression: Compression, leasts: Sequence[int]) -> Heaps | None:
    """
    Heaps for whether each sum, its own constant included in `leasts`, is at least that; None where they aren't for it.

    Every count has the coefficient -1 or 1, or 0, in every sum.
    """
    if abs(compression.coefficients).max(initial=0) > 1:
        return None
    heaps = Heaps()
    results: list[list[Bit]] = []
    for counter in compression.counters:
        bits = [Bit(bit, -1, inverted) for bit, inverted in zip(counter.bits, counter.inverted, strict=True)]
        results.append(bits if len(bits) == 1 else heaps.count(bits, [1] * len(bits), 0))
    # counts that the same sums read with the same signs, up to one for all, are a class
    classes: dict[tuple[int, ...], list[int]] = {}
    for number, column in enumerate(compression.coefficients.T.tolist()):
        classes.setdefault(tuple(column), []).append(number)
    reduced: dict[tuple[int, ...], Columns] = {}
    for key, numbers in classes.items():
        columns: Columns = []
        for number in numbers:
            for position, bit in enumerate(results[number]):
                _at(columns, position).append(bit)
        reduced[key] = _level(heaps, columns) if max(map(len, columns)) > 2 else columns
    for sum_, least in enumerate(leasts):
        heap: Columns = []
        for key, columns in reduced.items():
            if key[sum_]:
                for position, bits in enumerate(columns):
                    _at(heap, position).extend(bit.other(key[sum_] < 0) for bit in bits)
                    least += (1 << position) * len(bits) if key[sum_] < 0 else 0
        comparison = _compared(heaps, heap, least)
        if comparison is None:
            return None
        heaps.comparisons.append(comparison)
        # an inverted bit that no counter reads takes a LUT in front of the carry chain
        heaps.sites += len(heap) + 2 + sum(weight < 0 for weight in comparison.weights)
    return heaps


def _at(columns: Columns, position: int) -> list[Bit]:
    while len(columns) <= position:
        columns.append([])
    return columns[position]


def _level(heaps: Heaps, columns: Columns) -> Columns:
    """All columns counted once, six bits at a time; one or two that are left over stay."""
    result: Columns = []
    for position, bits in enumerate(columns):
        for start in range(0, len(bits), COUNTER_BITS):
            part = bits[start : start + COUNTER_BITS]
            counted = part if len(part) < 3 else heaps.count(part, [1] * len(part), 0)
            for place, bit in enumerate(counted):
                _at(result, position + (place if len(part) >= 3 else 0)).append(bit)
    return result


def _compared(heaps: Heaps, heap: Columns, least: int) -> Comparison | None:
    """The comparison of a heap's sum: of it or of its complement, whichever takes fewer levels and counters."""
    for _ in range(8):
        heights = tuple(map(len, heap))
        most = sum(height << position for position, height in enumerate(heights))
        if not 0 < least <= most:
            return None
        found: list[tuple[int, bool, tuple[_Step, ...]]] = []
        for complement in (False, True) if max(heights) <= HIGHEST else ():
            wanted = most - least + 1 if complement else least
            constant = (1 << most.bit_length()) - wanted
            plan = _plan(heights, constant)
            if plan is not None:
                found.append((plan[0], complement, plan[1]))
        if found:
            _, complement, steps = min(found)
            return _applied(heaps, heap, most - least + 1 if complement else least, complement, steps)
        heap = _level(heaps, heap)
        # inverted bits went into counters, others stay: the sum is the same
    return None


_Step = tuple[int, int, int, int]
"""A counter: its column, how many bits of that and of the next column it takes, and what it adds."""


@lru_cache(maxsize=1 << 14)
def _plan(heights: tuple[int, ...], constant: int) -> tuple[int, tuple[_Step, ...]] | None:
    """The cheapest counters of one level after which two words, and a carry at the start, hold everything."""
    width = len(heights) + 4

    @cache
    def best(column: int, taken: int, incoming: tuple[int, ...]) -> tuple[int, tuple[_Step, ...]] | None:
        """From a column on, of which `taken` bits are taken already and to which and the next ones bits have come."""
        if column >= width:
            return None if any(incoming) else (0, ())
        height = (heights[column] if column < len(heights) else 0) - taken
        above = heights[column + 1] if column + 1 < len(heights) else 0
        one = constant >> column & 1
        limit = 3 if column == 0 and one else 2
        chosen: tuple[int, tuple[_Step, ...]] | None = None
        options: list[tuple[_Step, ...]] = [()]
        singles = [
            (column, mine, others, plus)
            for plus in range(one + 1)
            for mine in range(1, min(height, COUNTER_BITS) + 1)
            for others in range(min(above, COUNTER_BITS - mine) + 1)
            if mine + others + plus > 2
        ]
        options += [(each,) for each in singles]
        if height > COUNTER_BITS:
            options += [
                (a, b)
                for a in singles
                if a[1] == COUNTER_BITS
                for b in singles
                if b[1] >= height - COUNTER_BITS - 1 and b[1] + COUNTER_BITS <= height and a[3] + b[3] <= one
            ]
        for option in options:
            left = height - sum(step[1] for step in option) + incoming[0] + one - sum(step[3] for step in option)
            arriving = [*incoming[1:], 0]
            sites = 0
            for _, mine, others, plus in option:
                bits = (mine + 2 * others + plus).bit_length()
                sites += bits
                left += 1
                for place in range(1, bits):
                    arriving[place - 1] += 1
            others = sum(step[2] for step in option)
            if left > limit or others > above:
                continue
            rest = best(column + 1, others, tuple(arriving))
            if rest is not None and (chosen is None or (rest[0] + sites, len(option)) < (chosen[0], len(chosen[1]))):
                chosen = rest[0] + sites, (*option, *rest[1])
        return chosen

    return best(0, 0, (0,) * 5)


def _applied(heaps: Heaps, heap: Columns, least: int, complement: bool, steps: Sequence[_Step]) -> Comparison:
    """Builds a plan's counters; the rest of the heap and what they count are compared."""
    left = [[bit.other(complement) for bit in bits] for bits in heap]
    result: Columns = []
    for column, mine, others, plus in steps:
        bits = [left[column].pop() for _ in range(mine)]
        above = [left[column + 1].pop() for _ in range(others)]
        for place, bit in enumerate(heaps.count([*bits, *above], [1] * mine + [2] * others, plus)):
            _at(result, column + place).append(bit)
        least += plus << column
    chosen: list[Bit] = []
    weights: list[int] = []
    for columns in (result, left):
        for position, bits in enumerate(columns):
            for bit in bits:
                chosen.append(Bit(bit.source, bit.position))
                weights.append(-(1 << position) if bit.inverted else 1 << position)
                least -= 1 << position if bit.inverted else 0
    if complement:
        return Comparison(tuple(chosen), tuple(-each for each in weights), 1 - least)
    return Comparison(tuple(chosen), tuple(weights), least)
