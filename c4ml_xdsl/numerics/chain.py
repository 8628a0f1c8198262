"""
An elementwise chain: what stands between an integer and the next quantiser, as one exact function of that integer.

A chain is a list of steps with float32 constants, each taken as the exact real number that it is. `evaluate` computes
it on whole arrays in float64 with proven error bounds (Dekker's and Knuth's error-free transformations, so that dyadic
arithmetic has bound 0 and ties are decided right), and the few elements that a bound leaves open one by one with
rational intervals that are refined until every rounding and comparison is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from c4ml_xdsl.numerics.rounding import RoundingMode, round_fraction

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

INCREASING = ("add", "sub", "max", "min", "sigmoid", "tanh", "exp", "round", "step")
"""Steps that never decrease, whatever their constant; mul and div go by the constant's sign."""


@dataclass(frozen=True)
class Step:
    """
    One step on the running value v: v + c, v - c, v * c, v / c, max(v, c), min(v, c), v / sqrt(c), neg, abs, sigmoid,
    tanh, exp, round(v), or step: 1 where v >= 0, else 0.

    `constant` is float64 holding float32 values (or, for div_sqrt, exact sums of two), one for each element.
    """

    operation: str
    constant: Floats | None = None
    mode: RoundingMode | None = None


class Undecided(Exception):
    """An interval is too wide to round or compare."""


# float64 with error bounds -----------------------------------------------------------------------------------------


def _two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _split(a: Floats) -> tuple[Floats, Floats]:
    t = a * 134217729.0  # 2**27 + 1
    high = t - (t - a)
    return high, a - high


