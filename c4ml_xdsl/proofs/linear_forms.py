"""
Exact linear forms: integers written as a constant and a sum of coefficient * atom.

An atom is an input element of a module, the floor of another form over a power of two, or the unsigned integer of a
value about which nothing is known. Floors are kept in a normal form, so that what an adder over high bits and the low
bits beside it drop and give back cancels: with h = floor(a / 4), the bits `{h + b, a mod 4}` are 4 (h + b) + (a - 4 h).

Everything is in Python integers, so nothing overflows.
"""

from collections.abc import Sequence

from xdsl.ir import SSAValue


class Form:
    """
    constant + sum of terms[atom] * atom, an integer between `low` and `high`, which may be further out than it gets.

    `plain` tells that all atoms are input elements. Terms are never 0 and never changed in place.
    """

    __slots__ = ("constant", "high", "low", "plain", "terms", "tight")

    def __init__(self, terms: dict[int, int], constant: int, low: int, high: int, plain: bool):
        self.terms = terms
        self.constant = constant
        self.low = low
        self.high = high
        self.plain = plain
        self.tight = False
        """Whether the bounds have been compared with those that the atoms give."""

    @classmethod
    def of(cls, constant: int) -> "Form":
        """A constant."""
        return cls({}, constant, constant, constant, True)

    def shifted(self, amount: int) -> "Form":
        """The form with a constant added."""
        return Form(self.terms, self.constant + amount, self.low + amount, self.high + amount, self.plain)


