"""
What the values of an `hw.module` are: bits of words, and each word an exact linear form.

A value is a list of segments, the least significant first. A segment is bits of a word or of a constant, so that what
only moves bits (extractions, concatenations, replications, shifts by constants, masks) costs no arithmetic. A word of
`width` bits with the form F says that its bits are the lowest ones of F in two's complement, and nothing more: whether
F is the word's signed or unsigned integer is checked where bits beyond the width are made, which is what a sign or zero
extension does.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias, cast

from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.proofs.linear_forms import Atoms, Form
from c4ml_xdsl.proofs.table_words import Element, Place, linear_word, parity_of


class Word:
    """The lowest `width` bits of a form; bits beyond them may be read where the form is known to have them too."""

    __slots__ = ("_inverse", "_signed", "_unsigned", "form", "root", "width")

    def __init__(self, form: Form, width: int, root: "Word | None" = None):
        self.form = form
        self.width = width
        self.root: Word = self if root is None else root
        """The word that this is an extension of."""
        self._signed: dict[int, Word | None] = {}
        self._unsigned: dict[int, Word | None] = {}
        self._inverse: Word | None = None

    def extended(self, atoms: Atoms, width: int, signed: bool) -> "Word | None":
        """
        The word whose form is the signed or unsigned integer of the lowest `width` bits.

        None where the form, or what it is modulo 2^width, isn't known to fit.
        """
        known = self._signed if signed else self._unsigned
        if width not in known:
            form = _fitting(atoms, self.form, width, signed)
            known[width] = None if form is None else Word(form, width, self.root)
        return known[width]

    def inverse(self) -> "Word":
        """The word of the inverted bits."""
        if self._inverse is None:
            form = self.form
            terms = {atom: -coefficient for atom, coefficient in form.terms.items()}
            inverted = Form(terms, -1 - form.constant, -1 - form.high, -1 - form.low, form.plain)
            self._inverse = Word(inverted, self.width)
            self._inverse._inverse = self
        return self._inverse


def _fitting(atoms: Atoms, form: Form, width: int, signed: bool) -> Form | None:
    """What is equal to a form modulo 2^width and lies in the signed or unsigned range of so many bits."""
    lowest = -1 << (width - 1) if signed else 0
    end = lowest + (1 << width)

    def moved(candidate: Form) -> Form | None:
        shift = ((lowest - candidate.low - 1) >> width) + 1 << width
        if candidate.high + shift >= end:
            return None
        return candidate if shift == 0 else candidate.shifted(shift)

    if form.high - form.low < 1 << width or not form.tight:
        found = moved(form)
        if found is not None:
            return found
        atoms.tighten(form)
        found = moved(form)
        if found is not None:
            return found
    half, mask = 1 << (width - 1), (1 << width) - 1
    balanced = {atom: ((each + half) & mask) - half for atom, each in form.terms.items() if each & mask}
    if balanced == form.terms:
        return None
    low, high = atoms.bounds(balanced, form.constant)
    return moved(Form(balanced, form.constant, low, high, form.plain or all(atom < atoms.inputs for atom in balanced)))


Segment: TypeAlias = tuple[Word | None, int, int]
"""Bits of a word: (word, lowest bit, bits); of a constant: (None, integer, bits)."""


class Bits:
    """A value: its segments, the least significant first."""

    __slots__ = ("_ends", "form", "segments", "width")

    def __init__(self, segments: Sequence[Segment], width: int):
        self.segments = segments
        self.width = width
        self.form: Form | None = None
        """The form that the bits are modulo 2^width, once it is known."""
        self._ends: list[int] | None = None

    def slice(self, low: int, width: int) -> Sequence[Segment]:
        """The segments of `width` bits from bit `low` on."""
        segments = self.segments
        if len(segments) == 1:
            return [_part(segments[0], low, width)]
        if self._ends is None:
            self._ends = list(accumulate(segment[2] for segment in segments))
        index = bisect_right(self._ends, low)
        start = self._ends[index] - segments[index][2]
        result: list[Segment] = []
        while width:
            segment = segments[index]
            taken = min(width, start + segment[2] - low)
            result.append(_part(segment, low - start, taken))
            low, width, start, index = low + taken, width - taken, start + segment[2], index + 1
        return result

    @property
    def constant(self) -> int | None:
        """The unsigned integer, where all bits are constants."""
        if len(self.segments) == 1:
            word, value, _ = self.segments[0]
            return value if word is None else None
        return None


def _part(segment: Segment, low: int, width: int) -> Segment:
    word, first, whole = segment
    if whole == width:
        return segment
    if word is None:
        return None, first >> low & ((1 << width) - 1), width
    start = first + low
    if start >= word.width and word.form.low >> start == word.form.high >> start:
        # nothing but a zero extension, which may have been a constant of its own
        return None, word.form.low >> start & ((1 << width) - 1), width
    return word, start, width


class UnknownOperationError(Exception):
    """An operation that the checker doesn't know."""


