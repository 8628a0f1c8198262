"""
Constant matrix times vector as one graph of adders: sums share what they have in common.

The search is compiled (`_search.cpp`); how it works is told in `search.hpp`, what a row of adders costs in `rows.hpp`.
It takes and gives numbers alone, knows no IR, and is the same on every machine: it counts iterations, not seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from c4ml_xdsl.circuits.adder_graph._search import CARRY_DELAY, LUT_DELAY, ROW_DELAYS, Result, search
from c4ml_xdsl.circuits.adder_graph.budget import SUMS_AT_ONCE, TEMPERATURES, Effort, groups_of, iterations_of
from c4ml_xdsl.circuits.adder_graph.hub_sum import Hub, find_hub
from c4ml_xdsl.circuits.adder_rows import signed_digits
from c4ml_xdsl.leftovers import worker_threads
from c4ml_xdsl.numerics.chain import Integers

__all__ = [
    "CARRY_DELAY",
    "LUT_DELAY",
    "ROW_DELAYS",
    "AdderGraph",
    "Effort",
    "SharedRow",
    "Summand",
    "TooLargeError",
    "share_sums",
]

LARGEST = 1 << 59
"""No partial sum's magnitude reaches this, so the search can't overflow."""


class TooLargeError(ValueError):
    """Sums whose values could leave 60 bits."""


WORTH_A_HUB, WORTH_A_LATE_HUB, WORTH_A_TRIAL = 0.95, 0.8, 0.9
"""
What sums as differences from one of them may take, of what they take by themselves, before anything is searched.

They are slower. For any delay the first is enough to choose them, with a deadline the second; or the third to try them.
"""

HUB_SLACK = 1000
"""The picoseconds that such sums get in addition to a deadline: without, by trial, they share next to nothing."""

OTHER_DELAY = 1000
"""Picoseconds in front of sums and behind them, about."""

TRIAL, LEAST_TRIAL = 6, 0.1
"""
With a deadline, each way to build sums is tried by one in so many iterations, with fewer at the end.

