"""
How long the search for shared adders goes on.

It counts iterations, so that its result is the same on every machine; how many microseconds they take is an estimate.
An iteration takes longer in larger groups of sums.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np

from c4ml_xdsl.numerics.chain import Integers

Effort: TypeAlias = Literal["fast", "normal", "max"]

SUMS_AT_ONCE: dict[Effort, int] = {"fast": 64, "normal": 128, "max": 256}
"""More sums are shared in groups, so that the time for each coefficient is bounded; that costs one or two per cent."""

NETWORK_MICROSECONDS, NETWORK_MICROSECONDS_A_DIGIT = 11_000_000, 300
"""What `normal` has for all layers of a network, on one core: a layer alone may take eight seconds of it."""


TEMPERATURES: dict[Effort, tuple[int, int]] = {"fast": (1200, 150), "normal": (1200, 150), "max": (2000, 50)}
"""
How much worse a change may be, at the start and at the end, in hundredths of a site: found by trial.

Where there is time to cool down, a hotter start ends lower: at 32x32, 4 bits, from 2000 to 100, by 1.5 %.
"""

HEAPS = 6
"""How many times as long an iteration takes where sums are heaps: they share less, so their lists stay long."""


def _microseconds(digits: int, heaps: bool) -> int:
    """What an iteration takes in a group of sums of so many digits."""
    return (22 + digits // 55) * (HEAPS if heaps else 1)


def iterations_of(effort: Effort, digits: int, heaps: bool = False) -> int:
    """
    How often the search takes something apart, for a group of sums of so many signed digits.

    `normal` takes some eight seconds, `max` two to three minutes for up to 3000 digits. These are bounds of an
    estimate, which doesn't know that an iteration of `max` takes about a third longer.
    """
    match effort:
        case "fast":
            return digits // 4
        case "normal":
            return min(400 * digits, (7_500_000 + 300 * digits) // _microseconds(digits, heaps))
        case "max":
            growing = 20_000 * digits
            allowed = min(90_000_000 + growing, max(120_000_000, 60_000_000 + growing), 480_000_000)
            return min(12_000 * digits, allowed // _microseconds(digits, heaps))


def digits_of(coefficients: Integers) -> Integers:
    """The digits other than 0 of each sum's coefficients (sums, inputs), in the non-adjacent form."""
    magnitudes = np.abs(coefficients)
    return np.bitwise_count(3 * magnitudes ^ magnitudes).sum(axis=1, dtype=np.int64)


def groups_of(effort: Effort, coefficients: Integers) -> list[int]:
    """The digits of each group of sums that are solved together."""
    digits, size = digits_of(coefficients), SUMS_AT_ONCE[effort]
    return [int(digits[start : start + size].sum()) for start in range(0, len(digits), size)]


def microseconds_of(effort: Effort, digits: int, heaps: bool = False) -> int:
    """What the search takes for a group of sums of so many digits, about, on one core."""
    return iterations_of(effort, digits, heaps) * _microseconds(digits, heaps)


def permille_of(effort: Effort, groups: Iterable[int], heaps: bool = False) -> int:
    """How much of its iterations each group of a network gets, so that the whole network stays within its time."""
    digits = list(groups)
    wanted = sum(microseconds_of(effort, each, heaps) for each in digits)
    given = NETWORK_MICROSECONDS + NETWORK_MICROSECONDS_A_DIGIT * sum(digits)
    return 1000 if effort != "normal" or wanted <= given else 1000 * given // wanted
