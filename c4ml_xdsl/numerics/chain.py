"""
An elementwise chain: what stands between an integer and the next quantiser, as one exact function of that integer.

A chain is a list of steps with float32 constants, each taken as the exact real number that it is. `evaluate` computes
it on whole arrays in float64 with proven error bounds (Dekker's and Knuth's error-free transformations, so that dyadic
arithmetic has bound 0 and ties are decided right), and the few elements that a bound leaves open one by one with
rational intervals that are refined until every rounding and comparison is decided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import erf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.numerics.intervals import (
    DomainError,
    Interval,
    Undecided,
    erf_interval,
    exp_interval,
    log_interval,
    sqrt_interval,
)
from c4ml_xdsl.numerics.rounding import RoundingMode, round_fraction

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

ARITHMETIC = ("add", "sub", "mul", "div", "max", "min")
"""Steps that take a constant, or another chain on the same integer."""
INCREASING = (
    "add",
    "sub",
    "max",
    "min",
    "sigmoid",
    "tanh",
    "exp",
    "round",
    "step",
    "sign",
    "count",
    "sqrt",
    "log",
    "erf",
    "softsign",
)
"""Steps that never decrease, whatever their constant; mul, div, leaky and elu go by the constant's sign."""
INTEGRAL = ("round", "step", "sign", "count")
"""Steps whose result is an integer."""


@dataclass(frozen=True)
class Step:
    """
    One step on the running value v.

    - add, sub, mul, div, max, min: with the constant c or with the value of the chain `other` on the same integer;
    - div_sqrt: v / sqrt(c); rdiv: c / v; neg, abs; leaky: v where v >= 0, else c * v; elu: v where v >= 0, else
      c * (exp(v) - 1); thresholded: v where v > c, else 0;
    - sigmoid, tanh, exp, log, sqrt, erf, softsign: v / (1 + |v|);
    - round by `mode`; step: 1 where v >= 0, else 0; sign: -1, 0 or 1; count: how many of a row of constants v reaches.

    `constant` is float64 holding float32 values (or, for div_sqrt, exact sums of two), one for each element or one for
    all, for count one row.
    """

    operation: str
    constant: Floats | None = None
    mode: RoundingMode | None = None
    other: "tuple[Step, ...] | None" = None


def step_count(steps: Sequence[Step]) -> int:
    """The steps of a chain, with those of second chains."""
    return len(steps) + sum(step_count(step.other) for step in steps if step.other is not None)


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


def _around(function: Callable[[Floats], Floats], value: Floats, error: Floats) -> tuple[Floats, Floats]:
    """An increasing function of a value with an error; numpy's own functions are good to a few last bits."""
    result = function(value)
    spread = np.maximum(np.abs(function(value + error) - result), np.abs(function(value - error) - result))
    return result, (spread + np.abs(result) * 2.0**-45) * _GROWTH


def _softsign(x: Floats) -> Floats:
    return x / (1 + np.abs(x))


_FUNCTIONS: dict[str, tuple[Callable[[Floats], Floats], float, float]] = {
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 0.0, 0.5),
    "tanh": (np.tanh, 0.0, 0.0),
    "exp": (lambda x: np.exp(np.minimum(x, 700.0)), 0.0, 1.0),
    "log": (np.log, 1.0, 0.0),
    "erf": (np.vectorize(erf, otypes=[np.float64]), 0.0, 0.0),
}
"""Transcendental functions that increase, and the one rational number where they are rational, with their value."""


