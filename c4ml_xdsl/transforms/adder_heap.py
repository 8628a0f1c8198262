"""How `convert-neuron-to-hw` builds a sum of many summands where delay counts: as a heap of bits."""

from collections.abc import Sequence

from xdsl.ir import SSAValue

from c4ml_xdsl.circuits.bit_heap import Bit
from c4ml_xdsl.circuits.compressor import table_of
from c4ml_xdsl.circuits.word_heap import HeapWord, plan_words
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.transforms.adder_row import Summand
from c4ml_xdsl.transforms.comb_builder import CombBuilder


def heap_sum(
    builder: CombBuilder, summands: Sequence[Summand], arrivals: Sequence[int], constant: int, width: int
) -> tuple[SSAValue, int]:
    """
    The sum of summands and a constant in `width` bits, and when its lowest bit arrives, in picoseconds.

    Counters are truth tables; the three words that they leave are added as parity and majority.
    """
    words = [
        HeapWord(comb.width_of(each.value), each.signed, each.shift, each.negative, arrival)
        for each, arrival in zip(summands, arrivals, strict=True)
    ]
    heap = plan_words(words, constant, width)
    values = [each.value for each in summands]

    def value(bit: Bit) -> SSAValue:
        return builder.extract(values[bit.source], bit.position, 1)

    for counter, kept in zip(heap.counters, heap.bits, strict=True):
        inputs = [value(bit) for bit in counter.bits]
        counts = table_of([bit.inverted for bit in counter.bits], counter.weights, counter.plus)
        tables = [
            comb.TruthTableOp.of(inputs, [count >> position & 1 for count in counts])
            for position in reversed(range(kept))
        ]
        values.append(builder.concat([builder.append(table) for table in tables]))
        values[-1].name_hint = "count"

    columns: list[list[SSAValue]] = []
    for position, bits in enumerate(heap.columns):
        # a carry chain takes in the inversion of its second word's bits alone
        ordered = sorted(bits, key=lambda bit: bit.inverted)
        column = [builder.invert(value(bit)) if bit.inverted else value(bit) for bit in ordered]
        if heap.ones >> position & 1:
            column.append(builder.constant(1, 1))
        columns.append(column)
    return _added(builder, columns), heap.arrival


def _added(builder: CombBuilder, columns: list[list[SSAValue]]) -> SSAValue:
    """The sum of columns of at most three bits."""
    width = len(columns)
    heights = [len(column) for column in columns]
    chain = next((position for position, height in enumerate(heights) if height > 1), width)
    passed = [column[0] if column else builder.constant(0, 1) for column in columns[:chain]]
    if chain == width:
        return builder.concat(passed[::-1])
    one = builder.constant(1, 1)
    carry = heights[chain] == 3 and columns[chain][2] is one
    if carry:
        columns = [*columns]
        columns[chain] = columns[chain][:2]
        heights[chain] = 2
    saved = next((position for position, height in enumerate(heights) if height > 2), width)

    def word(number: int, low: int, high: int) -> SSAValue:
        zero = builder.constant(0, 1)
        return builder.concat(
            [column[number] if number < len(column) else zero for column in reversed(columns[low:high])]
        )

    left: list[SSAValue] = []
    right: list[SSAValue] = []
    if saved < width:
        upper = [word(number, saved, width) for number in range(3)]
        pairs = [builder.logic(comb.AndOp, upper[i], upper[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        majority = builder.logic(comb.OrOp, *pairs)
        left.append(builder.logic(comb.XorOp, *upper))
        if width - saved > 1:
            right.append(builder.extract(majority, 0, width - saved - 1))
        right.append(builder.constant(0, 1))
    if saved > chain:
        left.append(word(0, chain, saved))
        right.append(word(1, chain, saved))
    first, second = builder.concat(left), builder.concat(right)
    row = builder.sub(first, builder.invert(second)) if carry else builder.add([second, first])
    return builder.concat([row, *passed[::-1]])
