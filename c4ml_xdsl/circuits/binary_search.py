"""
The binary search: one comparison for each bit of the number of positions that x has reached, the highest bit first.

The bound of a comparison is a table of the bits found before. It suits very many positions at any spacing, and is slow.

Integers only, no IR.
"""

from dataclasses import dataclass

from c4ml_xdsl.circuits.cost import Cost, comparison_cost, row_cost, table_cost
from c4ml_xdsl.circuits.step_function import StepPlan


@dataclass(frozen=True, slots=True)
class BinarySearch(StepPlan):
    """One comparison for each bit of the number of positions reached."""

    @property
    def rounds(self) -> int:
        """The comparisons."""
        return len(self.function.positions).bit_length()

    @property
    def counts(self) -> bool:
        """Whether the number of positions reached is the result."""
        return self.function.levels == tuple(range(len(self.function.levels)))

    def bounds(self, found: int) -> list[int]:
        """For each value of the bits found before: that x is above this bound is the next bit."""
        # x >= p is x > p - 1, and a position that is never reached has p - 1 = high
        below = self.rounds - found - 1
        indices = [(prefix << below + 1) + (1 << below) - 1 for prefix in range(1 << found)]
        positions = self.function.positions
        return [positions[index] - 1 if index < len(positions) else self.high for index in indices]

    @property
    def cost(self) -> Cost:
        """LUT sites and delay."""
        width = self.width
        sites, delay = comparison_cost(width, True).lut, comparison_cost(width, True).delay_ns
        for found in range(1, self.rounds):
            row = row_cost(width, 2, "generic")
            sites += row.lut + (width * table_cost(found).lut if found > 5 else 0)
            delay += row.delay_ns + (table_cost(found).delay_ns if found > 5 else 0.0)
        if not self.counts:
            sites += self.bits * table_cost(self.rounds).lut
            delay += table_cost(self.rounds).delay_ns
        return Cost(sites, delay)
