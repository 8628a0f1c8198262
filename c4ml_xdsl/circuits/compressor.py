"""
Counters for sums of many single bits: what sums have in common are numbers of ones.

Sums are taken in groups of two or three. Bits that have the same weights in all sums of a group, up to one sign for
all, are a class: the group's sums are weighted sums of the classes' numbers of ones, with the bits of the other sign
inverted. Counters of up to six bits, three LUTs each, count the ones of a class. For two sums of weights -1 and 1 the
classes are where the weights agree and where they differ.

Nothing here knows IR: bits are columns of a matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from c4ml_xdsl.circuits.adder_graph import Effort
from c4ml_xdsl.numerics.chain import Integers

COUNTER_BITS = 6
"""The bits that one counter takes: as many as a LUT has inputs."""

COUNTER_SITES = (0, 0, 2, 2, 3, 3, 3)
"""LUT sites of a counter by its bits: one an output bit; one bit needs none."""

COUNTED = (0, 15, 38, 40, 52, 52, 52)
"""Tenths of a site that a counter and adding its result take, by its bits: what groups are chosen by."""

ATTEMPTS: dict[Effort, int] = {"fast": 20, "normal": 60, "max": 400}
"""How many exchanges of two sums are tried for each sum."""


@dataclass(frozen=True)
class Counter:
    """The number of ones among some bits, those of `inverted` counted where they are 0."""

    bits: tuple[int, ...]
    inverted: tuple[bool, ...]


@dataclass(frozen=True)
class Compression:
    """
    Sums of bits as sums of counters: `coefficients` (sums, counters), and the constants that are to be added.

    A counter of one bit stands for the bit itself and is never inverted.
    """

    counters: tuple[Counter, ...]
    coefficients: Integers
    constants: tuple[int, ...]

    @property
    def sites(self) -> int:
        """LUT sites of the counters."""
        return sum(COUNTER_SITES[len(each.bits)] for each in self.counters)


def compress(coefficients: Integers, size: int, effort: Effort) -> Compression:
    """Counters for `coefficients` (sums, bits), the sums in groups of at most `size`."""
    groups = grouped(coefficients, size, effort)
    counters: dict[Counter, int] = {}
    entries: list[tuple[int, int, int]] = []
    constants = [0] * len(coefficients)
    for group in groups:
        for weights, bits, inverted in _classes(coefficients[group]):
            for start in range(0, len(bits), COUNTER_BITS):
                counter, sign = _counter(bits[start : start + COUNTER_BITS], inverted[start : start + COUNTER_BITS])
                number = counters.setdefault(counter, len(counters))
                negative = sum(inverted[start : start + COUNTER_BITS])
                for sum_, weight in zip(group, weights, strict=True):
                    if weight:
                        entries.append((sum_, number, sign * weight))
                        constants[sum_] -= weight * (negative if sign > 0 else 0)
    matrix = np.zeros((len(coefficients), len(counters)), np.int64)
    for sum_, number, weight in entries:
        matrix[sum_, number] += weight
    return Compression(tuple(counters), matrix, tuple(constants))


def _counter(bits: tuple[int, ...], inverted: tuple[bool, ...]) -> tuple[Counter, int]:
    """A counter and the sign of its result: one inverted bit is the bit subtracted."""
    if len(bits) == 1:
        return Counter(bits, (False,)), -1 if inverted[0] else 1
    return Counter(bits, inverted), 1


def _classes(rows: Integers) -> list[tuple[tuple[int, ...], tuple[int, ...], tuple[bool, ...]]]:
    """The weights in all rows, the columns that have them, and which of these have them negated."""
    classes: dict[tuple[int, ...], list[tuple[int, bool]]] = {}
    for column, weights in enumerate(rows.T.tolist()):
        first = next((each for each in weights if each), 0)
        if first:
            negative = first < 0
            key = tuple(-each if negative else each for each in weights)
            classes.setdefault(key, []).append((column, negative))
    return [
        (weights, tuple(column for column, _ in members), tuple(negative for _, negative in members))
        for weights, members in classes.items()
    ]


def grouped(coefficients: Integers, size: int, effort: Effort) -> list[list[int]]:
    """Groups of at most `size` sums, improved by exchanges for as long as `effort` says; the same on every machine."""
    count = len(coefficients)
    groups = [list(range(start, min(start + size, count))) for start in range(0, count, size)]
    if size == 1 or len(groups) < 2:
        return groups
    random = np.random.default_rng(0)
    costs = [_cost(coefficients[group]) for group in groups]
    for _ in range(ATTEMPTS[effort] * count):
        a, b = (int(each) for each in random.choice(len(groups), 2, replace=False))
        i, j = int(random.integers(len(groups[a]))), int(random.integers(len(groups[b])))
        first: list[int] = [*groups[a]]
        second: list[int] = [*groups[b]]
        first[i], second[j] = second[j], first[i]
        changed = _cost(coefficients[first]), _cost(coefficients[second])
        if sum(changed) <= costs[a] + costs[b]:
            groups[a], groups[b] = first, second
            costs[a], costs[b] = changed
    return groups


def _cost(rows: Integers) -> int:
    """Tenths of a site of a group's counters and of adding what they count."""
    base = 2 * int(np.abs(rows).max(initial=0)) + 1
    codes = np.zeros(rows.shape[1], np.int64)
    for row in rows:
        codes = codes * base + row
    _, sizes = np.unique(np.abs(codes[codes != 0]), return_counts=True)
    whole, rest = np.divmod(sizes, COUNTER_BITS)
    return int(whole.sum()) * COUNTED[COUNTER_BITS] + sum(COUNTED[each] for each in map(int, rest))


def evaluate(compression: Compression, bits: Integers) -> Integers:
    """What the sums are for bits (bits, samples), from the counters: to compare with the matrix."""
    counted = np.zeros((len(compression.counters), bits.shape[1]), np.int64)
    for row, counter in zip(counted, compression.counters, strict=True):
        for bit, inverted in zip(counter.bits, counter.inverted, strict=True):
            row += bits[bit] ^ int(inverted)
    return compression.coefficients @ counted + np.array(compression.constants)[:, None]


def table_of(inverted: Sequence[int], weights: Sequence[int], constant: int) -> tuple[int, ...]:
    """The counter's result for all its bits, the first of them the most significant of the index."""
    places = range(len(weights))
    return tuple(
        constant + sum(weights[each] for each in places if (index >> (len(weights) - 1 - each) & 1) != inverted[each])
        for index in range(1 << len(weights))
    )
