"""Which integers a sum can be, and with which terms: not every integer between its bounds need be one."""

from collections.abc import Sequence

MAXIMUM_BITS = 1 << 30
"""Of all sets together; beyond that nothing is looked for."""


class Reachable:
    """The sums of coefficient * x for x from `low` to `high`, each term as (coefficient, low, high)."""

    def __init__(self, terms: Sequence[tuple[int, int, int]]):
        self.terms = terms
        self.low = sum(min(each * low, each * high) for each, low, high in terms)
        self.spans = [abs(each) * (high - low) for each, low, high in terms]
        self._sets: list[int] | None = None

    @property
    def known(self) -> bool:
        """Whether the sets are small enough to be looked at."""
        return sum(self.spans) * max(1, len(self.spans)) <= MAXIMUM_BITS

    def _reached(self) -> list[int]:
        """After each number of terms, the set of sums over their lowest one, as the bits of an integer."""
        if self._sets is None:
            reached = [1]
            for (coefficient, low, high), _ in zip(self.terms, self.spans, strict=True):
                step, steps = abs(coefficient), high - low
                whole, covered = reached[-1], 0
                while covered < steps:  # from 0 to `covered` steps; doubled each time
                    more = min(covered + 1, steps - covered)
                    whole |= whole << step * more
                    covered += more
                reached.append(whole)
            self._sets = reached
        return self._sets

    def find(self, number: int) -> list[int] | None:
        """Values of x that give a number; None where there are none, or the sets would be too large."""
        if not self.known:
            return None
        sets = self._reached()
        left = number - self.low
        if left < 0 or not sets[-1] >> left & 1:
            return None
        found: list[int] = []
        for index in reversed(range(len(self.terms))):
            coefficient, low, high = self.terms[index]
            step = abs(coefficient)
            steps = next(k for k in range(high - low + 1) if left >= k * step and sets[index] >> (left - k * step) & 1)
            found.append(low + steps if coefficient > 0 else high - steps)
            left -= steps * step
        return found[::-1]
