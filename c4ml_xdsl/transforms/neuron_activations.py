"""How `convert-neuron-to-hw` builds activations: requantisations, and step functions in the form that costs least."""

from collections.abc import Sequence

from xdsl.ir import SSAValue

from c4ml_xdsl.circuits.binary_search import BinarySearch
from c4ml_xdsl.circuits.class_chain import ClassChain
from c4ml_xdsl.circuits.comparisons import Comparisons
from c4ml_xdsl.circuits.step_forms import smallest_form
from c4ml_xdsl.circuits.step_function import StepFunction
from c4ml_xdsl.circuits.subtraction_row import SubtractionRow
from c4ml_xdsl.circuits.table_decomposition import LUT_INPUTS
from c4ml_xdsl.dialects import comb, lbir, neuron
from c4ml_xdsl.dialects.lbir import IntType
from c4ml_xdsl.numerics.rounding import RoundingMode, floor_constants
from c4ml_xdsl.transforms.comb_builder import CombBuilder

EVERY_BIT = 62
"""As many bits of an integer as can be known."""

MOST_LEVELS = 63
"""The most thresholds that a requantisation is made into."""


class ActivationLowering:
    """Lowers functions of one value."""

    def __init__(self, builder: CombBuilder):
        self.builder = builder
        self._residues: dict[SSAValue, tuple[int, int]] = {}

    def requantize(self, operation: neuron.RequantizeOp, value: SSAValue) -> SSAValue:
        """
        Shift, round and clip. A constant makes the rounding a floor; ties to even clear the lowest bit of a tie.

        The modes that depend on the sign choose the constant by it, or with few results are step functions.
        """
        builder = self.builder
        source, target = lbir.range_of(operation.input), lbir.range_of(operation.result)
        mode, shift = RoundingMode(operation.rounding.data), operation.shift.value.data
        offset = operation.offset.value.data
        low, high = source.low + offset, source.high + offset
        constants = floor_constants(mode, shift, low, high, target.low)
        if constants[0] != constants[1] and target.high - target.low <= MOST_LEVELS:
            thresholds = [
                (level << shift) - constants[level <= 0] - offset for level in range(target.low + 1, target.high + 1)
            ]
            function = StepFunction.of_thresholds(thresholds, target.low, False)
            return self.steps(function, value, source, target.bits)
        rounded_range = IntType(low + min(constants), high + max(constants))
        width = rounded_range.bits
        if mode is RoundingMode.HALF_EVEN and rounded_range.signed and width == shift + 1:
            width += 1  # a quotient of one bit is -1 or 0, and a tie at -1 goes to -2
        sign = offset + constants[0], offset + constants[1]
        if sign != (0, 0):
            extended = builder.fit(value, source.signed, width)
            if constants[0] == constants[1]:
                value = builder.add([extended, builder.constant(sign[0], width)])
            else:
                negative = builder.invert(builder.greater(value, source, builder.constant(-offset - 1, source.bits)))
                value = builder.add(
                    [
                        extended,
                        builder.mux(negative, builder.constant(sign[1], width), builder.constant(sign[0], width)),
                    ]
                )
        elif comb.width_of(value) != width:
            value = builder.fit(value, source.signed, width)
        quotient = IntType(rounded_range.low >> shift, rounded_range.high >> shift)
        if shift < width:
            result = builder.extract(value, shift, width - shift)
        else:  # nothing but the sign is left
            result = builder.extract(value, width - 1, 1) if rounded_range.signed else builder.constant(0, 1)
        if shift and shift < width and mode is RoundingMode.HALF_EVEN:
            known, residue = self.residue(operation.input)
            known = min(known, shift)
            never = (residue + sign[0]) & ((1 << known) - 1)
            # an odd quotient that the clipping distinguishes from the one below it
            first, last = max(quotient.low, target.low + 1), min(quotient.high, target.high)
            if not never and first | 1 <= last:
                lowest = builder.constant(0, 1)
                if known < shift:
                    rest = builder.extract(value, known, shift - known)
                    tie = builder.compare("eq", rest, builder.constant(0, shift - known))
                    lowest = builder.logic(comb.AndOp, builder.extract(value, shift, 1), builder.invert(tie))
                rest = width - shift - 1
                quotient = IntType(quotient.low & ~1, quotient.high)  # a tie goes down to even
                result = lowest if rest == 0 else builder.concat([builder.extract(value, shift + 1, rest), lowest])
        return self.clip(result, quotient, target)

    def residue(self, value: SSAValue) -> tuple[int, int]:
        """How many low bits of a value are always the same, and what they are."""
        known = self._residues.get(value)
        if known is None:
            known = self._residue(value)
            self._residues[value] = known
        return known

    def _residue(self, value: SSAValue) -> tuple[int, int]:
        operation = value.owner
        if isinstance(operation, neuron.ConstantOp):
            return EVERY_BIT, operation.value.value.data & ((1 << EVERY_BIT) - 1)
        if not isinstance(operation, neuron.SumOp):
            return 0, 0
        bits, total = EVERY_BIT, operation.constant.value.data
        for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
            known, residue = self.residue(term)
            bits = min(bits, known + (coefficient & -coefficient).bit_length() - 1)
            total += coefficient * residue
        return bits, total & ((1 << bits) - 1)

    def clip(self, value: SSAValue, element: IntType, target: IntType) -> SSAValue:
        """
        A value of a range, cut to the target's range.

        First to all integers of the target's bits, which the bits above tell; a narrower target is cut after that,
        where few bits are left.
        """
        builder, bits = self.builder, target.bits
        if element.high < target.low or element.low > target.high:
            return builder.constant(target.low if element.high < target.low else target.high, bits)
        span = IntType(-1 << (bits - 1), (1 << (bits - 1)) - 1) if target.signed else IntType(0, (1 << bits) - 1)
        if element.low < span.low or element.high > span.high:
            result = self.saturated(value, element, span)
        else:
            result = builder.fit(value, element.signed, bits)
        low, high = max(element.low, span.low), min(element.high, span.high)
        if high > target.high:
            above = builder.greater(result, span, builder.constant(target.high, bits))
            result = builder.mux(above, builder.constant(target.high, bits), result)
        if low < target.low:
            below = builder.invert(builder.greater(result, span, builder.constant(target.low - 1, bits)))
            result = builder.mux(below, builder.constant(target.low, bits), result)
        return result

    def saturated(self, value: SSAValue, element: IntType, span: IntType) -> SSAValue:
        """
        A value of a range, cut to all integers of fewer bits.

        The bits above, which tell whether it is cut, are gathered by tables until what is left fits into the LUT of
        each bit. The sign's choice is spelled as the last one: synthesis finds these LUTs in that form only.
        """
        builder, bits, width = self.builder, span.bits, comb.width_of(value)
        sign = builder.extract(value, width - 1, 1) if element.signed else None
        if bits == span.signed:
            return builder.constant(0, 1) if sign is None else sign
        compared = [] if sign is None or not span.signed else [sign]  # what the bits above extend, which else are 0
        end = width - (sign is not None) if compared or element.high > span.high else 0
        upper = [builder.extract(value, each, 1) for each in range(bits - span.signed, end)]
        room = LUT_INPUTS - 1 - (sign is not None)
        differing: list[SSAValue] = []  # whether gathered bits aren't what they are to extend
        while len(differing) + len(upper) > room:
            most = min(len(differing) + len(upper) - room + 1, LUT_INPUTS - len(compared))
            extended = compared if upper else []
            if upper:
                gathered, upper = upper[:most], upper[most:]
            else:
                gathered, differing = differing[:most], differing[most:]
            others = [1] * ((1 << len(gathered)) - 1)
            entries = [0, *others, *others, 0] if extended else [0, *others]
            differing.append(self.table([*extended, *gathered], entries))
        rest, above = builder.fit(value, element.signed, bits - span.signed), [*upper, *differing]
        ones, zeros = (builder.constant(each, comb.width_of(rest)) for each in (-1, 0))
        if sign is None:
            within = builder.invert(self.reduced(comb.OrOp, above))
            return builder.fit(builder.mux(within, rest, ones), False, bits)
        result = self.with_every_bit(comb.OrOp, rest, above) if above else rest
        if not compared:
            return builder.mux(builder.invert(sign), result, zeros)
        lowest = self.with_every_bit(comb.AndOp, rest, [*upper, *map(builder.invert, differing)])
        return builder.concat([sign, builder.mux(sign, lowest, result)])

    def reduced(self, kind: type[comb.AndOp] | type[comb.OrOp], bits: Sequence[SSAValue]) -> SSAValue:
        """Whether all of some bits, or any of them, are 1."""
        return bits[0] if len(bits) == 1 else self.builder.logic(kind, *bits)

    def with_every_bit(
        self, kind: type[comb.AndOp] | type[comb.OrOp], value: SSAValue, bits: Sequence[SSAValue]
    ) -> SSAValue:
        """Each bit of a value, joined with all the others."""
        others = self.builder.replicate(self.reduced(kind, bits), comb.width_of(value))
        return self.builder.logic(kind, value, others)

    def mixed(self, value: SSAValue) -> SSAValue:
        """Whether not all bits of a value are the same."""
        builder, rest = self.builder, comb.width_of(value) - 1
        sign = builder.replicate(builder.extract(value, rest, 1), rest)
        different = builder.logic(comb.XorOp, builder.extract(value, 0, rest), sign)
        return builder.compare("ne", different, builder.constant(0, rest))

    def steps(self, function: StepFunction, value: SSAValue, source: IntType, bits: int) -> SSAValue:
        """A step function of a value of a range, in so many bits, in the form that costs least."""
        function = function.within(source.low, source.high)
        if not function.positions:
            return self.builder.constant(function.levels[0], bits)
        form = smallest_form(function, source.low, source.high, bits)
        match form:
            case SubtractionRow():
                return self.subtraction_row(form, value)
            case ClassChain():
                return self.class_chain(form, value)
            case Comparisons():
                return self.comparisons(form, value)
            case BinarySearch():
                return self.binary_search(form, value, source)

    def subtraction_row(self, form: SubtractionRow, value: SSAValue) -> SSAValue:
        """One row that compares within the bucket and counts; tables of the bucket for the bits above."""
        builder = self.builder
        bits, signed = form.bits, form.signed
        selectors = [builder.extract(value, position, 1) for position in reversed(range(form.bucket, form.window))]
        sign = builder.extract(value, form.width - 1, 1)
        if signed:
            selectors[0] = sign
        buckets = range(1 << form.selectors)
        before, after = [form.before(index) for index in buckets], [form.after(index) for index in buckets]
        outer: list[SSAValue] = []
        if form.saturates:
            lowest = form.window - signed
            upper = builder.extract(value, lowest, form.width - lowest)
            none = builder.constant(0, comb.width_of(upper))
            outer = [self.mixed(upper) if signed else builder.compare("ne", upper, none)]
            beyond = [form.beyond(index) for index in buckets]
            before, after = before + beyond, after + beyond
        inputs = [*outer, *selectors]
        changing, skipped = form.changing, form.skipped
        results: list[SSAValue] = []  # the lowest bits first
        if changing:
            compared = form.bucket - skipped
            low = builder.extract(value, skipped, compared)
            local = self.look_up(selectors, [form.local(index) for index in buckets], compared)
            if form.counts:
                counted = changing.bit_length()
                minuend = [self.look_up(inputs, [level - 1 for level in after], counted)]
                subtrahend = [builder.constant(-1, counted)]
                if outer:  # a position that stops the borrow
                    minuend.append(builder.constant(1, 1))
                    subtrahend.append(builder.invert(outer[0]))
                row = builder.sub(builder.concat([*minuend, low]), builder.concat([*subtrahend, local]))
                results.append(builder.extract(row, compared + len(outer), counted))
                changing = (1 << counted) - 1
            else:
                none = builder.constant(0, 1)
                row = builder.sub(builder.concat([none, low]), builder.concat([none, local]))
                inputs = [builder.extract(row, compared, 1), *inputs]
                before, after = after + before, []
        if not after:
            after = before
        for position in range(sum(comb.width_of(each) for each in results), bits):
            ends = None if changing >> position & 1 else form.function.by_sign(position)
            results.append(
                self.look_up(inputs, [level >> position for level in after], 1)
                if ends is None
                else self.table([sign], [ends[1], ends[0] if signed else ends[1]])
            )
        return builder.concat(results[::-1])

    def class_chain(self, form: ClassChain, value: SSAValue) -> SSAValue:
        """Table after table, each of the class so far and the next bits."""
        builder = self.builder
        known: list[SSAValue] = []
        result: SSAValue | None = None
        for stage in form.stages():
            chunk = [
                builder.extract(value, position, 1)
                for position in reversed(range(stage.start, stage.start + stage.width))
            ]
            known = self.tables([*chunk, *known], stage.entries, stage.bits)
            result = builder.concat(known)
        assert result is not None
        return result

    def comparisons(self, form: Comparisons, value: SSAValue) -> SSAValue:
        """Comparisons of the lowest bits with constants, and a table of the outcomes and the bits above."""
        builder = self.builder
        lowest = builder.extract(value, 0, form.cut)
        outcomes = [self.class_chain(form.comparison(bound), lowest) for bound in reversed(form.bounds)]
        upper = [builder.extract(value, position, 1) for position in reversed(range(form.cut, form.width))]
        return self.look_up([*upper, *outcomes], form.entries(), form.bits)

    def binary_search(self, form: BinarySearch, value: SSAValue, source: IntType) -> SSAValue:
        """One comparison for each bit of the number of positions reached."""
        builder = self.builder
        found: list[SSAValue] = []
        for _ in range(form.rounds):
            bound = self.look_up(found, form.bounds(len(found)), source.bits)
            found.append(builder.greater(value, source, bound))
        if form.counts:
            return builder.fit(builder.concat(found), False, form.bits)
        levels = form.function.levels
        entries = [levels[min(count, len(levels) - 1)] for count in range(1 << len(found))]
        return self.look_up(found, entries, form.bits)

    def look_up(self, inputs: Sequence[SSAValue], entries: Sequence[int], bits: int) -> SSAValue:
        """The lowest bits of the entry that the inputs number, the most significant one first."""
        return self.builder.concat(self.tables(inputs, entries, bits))

    def tables(self, inputs: Sequence[SSAValue], entries: Sequence[int], bits: int) -> list[SSAValue]:
        """One truth table for each of the lowest bits of the entries, the most significant one first."""
        return [self.table(inputs, [entry >> position & 1 for entry in entries]) for position in reversed(range(bits))]

    def table(self, inputs: Sequence[SSAValue], entries: Sequence[int]) -> SSAValue:
        """A truth table of the inputs that matter, or just a constant, an input or its inverse."""
        builder = self.builder
        used = list(inputs)
        position = 0
        while position < len(used):
            size = 1 << (len(used) - position - 1)  # of the entries between two changes of the input
            blocks = [entries[start : start + size] for start in range(0, len(entries), size)]
            if blocks[::2] == blocks[1::2]:
                entries = [entry for block in blocks[::2] for entry in block]
                del used[position]
            else:
                position += 1
        if not used:
            return builder.constant(entries[0], 1)
        if len(used) == 1:
            return used[0] if entries[1] else builder.invert(used[0])
        return builder.append(comb.TruthTableOp.of(used, entries))
