"""The steps of an integer function of an integer: thresholds by bisection, tables by enumeration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from c4ml_xdsl.numerics.chain import Integers, Step, direction, evaluate

TABLE_LIMIT = 1 << 22
"""The most values (elements times inputs) that a function without a known direction is enumerated at."""
ENTRY_LIMIT = 1 << 20
"""The most values of one such function: what a table can hold."""

LEVEL_LIMIT = 1 << 24
"""The most levels (of all elements) that are searched."""


class TooManyValues(ValueError):
    """A function without a known direction has too large a range to be enumerated, or a monotone one too many steps."""


@dataclass(frozen=True)
class Thresholds:
    """
    A monotone function of each element: base + #{k : n >= t_k} where ascending, base - #{k : n >= t_k} elsewhere.

    `thresholds` has shape (elements, levels), rows sorted; what is never reached is `high + 1`.
    """

    base: Integers
    thresholds: Integers
    ascending: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def evaluate(self, n: Integers) -> Integers:
        """The function at `n` of shape (elements, samples)."""
        count = np.sum(n[:, :, None] >= self.thresholds[:, None, :], axis=2, dtype=np.int64)
        return self.base[:, None] + np.where(self.ascending[:, None], count, -count)


def bisect(function: Callable[[Integers], Integers], low: Integers, high: Integers, sign: Integers) -> Thresholds:
    """
    The thresholds of a function on [low, high] of each element that never turns back: `sign` is 1 or -1 an element.

    All levels of all elements are searched at once. Raises TooManyValues where these are more than LEVEL_LIMIT.
    """
    ends = function(np.stack([low, high], axis=1))
    rise = sign * (ends[:, 1] - ends[:, 0])
    if np.any(rise < 0):
        raise AssertionError("a function falls against its direction")
    levels = int(rise.max(initial=0))
    if levels * len(low) > LEVEL_LIMIT:
        raise TooManyValues(f"{len(low)} functions of {levels} levels each")
    wanted = np.arange(1, levels + 1, dtype=np.int64)[None, :] * sign[:, None] + ends[:, :1]
    reached = np.arange(1, levels + 1)[None, :] <= rise[:, None]
    below = np.broadcast_to(low[:, None], wanted.shape).copy()
    above = np.broadcast_to(high[:, None], wanted.shape).copy()
    while np.any(above - below > 1):
        middle = (below + above) >> 1
        there = sign[:, None] * (function(middle) - wanted) >= 0
        above = np.where(there, middle, above)
        below = np.where(there, below, middle)
    thresholds = np.where(reached, above, high[:, None] + 1)
    return Thresholds(ends[:, 0], thresholds, sign > 0)


def solve_thresholds(steps: Sequence[Step], low: Integers, high: Integers) -> Thresholds | None:
    """The thresholds of a chain on [low, high] of each element; None where the chain isn't monotone by its steps."""
    sign = direction(steps, len(low))
    if sign is None:
        return None
    return bisect(lambda n: evaluate(steps, n), low, high, sign)


def function_ends(steps: Sequence[Step], low: Integers, high: Integers) -> Integers | None:
    """The chain at both ends of each element's range, its extremes; None where it isn't monotone by its steps."""
    if direction(steps, len(low)) is None:
        return None
    return evaluate(steps, np.stack([low, high], axis=1))


def enumerate_values(steps: Sequence[Step], low: int, high: int, elements: int) -> Integers:
    """The chain's values at low … high for each element, of shape (elements, values)."""
    if high - low + 1 > ENTRY_LIMIT or (high - low + 1) * elements > TABLE_LIMIT:
        raise TooManyValues(f"{elements} functions of {high - low + 1} values each")
    n = np.broadcast_to(np.arange(low, high + 1, dtype=np.int64), (elements, high - low + 1))
    return evaluate(steps, n)
