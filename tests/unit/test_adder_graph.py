"""Shared adder graphs: the sums are exact, the ranges too, and the search is what it promises to be."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c4ml_xdsl.circuits import adder_graph
from c4ml_xdsl.circuits.adder_graph import AdderGraph, Summand, TooLargeError, share_sums
from c4ml_xdsl.circuits.adder_graph._search import search
from c4ml_xdsl.circuits.adder_graph.budget import TEMPERATURES
from c4ml_xdsl.circuits.adder_graph.hub_sum import count_digits, find_hub
from c4ml_xdsl.circuits.adder_rows import signed_digits
from c4ml_xdsl.circuits.step_function import width_of_range

Problem = tuple[np.ndarray, list[int], list[tuple[int, int]]]


def forms(graph: AdderGraph, inputs: int) -> list[list[int]]:
    """Coefficients and constant of each value, in Python integers: inputs, then rows."""
    values = [[int(i == j) for j in range(inputs)] + [0] for i in range(inputs)]
    for row in graph.rows:
        values.append(
            [sum(each) for each in zip([0] * inputs + [row.constant], *(term(values, s) for s in row.summands))]
        )
    return values


def term(values: list[list[int]], summand: Summand) -> list[int]:
    factor = (-1 if summand.negative else 1) * 2**summand.shift
    return [factor * each for each in values[summand.value]]


def check(problem: Problem, graph: AdderGraph, arity: int, heaps: bool = False) -> None:
    coefficients, constants, ranges = problem
    values = forms(graph, len(ranges))
    for number, row in enumerate(graph.rows, len(ranges)):
        if row.table:
            read = [ends for ends, coefficient in zip(ranges, values[number]) if coefficient and ends[0] < ends[1]]
            assert sum(width_of_range(*ends) for ends in read) <= 6
        elif not heaps:
            assert len(row.summands) + bool(row.constant) <= arity
        assert all(summand.value < number and summand.shift >= 0 for summand in row.summands)
        ends = [sorted((c * low, c * high)) for c, (low, high) in zip(values[number], ranges)]
        low, high = (sum(each) + values[number][-1] for each in zip(*ends))
        assert (row.low, row.high) == (low, high)
    for wanted, constant, output in zip(coefficients.tolist(), constants, graph.outputs, strict=True):
        if output is None:
            assert not any(wanted)
        else:
            assert term(values, output) == [*wanted, constant]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    sums, inputs = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    bits = draw(st.sampled_from([1, 2, 4, 9, 20]))
    numbers = st.integers(-(1 << bits) + 1, (1 << bits) - 1) | st.just(0) | st.sampled_from([1, -1, 3, -5])
    rows = draw(st.lists(st.lists(numbers, min_size=inputs, max_size=inputs), min_size=sums, max_size=sums))
    constants = draw(st.lists(st.integers(-300, 300) | st.just(0), min_size=sums, max_size=sums))
    ranges = [
        tuple(sorted((draw(st.integers(-200, 200)), draw(st.sampled_from([0, 1, 3, 7, -8, 130])))))
        for _ in range(inputs)
    ]
    return np.array(rows, np.int64), constants, ranges


@settings(max_examples=150, deadline=None)
@given(
    problem=problems(),
    arity=st.sampled_from([2, 3]),
    iterations=st.sampled_from([0, 30, 300]),
    tables=st.booleans(),
    heaps=st.booleans(),
    slack=st.sampled_from([None, 0, -500]),
    seed=st.integers(0, 5),
)
def test_the_sums_are_exact(
    problem: Problem, arity: int, iterations: int, tables: bool, heaps: bool, slack: int | None, seed: int
) -> None:
    graph = share_sums(
        *problem, arity=arity, iterations=iterations, tables=tables, carry_save=heaps, slack=slack, seed=seed
    )
    check(problem, graph, arity, heaps)


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("carry_save", [False, True])
def test_sums_of_few_bits_are_tables_and_smaller(width: int, carry_save: bool) -> None:
    weights, constants, _ = random_layer(16, 16, 2)
    problem = weights, constants, [(0, (1 << width) - 1)] * 16
    with_tables, without = (
        share_sums(*problem, arity=3, iterations=500, carry_save=carry_save, tables=tables) for tables in (True, False)
    )
    check(problem, with_tables, 3, carry_save)
    assert any(row.table for row in with_tables.rows)
    assert not any(row.table for row in without.rows)
    assert with_tables.sites < (1.02 if carry_save else 1) * without.sites  # heaps have counters otherwise


def random_layer(sums: int, inputs: int, bits: int, zeros: float = 0.0) -> Problem:
    draw = np.random.default_rng(5)
    weights = draw.integers(-(1 << bits - 1), 1 << bits - 1, (sums, inputs))
    weights[draw.random(weights.shape) < zeros] = 0
    return weights, [0] * sums, [(-8, 7)] * inputs


@pytest.mark.parametrize(
    ("sums", "inputs", "bits", "zeros"),
    [(16, 16, 4, 0), (32, 300, 3, 0.5), (8, 8, 12, 0), (40, 40, 1, 0), (70, 30, 3, 0.5)],
)
@pytest.mark.parametrize("arity", [2, 3])
def test_layers_of_real_sizes_are_exact(sums: int, inputs: int, bits: int, zeros: float, arity: int) -> None:
    problem = random_layer(sums, inputs, bits, zeros)
    check(problem, share_sums(*problem, arity=arity, effort="fast"), arity)


def test_more_search_gives_smaller_graphs_of_which_the_same_is_found_again() -> None:
    problem = random_layer(16, 16, 4)
    sizes = [share_sums(*problem, arity=3, iterations=count).sites for count in (0, 2000, 30000)]
    assert sizes[0] > sizes[1] > sizes[2]
    assert share_sums(*problem, arity=3, iterations=2000) == share_sums(*problem, arity=3, iterations=2000)
    alone = sum(share_sums(problem[0][i : i + 1], [0], problem[2], arity=3, iterations=0).sites for i in range(16))
    assert sizes[1] < 0.85 * alone


def test_equal_sums_up_to_shift_and_sign_are_one() -> None:
    graph = share_sums(np.array([[3, 5, 0], [6, 10, 0], [-3, -5, 0]]), [0] * 3, [(0, 15)] * 3, arity=3)
    assert graph.outputs[1] == Summand(graph.outputs[0].value, 1, False)
    assert len(graph.rows) <= 3


@pytest.mark.parametrize(("sums", "inputs", "threes", "slack"), [(24, 48, 8, None), (48, 64, 3, None), (48, 64, 3, 0)])
def test_dense_sums_are_differences_from_one_of_them(
    sums: int, inputs: int, threes: int, slack: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    coefficients = random.choice([-1, 1], (sums, inputs)) * np.where(np.arange(inputs) < threes, 3, 1)
    coefficients[5], coefficients[6], coefficients[7] = -coefficients[4], 0, coefficients[4]
    problem = coefficients, random.integers(-20, 20, sums).tolist(), [(-3, 11)] * inputs
    found = share_sums(*problem, 3, "fast", slack=slack)
    check(problem, found, 3)
    monkeypatch.setattr(adder_graph, "find_hub", lambda _: None)
    alone = share_sums(*problem, 3, "fast", slack=slack)
    check(problem, alone, 3)
    assert found.sites < 0.9 * alone.sites
    assert slack is None or alone.delay < found.delay < 1.4 * alone.delay


def test_a_deadline_is_a_row_of_two_earlier_where_that_costs_little() -> None:
    problem = random_layer(16, 16, 2)
    found = share_sums(*problem, 3, iterations=4000, slack=0)
    check(problem, found, 3)
    assert found.greedy >= found.halfway >= found.sites  # where sums are late it counts
    alone = [share_sums(problem[0][i : i + 1], [0], problem[2], 3, iterations=0, slack=0) for i in range(16)]
    assert found.delay <= max(each.delay for each in alone) - adder_graph.ROW_DELAYS[0]
    assert found.sites < 1.08 * share_sums(*problem, 3, iterations=4000).sites


@given(st.lists(st.lists(st.integers(-9, 9), min_size=5, max_size=5), min_size=2, max_size=6))
def test_a_hub_saves_the_digits_that_it_says(rows: list[list[int]]) -> None:
    coefficients = np.array(rows, np.int64)
    numbers = digits_of(coefficients)
    assert count_digits(coefficients).tolist() == numbers
    hub = find_hub(coefficients)
    totals = [
        sum(
            min(sum(own), *(1 + sum(each) for each in (digits_of(row - other), digits_of(row + other))))
            if index != number
            else sum(own)
            for number, (row, own) in enumerate(zip(coefficients, numbers))
        )
        for index, other in enumerate(coefficients)
    ]
    assert (hub is None) == (min(totals) == sum(map(sum, numbers)))
    if hub is not None:
        left = coefficients - np.array(hub.signs)[:, None] * coefficients[hub.index]
        assert int(count_digits(left).sum()) + sum(map(abs, hub.signs)) == min(totals) == totals[hub.index]


def digits_of(coefficients: np.ndarray) -> list[int]:
    """The signed digits of integers, counted one by one."""
    return np.vectorize(lambda each: len(signed_digits(abs(int(each)))), otypes=[int])(coefficients).tolist()


def test_sums_beyond_60_bits_are_refused() -> None:
    with pytest.raises(TooLargeError):
        share_sums(np.array([[1 << 40]]), [0], [(0, 1 << 20)], arity=3)
    with pytest.raises(TooLargeError):
        share_sums(np.array([[1]]), [1 << 58], [(0, 1)], arity=3)


@pytest.mark.parametrize("carry_save", [False, True])
def test_a_deadline_is_kept_at_a_small_price(carry_save: bool) -> None:
    problem = random_layer(32, 32, 4)
    free = share_sums(*problem, arity=3, iterations=8000, carry_save=carry_save)
    soon = share_sums(*problem, arity=3, iterations=8000, carry_save=carry_save, slack=0)
    alone = [share_sums(problem[0][i : i + 1], [0], problem[2], 3, iterations=0, slack=0, carry_save=carry_save)
             for i in range(32)]  # fmt: skip
    check(problem, soon, 3, carry_save)
    assert soon.delay < free.delay
    assert soon.delay <= max(each.delay for each in alone)
    assert soon.sites < 1.1 * free.sites


def test_a_thorough_search_is_another_one_and_right() -> None:
    """`max` takes more apart at once than `normal` does in as many iterations at the same temperatures."""
    problem = random_layer(12, 12, 4)
    found = share_sums(*problem, arity=3, effort="max", iterations=3000)
    check(problem, found, 3, False)
    digits = [
        [(i, shift, negative != (w < 0)) for i, w in enumerate(row) if w for shift, negative in signed_digits(abs(w))]
        for row in problem[0].tolist()
    ]
    careless, thorough = (
        search(problem[2], digits, problem[1], 3, False, False, 3000, *TEMPERATURES["max"], each, None, 0)
        for each in (False, True)
    )
    assert found.sites == thorough.sites
    assert careless.rows != thorough.rows


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_the_search_stays_within_its_memory(tmp_path: Path) -> None:
    """Random problems with checked containers, AddressSanitizer and UndefinedBehaviorSanitizer."""
    program, sources = tmp_path / "stress", Path(adder_graph.__file__).parent
    options = ["-std=c++20", "-O1", "-D_GLIBCXX_ASSERTIONS", "-fsanitize=address,undefined", f"-I{sources}"]
    subprocess.run(["g++", *options, Path(__file__).parent / "adder_graph/stress.cpp", "-o", program], check=True)
    done = subprocess.run([program, "150"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
