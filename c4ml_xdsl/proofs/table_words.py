"""
Words of truth tables that are linear: each bit is a table of few bits, all of them together are a sum of these.

Such words are what a sum of few input bits, or a counter of ones, looks like once it is a LUT a bit. Whether a word is
linear is found out by its values for all that its bits can be: differences give the coefficients, the rest must agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from xdsl.dialects import hw
from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.numerics.chain import Integers

MOST_BITS = 8
"""Words of tables of more bits than this are left alone."""


@dataclass(frozen=True)
class Element:
    """An input element that bits belong to: its number, lowest and highest integer, and bits in two's complement."""

    number: int
    low: int
    high: int
    width: int


Place: TypeAlias = tuple[Element, int]
"""A bit of an input element, 0 the lowest."""


@dataclass(frozen=True)
class LinearWord:
    """constant + sum of coefficient * element + sum of coefficient * bit, modulo two to the power of the width."""

    elements: tuple[tuple[int, int], ...]
    """(element number, coefficient)"""
    bits: tuple[tuple[SSAValue, int], ...]
    """(one-bit value, coefficient)"""
    constant: int


def linear_word(operation: comb.ConcatOp, place_of: Callable[[SSAValue], Place | None]) -> LinearWord | None:
    """
    What a concatenation of single bits is, where some of them are truth tables and it is linear; None else.

    `place_of` says which input element's bit a value is, if any: where all bits of an element are there, those that are
    none of its integers don't count; other bits may be anything.
    """
    operands = operation.operands[::-1]
    if not any(isinstance(operand.owner, comb.TruthTableOp) for operand in operands):
        return None
    if any(comb.width_of(operand) != 1 for operand in operands):
        return None
    variables = _variables(operands)
    if variables is None:
        return None
    numbers = {variable: number for number, variable in enumerate(variables)}
    combinations = np.arange(1 << len(variables))
    bits = [combinations >> number & 1 for number in range(len(variables))]
    total = sum(_evaluate(operand, numbers, bits) << position for position, operand in enumerate(operands))
    given = [place_of(variable) for variable in variables]
    whole = _elements(given)
    integers = {element: _integer(element, given, bits) for element in whole}
    kept = np.ones(len(combinations), bool)
    for element, column in integers.items():
        kept &= (element.low <= column) & (column <= element.high)
    reachable = np.flatnonzero(kept)
    for elements in (whole, []) if whole else ([],):
        inside = [element.number for element in elements]
        columns = [integers[element] for element in elements]
        loose = [number for number, place in enumerate(given) if place is None or place[0].number not in inside]
        columns += [bits[number] for number in loose]
        fitted = _fit(np.asarray(total)[reachable], [column[reachable] for column in columns], len(operands))
        if fitted is not None:
            coefficients, constant = fitted
            count = len(elements)
            return LinearWord(
                tuple(zip(inside, coefficients[:count], strict=True)),
                tuple((variables[number], each) for number, each in zip(loose, coefficients[count:], strict=True)),
                constant,
            )
    return None


@lru_cache(maxsize=1 << 12)
def parity_of(entries: tuple[bool, ...]) -> tuple[tuple[int, ...], bool] | None:
    """The inputs whose parity, inverted or not, a truth table is; None where it is no parity."""
    inputs = len(entries).bit_length() - 1
    read = [place for place in range(inputs) if entries[1 << (inputs - 1 - place)] != entries[0]]
    mask = sum(1 << (inputs - 1 - place) for place in read)
    if any(entry != (entries[0] ^ bool((index & mask).bit_count() & 1)) for index, entry in enumerate(entries)):
        return None
    return tuple(read), entries[0]


def _variables(operands: Sequence[SSAValue]) -> list[SSAValue] | None:
    """The bits that operands are functions of; None where they are too many."""
    found: dict[SSAValue, None] = {}
    for operand in operands:
        owner = operand.owner
        if isinstance(owner, comb.TruthTableOp):
            found.update(dict.fromkeys(owner.inputs))
        elif (inverted := _inverted(operand)) is not None:
            found[inverted] = None
        elif not isinstance(owner, hw.ConstantOp):
            found[operand] = None
        if len(found) > MOST_BITS:
            return None
    return list(found)


def _inverted(value: SSAValue) -> SSAValue | None:
    """The bit that a value is the inverse of, where it is one."""
    owner = value.owner
    if isinstance(owner, comb.XorOp) and len(owner.operands) == 2:
        bit, constant = owner.operands
        if isinstance(constant.owner, hw.ConstantOp) and constant.owner.value.value.data & 1:
            return bit
    return None


def _evaluate(operand: SSAValue, numbers: dict[SSAValue, int], bits: Sequence[Integers]) -> Integers:
    """A bit for all combinations of the variables."""
    owner = operand.owner
    if isinstance(owner, comb.TruthTableOp):
        index = np.zeros_like(bits[0])
        for each in owner.inputs:
            index = 2 * index + bits[numbers[each]]
        return np.array(owner.entries, np.int64)[index]
    inverted = _inverted(operand)
    if inverted is not None:
        return 1 - bits[numbers[inverted]]
    if isinstance(owner, hw.ConstantOp):
        return np.full_like(bits[0], owner.value.value.data & 1)
    return bits[numbers[operand]]


def _elements(given: Sequence[Place | None]) -> list[Element]:
    """The elements of which all bits are there."""
    found: dict[Element, set[int]] = {}
    for place in given:
        if place is not None:
            found.setdefault(place[0], set()).add(place[1])
    return [element for element, places in found.items() if len(places) == element.width]


def _integer(element: Element, given: Sequence[Place | None], bits: Sequence[Integers]) -> Integers:
    """The integers of an element, of which all bits are there."""
    total = np.zeros_like(bits[0])
    for place, bit in zip(given, bits, strict=True):
        if place is not None and place[0] == element:
            sign = element.low < 0 and place[1] == element.width - 1
            total = total + (-bit if sign else bit) * (1 << place[1])
    return total


def _fit(total: Integers, columns: Sequence[Integers], width: int) -> tuple[list[int], int] | None:
    """
    Coefficients and a constant that give a word of so many bits for all combinations; None where there are none.

    As the word's unsigned integer or its signed one, whose range is then the form's; or else modulo 2^width.
    """
    known: dict[tuple[int, ...], int] = {}
    for number, row in enumerate(np.stack(columns, axis=1).tolist()):
        known.setdefault(tuple(row), number)
    modulus = 1 << width
    signed = np.where(total >= modulus // 2, total - modulus, total)
    for integers in (total, signed):
        coefficients: list[int] = []
        for index, column in enumerate(columns):
            coefficient = 0 if column.min() == column.max() else _difference(known, integers, index)
            if coefficient is None:
                return None
            coefficients.append(coefficient)
        rest = integers - sum(each * column for each, column in zip(coefficients, columns, strict=True))
        if rest.min() == rest.max():
            return coefficients, int(rest[0])
    rest = rest % modulus
    return (coefficients, int(rest[0])) if rest.min() == rest.max() else None


def _difference(known: dict[tuple[int, ...], int], total: Integers, index: int) -> int | None:
    """By how much the word grows when a variable alone becomes greater by one."""
    for row, number in known.items():
        other = known.get((*row[:index], row[index] + 1, *row[index + 1 :]))
        if other is not None:
            return int(total[other] - total[number])
    return None
