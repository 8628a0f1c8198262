"""How `convert-neuron-to-hw` builds a row of adders, with a carry-save adder in front of it where delay counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.dialects.lbir import IntType
from c4ml_xdsl.transforms.comb_builder import CombBuilder


@dataclass(frozen=True)
class Summand:
    """±(value << shift)."""

    value: SSAValue
    signed: bool
    shift: int
    negative: bool


def plain_row(builder: CombBuilder, summands: Sequence[Summand], constant: int, width: int) -> SSAValue:
    """The sum of summands and a constant in `width` bits: what is positive, less what is negative."""
    words = [(each.negative, builder.fit(each.value, each.signed, width, each.shift)) for each in summands]
    added = [word for negative, word in words if not negative]
    if constant or not added:
        added.append(builder.constant(constant, width))
    result = builder.add(added)
    for negative, word in words:
        if negative:
            result = builder.sub(result, word)
    return result


def carry_save_row(builder: CombBuilder, summands: Sequence[Summand], constant: int, width: int) -> SSAValue:
    """
    The sum of three summands, or two and a constant, in `width` bits; other sums are plain rows.

    Parity and majority of the three are added, so a bit takes one LUT on the way and another for the majority. An
    inverted summand wants 1 more; there is room for that where no majority comes in, and in the row's own carry.
    """
    given = [*summands]
    if constant:
        shift = (constant & -constant).bit_length() - 1
        element = IntType(constant >> shift, constant >> shift)
        given.append(Summand(builder.constant(element.low, element.bits), element.signed, shift, False))
    if len(given) != 3 or all(each.negative for each in given):
        return plain_row(builder, summands, constant, width)
    first, second, third = sorted(given, key=lambda each: (each.shift, each.negative))
    start, middle = first.shift, second.shift
    # below this position two words are enough: the third summand has not begun, or only has a 1 to be added
    saved = middle if first.negative or second.negative else third.shift
    if saved >= width:
        return plain_row(builder, summands, constant, width)
    upper = width - saved
    high = [_upper(builder, each, saved, upper) for each in (first, second, third)]
    pairs = [builder.logic(comb.AndOp, high[i], high[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    majority = builder.logic(comb.OrOp, *pairs)
    parity = builder.logic(comb.XorOp, *high)

    ones = sum(each.negative for each in (first, second, third))
    below = first.negative and start < saved  # the first summand's 1 goes beside it
    ones -= below
    left = [parity]
    if saved > start:
        left.append(_lower(builder, first, saved - start))
    right = [builder.extract(majority, 0, upper - 1)] if upper > 1 else []
    right.append(builder.constant(int(ones > 0), 1))
    if below:
        right.append(builder.constant(1, saved - start))
    elif saved > middle:
        right.append(_lower(builder, second, saved - middle))
    sum_word, carry_word = builder.concat(left), builder.concat(right)
    passed = comb.width_of(sum_word) - comb.width_of(carry_word)  # low bits of the first summand alone
    added = builder.extract(sum_word, passed, comb.width_of(carry_word))
    if ones > 1:
        row = builder.sub(added, builder.invert(carry_word))
    else:
        row = builder.add([added, carry_word])
    parts = [row]
    if passed:
        parts.append(builder.extract(sum_word, 0, passed))
    if start:
        parts.append(builder.constant(0, start))
    return builder.concat(parts)


def _upper(builder: CombBuilder, summand: Summand, position: int, width: int) -> SSAValue:
    """The bits of a summand from a position on, inverted if it is negative."""
    value, dropped = summand.value, position - summand.shift
    own = comb.width_of(value)
    if dropped <= 0:
        result = builder.fit(value, summand.signed, width, -dropped)
    elif dropped < own:
        result = builder.fit(builder.extract(value, dropped, own - dropped), summand.signed, width)
    elif summand.signed:
        result = builder.replicate(builder.extract(value, own - 1, 1), width)
    else:
        result = builder.constant(0, width)
    return builder.invert(result) if summand.negative else result


def _lower(builder: CombBuilder, summand: Summand, width: int) -> SSAValue:
    """So many of the lowest bits of a summand's value, inverted if it is negative."""
    result = builder.fit(summand.value, summand.signed, width)
    return builder.invert(result) if summand.negative else result
