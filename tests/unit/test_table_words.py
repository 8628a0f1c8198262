"""Words of truth tables: the checker finds the linear form of those that have one, and of no others."""

import itertools
import random

import pytest
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Block

from c4ml_xdsl.circuits.step_function import width_of_range
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.proofs.bit_vectors import ModuleBits
from c4ml_xdsl.proofs.linear_forms import Atoms
from c4ml_xdsl.transforms.comb_builder import CombBuilder
from c4ml_xdsl.transforms.neuron_activations import ActivationLowering

Ranges = list[tuple[int, int]]


def word_of(ranges: Ranges, coefficients: list[int], constant: int, flipped: int | None = None) -> tuple[object, int]:
    """The form that is found for a sum's tables, and their bits; one entry may be wrong."""
    element_width = max(width_of_range(*ends) for ends in ranges)
    port = Block(arg_types=[IntegerType(element_width * len(ranges))]).args[0]
    low, high = (sum(pick(c * a, c * b) for c, (a, b) in zip(coefficients, ranges)) + constant for pick in (min, max))
    width = width_of_range(low, high)
    builder = CombBuilder()
    bits = [builder.extract(port, place, 1) for place in reversed(range(element_width * len(ranges)))]
    generator = random.Random(1)
    entries: list[int] = []
    for code in range(1 << len(bits)):
        values = [code >> element_width * index & (1 << element_width) - 1 for index in range(len(ranges))]
        if any(a < 0 for a, _ in ranges):
            values = [comb.signed(value, element_width) for value in values]
        fits = all(a <= value <= b for value, (a, b) in zip(values, ranges))
        number = sum(c * value for c, value in zip(coefficients, values)) + constant
        entries.append(number & (1 << width) - 1 if fits else generator.randrange(1 << width))
        if fits and flipped is not None:
            flipped -= 1
            if flipped < 0:
                entries[-1] ^= 1 << generator.randrange(width)
                flipped = None
    result = ActivationLowering(builder).look_up(bits, entries, width)
    atoms = Atoms(ranges)
    values = ModuleBits(atoms)
    values.inputs(port, 0, len(ranges), element_width)
    values.run(builder.operations)
    return values.form(values.values[result]), width


CASES: list[tuple[Ranges, list[int], int]] = [
    ([(0, 3), (0, 3), (0, 3)], [1, 1, -1], 0),
    ([(-2, 1), (-2, 1), (-2, 1)], [1, -3, 5], 7),
    ([(0, 1)] * 6, [1, 1, -1, 1, -1, 1], 2),
    ([(0, 2), (0, 2)], [5, -7], -1),  # 3 doesn't occur, and the tables say anything for it
    ([(-1, 1), (-2, -1)], [3, 4], 0),
    ([(0, 15)], [-11], 4),
]


@pytest.mark.parametrize(("ranges", "coefficients", "constant"), CASES)
def test_a_sum_is_found(ranges: Ranges, coefficients: list[int], constant: int) -> None:
    form, width = word_of(ranges, coefficients, constant)
    modulus = 1 << width
    assert {atom: each % modulus for atom, each in form.terms.items()} == {  # type: ignore[attr-defined]
        index: each % modulus for index, each in enumerate(coefficients)
    }
    assert (form.constant - constant) % modulus == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(("ranges", "coefficients", "constant"), CASES)
def test_a_wrong_entry_is_no_sum(ranges: Ranges, coefficients: list[int], constant: int) -> None:
    """Whichever entry is wrong: the form that is found then has atoms of which nothing is known."""
    count = 1
    for low, high in ranges:
        count *= high - low + 1
    for flipped in range(0, count, 1 + count // 12):
        form, _ = word_of(ranges, coefficients, constant, flipped)
        right = dict(enumerate(coefficients))
        assert form.terms != right or form.constant != constant  # type: ignore[attr-defined]


def test_bits_that_are_no_elements_count_by_themselves() -> None:
    """A counter of the lowest bits of some elements, and of a sum's."""
    port = Block(arg_types=[IntegerType(6)]).args[0]
    builder = CombBuilder()
    low = [builder.extract(port, place, 1) for place in (0, 2, 4)]
    total = builder.add([builder.extract(port, place, 2) for place in (0, 2)])
    bits = [*low, builder.extract(total, 1, 1)]
    entries = [sum(code) for code in itertools.product((0, 1), repeat=4)]
    result = ActivationLowering(builder).look_up(bits, entries, 3)
    atoms = Atoms([(0, 3)] * 3)
    values = ModuleBits(atoms)
    values.inputs(port, 0, 3, 2)
    values.run(builder.operations)
    wanted = atoms.combine([(values.unsigned(values.values[bit].slice(0, 1)[0]), 1) for bit in bits])
    found = values.form(values.values[result])
    assert not atoms.modulo(atoms.combine([(found, 1), (wanted, -1)]), 3).terms


def test_a_few_bits_of_a_wide_element() -> None:
    """Nothing is enumerated but the bits that are there."""
    port = Block(arg_types=[IntegerType(40)]).args[0]
    builder = CombBuilder()
    bits = [builder.extract(port, place, 1) for place in (39, 3)]
    result = ActivationLowering(builder).look_up(bits, [0, 1, 1, 2], 2)
    atoms = Atoms([(-(1 << 39), (1 << 39) - 1)])
    values = ModuleBits(atoms)
    values.inputs(port, 0, 1, 40)
    values.run(builder.operations)
    wanted = atoms.combine([(values.unsigned(values.values[bit].slice(0, 1)[0]), 1) for bit in bits])
    assert values.form(values.values[result]).terms == wanted.terms
