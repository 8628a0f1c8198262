"""
The strategy `common-pairs`: sums share the pairs of terms that most of them have.

Hartley's elimination of common subexpressions (1996), in its plainest form. Weights are written in canonical signed
digits, so a sum is a list of ±(x << k). The pair of digits that occurs most often in the layer, up to a common shift
and sign, becomes a value of its own, and so on until no pair occurs twice. The sums that are left are short, and
`neuron-expand-sums` adds them up.
"""

from collections import Counter
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.strategies import Goal

MOST_DIGITS = 20_000
"""Layers of more digits are left alone: all pairs of digits of a sum are counted."""

Digit = tuple[int, int, int]
"""±(value << shift): the value's number, the shift and the sign, 1 or -1."""

Pair = tuple[int, int, int, int]
"""x + sign * (y << shift), where x has the number of the first value: (x, y, shift, sign)."""


def build(layer: neuron.LayerOp, goal: Goal) -> bool:
    """Rewrites one layer's sums; refuses very large layers, and those whose sums read other sums."""
    sums = [each for each in layer.body.block.ops if isinstance(each, neuron.SumOp)]
    results = {each.result for each in sums}
    if any(term in results for each in sums for term in each.terms):
        return False
    if sum(len(signed_digits(c)) for each in sums for c in each.coefficients.data) > MOST_DIGITS:
        return False
    search = Search()
    for each in sums:
        search.add(each)
    search.share()
    write(layer, sums, search)
    return True


def signed_digits(number: int) -> list[tuple[int, int]]:
    """The canonical signed digits of an integer, no two of which are neighbours: (shift, sign) each."""
    digits: list[tuple[int, int]] = []
    shift = 0
    while number:
        if number & 1:
            sign = 2 - (number & 3)  # ...01 ends in 1, ...11 in -1
            digits.append((shift, sign))
            number -= sign
        number >>= 1
        shift += 1
    return digits


def pair_of(first: Digit, second: Digit) -> tuple[Pair, int, int]:
    """Two digits as a pair, and the shift and the sign that it takes to get them back."""
    (x, low, sign), (y, high, other) = sorted((first, second), key=lambda digit: (digit[1], digit[0]))
    return (x, y, high - low, sign * other), low, sign


@dataclass
class Search:
    """The digits of all sums, and how often each pair occurs in them."""

    values: list[SSAValue] = field(default_factory=list[SSAValue])
    """The values that occur, by number; pairs come behind the inputs."""
    rows: list[list[Digit]] = field(default_factory=list[list[Digit]])
    pairs: list[Pair] = field(default_factory=list[Pair])
    """The pairs that became values; their numbers follow those of the inputs."""
    inputs: int = 0
    _numbers: dict[SSAValue, int] = field(default_factory=dict[SSAValue, int])

    def add(self, operation: neuron.SumOp) -> None:
        """Takes a sum in; all of them before `share`."""
        digits: list[Digit] = []
        for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
            number = self._numbers.setdefault(term, len(self.values))
            if number == len(self.values):
                self.values.append(term)
            digits += [(number, shift, sign) for shift, sign in signed_digits(coefficient)]
        self.rows.append(digits)
        self.inputs = len(self.values)

    def share(self) -> None:
        """Makes a value of the most common pair, again and again, until none occurs twice."""
        counted = [self.count(row) for row in self.rows]
        total = Counter[Pair]()
        for each in counted:
            total.update(each)
        while total:
            # of the pairs that occur most often the first one, so that the same circuit comes out each time
            pair, often = min(total.items(), key=lambda item: (-item[1], item[0]))
            if often < 2:
                return
            number = self.inputs + len(self.pairs)
            self.pairs.append(pair)
            for index, row in enumerate(self.rows):
                if counted[index][pair]:
                    total.subtract(counted[index])
                    self.rows[index] = self.replace(row, pair, number)
                    counted[index] = self.count(self.rows[index])
                    total.update(counted[index])
            total += Counter()  # drops what no longer occurs

    @staticmethod
    def count(row: list[Digit]) -> Counter[Pair]:
        """The pairs of a sum."""
        return Counter(pair_of(a, b)[0] for i, a in enumerate(row) for b in row[i + 1 :])

    @staticmethod
    def replace(row: list[Digit], pair: Pair, number: int) -> list[Digit]:
        """The sum with a value in the place of a pair, wherever that occurs without overlap."""
        left, found = [*row], list[Digit]()
        i = 0
        while i < len(left):
            for j in range(i + 1, len(left)):
                same, shift, sign = pair_of(left[i], left[j])
                if same == pair:
                    found.append((number, shift, sign))
                    del left[j], left[i]
                    break
            else:
                i += 1
        return left + found


def write(layer: neuron.LayerOp, sums: list[neuron.SumOp], search: Search) -> None:
    """Puts the pairs in front of the first sum, and short sums in the place of the long ones."""
    block = layer.body.block
    values = [*search.values]
    for number, (x, y, shift, sign) in enumerate(search.pairs):
        terms, coefficients = [values[x], values[y]], [1, sign * (1 << shift)]
        low, high = (
            neuron.interval(terms[:1], [sum(coefficients)], 0) if x == y else neuron.interval(terms, coefficients, 0)
        )
        created = neuron.SumOp.of(terms, coefficients, 0, lbir.IntType(low, high))
        created.result.name_hint = f"pair{number}"
        block.insert_op_before(created, sums[0])
        values.append(created.result)
    for operation, row in zip(sums, search.rows, strict=True):
        # what a value is multiplied by is one coefficient again, unless nothing is left of it
        terms: dict[int, int] = {}
        for number, shift, sign in row:
            terms[number] = terms.get(number, 0) + sign * (1 << shift)
        kept = {number: each for number, each in terms.items() if each}
        element = lbir.range_of(operation.result)
        created = neuron.SumOp.of(
            [values[each] for each in kept], list(kept.values()), operation.constant.value.data, element
        )
        created.result.name_hint = operation.result.name_hint
        block.insert_op_before(created, operation)
        operation.result.replace_all_uses_with(created.result)
        operation.detach()
        operation.erase()
