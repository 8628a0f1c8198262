"""Functions of rational intervals to any precision: what decides where floats can't."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

Interval: TypeAlias = tuple[Fraction, Fraction]


class Undecided(Exception):
    """An interval is too wide to round or compare."""


class DomainError(ValueError):
    """A function is asked where it isn't defined: the logarithm of 0, a division by 0."""


def sqrt_interval(x: Fraction, bits: int) -> Interval:
    """The square root of a number that isn't negative, exact where it is rational."""
    scaled = (x.numerator << (2 * bits)) // x.denominator
    root = isqrt(scaled)
    if root * root * x.denominator == x.numerator << (2 * bits):
        return Fraction(root, 1 << bits), Fraction(root, 1 << bits)
    numerator, denominator = isqrt(x.numerator), isqrt(x.denominator)
    if numerator**2 == x.numerator and denominator**2 == x.denominator:
        return Fraction(numerator, denominator), Fraction(numerator, denominator)
    return Fraction(root, 1 << bits), Fraction(root + 1, 1 << bits)


def exp_interval(x: Interval, bits: int) -> Interval:
    """exp is rational at 0 alone among the rationals (Lindemann-Weierstrass), so refinement always decides."""
    if x == (0, 0):
        return Fraction(1), Fraction(1)
    digits = bits // 3 + 10
    ends: list[Fraction] = []
    for end, way, sign in ((x[0], ROUND_FLOOR, -1), (x[1], ROUND_CEILING, 1)):
        context = Context(prec=digits, rounding=way, Emin=-999999, Emax=999999)
        argument = context.divide(Decimal(end.numerator), Decimal(end.denominator))
        if abs(argument) > 100000:
            argument = Decimal(100000).copy_sign(argument)
            if sign > 0 and argument > 0:
                raise DomainError("an exponential beyond e^100000")
        result = Fraction(context.exp(argument))
        ends.append(max(Fraction(0), result + sign * result / 10 ** (digits - 2)))
    return ends[0], ends[1]


def log_interval(x: Interval, bits: int) -> Interval:
    """log is rational at 1 alone among the rationals."""
    if x[0] <= 0:
        if x[1] > 0 and x[0] != x[1]:
            raise Undecided
        raise DomainError("the logarithm of a number that isn't positive")
    if x == (1, 1):
        return Fraction(0), Fraction(0)
    digits = bits // 3 + 10
    ends: list[Fraction] = []
    for end, way, sign in ((x[0], ROUND_FLOOR, -1), (x[1], ROUND_CEILING, 1)):
        context = Context(prec=digits, rounding=way, Emin=-999999, Emax=999999)
        result = Fraction(context.ln(context.divide(Decimal(end.numerator), Decimal(end.denominator))))
        # the division's error counts absolutely in the logarithm
        ends.append(result + sign * (abs(result) + 1) / 10 ** (digits - 2))
    return ends[0], ends[1]


def erf_interval(x: Interval, bits: int) -> Interval:
    """erf by its Taylor series; it is rational at 0 alone (Siegel-Shidlovskii)."""
    if x == (0, 0):
        return Fraction(0), Fraction(0)
    return _erf_end(x[0], bits, -1), _erf_end(x[1], bits, 1)


def _erf_end(x: Fraction, bits: int, sign: int) -> Fraction:
    """A bound of erf(x) in the direction of `sign`: 2/sqrt(pi) * sum (-1)^k x^(2k+1) / (k! (2k+1))."""
    if abs(x) > 40:  # 1 - erf(40) is below 2**-2300
        if bits > 2048:
            raise DomainError("an error function too close to 1")
        near = 1 - Fraction(1, 1 << 2300)
        return (Fraction(1) if sign > 0 else near) if x > 0 else (-near if sign > 0 else Fraction(-1))
    # terms grow up to e^(x^2) before they fall, and so does what their rounding costs
    precision = bits + int(3 * x * x) + 32
    one = 1 << precision
    scaled = (x.numerator << precision) // x.denominator
    square = scaled * scaled >> precision
    term, total, index = scaled, scaled, 0
    while term:
        index += 1
        term = -(term * square >> precision) // index
        total += term // (2 * index + 1)
    slack = (index + 4) * (1 << (int(3 * x * x) + 8))
    low, high = Fraction(2 * (total - slack), one), Fraction(2 * (total + slack), one)
    root = sqrt_interval(_pi(precision), precision)
    ends = [end / each for end in (low, high) for each in root]
    return max(ends) if sign > 0 else min(ends)


def _pi(bits: int) -> Fraction:
    """Pi to a precision, by Machin's formula; the error is below 2**-bits."""
    one = 1 << (bits + 16)

    def inverse_tangent(x: int) -> int:
        power = total = one // x
        index, sign = 1, 1
        while power:
            power //= x * x
            index, sign = index + 2, -sign
            total += sign * (power // index)
        return total

    return Fraction(4 * (4 * inverse_tangent(5) - inverse_tangent(239)), one)
