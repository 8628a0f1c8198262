"""
Sums as differences from one of them.

Where coefficients are dense, such as those of binary layers, most of two sums is the same or the opposite: what one
adds to the other has half as many digits. One sum, the hub, is built by itself, others as the hub, or its negative, and
a difference, all at once. Chains of differences, a tree as in da4ml (Sun et al. 2025), save no more and are slow.
"""

from dataclasses import dataclass

import numpy as np

from c4ml_xdsl.numerics.chain import Integers

MOST_COMPARED = 1 << 25
"""Coefficients that are compared; more sums or inputs have no hub."""


@dataclass(frozen=True)
class Hub:
    """The sum `index`, and of each sum whether it starts from that (1), from its negative (-1), or from neither (0)."""

    index: int
    signs: tuple[int, ...]


def find_hub(coefficients: Integers) -> Hub | None:
    """
    The sum from which others differ in the fewest digits, by coefficients (sums, inputs); None where it saves none.

    A difference takes a digit for the hub itself. Magnitudes are below 2^58.
    """
    sums, inputs = coefficients.shape
    if sums < 2 or sums * sums * inputs > MOST_COMPARED:
        return None
    alone: Integers = count_digits(coefficients).sum(axis=1)
    fewest, found = int(alone.sum()), None
    for index, row in enumerate(coefficients):
        less, more = 1 + count_digits(coefficients - row).sum(axis=1), 1 + count_digits(coefficients + row).sum(axis=1)
        signs = np.where(less <= more, 1, -1)
        signs[np.minimum(less, more) >= alone] = 0
        signs[index] = 0
        digits: Integers = np.where(signs == 0, alone, np.minimum(less, more))
        total = int(digits.sum())
        if total < fewest:
            fewest, found = total, Hub(index, tuple(signs.tolist()))
    return found


def count_digits(values: Integers) -> Integers:
    """The digits ±1 of integers in the form that has the fewest, where no two neighbours are both other than 0."""
    magnitudes: Integers = np.abs(values)
    places: Integers = magnitudes ^ 3 * magnitudes  # the digits', shifted by one
    count: Integers = np.zeros_like(places)
    while np.any(places):
        count += places & 1
        places >>= 1
    return count