class ModuleBits:
    """The values of a module's operations, from those of its ports."""

    def __init__(self, atoms: Atoms):
        self.atoms = atoms
        self.values: dict[SSAValue, Bits] = {}
        self.ports: dict[SSAValue, tuple[int, int]] = {}
        """The first element of a port, and the bits of each."""
        self.majorities: dict[frozenset[SSAValue], Form] = {}
        """The majority of three words, as the operation that gives it is known by."""

    def inputs(self, port: SSAValue, first: int, count: int, width: int) -> None:
        """A port of so many input elements of `width` bits, numbered from `first` on."""
        self.ports[port] = first, width
        elements = [self.word(self.atoms.element(index), width).segments for index in range(first, first + count)]
        self.values[port] = Bits([segment for segments in elements for segment in segments], count * width)

    def run(self, operations: Sequence[Operation]) -> None:
        """Finds the values of operations in order; raises UnknownOperationError."""
        values = self.values
        for operation in operations:
            rule = _RULES.get(type(operation))
            if rule is None:
                if len(operation.results) != 1 or not isinstance(operation.results[0].type, IntegerType):
                    raise UnknownOperationError(f"{operation.name} isn't known")
                values[operation.results[0]] = self.unknown(operation.results[0])
            else:
                values[operation.results[0]] = rule(self, operation)

    def unknown(self, value: SSAValue) -> Bits:
        """A value of which nothing is known but its bits."""
        width = comb.width_of(value)
        return self.word(self.atoms.unknown(value, width), width)

    def word(self, form: Form, width: int) -> Bits:
        """A new word."""
        if not form.terms:
            return Bits([(None, form.constant & ((1 << width) - 1), width)], width)
        result = Bits([(Word(form, width), 0, width)], width)
        result.form = form
        return result

    def place(self, value: SSAValue) -> Place | None:
        """The input element and its bit that a one-bit value is, where it is one."""
        position = 0
        while isinstance(value.owner, comb.ExtractOp):
            position += value.owner.low_bit.value.data
            value = value.owner.input
        if value not in self.ports:
            return None
        first, width = self.ports[value]
        index, bit = divmod(position, width)
        return Element(first + index, self.atoms.low[first + index], self.atoms.high[first + index], width), bit

    def table_word(self, operation: comb.ConcatOp) -> Bits | None:
        """A concatenation of truth tables, where that is a linear form."""
        found = linear_word(operation, self.place)
        if found is None:
            return None
        width = comb.width_of(operation.result)
        parts = [(self.atoms.element(number), coefficient) for number, coefficient in found.elements]
        for value, coefficient in found.bits:
            parts.append((self.unsigned(self.values[value].slice(0, 1)[0]), coefficient))
        form = self.atoms.combine(parts, found.constant)
        if form.high - form.low >= 1 << width:  # else the bits give bounds that atoms alone don't
            form = self.atoms.modulo(form, width)
        return self.word(form, width)

    def join(self, parts: Sequence[Sequence[Segment]], width: int) -> Bits:
        """Segments side by side, the least significant first; recognises extensions."""
        joined: list[Segment] = []
        for part in parts:
            for segment in part:
                if joined:
                    merged = self._merged(joined[-1], segment)
                    if merged is not None:
                        joined[-1] = merged
                        continue
                joined.append(segment)
        return Bits(joined, width)

    def _merged(self, below: Segment, above: Segment) -> Segment | None:
        """One segment for two where that is possible."""
        word, low, width = below
        other, position, more = above
        if word is None:
            return (None, low | position << width, width + more) if other is None else None
        end = low + width
        if other is None:
            if position:
                return None
            extended = word if end > word.width and word.form.low >= 0 else word.extended(self.atoms, end, False)
            return None if extended is None else (extended, low, width + more)
        if other is word and position == end:
            return word, low, width + more
        if other.root is word.root and more == 1:
            # a copy of the highest bit is a sign extension, if the form's own sign is there
            if position == word.width - 1 < min(other.width, word.root.width) and end > word.width:
                fits = -1 << position <= word.form.low and word.form.high < 1 << position
                return (word, low, width + 1) if fits else None
            if other is word and position == end - 1:
                extended = word.extended(self.atoms, end, True)
                return None if extended is None else (extended, low, width + 1)
        return None

    def form(self, bits: Bits) -> Form:
        """A form that the bits are, modulo 2^width."""
        if bits.form is None:
            segments, position = bits.segments, 0
            parts: list[tuple[Form, int]] = []
            constant = 0
            for index, segment in enumerate(segments):
                word, low, width = segment
                if word is None:
                    constant += low << position
                else:
                    top = index == len(segments) - 1
                    parts.append((self._highest(word, low) if top else self.unsigned(segment), 1 << position))
                position += width
            if len(parts) == 1 and parts[0][1] == 1 and constant == 0:
                form = parts[0][0]
            else:
                form = self.atoms.combine(parts, constant)
            bits.form = form if form.plain else self.atoms.modulo(form, bits.width)
        return bits.form

    def _highest(self, word: Word, low: int) -> Form:
        return self.atoms.floor(word.form, low)

    def unsigned(self, segment: Segment) -> Form:
        """The exact unsigned integer of a segment."""
        word, low, width = segment
        if word is None:
            return Form.of(low)
        atoms = self.atoms
        below, above = atoms.floor(word.form, low), atoms.floor(word.form, low + width)
        form = atoms.combine([(below, 1), (above, -1 << width)])
        return Form(form.terms, form.constant, max(form.low, 0), min(form.high, (1 << width) - 1), form.plain)


