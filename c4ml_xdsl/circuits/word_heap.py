"""
Sums of words as heaps of bits: counters of up to six bits, a LUT level each, and one addition behind them.

What the bits of a signed or a subtracted word lack, as some of them are inverted, is part of the sum's constant, whose
ones go into counters where these have room. Which bits are counted together is decided by the compiled planner in
`adder_graph/heap.hpp`, which the search for shared sums estimates its heaps by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from c4ml_xdsl.circuits.adder_graph._search import plan_heap
from c4ml_xdsl.circuits.bit_heap import Bit, WeightedCounter


@dataclass(frozen=True, slots=True)
class HeapWord:
    """±(word << shift), of so many bits, in two's complement if it is signed; ready after `arrival` picoseconds."""

    bits: int
    signed: bool
    shift: int
    negative: bool
    arrival: int = 0


@dataclass(frozen=True)
class WordHeap:
    """
    Counters, each reading bits of words and of earlier counters, and the bits that are left, by their column.

    Words are numbered first, counters behind them. The sum is that of the bits left and of `ones`, modulo 2^width.
    """

    counters: tuple[WeightedCounter, ...]
    bits: tuple[int, ...]
    """How many bits of each counter's result are in the sum's width."""
    columns: tuple[tuple[Bit, ...], ...]
    ones: int
    arrival: int
    """Picoseconds until the sum's lowest bit is there."""


def plan_words(words: Sequence[HeapWord], constant: int, width: int) -> WordHeap:
    """The heap of a sum of words and a constant in `width` bits: at most three bits and ones are left in a column."""
    ones = constant
    for word in words:
        top = 1 << word.bits + word.shift - 1
        if word.negative:
            ones -= (top if word.signed else 2 * top) - (1 << word.shift)
        elif word.signed:
            ones -= top
    ones %= 1 << width
    order = sorted(range(len(words)), key=lambda index: words[index].arrival)
    ends = [(words[each].shift, words[each].shift + words[each].bits, words[each].arrival) for each in order]
    steps, levels, arrival = plan_heap(ends, ones, width)
    columns: list[list[Bit]] = [[] for _ in range(width + 1)]
    created: list[tuple[int, Bit]] = []
    counters: list[WeightedCounter] = []
    bits: list[int] = []
    waiting = list(zip(levels, order, strict=True))[::-1]

    def arrive(level: int) -> None:
        for column, bit in created:
            columns[column].append(bit)
        created.clear()
        while waiting and waiting[-1][0] <= level:
            number = waiting.pop()[1]
            word = words[number]
            for position in range(min(word.bits, width - word.shift)):
                inverted = word.negative != (word.signed and position == word.bits - 1)
                columns[word.shift + position].append(Bit(number, position, inverted))

    level = 0
    arrive(level)
    for at, column, mine, others, plus in steps:
        while level < at:
            level += 1
            arrive(level)
        taken = columns[column][:mine], columns[column + 1][:others]
        del columns[column][:mine]
        del columns[column + 1][:others]
        counter = WeightedCounter((*taken[0], *taken[1]), (1,) * mine + (2,) * others, int(plus))
        number = len(words) + len(counters)
        counters.append(counter)
        bits.append(min(counter.most.bit_length(), width - column))
        created += [(column + place, Bit(number, place)) for place in range(bits[-1])]
        ones -= int(plus) << column
    arrive(max(levels, default=0) + level + 1)
    return WordHeap(tuple(counters), tuple(bits), tuple(map(tuple, columns[:width])), ones, arrival)
