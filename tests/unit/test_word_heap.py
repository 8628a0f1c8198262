"""Heaps of words: they are the sum modulo 2^width, and as small as the search takes them to be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c4ml_xdsl.circuits.adder_graph import ROW_DELAYS, share_sums
from c4ml_xdsl.circuits.bit_heap import Bit
from c4ml_xdsl.circuits.word_heap import HeapWord, WordHeap, plan_words

words = st.builds(
    HeapWord, st.integers(1, 6), st.booleans(), st.integers(0, 5), st.booleans(), st.sampled_from([0, 0, 300, 2100])
)


def value(heap: WordHeap, given: list[int]) -> int:
    """The sum of what is left in the columns, from the words' bits."""
    values = [*given]

    def read(bit: Bit) -> int:
        return (values[bit.source] >> bit.position & 1) ^ bit.inverted

    for counter, bits in zip(heap.counters, heap.bits, strict=True):
        count = counter.plus + sum(weight * read(bit) for bit, weight in zip(counter.bits, counter.weights))
        assert len(counter.bits) <= 6
        assert count <= counter.most
        values.append(count & ((1 << bits) - 1))
    return heap.ones + sum(read(bit) << column for column, bits in enumerate(heap.columns) for bit in bits)


@settings(max_examples=300, deadline=None)
@given(st.lists(words, min_size=1, max_size=40), st.integers(-300, 300), st.integers(1, 16))
def test_a_heap_is_the_sum(given_words: list[HeapWord], constant: int, width: int) -> None:
    heap = plan_words(given_words, constant, width)
    assert all(len(bits) + (heap.ones >> column & 1) <= 3 for column, bits in enumerate(heap.columns))
    draw = np.random.default_rng(len(given_words))
    for _ in range(20):
        integers = [int(draw.integers(1 << word.bits)) for word in given_words]
        total = constant
        for word, integer in zip(given_words, integers):
            number = integer - (1 << word.bits) if word.signed and integer >> word.bits - 1 else integer
            total += (-number if word.negative else number) << word.shift
        assert (value(heap, integers) - total) % (1 << width) == 0


@pytest.mark.parametrize("count", [4, 6, 9, 17, 32, 60])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_counters_of_six_halve_a_heap_in_each_level(count: int, bits: int) -> None:
    """A LUT for each bit that it loses, the last three words included, and few more."""
    width = (count * ((1 << bits) - 1)).bit_length()
    heap = plan_words([HeapWord(bits, False, 0, False)] * count, 0, width)
    counted = sum(heap.bits)
    left = sum(map(len, heap.columns))
    assert counted <= 1.25 * (count * bits - left) + 3
    graph = share_sums(np.ones((1, count), np.int64), [0], [(0, (1 << bits) - 1)] * count, 3, iterations=0,
                       carry_save=True)  # fmt: skip
    assert counted <= graph.sites <= counted + 2 * width


def test_a_late_word_waits_for_nothing() -> None:
    """What is there early is counted before the last word comes, which a carry-save adder takes in."""
    early = [HeapWord(4, False, 0, False)] * 12
    heap = plan_words([*early, HeapWord(4, False, 0, False, 2800)], 0, 8)
    assert heap.arrival == 2800 + ROW_DELAYS[1]