def _bounded(
    steps: Sequence[Step], n: Integers, constants: Sequence[Floats | None]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Values of a chain, bounds of their errors, and where a decision on the way is open."""
    value = n.astype(np.float64)
    error = np.where(np.abs(n) <= 1 << 53, 0.0, np.abs(value) * 2.0**-52)
    undecided = np.zeros(value.shape, np.bool_)
    for step, constant in zip(steps, constants, strict=True):
        c, other_error = constant, np.zeros(())
        if step.other is not None:
            c, other_error, open_there = _bounded(step.other, n, spread_constants(step.other, n.ndim))
            undecided |= open_there
        value, error, open_there = _bounded_step(step, c, other_error, value, error)
        undecided |= open_there
        risky = ~(error <= 0) | (np.abs(value) > 2.0**400)
        error = np.where(risky, np.maximum(error, _TINY), error)
        undecided |= ~np.isfinite(value) | (np.abs(value) > 2.0**400) | np.isnan(error)
    return value, error, undecided


def _bounded_step(
    step: Step, c: Floats | None, other_error: Floats, value: Floats, error: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """The same for one step with its constant, or the value of its other chain and the bound of that one's error."""
    undecided = np.zeros(value.shape, np.bool_)
    match step.operation:
        case "add" | "sub":
            assert c is not None
            value, residue = _two_sum(value, np.broadcast_to(c if step.operation == "add" else -c, value.shape))
            error = (error + other_error + np.abs(residue)) * _GROWTH
        case "mul":
            assert c is not None
            crossed = error * (np.abs(c) + other_error) + other_error * np.abs(value)
            value, residue = _two_product(value, np.broadcast_to(c, value.shape))
            error = (crossed + np.abs(residue)) * _GROWTH
        case "div" | "div_sqrt" | "rdiv":
            assert c is not None
            if step.operation == "rdiv":
                value, c, error, other_error = np.broadcast_to(c, value.shape), value, np.zeros_like(error), error
            slack: Floats | float = 0.0
            divisor = np.broadcast_to(c, value.shape)
            if step.operation == "div_sqrt":
                divisor = np.broadcast_to(np.sqrt(c), value.shape)
                square, residue = _two_product(divisor, divisor)
                slack = np.where((square != c) | (residue != 0), 2.0**-51, 0.0)
            least = np.abs(divisor) - other_error
            quotient = value / divisor
            product, residue = _two_product(quotient, divisor)
            residue = np.abs((value - product) - residue)
            error = (error + residue + np.abs(quotient) * other_error) / least
            error = (error + np.abs(quotient) * slack) * _GROWTH
            undecided |= ~(least > 0)
            value = quotient
        case "max":
            assert c is not None
            settled = np.where(value + error < c - other_error, other_error, np.maximum(error, other_error))
            error = np.where(value - error > c + other_error, error, settled)
            value = np.maximum(value, c)
        case "min":
            assert c is not None
            settled = np.where(value - error > c + other_error, other_error, np.maximum(error, other_error))
            error = np.where(value + error < c - other_error, error, settled)
            value = np.minimum(value, c)
        case "neg":
            value = -value
        case "abs":
            value = np.abs(value)
        case "leaky":
            assert c is not None
            below, residue = _two_product(value, np.broadcast_to(c, value.shape))
            steepest = error * np.maximum(np.abs(c), 1.0) * _GROWTH
            value, error = np.where(value >= 0, value, below), np.where(value >= 0, steepest, steepest + residue)
            error = np.abs(error)
        case "elu":
            assert c is not None
            below, spread = _around(np.expm1, np.minimum(value, 0.0), error)
            undecided |= (np.abs(value) <= error) & (error > 0)
            error = np.where(value >= 0, error, spread * np.abs(c) + np.abs(below * c) * 2.0**-50)
            value = np.where(value >= 0, value, below * c)
        case "thresholded":
            assert c is not None
            undecided |= (np.abs(value - c) <= error) & (error > 0)
            value, error = np.where(value > c, value, 0.0), np.where(value > c, error, 0.0)
        case "sqrt":
            root, spread = _around(np.sqrt, value, error)
            square, residue = _two_product(root, root)
            error = np.where((error == 0) & (square == value) & (residue == 0), 0.0, spread)
            undecided |= ~(value - error >= 0)
            value = root
        case "softsign":
            result, spread = _around(_softsign, value, error)
            value, error = result, np.where((error == 0) & (value == 0), 0.0, spread)
        case "sigmoid" | "tanh" | "exp" | "log" | "erf":
            function, point, there = _FUNCTIONS[step.operation]
            result, spread = _around(function, value, error)
            known = (error == 0) & (value == point)
            value, error = np.where(known, there, result), np.where(known, 0.0, spread + _TINY)
        case "step":
            undecided |= ~((value - error >= 0) | (value + error < 0))
            value, error = (value >= 0).astype(np.float64), np.zeros_like(error)
        case "sign":
            undecided |= (np.abs(value) <= error) & (error > 0)
            value, error = np.sign(value), np.zeros_like(error)
        case "count":
            assert c is not None
            total = np.zeros_like(value)
            for index in range(c.shape[-1]):
                level = c[..., index]
                undecided |= ~((value - error >= level) | (value + error < level))
                total += value >= level
            value, error = total, np.zeros_like(error)
        case "round":
            assert step.mode is not None
            # the ends are rounded themselves, so they are moved outwards: a tie must not hide behind that
            below = np.where(error > 0, np.nextafter(value - error, -np.inf), value)
            above = np.where(error > 0, np.nextafter(value + error, np.inf), value)
            low, high = _round_floats(below, step.mode), _round_floats(above, step.mode)
            undecided |= (low != high) | (np.abs(value) > 2.0**50) | ~np.isfinite(error)
            value, error = low, np.zeros_like(error)
        case unknown:
            raise ValueError(f"unknown step {unknown}")
    return value, error, undecided


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


def _exact_interval(steps: Sequence[Step], n: int, element: int, bits: int, last: bool) -> Interval:
    low = high = Fraction(n)
    for step in steps:
        c = c_high = Fraction(0)
        if step.other is not None:
            c, c_high = _exact_interval(step.other, n, element, bits, last)
        elif step.constant is not None and step.operation != "count":
            c = c_high = Fraction(float(step.constant[element if len(step.constant) > 1 else 0]))
        match step.operation:
            case "add":
                low, high = low + c, high + c_high
            case "sub":
                low, high = low - c_high, high - c
            case "mul":
                products = low * c, low * c_high, high * c, high * c_high
                low, high = min(products), max(products)
            case "div" | "rdiv":
                if step.operation == "rdiv":
                    low, high, c, c_high = c, c_high, low, high
                if c <= 0 <= c_high:
                    if c != c_high and not last:
                        raise Undecided
                    raise DomainError("a division by 0")
                quotients = low / c, low / c_high, high / c, high / c_high
                low, high = min(quotients), max(quotients)
            case "div_sqrt":
                a, b = sqrt_interval(c, bits)
                quotients = (low / a, low / b, high / a, high / b)
                low, high = min(quotients), max(quotients)
            case "max":
                low, high = max(low, c), max(high, c_high)
            case "min":
                low, high = min(low, c), min(high, c_high)
            case "neg":
                low, high = -high, -low
            case "abs":
                inner = Fraction(0) if low <= 0 <= high else min(abs(low), abs(high))
                low, high = inner, max(abs(low), abs(high))
            case "leaky":
                ends = [end if end >= 0 else c * end for end in (low, high)] + ([Fraction(0)] if low < 0 < high else [])
                low, high = min(ends), max(ends)
            case "elu":
                below = exp_interval((min(low, Fraction(0)), min(high, Fraction(0))), bits)
                ends = [c * (below[0] - 1), c * (below[1] - 1)]
                if high >= 0:
                    ends = [high, *([low] if low >= 0 else ends)]
                low, high = min(ends), max(ends)
            case "thresholded":
                if low <= c < high and not last:
                    raise Undecided
                low, high = (low, high) if low > c else (Fraction(0), Fraction(0))
            case "sqrt":
                if low < 0:
                    if high >= 0 and low != high and not last:
                        raise Undecided
                    raise DomainError("the square root of a negative number")
                low, high = sqrt_interval(low, bits)[0], sqrt_interval(high, bits)[1]
            case "softsign":
                low, high = low / (1 + abs(low)), high / (1 + abs(high))
            case "exp":
                low, high = exp_interval((low, high), bits)
            case "log":
                low, high = log_interval((low, high), bits)
            case "erf":
                low, high = erf_interval((low, high), bits)
            case "sigmoid":
                a, b = exp_interval((-high, -low), bits)
                low, high = 1 / (1 + b), 1 / (1 + a)
            case "tanh":
                a, b = exp_interval((-2 * high, -2 * low), bits)
                low, high = (1 - b) / (1 + b), (1 - a) / (1 + a)
            case "step":
                if low < 0 <= high and not last:
                    raise Undecided
                # an unresolved sign at the last precision is zero: see `_exact`
                low = high = Fraction(int(high >= 0))
            case "sign":
                if low <= 0 <= high and low != high and not last:
                    raise Undecided
                low = high = Fraction(0 if low <= 0 <= high else 1 if low > 0 else -1)
            case "count":
                assert step.constant is not None
                row = step.constant[element if len(step.constant) > 1 else 0]
                counts = [sum(end >= Fraction(float(level)) for level in row) for end in (low, high)]
                if counts[0] != counts[1] and not last:
                    raise Undecided
                low = high = Fraction(counts[1])
            case "round":
                assert step.mode is not None
                a, b = round_fraction(low, step.mode), round_fraction(high, step.mode)
                if a != b:
                    if not last:
                        raise Undecided
                    # the boundary between the two, which the value then is
                    a = round_fraction(Fraction(round(low + high), 2), step.mode)
                low = high = Fraction(a)
            case unknown:
                raise ValueError(f"unknown step {unknown}")
    return low, high


def _beyond_algebra(steps: Sequence[Step]) -> bool:
    return any(step.operation in (*_FUNCTIONS, "elu") or _beyond_algebra(step.other or ()) for step in steps)


def _exact(steps: Sequence[Step], n: int, element: int) -> int:
    """
    The chain at one integer.

    Values are rational or, through square roots of variances, lie in a field of small degree over the rationals with
    coefficients of some hundred bits. A difference of such values that isn't zero is far larger than 2**-8192
    (root separation), so what is still open at that precision is an equality. With functions beyond algebra, where
    nothing of the kind is known, an equality is what 1,024 bits don't tell apart.
    """
    bits, most = 128, 1 << (10 if _beyond_algebra(steps) else 13)
    while True:
        try:
            low, high = _exact_interval(steps, n, element, bits, bits >= most)
            break
        except Undecided:
            bits *= 2
    if low != high or low.denominator != 1:
        raise ValueError("the chain doesn't end in an integer")
    return int(low)


def spread_constants(steps: Sequence[Step], rank: int) -> list[Floats | None]:
    """The steps' constants, shaped to broadcast against integers of shape (elements, …) of a rank."""
    return [
        None
        if step.constant is None
        else step.constant.reshape(len(step.constant), *(1,) * (rank - 1), *step.constant.shape[1:])
        for step in steps
    ]


def evaluate(steps: Sequence[Step], n: Integers) -> Integers:
    """
    The integers that a chain gives for integers `n` of shape (elements, …); constants have one value an element.

    Raises ValueError when the chain doesn't end in integers, DomainError where it isn't defined.
    """
    with np.errstate(all="ignore"):
        value, error, undecided = _bounded(steps, n, spread_constants(steps, n.ndim))
        undecided |= error > 0
        value = np.where(undecided, 0.0, value)
    result = value.astype(np.int64)
    for index in np.argwhere(undecided):
        place = tuple(int(each) for each in index)
        result[place] = _exact(steps, int(n[place]), place[0])
    return result


def direction(steps: Sequence[Step], elements: int) -> NDArray[np.int64] | None:
    """For each element 1 where the chain never decreases, -1 where it never increases; None where that isn't known."""
    sign = np.ones(elements, np.int64)
    for step in steps:
        if step.other is not None:
            there = direction(step.other, elements)
            if there is None or step.operation in ("mul", "div"):
                return None
            if np.any(sign != (-there if step.operation == "sub" else there)):
                return None
        elif step.operation in ("mul", "div"):
            assert step.constant is not None
            sign = np.where(step.constant < 0, -sign, sign)
        elif step.operation == "neg":
            sign = -sign
        elif step.operation in ("leaky", "elu", "thresholded"):
            assert step.constant is not None
            if np.any(step.constant < 0):
                return None
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
        if step.other is not None:
            return None
        if step.operation in ("max", "min", *INTEGRAL):
            continue
        c = None if step.constant is None else Fraction(float(step.constant[element if len(step.constant) > 1 else 0]))
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
                low, high = sqrt_interval(c, 256)
                if low != high:
                    return None
                scale, offset = scale / low, offset / low
            case "neg", _:
                scale, offset = -scale, -offset
            case _:
                return None
    return scale, offset


LINEAR = ("mul", "div", "div_sqrt", "neg")
"""Steps that multiply by a constant."""
AFFINE = (*LINEAR, "add", "sub")


def is_affine(steps: Sequence[Step]) -> bool:
    """Whether a chain is a scale and an offset."""
    return all(step.operation in AFFINE and step.other is None for step in steps)


def affine_values(steps: Sequence[Step], element: int) -> tuple[Fraction, Fraction] | None:
    """Scale and offset of an affine chain, with irrational factors rounded to 256 bits; None where it isn't affine."""
    if not is_affine(steps):
        return None
    scale, offset = Fraction(1), Fraction(0)
    for step in steps:
        single = affine([step], element) if step.operation != "div_sqrt" else None
        if single is None:
            assert step.constant is not None
            low, high = sqrt_interval(Fraction(float(step.constant[element if len(step.constant) > 1 else 0])), 256)
            single = (2 / (low + high), Fraction(0))
        scale, offset = scale * single[0], offset * single[0] + single[1]
    return scale, offset