Not so where a trial would have fewer iterations than that for each digit: it would say nothing.
"""

_Digits = list[tuple[int, int, bool]]


@dataclass(frozen=True)
class Summand:
    """±(value << shift): `value` numbers the inputs first, then the rows."""

    value: int
    shift: int
    negative: bool


@dataclass(frozen=True)
class SharedRow:
    """
    One adder of at most three summands and constants, or a heap of more, with the exact range of its result.

    Or a table of any number of summands that depend on six bits of inputs at most.
    """

    summands: tuple[Summand, ...]
    constant: int
    low: int
    high: int
    table: bool = False


@dataclass(frozen=True)
class AdderGraph:
    """Rows in an order in which each reads earlier ones; `outputs` are the sums, None for a bare constant."""

    rows: tuple[SharedRow, ...]
    outputs: tuple[Summand | None, ...]
    sites: int
    delay: int
    """Picoseconds to the last bit of the last sum, without the way in: adders alone, after the target xilinx."""
    greedy: int
    """Sites before the first iteration of the search, with what lateness counts for."""
    halfway: int
    """The same of the best graph after half of the iterations: what more of them would gain is less than since then."""


def share_sums(
    coefficients: Integers,
    constants: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    arity: Literal[2, 3],
    effort: Effort = "normal",
    iterations: int | None = None,
    permille: int = 1000,
    slack: int | None = None,
    carry_save: bool = False,
    tables: bool = False,
    seed: int = 0,
) -> AdderGraph:
    """
    A small graph of adders for `coefficients @ x + constants`.

    `coefficients` has shape (sums, inputs), `ranges` the lowest and highest integer of each input. `arity` is how many
    summands a row may have. With `carry_save` rows of three are carry-save adders in front of rows of two, and longer
    sums are heaps of counters (`heap.hpp`).
    With `tables`, what depends on six bits of inputs at most is a table. `slack` is by how many picoseconds sums may be
    later than the latest would be without sharing: more of them cost as much as many sites, so it is met where it can
    be; None for any delay. Of sums by that time, sums that are a row of two earlier, and differences from one of them
    that are one or two rows later, those of the least product of sites and delay are taken. The search makes `permille`
    of the iterations that `effort` stands for, or `iterations`; it is a hotter and more thorough one for `max`.

    Raises TooLargeError for sums of more than 57 bits.
    """
    magnitudes = np.array([max(abs(low), abs(high)) for low, high in ranges], object)
    largest = [int(each) for each in (np.abs(coefficients).astype(object) @ magnitudes).tolist()]
    if any(4 * (each + abs(constant)) >= LARGEST for each, constant in zip(largest, constants, strict=True)):
        raise TooLargeError("sums of more than 57 bits")
    size = SUMS_AT_ONCE[effort]
    limits = [
        iterations_of(effort, digits, carry_save) * permille // 1000 if iterations is None else iterations
        for digits in groups_of(effort, coefficients)
    ]

    def share(start: int, limit: int) -> AdderGraph:
        rows, added = coefficients[start : start + size], constants[start : start + size]
        return _share(rows, added, ranges, arity, limit, effort, slack, carry_save, tables, seed)

    with worker_threads() as pool:  # the search holds no lock
        graphs = list(pool.map(share, range(0, len(coefficients), size), limits))
    return graphs[0] if len(graphs) == 1 else _joined(graphs, len(ranges))


@dataclass(frozen=True)
class _Way:
    """How sums are told to the search: digits and constants, in this order, and by when they are asked for."""

    sums: list[_Digits]
    constants: list[int]
    order: list[int]
    slack: int | None


def _share(
    coefficients: Integers,
    constants: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    arity: Literal[2, 3],
    iterations: int,
    effort: Effort,
    slack: int | None,
    carry_save: bool,
    tables: bool,
    seed: int,
) -> AdderGraph:
    """The graph of one group of sums, the best way."""

    def searched(way: _Way, iterations: int) -> Result:
        return search(
            ranges, way.sums, way.constants, arity, carry_save, tables, iterations, *TEMPERATURES[effort],
            effort == "max", way.slack, seed,
        )  # fmt: skip

    def product(found: Result) -> int:
        return found.sites * (found.delay + OTHER_DELAY)

    constants = [constant if row.any() else 0 for constant, row in zip(constants, coefficients, strict=True)]
    ways = [_as_they_are(coefficients, constants, slack)]
    trial = iterations // TRIAL
    earlier: _Way | None = None
    if slack is not None and not carry_save and trial > LEAST_TRIAL * sum(map(len, ways[0].sums)):
        earlier = replace(ways[0], slack=slack - ROW_DELAYS[0])
    hub = None if carry_save else find_hub(coefficients)
    if hub is not None:
        differences = _as_differences(coefficients, constants, hub, slack)
        worth = WORTH_A_HUB if slack is None else WORTH_A_TRIAL if earlier else WORTH_A_LATE_HUB
        if searched(differences, 0).sites < worth * searched(ways[0], 0).sites:
            ways.append(differences)
    if earlier is not None:
        ways.append(earlier)
        iterations -= len(ways) * trial
        way = min(ways, key=lambda each: product(searched(each, trial)))
    else:
        way = ways[-1]
    found = searched(way, iterations)
    rows = tuple(
        SharedRow(tuple(Summand(*summand) for summand in summands), constant, low, high, table)
        for summands, constant, low, high, table in found.rows
    )
    outputs: list[Summand | None] = [None] * len(way.order)
    for place, (value, shift, negative) in zip(way.order, found.outputs, strict=True):
        outputs[place] = None if value < 0 else Summand(value, shift, negative)
    return AdderGraph(rows, tuple(outputs), found.sites, found.delay, found.greedy, found.halfway)


def _as_they_are(coefficients: Integers, constants: Sequence[int], slack: int | None) -> _Way:
    """Sums by themselves."""
    return _Way(_as_digits(coefficients), list(constants), list(range(len(coefficients))), slack)


def _as_digits(coefficients: Integers) -> list[_Digits]:
    """The digits (input, shift, negative) of each row of coefficients."""
    return [
        [
            (index, shift, negative != (coefficient < 0))
            for index, coefficient in enumerate(row)
            if coefficient
            for shift, negative in _digits(abs(coefficient))
        ]
        for row in coefficients.tolist()
    ]


def _as_differences(coefficients: Integers, constants: Sequence[int], hub: Hub, slack: int | None) -> _Way:
    """The hub first, then the other sums in their order: what they add to it as a digit behind those of the inputs."""
    inputs = coefficients.shape[1]
    left = _as_digits(coefficients - np.array(hub.signs)[:, None] * coefficients[hub.index])
    sums = [[*([(inputs, 0, sign < 0)] if sign else []), *digits] for sign, digits in zip(hub.signs, left, strict=True)]
    added = [constant - sign * constants[hub.index] for constant, sign in zip(constants, hub.signs, strict=True)]
    order = [hub.index, *(index for index in range(len(sums)) if index != hub.index)]
    return _Way(
        [sums[index] for index in order],
        [added[index] for index in order],
        order,
        None if slack is None else slack + HUB_SLACK,
    )


_digits = lru_cache(maxsize=1 << 12)(signed_digits)


def _joined(graphs: Sequence[AdderGraph], inputs: int) -> AdderGraph:
    """Graphs of the same inputs side by side."""
    rows: list[SharedRow] = []
    outputs: list[Summand | None] = []
    for graph in graphs:
        before = len(rows)

        def moved(summand: Summand, before: int = before) -> Summand:
            value = summand.value if summand.value < inputs else summand.value + before
            return Summand(value, summand.shift, summand.negative)

        rows += [replace(row, summands=tuple(map(moved, row.summands))) for row in graph.rows]
        outputs += [None if each is None else moved(each) for each in graph.outputs]
    return AdderGraph(
        tuple(rows),
        tuple(outputs),
        sum(graph.sites for graph in graphs),
        max(graph.delay for graph in graphs),
        sum(graph.greedy for graph in graphs),
        sum(graph.halfway for graph in graphs),
    )
