"""The solvers of `compressor` against the matrices, and their circuits."""

import numpy as np
import pytest

from c4ml_xdsl.circuits.bit_heap import Heaps, build
from c4ml_xdsl.circuits.compressor import compress, evaluate
from c4ml_xdsl.numerics.chain import Integers


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("weights", [(-1, 1), (-1, 0, 1), (-3, 0, 1, 2)])
def test_counters_give_the_sums(size: int, weights: tuple[int, ...]) -> None:
    random = np.random.default_rng(size)
    matrix = random.choice(weights, (7, 29)).astype(np.int64)
    found = compress(matrix, size, "fast")
    bits = random.integers(0, 2, (29, 500))
    assert np.array_equal(evaluate(found, bits), matrix @ bits)


def _run(heaps: Heaps, bits: Integers) -> Integers:
    counts: list[Integers] = []

    def value(source: int, position: int, inverted: bool) -> Integers:
        return (bits[source] if position < 0 else counts[source] >> position & 1) ^ int(inverted)

    for counter in heaps.counters:
        total = np.full(bits.shape[1], counter.plus)
        for bit, weight in zip(counter.bits, counter.weights, strict=True):
            total = total + weight * value(bit.source, bit.position, bit.inverted)
        counts.append(total)
    results: list[Integers] = []
    for comparison in heaps.comparisons:
        total = np.zeros(bits.shape[1], np.int64)
        for bit, weight in zip(comparison.bits, comparison.weights, strict=True):
            total = total + weight * value(bit.source, bit.position, False)
        results.append((total >= comparison.least).astype(np.int64))
    return np.array(results)


@pytest.mark.parametrize("seed", range(12))
def test_heaps_compare_the_sums(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix = random.choice((-1, 1) if seed % 2 else (-1, 0, 1), (6, 9 + 5 * seed)).astype(np.int64)
    bits = random.integers(0, 2, (matrix.shape[1], 2000))
    sums = matrix @ bits
    thresholds = np.median(sums, axis=1).astype(np.int64) + random.integers(-1, 2, 6)
    found = compress(matrix, 2 + seed % 2, "fast")
    heaps = build(found, [int(t) - c for t, c in zip(thresholds, found.constants, strict=True)])
    assert heaps is not None
    assert np.array_equal(_run(heaps, bits), sums >= thresholds[:, None])