class Atoms:
    """The atoms of one module; those below `inputs` are its input elements."""

    def __init__(self, elements: Sequence[tuple[int, int]]):
        """Starts with input elements of the given lowest and highest integers."""
        self.inputs = len(elements)
        self.low = [low for low, _ in elements]
        self.high = [high for _, high in elements]
        self.floors: dict[int, tuple[Form, int]] = {}
        """floor(form / 2^shift) for each atom that is one."""
        self.values: dict[int, SSAValue] = {}
        """The value for each atom that is one's unsigned integer."""
        self.parities: dict[int, Form] = {}
        """What is equal modulo 2 to an atom of 0 and 1, where that is known."""
        self._known: dict[tuple[object, ...], int] = {}

    def element(self, index: int) -> Form:
        """An input element, which is a constant where it has one integer."""
        if self.low[index] == self.high[index]:
            return Form.of(self.low[index])
        return Form({index: 1}, 0, self.low[index], self.high[index], True)

    def unknown(self, value: SSAValue, width: int) -> Form:
        """The unsigned integer of a value of so many bits."""
        atom = self._new(0, (1 << width) - 1)
        self.values[atom] = value
        return Form({atom: 1}, 0, 0, self.high[atom], False)

    def _new(self, low: int, high: int) -> int:
        self.low.append(low)
        self.high.append(high)
        return len(self.low) - 1

    def bounds(self, terms: dict[int, int], constant: int) -> tuple[int, int]:
        """The bounds that the atoms' ranges give."""
        low = high = constant
        lows, highs = self.low, self.high
        for atom, coefficient in terms.items():
            if coefficient > 0:
                low += coefficient * lows[atom]
                high += coefficient * highs[atom]
            else:
                low += coefficient * highs[atom]
                high += coefficient * lows[atom]
        return low, high

    def tighten(self, form: Form) -> None:
        """Narrows a form's bounds to what its atoms' ranges give, if that is less; a floor's bounds are its form's."""
        if form.tight:
            return
        low, high = self.bounds(form.terms, form.constant)
        lifted = self.lifted(form)
        if lifted is not None:
            inner, shift = lifted
            self.tighten(inner)
            low, high = max(low, inner.low >> shift), min(high, inner.high >> shift)
        form.low, form.high, form.tight = max(low, form.low), min(high, form.high), True

    def combine(self, parts: Sequence[tuple[Form, int]], constant: int = 0) -> Form:
        """The sum of factor * form, and a constant."""
        terms: dict[int, int] = {}
        low = high = constant
        plain, overlap = True, False
        for form, factor in parts:
            mine = form.terms if factor == 1 else {atom: factor * each for atom, each in form.terms.items()}
            if not terms:
                terms = mine
            elif mine:
                merged = terms | mine
                if len(merged) != len(terms) + len(mine):
                    overlap = True
                    for atom in terms.keys() & mine.keys():
                        total = terms[atom] + mine[atom]
                        if total:
                            merged[atom] = total
                        else:
                            del merged[atom]
                terms = merged
            constant += factor * form.constant
            if factor > 0:
                low += factor * form.low
                high += factor * form.high
            else:
                low += factor * form.high
                high += factor * form.low
            plain = plain and form.plain
        if not plain and overlap:
            plain = all(atom < self.inputs for atom in terms)
        return Form(terms, constant, low, high, plain)

    def modulo(self, form: Form, width: int) -> Form:
        """
        A form that is equal modulo 2^width, without the atoms that this makes vanish.

        Where an atom counts by its parity alone, what that is known to be stands in its place.
        """
        mask = (1 << width) - 1
        if self.parities and not form.plain:
            half = 1 << (width - 1)
            known = [atom for atom, each in form.terms.items() if each & mask == half and atom in self.parities]
            if known:
                parts = [(self.parities[atom], half) for atom in known]
                parts.append((Form({atom: -form.terms[atom] for atom in known}, 0, *self._ends(form, known), False), 1))
                form = self.combine([(form, 1), *parts])
        gone = [atom for atom, coefficient in form.terms.items() if not coefficient & mask]
        if not gone:
            return form
        low, high = self._ends(form, gone)
        kept = {atom: coefficient for atom, coefficient in form.terms.items() if coefficient & mask}
        plain = form.plain or all(atom < self.inputs for atom in kept)
        result = Form(kept, form.constant, form.low + low, form.high + high, plain)
        self.tighten(result)
        return result

    def _ends(self, form: Form, atoms: Sequence[int]) -> tuple[int, int]:
        """The bounds of what some atoms take away from a form by leaving it."""
        return self.bounds({atom: -form.terms[atom] for atom in atoms}, 0)

    def floor(self, form: Form, shift: int) -> Form:
        """floor(form / 2^shift), as a normal form."""
        if shift == 0:
            return form
        low, high = form.low >> shift, form.high >> shift
        if low != high:
            self.tighten(form)
            low, high = form.low >> shift, form.high >> shift
        if low == high:
            return Form.of(low)
        if high - low == 1 and high:
            return self.floor(form.shifted(-high << shift), shift).shifted(high)
        if (low, high) == (-1, 0):
            # only the sign is left: all powers of two beyond the form's bits give one atom
            shift = max((-1 - form.low).bit_length(), form.high.bit_length())
        lifted = self.lifted(form)
        if lifted is not None:
            inner, inner_shift = lifted
            return self._within(self.floor(inner, inner_shift + shift), low, high)
        mask = (1 << shift) - 1
        rest = {atom: each & mask for atom, each in form.terms.items() if each & mask}
        whole = {atom: each >> shift for atom, each in form.terms.items() if each >> shift}
        kept, constant = form.constant & mask, form.constant >> shift
        parts = [(self._sum(whole, constant), 1), (self._floor_atom(rest, kept, shift), 1)]
        return self._within(self.combine(parts), low, high)

    def lifted(self, form: Form) -> tuple[Form, int] | None:
        """A form F and a shift s for which `form` is floor(F / 2^s), where it has a floor with the factor 1 or -1."""
        if form.plain:
            return None
        for atom, coefficient in form.terms.items():
            if coefficient in (1, -1) and atom in self.floors:
                inner, shift = self.floors[atom]
                others = {each: factor for each, factor in form.terms.items() if each != atom}
                unit = 1 << shift
                if coefficient == 1:
                    return self.combine([(self._sum(others, form.constant), unit), (inner, 1)]), shift
                # -floor(G) = 1 + floor(-1 - G)
                return self.combine([(self._sum(others, form.constant + 1), unit), (inner, -1)], -1), shift
        return None

    def _sum(self, terms: dict[int, int], constant: int) -> Form:
        low, high = self.bounds(terms, constant)
        return Form(terms, constant, low, high, all(atom < self.inputs for atom in terms))

    @staticmethod
    def _within(form: Form, low: int, high: int) -> Form:
        """The same form with bounds that are known otherwise."""
        return Form(form.terms, form.constant, max(form.low, low), min(form.high, high), form.plain)

    def _floor_atom(self, terms: dict[int, int], constant: int, shift: int) -> Form:
        """floor of a form whose coefficients and constant are from 0 to 2^shift - 1."""
        low, high = self.bounds(terms, constant)
        if low >> shift == high >> shift:
            return Form.of(low >> shift)
        items = sorted(terms.items())
        half = 1 << (shift - 1)
        if items[0][1] >= half:
            # floor(R) = sum of R's atoms - floor(R'), where -1 - R = R' - 2^shift * (sum of R's atoms + 1): of the two
            # the one whose first coefficient, or else the next ones or the constant, is less
            unit = 1 << shift
            inverse = {atom: unit - coefficient for atom, coefficient in terms.items()}
            inverted = sorted(inverse.items())
            if (items, constant) > (inverted, unit - 1 - constant):
                other = self._floor_atom(inverse, unit - 1 - constant, shift)
                return self.combine([(self._sum(dict.fromkeys(terms, 1), 0), 1), (other, -1)])
        key = (shift, constant, tuple(items))
        atom = self._known.get(key)
        if atom is None:
            atom = self._known[key] = self._new(low >> shift, high >> shift)
            self.floors[atom] = Form(terms, constant, low, high, all(each < self.inputs for each in terms)), shift
        return Form({atom: 1}, 0, self.low[atom], self.high[atom], False)
