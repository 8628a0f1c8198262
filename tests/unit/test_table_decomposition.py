"""Functions of few bits as truth tables: the plan is the function, and as small as is known to be possible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c4ml_xdsl.circuits.step_function import width_of_range
from c4ml_xdsl.circuits.table_decomposition import MAXIMUM_INPUT_BITS, TablePlan, decompose

Function = tuple[tuple[tuple[int, int], ...], np.ndarray, int]
"""The inputs' ranges, the results of all combinations, and how many bits these have."""


def combinations(ranges: tuple[tuple[int, int], ...]) -> np.ndarray:
    """All that the inputs can be, as columns."""
    grid = np.indices([high - low + 1 for low, high in ranges]).reshape(len(ranges), -1)
    return grid + np.array([low for low, _ in ranges])[:, None]


def solved(function: Function, aim: str = "balanced") -> TablePlan:
    ranges, results, bits = function
    return decompose(ranges, tuple(results.tolist()), bits, aim)  # type: ignore[arg-type]


def check(function: Function, plan: TablePlan) -> None:
    ranges, results, bits = function
    x = combinations(ranges)
    widths = [width_of_range(low, high) for low, high in ranges]
    given_bits = [each >> position & 1 for each, width in zip(x, widths, strict=True) for position in range(width)]
    np.testing.assert_array_equal(plan.evaluate(np.stack(given_bits)), results >> np.arange(bits)[:, None] & 1)
    for number, table in enumerate(plan.tables, sum(widths)):
        assert len(table.entries) == 1 << len(table.inputs)
        assert all(each < number for each in table.inputs)


@st.composite
def functions(draw: st.DrawFn) -> Function:
    """Sums, sums with thresholds, products with a step, and any results at all."""
    ranges: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(1, 7))):
        low = draw(st.sampled_from([0, 0, -1, -2, -4, 1, -3, 5]))
        span = (low, low + draw(st.sampled_from([0, 1, 1, 2, 3, 3, 6, 7])))
        if sum(width_of_range(*each) for each in [*ranges, span]) <= 10:
            ranges.append(span)
    x = combinations(tuple(ranges)) if ranges else np.zeros((0, 1), np.int64)
    weights = draw(st.lists(st.integers(-9, 9), min_size=len(ranges), max_size=len(ranges)))
    total = (np.array(weights, np.int64)[:, None] * x).sum(axis=0) + draw(st.integers(-9, 9))
    match draw(st.sampled_from(["sum", "steps", "product", "any"])):
        case "sum":
            results = total
        case "steps":
            places = draw(st.lists(st.integers(int(total.min()), int(total.max())), max_size=7))
            results = sum(((total >= place).astype(np.int64) for place in places), np.zeros_like(total))
        case "product":
            results = np.maximum(total * x[0] if ranges else total, draw(st.integers(-9, 9)))
        case _:
            seed = draw(st.integers(0, 99))
            results = np.random.default_rng(seed).integers(0, draw(st.sampled_from([2, 3, 8])), total.shape)
    return tuple(ranges), results, width_of_range(int(results.min()), int(results.max()))


@settings(max_examples=200, deadline=None)
@given(functions(), st.sampled_from(["area", "balanced", "delay"]))
def test_a_plan_is_the_function(function: Function, aim: str) -> None:
    plan = solved(function, aim)
    check(function, plan)
    if sum(width_of_range(low, high) for low, high in function[0]) <= 6:
        assert plan.levels <= 1
        assert plan.sites <= function[2]


def neurons(inputs: int, span: tuple[int, int], largest: int, count: int) -> list[Function]:
    """Neurons of random weights and three thresholds about the middle."""
    random = np.random.default_rng(0)
    ranges = (span,) * inputs
    found: list[Function] = []
    for _ in range(count):
        weights = random.integers(1, largest + 1, inputs) * random.choice([-1, 1], inputs)
        total = (weights[:, None] * combinations(ranges)).sum(axis=0)
        spread = max(1, round(float(total.std())))
        thresholds = int(np.median(total)) + np.array([-spread, 0, spread])
        found.append((ranges, (total[:, None] >= thresholds).sum(axis=1), 2))
    return found


@pytest.mark.parametrize(
    ("inputs", "span", "largest", "sites", "levels"),
    [(4, (0, 3), 7, 5.3, 2), (5, (0, 3), 7, 8.3, 3), (3, (-4, 3), 7, 7.0, 2.5), (12, (0, 1), 1, 8.0, 2)],
    ids=["8 bits", "10 bits", "9 bits, signed", "12 bits of one"],
)
def test_neurons_are_small(inputs: int, span: tuple[int, int], largest: int, sites: float, levels: float) -> None:
    """Adders and thresholds take two to three times as much."""
    plans: list[TablePlan] = []
    for function in neurons(inputs, span, largest, 6):
        plans.append(solved(function))
        check(function, plans[-1])
    assert sum(plan.sites for plan in plans) <= sites * len(plans)
    assert sum(plan.levels for plan in plans) <= levels * len(plans)


def test_bits_that_an_input_does_not_use_are_free() -> None:
    """Five integers of three bits each: whatever the others would give doesn't matter."""
    ranges = ((0, 4), (0, 4))
    x = combinations(ranges)
    plan = solved((ranges, (x[0] == 4) ^ (x[1] == 4), 1))
    assert plan.sites == 1
    assert plan.tables[0].inputs == (2, 5)


def test_any_function_has_a_plan_within_the_limit() -> None:
    """Nothing can be bound together in a random function; a table with multiplexers is what is left."""
    ranges = ((0, (1 << MAXIMUM_INPUT_BITS) - 1),)
    results = np.random.default_rng(0).integers(0, 2, 1 << MAXIMUM_INPUT_BITS)
    check((ranges, results, 1), solved((ranges, results, 1)))
    with pytest.raises(ValueError, match="15 bits"):
        decompose(((0, (1 << 15) - 1),), (0,), 1)
