"""Integer functions of an integer that change at few places, which is what an activation is."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepFunction:
    """
    levels[#{p in positions : x >= p}]: constant between its positions, which rise strictly.

    There is one level more than positions. Neighbouring levels may be the same.
    """

    positions: tuple[int, ...]
    levels: tuple[int, ...]

    @staticmethod
    def of_thresholds(thresholds: Sequence[int], base: int, falling: bool) -> "StepFunction":
        """The function that counts reached thresholds, which are sorted, up or down from `base`."""
        sign = -1 if falling else 1
        positions: list[int] = []
        levels = [base]
        for count, threshold in enumerate(thresholds, 1):
            if positions and positions[-1] == threshold:
                levels[-1] = base + sign * count
            else:
                positions.append(threshold)
                levels.append(base + sign * count)
        return StepFunction(tuple(positions), tuple(levels))

    @staticmethod
    def of_table(table: Sequence[int], low: int) -> "StepFunction":
        """The function whose values at `low`, `low + 1`, … are the table's."""
        steps = [index for index in range(1, len(table)) if table[index] != table[index - 1]]
        return StepFunction(tuple(low + step for step in steps), tuple(table[step] for step in (0, *steps)))

    def __call__(self, x: int) -> int:
        return self.levels[bisect_right(self.positions, x)]

    def within(self, low: int, high: int) -> "StepFunction":
        """The same function for x in [low, high], without positions that tell nothing there."""
        first = bisect_right(self.positions, low)
        last = bisect_right(self.positions, high)
        positions: list[int] = []
        levels = [self.levels[first]]
        for position, level in zip(self.positions[first:last], self.levels[first + 1 : last + 1], strict=True):
            if level != levels[-1]:
                positions.append(position)
                levels.append(level)
        return StepFunction(tuple(positions), tuple(levels))

    def moved(self, offset: int) -> "StepFunction":
        """The function of x + offset that is this one of x."""
        return StepFunction(tuple(position + offset for position in self.positions), self.levels)

    def mirrored(self) -> "StepFunction":
        """The function of -x that is this one of x."""
        return StepFunction(tuple(1 - position for position in reversed(self.positions)), self.levels[::-1])

    def by_sign(self, position: int) -> tuple[int, int] | None:
        """A bit of the levels, for x < 0 and for x >= 0, where it depends on nothing else."""
        split = bisect_right(self.positions, 0)
        below = self.levels[:split] if split and self.positions[split - 1] == 0 else self.levels[: split + 1]
        negative = {level >> position & 1 for level in below}
        others = {level >> position & 1 for level in self.levels[split:]}
        return (negative.pop(), others.pop()) if len(negative) == len(others) == 1 else None


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A circuit for a function of x in [low, high] whose result has `bits` bits (two's complement if negative)."""

    function: StepFunction
    low: int
    high: int
    bits: int

    @property
    def width(self) -> int:
        """The bits of x."""
        return width_of_range(self.low, self.high)

    @property
    def signed(self) -> bool:
        """Whether x is in two's complement."""
        return self.low < 0

    def entry(self, index: int) -> int:
        """The result's bits for the bits of x; what is out of range doesn't occur."""
        x = index - (1 << self.width) if self.signed and index >> (self.width - 1) else index
        return self.function(min(max(x, self.low), self.high)) & ((1 << self.bits) - 1)


def width_of_range(low: int, high: int) -> int:
    """The fewest bits, in two's complement where `low` is negative, that hold all integers from `low` to `high`."""
    if low < 0:
        return 1 + max((-1 - low).bit_length(), high.bit_length() if high >= 0 else 0)
    return max(1, high.bit_length())
