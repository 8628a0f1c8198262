"""
Sums of many shifted operands as rows: adders of two or, where the target has them, three operands.

A row of three costs about the LUTs of a row of two on AMD/Xilinx devices (one LUT6_2 and one carry position a bit).
Nothing here knows IR: operands are numbered, and a plan is a list of rows.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operand:
    """One summand, ±(value << shift), where `value` is number `index` and lies in [low, high]."""

    index: int
    low: int
    high: int
    shift: int = 0
    negative: bool = False

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest that the summand can be."""
        low, high = self.low << self.shift, self.high << self.shift
        return (-high, -low) if self.negative else (low, high)

    @property
    def top(self) -> int:
        """The position above the summand's highest bit."""
        return max(self.low.bit_length(), self.high.bit_length()) + self.shift


@dataclass(frozen=True, slots=True)
class Row:
    """One adder: the sum of at most three operands, with `constant` counting as one; its result has number `index`."""

    index: int
    operands: tuple[Operand, ...]
    constant: int
    low: int
    high: int


def signed_digits(number: int) -> list[tuple[int, bool]]:
    """The canonical signed digits of a positive number, which are the fewest: (shift, negative) each."""
    digits: list[tuple[int, bool]] = []
    shift = 0
    while number:
        if number & 1:
            negative = number & 3 == 3
            digits.append((shift, negative))
            number += 1 if negative else -1
        number >>= 1
        shift += 1
    return digits


def sum_in_rows(operands: Sequence[Operand], constant: int, arity: int, first_index: int) -> list[Row]:
    """
    The rows that add up all operands and a constant; the last one is the sum itself.

    Rows take the narrowest operands first, and are numbered from `first_index`. A sum of no operands isn't one.
    """
    if not operands:
        raise ValueError("nothing to add")
    heap: list[tuple[int, int, Operand | None]] = []
    serial = 0
    for operand in operands:
        heap.append((operand.top, serial, operand))
        serial += 1
    if constant:
        heap.append((constant.bit_length(), serial, None))
        serial += 1
    heapq.heapify(heap)
    rows: list[Row] = []
    while True:
        count = len(heap)
        # the first row takes so few that all others can be full
        take = min(count, arity if arity == 2 or count % 2 else 2)
        taken = [heapq.heappop(heap)[2] for _ in range(take)]
        parts = [part for part in taken if part is not None]
        added = constant if len(parts) < take else 0
        row, result = _row(parts, added, first_index + len(rows), last=not heap)
        rows.append(row)
        if not heap:
            return rows
        heapq.heappush(heap, (result.top, serial, result))
        serial += 1


def _row(parts: Sequence[Operand], constant: int, index: int, last: bool) -> tuple[Row, Operand]:
    """One row and its result as a summand: what all parts share, sign and shift, is left for later."""
    shift, negative = 0, False
    if not last and parts:
        shift = min(part.shift for part in parts)
        if constant:
            shift = min(shift, (constant & -constant).bit_length() - 1)
        negative = all(part.negative for part in parts)
    moved = tuple(
        Operand(part.index, part.low, part.high, part.shift - shift, part.negative != negative) for part in parts
    )
    constant = (-constant if negative else constant) >> shift
    ends = [part.ends for part in moved]
    low, high = constant + sum(low for low, _ in ends), constant + sum(high for _, high in ends)
    return Row(index, moved, constant, low, high), Operand(index, low, high, shift, negative)
