"""The search's budget: counted in iterations, bounded for a network, growing with its weights."""

import numpy as np
import pytest

from c4ml_xdsl.circuits.adder_graph import share_sums
from c4ml_xdsl.circuits.adder_graph.budget import (
    NETWORK_MICROSECONDS,
    NETWORK_MICROSECONDS_A_DIGIT,
    SUMS_AT_ONCE,
    digits_of,
    groups_of,
    iterations_of,
    microseconds_of,
    permille_of,
)
from c4ml_xdsl.circuits.adder_rows import signed_digits


def test_digits_are_those_of_the_signed_digits() -> None:
    weights = np.random.default_rng(0).integers(-1000, 1000, (7, 30))
    wanted = [sum(len(signed_digits(abs(int(each)))) for each in row if each) for row in weights]
    assert digits_of(weights).tolist() == wanted
    many = np.ones((300, 2), np.int64)
    for effort, size in SUMS_AT_ONCE.items():
        groups = groups_of(effort, many)
        assert sum(groups) == 600
        assert max(groups) == 2 * size


@pytest.mark.parametrize("layers", [[600] * 3, [900, 2000, 12000, 12000, 40], [25000] * 20], ids=str)
def test_a_network_stays_within_its_budget(layers: list[int]) -> None:
    permille = permille_of("normal", layers)
    given = NETWORK_MICROSECONDS + NETWORK_MICROSECONDS_A_DIGIT * sum(layers)
    taken = sum(microseconds_of("normal", digits) * permille // 1000 for digits in layers)
    assert 0.99 * min(given, sum(microseconds_of("normal", each) for each in layers)) < taken <= given
    assert permille_of("fast", layers) == permille_of("max", layers) == 1000


def test_more_effort_is_more_iterations() -> None:
    for digits in (10, 500, 5000, 30000):
        assert iterations_of("fast", digits) < iterations_of("normal", digits) < iterations_of("max", digits)
    # larger layers are searched in larger groups: in all, they take longer
    layer = np.ones((512, 400), np.int64)
    seconds: list[int] = []
    for effort in ("fast", "normal", "max"):
        groups = groups_of(effort, layer)
        seconds.append(sum(microseconds_of(effort, each) for each in groups) * permille_of(effort, groups))
    assert seconds == sorted(seconds)


def test_the_gain_of_the_second_half_is_told() -> None:
    weights = np.random.default_rng(1).integers(-8, 8, (12, 12))
    ranges = [(-8, 7)] * 12
    graph = share_sums(weights, [0] * 12, ranges, 3, "fast", iterations=4000)
    assert graph.sites <= graph.halfway <= graph.greedy
    assert graph.sites < graph.greedy
    none = share_sums(weights, [0] * 12, ranges, 3, "fast", iterations=0)
    assert none.sites == none.halfway == none.greedy == graph.greedy
    less = share_sums(weights, [0] * 12, ranges, 3, "normal", permille=0)
    assert less.rows == none.rows


def test_max_is_minutes() -> None:
    for digits in (1, 40, 1000, 3000):  # up to 32 sums of 32 inputs, or 64 of which half are none
        assert microseconds_of("max", digits) <= 120_000_000
    for digits in (6000, 20_000, 100_000):
        assert microseconds_of("max", digits) <= 480_000_000
