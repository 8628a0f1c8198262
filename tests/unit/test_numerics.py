"""Chains against plain rational arithmetic, with scales that make ties frequent."""

from fractions import Fraction
from math import isqrt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from c4ml_xdsl.numerics.chain import Step, evaluate
from c4ml_xdsl.numerics.rounding import RoundingMode, round_fraction, round_shift
from c4ml_xdsl.numerics.staircase import solve_thresholds

constants = st.one_of(
    st.integers(-12, 12).map(lambda e: 2.0**e),
    st.integers(-40, 40).map(lambda k: k / 8),
    st.floats(-8, 8, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6),
)
nonzero = constants.filter(bool)
modes = st.sampled_from(list(RoundingMode))


def oracle(steps: list[tuple[str, float]], mode: RoundingMode, low: int, high: int, n: int) -> int:
    value = Fraction(n)
    for operation, constant in steps:
        c = Fraction(constant)
        if operation == "div_sqrt":
            root = Fraction(isqrt(c.numerator * c.denominator << 400), c.denominator << 200)
            value = value / root
        else:
            value = {
                "add": value + c,
                "sub": value - c,
                "mul": value * c,
                "div": value / c if c else value,
                "max": max(value, c),
                "min": min(value, c),
            }[operation]
    return min(max(round_fraction(min(max(value, Fraction(low)), Fraction(high)), mode), low), high)


steps_strategy = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "max", "min"]), constants),
        st.tuples(st.just("div"), nonzero),
        st.tuples(st.just("div_sqrt"), st.sampled_from([0.25, 1.0, 4.0, 2.25, 3.0, 0.7, 1e-5])),
    ),
    min_size=1,
    max_size=6,
).filter(lambda steps: all(steps.count(("div_sqrt", radicand)) < 2 for radicand in (3.0, 0.7, 1e-5)))
"""Twice the same irrational root is rational again, which the oracle, with a root of 200 bits, doesn't see."""


def one(value: float) -> np.ndarray:
    return np.array([np.float64(value)])


@settings(max_examples=400, deadline=None)
@given(steps_strategy, modes, st.integers(-9, 0), st.integers(1, 20), st.integers(1, 3000))
def test_chains_and_their_thresholds_equal_rational_arithmetic(
    steps: list[tuple[str, float]], mode: RoundingMode, low: int, high: int, span: int
) -> None:
    chain = [Step(operation, one(constant)) for operation, constant in steps]
    chain += [Step("max", one(low)), Step("min", one(high)), Step("round", mode=mode)]
    n = np.unique(np.linspace(-span, span, 41).astype(np.int64))[None, :]
    expected = [oracle(steps, mode, low, high, int(each)) for each in n[0]]
    assert evaluate(chain, n)[0].tolist() == expected
    found = solve_thresholds(chain, np.array([-span]), np.array([span]))
    assert found is not None
    assert found.evaluate(n)[0].tolist() == expected


@given(st.integers(-(2**60), 2**60), st.integers(0, 40), modes)
def test_shifts_round_as_fractions_do(value: int, shift: int, mode: RoundingMode) -> None:
    assert int(round_shift(np.array([value]), shift, mode)[0]) == round_fraction(Fraction(value, 1 << shift), mode)


def test_a_tie_that_floats_miss_is_decided_exactly() -> None:
    """0.1f * 5 is not 0.5, though float32 says so: the exact value lies above the tie and rounds to 1."""
    scale = float(np.float32(0.1))
    assert np.rint(np.float32(scale) * np.float32(5)) == 0
    chain = [Step("mul", one(scale)), Step("round", mode=RoundingMode.HALF_EVEN)]
    assert evaluate(chain, np.array([[5]])).tolist() == [[1]]


def test_two_equal_roots_are_rational_again() -> None:
    """3 / 2 / sqrt(3) / sqrt(3) is exactly one half, a tie that goes to even."""
    chain = [Step("div_sqrt", one(4.0)), Step("div_sqrt", one(3.0)), Step("div_sqrt", one(3.0))]
    assert evaluate([*chain, Step("round", mode=RoundingMode.HALF_EVEN)], np.array([[3, -3, 9]])).tolist() == [
        [0, 0, 2]
    ]
    assert evaluate([*chain, Step("round", mode=RoundingMode.HALF_UP)], np.array([[3, -3, 9]])).tolist() == [[1, -1, 2]]


def test_a_tie_behind_an_irrational_factor_is_a_tie() -> None:
    """(n - mean) / sqrt(3) + 0.5 at n = mean is exactly one half."""
    chain = [Step("sub", one(7.0)), Step("div_sqrt", one(3.0)), Step("add", one(0.5))]
    values = [
        int(evaluate([*chain, Step("round", mode=m)], np.array([[7]]))[0, 0])
        for m in (RoundingMode.HALF_EVEN, RoundingMode.HALF_UP)
    ]
    assert values == [0, 1]


@settings(max_examples=300, deadline=None)
@given(st.integers(-40, 40), st.integers(1, 200), modes, st.integers(-3, 3))
def test_values_a_hair_from_a_tie_are_decided_exactly(half: int, n: int, mode: RoundingMode, steps: int) -> None:
    """n * c lies within a few units in the last place of a tie, which rounding in float64 would not see."""
    constant = (half + 0.5) / n
    for _ in range(abs(steps)):
        constant = float(np.nextafter(constant, np.inf if steps > 0 else -np.inf))
    chain = [Step("mul", one(constant)), Step("round", None, mode)]
    assert evaluate(chain, np.array([[n]]))[0, 0] == round_fraction(Fraction(constant) * n, mode)