def _constant(values: ModuleBits, operation: Operation) -> Bits:
    operation = cast(hw.ConstantOp, operation)
    width = comb.width_of(operation.result)
    return Bits([(None, operation.value.value.data & ((1 << width) - 1), width)], width)


def _extract(values: ModuleBits, operation: Operation) -> Bits:
    operation = cast(comb.ExtractOp, operation)
    width = comb.width_of(operation.result)
    return Bits(values.values[operation.input].slice(operation.low_bit.value.data, width), width)


def _concat(values: ModuleBits, operation: Operation) -> Bits:
    word = values.table_word(cast(comb.ConcatOp, operation))
    if word is not None:
        return word
    parts = [values.values[operand] for operand in reversed(operation.operands)]
    return values.join([part.segments for part in parts], sum(part.width for part in parts))


def _replicate(values: ModuleBits, operation: Operation) -> Bits:
    part = values.values[operation.operands[0]]
    width = comb.width_of(operation.results[0])
    if part.width == 1:  # joined where they are read: copies of a bit mean something only beside other bits
        word, low, _ = part.segments[0]
        if word is None:
            return Bits([(None, (1 << width) - 1 if low else 0, width)], width)
        return Bits([part.segments[0]] * width, width)
    return values.join([part.segments] * (width // part.width), width)


def _add(values: ModuleBits, operation: Operation) -> Bits:
    width = comb.width_of(operation.results[0])
    form = values.atoms.combine([(values.form(values.values[operand]), 1) for operand in operation.operands])
    return values.word(form if form.plain else values.atoms.modulo(form, width), width)


def _sub(values: ModuleBits, operation: Operation) -> Bits:
    width = comb.width_of(operation.results[0])
    left, right = (values.form(values.values[operand]) for operand in operation.operands)
    form = values.atoms.combine([(left, 1), (right, -1)])
    return values.word(form if form.plain else values.atoms.modulo(form, width), width)


def _mul(values: ModuleBits, operation: Operation) -> Bits:
    width = comb.width_of(operation.results[0])
    factor, others = 1, list[Bits]()
    for operand in operation.operands:
        bits = values.values[operand]
        if bits.constant is None:
            others.append(bits)
        else:
            factor *= bits.constant
    factor = comb.signed(factor & ((1 << width) - 1), width)
    if not others:
        return values.word(Form.of(factor), width)
    if len(others) > 1:
        return values.unknown(operation.results[0])
    form = values.atoms.combine([(values.form(others[0]), factor)])
    return values.word(values.atoms.modulo(form, width), width)


def _shift(values: ModuleBits, operation: Operation) -> Bits:
    value, amount = (values.values[operand] for operand in operation.operands)
    width = value.width
    if amount.constant is None:
        return values.unknown(operation.results[0])
    places = min(amount.constant, width)
    kept: Sequence[Segment] = []
    if isinstance(operation, comb.ShlOp):
        zeros: Segment = (None, 0, places)
        if places < width:
            kept = value.slice(0, width - places)
        return values.join([[zeros] if places else [], kept], width)
    sign = value.slice(width - 1, 1) if isinstance(operation, comb.ShrSOp) else [cast(Segment, (None, 0, 1))]
    if places < width:
        kept = value.slice(places, width - places)
    return values.join([kept, *[sign] * places], width)


def _pieces(operands: Sequence[Bits]) -> list[tuple[int, int]]:
    """The (lowest bit, bits) of the pieces in which no operand's segment ends."""
    width = operands[0].width
    cuts = {0, width}
    for operand in operands:
        cuts.update(accumulate(segment[2] for segment in operand.segments))
    ordered = sorted(cuts)
    return [(low, high - low) for low, high in pairwise(ordered)]


def _logic(values: ModuleBits, operation: Operation) -> Bits:
    """Bitwise operations with constants move or invert bits; others are unknown."""
    operands = [values.values[operand] for operand in operation.operands]
    parts: list[Sequence[Segment]] = []
    for low, width in _pieces(operands):
        segments = [operand.slice(low, width)[0] for operand in operands]
        others = [segment for segment in segments if segment[0] is not None]
        constants = [segment[1] for segment in segments if segment[0] is None]
        ones = (1 << width) - 1
        mask = ones if isinstance(operation, comb.AndOp) else 0
        for each in constants:
            mask = (
                mask & each
                if isinstance(operation, comb.AndOp)
                else mask | each
                if isinstance(operation, comb.OrOp)
                else mask ^ each
            )
        if not others:
            parts.append([(None, mask, width)])
            continue
        if not isinstance(operation, comb.XorOp):
            others = others[:1] if all(each == others[0] for each in others) else others
        absorbing = 0 if isinstance(operation, comb.AndOp) else ones if isinstance(operation, comb.OrOp) else None
        if len(others) > 1 and mask != absorbing:
            return values.unknown(operation.results[0])
        parts.append(_masked(operation, others[0], mask, width))
    return values.join(parts, operands[0].width)


def _majority(values: ModuleBits, operation: Operation) -> Bits:
    """An or, which may be the majority of three words: the pairs' ands in any order."""
    pairs: list[frozenset[SSAValue]] = []
    for operand in operation.operands:
        if isinstance(operand.owner, comb.AndOp) and len(operand.owner.operands) == 2:
            pairs.append(frozenset(operand.owner.operands))
    words = frozenset[SSAValue]().union(*pairs)
    if len(operation.operands) == 3 == len(words) == len(set(pairs)) and all(len(pair) == 2 for pair in pairs):
        bits = values.unknown(operation.results[0])
        assert bits.form is not None
        values.majorities[words] = bits.form
        return bits
    return _logic(values, operation)


def _parity(values: ModuleBits, operation: Operation) -> Bits:
    """An exclusive or, which may be that of three words: their sum, less twice their majority."""
    majority = values.majorities.get(frozenset(operation.operands))
    if majority is None or len(operation.operands) != 3:
        return _logic(values, operation)
    width = comb.width_of(operation.results[0])
    words = [(values.form(values.values[operand]), 1) for operand in operation.operands]
    return values.word(values.atoms.modulo(values.atoms.combine([*words, (majority, -2)]), width), width)


def _table(values: ModuleBits, operation: Operation) -> Bits:
    """A truth table is unknown but for its parity, where it is that of some of its inputs."""
    operation = cast(comb.TruthTableOp, operation)
    bits = values.unknown(operation.result)
    read = parity_of(operation.entries)
    if read is not None and read[0]:
        inputs = [values.unsigned(values.values[operand].slice(0, 1)[0]) for operand in operation.inputs]
        assert bits.form is not None
        (atom,) = bits.form.terms
        chosen = [(inputs[each], 1) for each in read[0]]
        values.atoms.parities[atom] = values.atoms.combine(chosen, int(read[1]))
    return bits


def _masked(operation: Operation, segment: Segment, mask: int, width: int) -> list[Segment]:
    """A segment and a constant."""
    word, low, _ = segment
    assert word is not None
    result: list[Segment] = []
    position = 0
    while position < width:
        bit = mask >> position & 1
        run = 1
        while position + run < width and mask >> (position + run) & 1 == bit:
            run += 1
        if isinstance(operation, comb.XorOp):
            result.append((word.inverse() if bit else word, low + position, run))
        elif isinstance(operation, comb.AndOp):
            result.append((word, low + position, run) if bit else (None, 0, run))
        else:
            result.append((None, (1 << run) - 1, run) if bit else (word, low + position, run))
        position += run
    return result


def _mux(values: ModuleBits, operation: Operation) -> Bits:
    """A choice between two constants is one of them, and the condition times their difference."""
    condition, on_true, on_false = (values.values[operand] for operand in operation.operands)
    width = on_true.width
    if condition.constant is not None:
        return on_true if condition.constant else on_false
    if list(on_true.segments) == list(on_false.segments):
        return on_true
    if on_true.constant is None or on_false.constant is None:
        return values.unknown(operation.results[0])
    first, second = comb.signed(on_false.constant, width), comb.signed(on_true.constant, width)
    form = values.atoms.combine([(values.unsigned(condition.segments[0]), second - first)], first)
    return values.word(form, width)


_RULES: dict[type[Operation], Callable[[ModuleBits, Operation], Bits]] = {
    hw.ConstantOp: _constant,
    comb.ExtractOp: _extract,
    comb.ConcatOp: _concat,
    comb.ReplicateOp: _replicate,
    comb.AddOp: _add,
    comb.SubOp: _sub,
    comb.MulOp: _mul,
    comb.ShlOp: _shift,
    comb.ShrUOp: _shift,
    comb.ShrSOp: _shift,
    comb.AndOp: _logic,
    comb.OrOp: _majority,
    comb.XorOp: _parity,
    comb.MuxOp: _mux,
    comb.TruthTableOp: _table,
}
