"""
Comparisons: for few positions, a comparison with a constant each, in LUTs.

The lowest bits of x are compared with each position's, five or six bits a LUT; the last table reads the outcomes and
the bits above, so positions whose lowest bits are the same share a comparison and one without lowest bits needs none.
Written as a comparison of integers, synthesis makes a carry chain of it from thirteen bits on, two or three times as
large.

Integers only, no IR.
"""

from dataclasses import dataclass

from c4ml_xdsl.circuits.class_chain import ClassChain, class_chain
from c4ml_xdsl.circuits.cost import Cost, table_cost
from c4ml_xdsl.circuits.step_function import StepFunction, StepPlan, width_of_range

MAXIMUM_INPUTS = 8
"""The most inputs of the last table."""


@dataclass(frozen=True, slots=True)
class Comparisons(StepPlan):
    """The lowest `cut` bits are compared."""

    cut: int

    @property
    def bounds(self) -> list[int]:
        """What the lowest bits are compared with, in rising order."""
        mask = (1 << self.cut) - 1
        return sorted({position & mask for position in self.function.positions} - {0})

    def comparison(self, bound: int) -> ClassChain:
        """Whether the lowest bits have reached a bound."""
        chain = class_chain(StepFunction((bound,), (0, 1)), 0, (1 << self.cut) - 1, 1)
        assert chain is not None
        return chain

    def entries(self) -> list[int]:
        """The result, numbered by the bits from `cut` on and below them the outcomes, the lowest bound's the lowest."""
        lowest = [0, *self.bounds]
        entries: list[int] = []
        for upper in range(1 << (self.width - self.cut)):
            for outcomes in range(1 << (len(lowest) - 1)):
                entries.append(self.entry((upper << self.cut) + lowest[outcomes.bit_length()]))
        return entries

    @property
    def cost(self) -> Cost:
        """LUT sites and delay."""
        comparisons = [len(self.comparison(bound).cuts) for bound in self.bounds]
        table = table_cost(len(comparisons) + self.width - self.cut)
        read = [p for p in range(self.bits) if self.function.by_sign(p) is None]
        delay = max(comparisons, default=0) * table_cost(1).delay_ns + table.delay_ns
        return Cost(sum(comparisons) + len(read) * table.lut, delay)


def comparisons(function: StepFunction, low: int, high: int, bits: int) -> list[Comparisons]:
    """The plans whose last table isn't too large."""
    width = width_of_range(low, high)
    plans = [Comparisons(function, low, high, bits, cut) for cut in range(1, width)]
    return [plan for plan in plans if len(plan.bounds) + width - plan.cut <= MAXIMUM_INPUTS]
