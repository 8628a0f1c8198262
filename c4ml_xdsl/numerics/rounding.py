"""Rounding modes, exactly, on fractions and on shifted integers."""

from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RoundingMode(StrEnum):
    """How a quantiser rounds; the value is the spelling in our IR."""

    HALF_EVEN = "half_even"
    HALF_UP = "half_up"
    """to the nearest, ties away from zero"""
    HALF_DOWN = "half_down"
    """to the nearest, ties towards zero"""
    CEIL = "ceil"
    FLOOR = "floor"
    UP = "up"
    """away from zero"""
    DOWN = "down"
    """towards zero"""

    @classmethod
    def from_qonnx(cls, name: str) -> "RoundingMode":
        """The mode that qonnx or Brevitas calls `name`; raises ValueError for unknown names."""
        aliases = {"round": "half_even", "round_to_zero": "down"}
        return cls(aliases.get(name.lower(), name.lower()))


def round_fraction(value: Fraction, mode: RoundingMode) -> int:
    """An exact rational, rounded."""
    match mode:
        case RoundingMode.FLOOR:
            return floor(value)
        case RoundingMode.CEIL:
            return ceil(value)
        case RoundingMode.DOWN:
            return floor(value) if value >= 0 else ceil(value)
        case RoundingMode.UP:
            return ceil(value) if value >= 0 else floor(value)
        case RoundingMode.HALF_EVEN:
            return round(value)
        case RoundingMode.HALF_UP:
            return floor(value + Fraction(1, 2)) if value >= 0 else ceil(value - Fraction(1, 2))
        case RoundingMode.HALF_DOWN:
            return ceil(value - Fraction(1, 2)) if value >= 0 else floor(value + Fraction(1, 2))


def round_shift(values: NDArray[np.int64], shift: int, mode: RoundingMode) -> NDArray[np.int64]:
    """`values / 2**shift` rounded, exactly; `shift` is between 0 and 61 and |values| below 2**62."""
    quotient = values >> shift
    remainder = values - (quotient << shift)
    half = (1 << shift) >> 1
    up: NDArray[Any]
    match mode:
        case RoundingMode.FLOOR:
            return quotient
        case RoundingMode.CEIL:
            up = remainder > 0
        case RoundingMode.DOWN:
            up = (remainder > 0) & (values < 0)
        case RoundingMode.UP:
            up = (remainder > 0) & (values > 0)
        case RoundingMode.HALF_EVEN:
            up = (remainder > half) | ((remainder == half) & (remainder > 0) & (quotient & 1 == 1))
        case RoundingMode.HALF_UP:
            up = (remainder > half) | ((remainder == half) & (remainder > 0) & (values > 0))
        case RoundingMode.HALF_DOWN:
            up = (remainder > half) | ((remainder == half) & (remainder > 0) & (values < 0))
    return quotient + up


def floor_constants(mode: RoundingMode, shift: int, low: int, high: int, floor_at: int) -> tuple[int, int]:
    """
    What is to be added to a number of [low, high], where it isn't and where it is negative, so that its floor follows.

    That is: the number, plus this, shifted right by `shift` bits, is the number / 2^shift rounded; but ties to even
    come out as the higher neighbour. Results below 0 needn't be right where `floor_at`, to which they are clipped,
    isn't negative.
    """
    half, whole = (1 << shift) >> 1, (1 << shift) - 1
    constants = {
        RoundingMode.HALF_EVEN: (half, half),
        RoundingMode.HALF_UP: (half, half - 1),
        RoundingMode.HALF_DOWN: (half - 1, half),
        RoundingMode.CEIL: (whole, whole),
        RoundingMode.FLOOR: (0, 0),
        RoundingMode.UP: (whole, 0),
        RoundingMode.DOWN: (0, whole),
    }[mode]
    if shift == 0:
        return 0, 0
    if low >= 0 or floor_at >= 0:  # a negative number becomes 0 or less, whatever its rounding
        return constants[0], constants[0]
    return (constants[1], constants[1]) if high < 0 else constants
