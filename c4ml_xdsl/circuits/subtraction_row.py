"""
The subtraction row: all thresholds of an activation in one carry chain.

The high bits h of x choose a bucket of 2^L integers, the low L bits l say where in it x is. Where no bucket has more
than one threshold inside, f(x) is n(h), the level at the bucket's end, or the level before it, which is one less while
l < t(h). The borrow of l - t(h) is just that, so

    f(x) = ({n(h), l} - {0, t(h)}) >> L = ({n(h) - 1, l} - {1…1, t(h)}) >> L

compares and counts in one row. In the second form each position is one LUT of h and a bit of l while h has five bits:
its upper half adds 0 with the borrow's complement as the carry. A threshold at the start of a bucket needs no t(h).

Beyond the window of x that h numbers the level is the first or the last: a position more, whose bit of the subtrahend
is 1 within the window and else 0, stops the borrow there, and n takes `outside` as a sixth input.

Where levels don't rise by just one, the row gives the borrow only, and tables of it and h the result.

Integers only, no IR.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from c4ml_xdsl.circuits.cost import CARRY_NS, LUT_NS, Cost, table_cost
from c4ml_xdsl.circuits.step_function import StepFunction, StepPlan, width_of_range

MAXIMUM_SELECTORS = 9
"""The most bits that number the buckets."""


@dataclass(frozen=True, slots=True)
class SubtractionRow(StepPlan):
    """
    `selectors` bits number the buckets of 2^bucket integers.

    The row leaves out the lowest `skipped` bits of x, in which all local thresholds are 0.
    """

    bucket: int
    selectors: int

    @property
    def window(self) -> int:
        """The low bits of x that decide within the window."""
        return self.bucket + self.selectors

    @property
    def saturates(self) -> bool:
        """Whether x may lie beyond the window."""
        return self.window < self.width

    def start(self, index: int) -> int:
        """The first integer of the bucket that the selectors number, the highest of them the sign of a signed x."""
        if self.signed and index >> (self.selectors - 1):
            index -= 1 << self.selectors
        return index << self.bucket

    def inner(self) -> Iterator[tuple[int, int, int]]:
        """The level before, the level after and the local threshold, of each bucket with a threshold inside."""
        function, mask = self.function, (1 << self.bucket) - 1
        for position, before, after in zip(function.positions, function.levels, function.levels[1:], strict=False):
            if position & mask:
                yield before, after, position & mask

    @property
    def counts(self) -> bool:
        """Whether each threshold inside a bucket is one up, so that the row can count and not just compare."""
        return all(after - before == 1 for before, after, _ in self.inner())

    @property
    def skipped(self) -> int:
        """The lowest bits of x that no local threshold needs: all of them where none is inside a bucket."""
        together = 0
        for _, _, local in self.inner():
            together |= local
        return (together & -together).bit_length() - 1 if together else self.bucket

    @property
    def changing(self) -> int:
        """The bits of the result that change inside a bucket, as a mask."""
        changed = 0
        for before, after, _ in self.inner():
            changed |= before ^ after
        return changed & ((1 << self.bits) - 1)

    def local(self, index: int) -> int:
        """t(h), without the skipped bits; 0 where the bucket has no threshold inside."""
        start = self.start(index)
        inside = [p for p in self.function.positions if start < p < start + (1 << self.bucket)]
        return (inside[0] - start) >> self.skipped if inside else 0

    def before(self, index: int) -> int:
        """The level at the bucket's start."""
        return self.function(self.start(index))

    def after(self, index: int) -> int:
        """The level at the bucket's end."""
        return self.function(self.start(index) + (1 << self.bucket) - 1)

    def beyond(self, index: int) -> int:
        """The level of an x beyond the window, whose sign the highest selector gives."""
        negative = self.signed and index >> (self.selectors - 1)
        return self.function.levels[0 if negative else -1]

    @property
    def cost(self) -> Cost:
        """LUT sites and delay."""
        selectors, outside = self.selectors, int(self.saturates)
        changing, counts = self.changing, self.counts
        compared = (self.bucket - self.skipped) if changing else 0
        sites = compared * (1 if selectors <= 5 else 1 + table_cost(selectors).lut)
        levels = 1 + (selectors > 5)
        beyond = self.width - self.window + self.signed
        sites += outside * -(-(beyond - 1) // 5)
        if not changing:
            row_bits = 0
        elif counts:
            row_bits = changing.bit_length()
            sites += outside + row_bits * table_cost(selectors + outside).lut
            levels += outside
        else:
            row_bits = 0
            sites += 1 + changing.bit_count() * table_cost(selectors + 1 + outside).lut
            levels += 1
        for position in range(row_bits, self.bits):
            if (counts or not changing >> position & 1) and self.function.by_sign(position) is None:
                sites += table_cost(selectors + outside).lut
        return Cost(sites, levels * LUT_NS + CARRY_NS * (compared + row_bits))


def subtraction_rows(function: StepFunction, low: int, high: int, bits: int) -> Iterator[SubtractionRow]:
    """All plans worth a look: for each size of bucket that separates the thresholds, the narrowest window and all."""
    width, signed = width_of_range(low, high), low < 0
    first, last = function.positions[0], function.positions[-1]
    window = 1
    while not ((-1 << (window - 1)) <= first and last <= 1 << (window - 1) if signed else last <= 1 << window):
        window += 1
    for bucket in range(width + 1):
        if not _separates(function.positions, bucket):
            return
        for reach in sorted({min(max(window, bucket + signed), width), width}):
            selectors = reach - bucket
            if signed <= selectors <= MAXIMUM_SELECTORS:
                yield SubtractionRow(function, low, high, bits, bucket, selectors)


def _separates(positions: tuple[int, ...], bucket: int) -> bool:
    """Whether no bucket has more than one position inside; its start isn't inside."""
    mask = (1 << bucket) - 1
    previous: int | None = None
    for position in positions:
        if position & mask:
            if previous == position >> bucket:
                return False
            previous = position >> bucket
    return True