def _two_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    p = a * b
    ah, al = _split(a)
    bh, bl = _split(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


_GROWTH = 1 + 2.0**-40
"""Covers the roundings that computing a bound itself suffers."""
_TINY = 2.0**-900
"""Below this size error-free transformations may underflow: a bound never claims less where one isn't zero."""


def _bounded(
    steps: Sequence[Step], n: Integers, constants: Sequence[Floats | None]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Values of an integer-valued chain and where they aren't decided."""
    value = n.astype(np.float64)
    error = np.where(np.abs(n) <= 1 << 53, 0.0, np.abs(value) * 2.0**-52)
    undecided = np.zeros(value.shape, np.bool_)
    for step, c in zip(steps, constants, strict=True):
        match step.operation:
            case "add" | "sub":
                assert c is not None
                value, residue = _two_sum(value, np.broadcast_to(c if step.operation == "add" else -c, value.shape))
                error = (error + np.abs(residue)) * _GROWTH
            case "mul":
                assert c is not None
                value, residue = _two_product(value, np.broadcast_to(c, value.shape))
                error = (error * np.abs(c) + np.abs(residue)) * _GROWTH
            case "div" | "div_sqrt":
                assert c is not None
                if step.operation == "div":
                    divisor, slack = np.broadcast_to(c, value.shape), 0.0
                else:
                    divisor = np.broadcast_to(np.sqrt(c), value.shape)
                    square, residue = _two_product(divisor, divisor)
                    inexact = (square != c) | (residue != 0)
                    slack = np.where(inexact, 2.0**-51, 0.0)
                quotient = value / divisor
                product, residue = _two_product(quotient, divisor)
                residue = np.abs((value - product) - residue)
                error = ((error + residue) / np.abs(divisor) + np.abs(quotient) * slack) * _GROWTH
                value = quotient
            case "max":
                assert c is not None
                value, error = np.maximum(value, c), np.where(value + error < c, 0.0, error)
            case "min":
                assert c is not None
                value, error = np.minimum(value, c), np.where(value - error > c, 0.0, error)
            case "neg":
                value = -value
            case "abs":
                value = np.abs(value)
            case "sigmoid":
                value, error = 1 / (1 + np.exp(-value)), (error + np.where(value == 0, 0.0, 2.0**-45)) * _GROWTH
            case "tanh":
                value, error = np.tanh(value), (error + np.where(value == 0, 0.0, 2.0**-45)) * _GROWTH
            case "exp":
                error = np.where((error == 0) & (value == 0), 0.0, np.inf)  # left to the exact evaluation
                value = np.exp(np.minimum(value, 700.0))
            case "step":
                undecided |= ~((value - error >= 0) | (value + error < 0))
                value, error = (value >= 0).astype(np.float64), np.zeros_like(error)
            case "round":
                assert step.mode is not None
                # the ends are rounded themselves, so they are moved outwards: a tie must not hide behind that
                below = np.where(error > 0, np.nextafter(value - error, -np.inf), value)
                above = np.where(error > 0, np.nextafter(value + error, np.inf), value)
                low, high = _round_floats(below, step.mode), _round_floats(above, step.mode)
                undecided |= (low != high) | (np.abs(value) > 2.0**50) | ~np.isfinite(error)
                value, error = low, np.zeros_like(error)
            case other:
                raise ValueError(f"unknown step {other}")
        risky = (error > 0) | (np.abs(value) > 2.0**400)
        error = np.where(risky, np.maximum(error, _TINY), error)
        undecided |= ~np.isfinite(value) | (np.abs(value) > 2.0**400)
    return value, undecided | (error > 0)


def _round_floats(x: Floats, mode: RoundingMode) -> Floats:
    match mode:
        case RoundingMode.HALF_EVEN:
            return np.rint(x)
        case RoundingMode.FLOOR:
            return np.floor(x)
        case RoundingMode.CEIL:
            return np.ceil(x)
        case RoundingMode.DOWN:
            return np.trunc(x)
        case RoundingMode.UP:
            return np.copysign(np.ceil(np.abs(x)), x) + 0.0
        case RoundingMode.HALF_UP:
            a = np.abs(x)
            return np.copysign(np.floor(a) + (a - np.floor(a) >= 0.5), x) + 0.0
        case RoundingMode.HALF_DOWN:
            a = np.abs(x)
            return np.copysign(np.floor(a) + (a - np.floor(a) > 0.5), x) + 0.0


# rational intervals ------------------------------------------------------------------------------------------------

Interval: TypeAlias = tuple[Fraction, Fraction]


def _sqrt_interval(x: Fraction, bits: int) -> Interval:
    scaled = (x.numerator << (2 * bits)) // x.denominator
    root = isqrt(scaled)
    if root * root * x.denominator == x.numerator << (2 * bits):
        return Fraction(root, 1 << bits), Fraction(root, 1 << bits)
    numerator, denominator = isqrt(x.numerator), isqrt(x.denominator)
    if numerator**2 == x.numerator and denominator**2 == x.denominator:
        return Fraction(numerator, denominator), Fraction(numerator, denominator)
    return Fraction(root, 1 << bits), Fraction(root + 1, 1 << bits)


def _exp_interval(x: Interval, bits: int) -> Interval:
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
                raise Undecided
        result = Fraction(context.exp(argument))
        ends.append(max(Fraction(0), result + sign * result / 10 ** (digits - 2)))
    return ends[0], ends[1]


def _exact_point(steps: Sequence[Step], n: int, constants: Sequence[Fraction | None], bits: int) -> int:
    low = high = Fraction(n)
    last = bits >= 1 << 13
    for step, c in zip(steps, constants, strict=True):
        match step.operation:
            case "add":
                assert c is not None
                low, high = low + c, high + c
            case "sub":
                assert c is not None
                low, high = low - c, high - c
            case "mul":
                assert c is not None
                low, high = sorted((low * c, high * c))
            case "div":
                assert c is not None
                low, high = sorted((low / c, high / c))
            case "div_sqrt":
                assert c is not None
                a, b = _sqrt_interval(c, bits)
                quotients = (low / a, low / b, high / a, high / b)
                low, high = min(quotients), max(quotients)
            case "max":
                assert c is not None
                low, high = max(low, c), max(high, c)
            case "min":
                assert c is not None
                low, high = min(low, c), min(high, c)
            case "neg":
                low, high = -high, -low
            case "abs":
                inner = Fraction(0) if low <= 0 <= high else min(abs(low), abs(high))
                low, high = inner, max(abs(low), abs(high))
            case "exp":
                low, high = _exp_interval((low, high), bits)
            case "sigmoid":
                a, b = _exp_interval((-high, -low), bits)
                low, high = 1 / (1 + b), 1 / (1 + a)
            case "tanh":
                a, b = _exp_interval((-2 * high, -2 * low), bits)
                low, high = (1 - b) / (1 + b), (1 - a) / (1 + a)
            case "step":
                if low < 0 <= high and not last:
                    raise Undecided
                # an unresolved sign at the last precision is zero: see `_exact`
                low = high = Fraction(int(high >= 0))
            case "round":
                assert step.mode is not None
                a, b = round_fraction(low, step.mode), round_fraction(high, step.mode)
                if a != b:
                    if not last:
                        raise Undecided
                    # the boundary between the two, which the value then is
                    a = round_fraction(Fraction(round(low + high), 2), step.mode)
                low = high = Fraction(a)
            case other:
                raise ValueError(f"unknown step {other}")
    if low != high or low.denominator != 1:
        raise ValueError("the chain doesn't end in an integer")
    return int(low)


def _exact(steps: Sequence[Step], n: int, constants: Sequence[Fraction | None]) -> int:
    """
    The chain at one integer.

    Values are rational or, through square roots of variances, lie in a field of small degree over the rationals with
    coefficients of some hundred bits. A difference of such values that isn't zero is far larger than 2**-8192
    (root separation), so what is still open at that precision is an equality.
    """
    bits = 128
    while True:
        try:
            return _exact_point(steps, n, constants, bits)
        except Undecided:
            bits *= 2


def evaluate(steps: Sequence[Step], n: Integers) -> Integers:
    """
    The integers that a chain gives for integers `n` of shape (elements, …); constants have one value an element.

    Raises ValueError when the chain doesn't end in integers.
    """
    shape = (n.shape[0],) + (1,) * (n.ndim - 1)
    constants = [None if s.constant is None else s.constant.reshape(shape) for s in steps]
    with np.errstate(all="ignore"):
        value, undecided = _bounded(steps, n, constants)
        value = np.where(undecided, 0.0, value)
    result = value.astype(np.int64)
    fractions: dict[int, list[Fraction | None]] = {}
    for index in np.argwhere(undecided):
        element = int(index[0])
        if element not in fractions:
            fractions[element] = [None if s.constant is None else Fraction(float(s.constant[element])) for s in steps]
        place = tuple(int(each) for each in index)
        result[place] = _exact(steps, int(n[place]), fractions[element])
    return result


def direction(steps: Sequence[Step], elements: int) -> NDArray[np.int64] | None:
    """For each element 1 where the chain never decreases, -1 where it never increases; None where that isn't known."""
    sign = np.ones(elements, np.int64)
    for step in steps:
        if step.operation in ("mul", "div"):
            assert step.constant is not None
            sign = np.where(step.constant < 0, -sign, sign)
        elif step.operation == "neg":
            sign = -sign
        elif step.operation not in (*INCREASING, "div_sqrt"):
            return None
    return sign


def affine(steps: Sequence[Step], element: int) -> tuple[Fraction, Fraction] | None:
    """
    Scale and offset of the chain's affine steps at one element: clips and roundings are passed over.

    None where a step isn't affine over the rationals. With clips and roundings in the chain the result is a candidate
    only, for the caller to check.
    """
    scale, offset = Fraction(1), Fraction(0)
    for step in steps:
        if step.operation in ("max", "min", "round", "step"):
            continue
        c = None if step.constant is None else Fraction(float(step.constant[element]))
        match step.operation, c:
            case "add", Fraction():
                offset += c
            case "sub", Fraction():
                offset -= c
            case "mul", Fraction():
                scale, offset = scale * c, offset * c
            case "div", Fraction():
                scale, offset = scale / c, offset / c
            case "div_sqrt", Fraction():
                low, high = _sqrt_interval(c, 256)
                if low != high:
                    return None
                scale, offset = scale / low, offset / low
            case "neg", _:
                scale, offset = -scale, -offset
            case _:
                return None
    return scale, offset


def affine_values(steps: Sequence[Step], element: int) -> tuple[Fraction, Fraction] | None:
    """Scale and offset of an affine chain, with irrational factors rounded to 256 bits; None where it isn't affine."""
    replaced: list[Step] = []
    for step in steps:
        if step.operation in ("max", "min", "round", "step", "abs", "sigmoid", "tanh", "exp"):
            return None
        replaced.append(step)
    scale, offset = Fraction(1), Fraction(0)
    for step in replaced:
        single = affine([Step(step.operation, step.constant)], element) if step.operation != "div_sqrt" else None
        if single is None:
            assert step.constant is not None
            low, high = _sqrt_interval(Fraction(float(step.constant[element])), 256)
            single = (2 / (low + high), Fraction(0))
        scale, offset = scale * single[0], offset * single[0] + single[1]
    return scale, offset


def as_floats(array: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """A constant for a step: broadcast to a tensor's shape and flattened, one float64 an element."""
    return np.broadcast_to(np.asarray(array, np.float64), shape).reshape(-1)
