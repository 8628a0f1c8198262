"""
Values as functions of few variables, evaluated for many integers at once.

What stands behind a sum, an activation say, is small but not linear. Its cone is walked back from a result to values
whose forms are known functions of the variables: of the integer that a sum is, or of a few input elements. Each cone
becomes an expression of numbered nodes, where equal ones have the same number, so that cones that are alike are
evaluated once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.interpreters.hw import NARROW, RELATIONS, Value, evaluate_operation
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.proofs.bit_vectors import ModuleBits, Segment
from c4ml_xdsl.proofs.linear_forms import Form

MAXIMUM_DEPTH = 150
"""Operations on a path of a cone, which is walked recursively."""
MAXIMUM_OPERATIONS = 20_000
"""Operations of one cone."""

Node: TypeAlias = int


class OpenConeError(Exception):
    """A cone that reads what isn't a function of its variables; the message says what."""


class Variables(Protocol):
    """How input elements' sums depend on a cone's variables."""

    def linear(self, terms: dict[int, int]) -> tuple[tuple[tuple[int, int], ...], int] | None:
        """The (variable, coefficient) pairs and the constant that a sum of input elements is; None where it is none."""
        ...

    def aligned(self, terms: dict[int, int], shift: int) -> dict[int, int] | None:
        """K for which `terms` + 2^shift * K is such a sum; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class _Linear:
    variables: tuple[tuple[int, int], ...]
    nodes: tuple[tuple[Node, int], ...]
    constant: int


@dataclass(frozen=True, slots=True)
class _Floor:
    node: Node
    shift: int


@dataclass(frozen=True, slots=True)
class _Bits:
    segments: tuple[tuple[Node, int, int, int], ...]
    """(node, lowest bit, bits, position in the result) each."""
    constant: int


@dataclass(frozen=True, slots=True)
class _Table:
    index: Node
    entries: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Sign:
    difference: Node
    relation: str


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    properties: tuple[object, ...]
    widths: tuple[int, ...]
    operands: tuple[Node, ...]


_Expression: TypeAlias = _Linear | _Floor | _Bits | _Table | _Sign | _Operation


def _wrapped(number: int) -> int:
    """The int64 that is equal modulo 2^64: only the lowest 62 bits of a sum are ever read."""
    return ((number + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


def _exact(form: Form) -> bool:
    """Whether a form's integers are what int64 arithmetic gives, so that bits above the 62nd are right too."""
    return max(-form.low, form.high) < 1 << 62


class Expressions:
    """The expressions of all cones of a module."""

    def __init__(self, module: ModuleBits):
        self.module = module
        self.nodes: list[_Expression] = []
        self.examples: dict[Node, Operation] = {}
        """An operation for each node that is one: they differ in what they read only."""
        self._numbers: dict[_Expression, Node] = {}
        self._scheduled: tuple[Node, list[tuple[Node, list[Node]]]] = -1, []

    def node(self, expression: _Expression) -> Node:
        """The number of an expression."""
        found = self._numbers.get(expression)
        if found is None:
            found = self._numbers[expression] = len(self.nodes)
            self.nodes.append(expression)
        return found

    def evaluate(self, root: Node, variables: Sequence[Integers]) -> Integers:
        """An expression's integers for those of the variables."""
        values: dict[Node, Integers] = {}
        for node, dead in self._schedule(root):
            values[node] = self._evaluate(node, values, variables)
            for each in dead:
                del values[each]
        return values[root]

    def _schedule(self, root: Node) -> list[tuple[Node, list[Node]]]:
        """The nodes that an expression needs, in order, and after each of them those that nothing reads any more."""
        if self._scheduled[0] != root:
            waiting, needed = [root], {root}
            while waiting:
                for child in _children(self.nodes[waiting.pop()]):
                    if child not in needed:
                        needed.add(child)
                        waiting.append(child)
            seen, schedule = {root}, list[tuple[Node, list[Node]]]()
            for node in sorted(needed, reverse=True):  # an expression is numbered after those that it reads
                dead = [child for child in dict.fromkeys(_children(self.nodes[node])) if child not in seen]
                seen.update(dead)
                schedule.append((node, dead))
            self._scheduled = root, schedule[::-1]
        return self._scheduled[1]

    def _evaluate(self, node: Node, values: dict[Node, Integers], variables: Sequence[Integers]) -> Integers:
        match self.nodes[node]:
            case _Linear(terms, nodes, constant):
                total: Integers | None = None
                for each, factor in ((variables[v], f) for v, f in terms):
                    part = each if factor == 1 else each * np.int64(factor)
                    total = part if total is None else total + part
                for each, factor in ((values[v], f) for v, f in nodes):
                    part = each if factor == 1 else each * np.int64(factor)
                    total = part if total is None else total + part
                if total is None:
                    return np.asarray(constant, np.int64)
                return total + np.int64(constant) if constant else total
            case _Floor(child, shift):
                return values[child] >> shift
            case _Bits(segments, constant):
                result: Integers | None = None
                for child, low, count, position in segments:
                    part = values[child]
                    part = (part >> low if low else part) & ((1 << count) - 1)
                    part = part << position if position else part
                    result = part if result is None else result | part
                if result is None:
                    return np.asarray(constant, np.int64)
                return result | constant if constant else result
            case _Table(child, entries):
                return np.array(entries, np.int64)[values[child]]
            case _Sign(child, relation):
                return RELATIONS[relation](values[child], 0).astype(np.int64)
            case _Operation(_, _, _, operands):
                operation = self.examples[node]
                given: dict[SSAValue, Value] = {
                    operand: values[child] for operand, child in zip(operation.operands, operands, strict=True)
                }
                return np.asarray(evaluate_operation(operation, given, 1), np.int64)


def _children(expression: _Expression) -> Sequence[Node]:
    match expression:
        case _Linear(_, nodes, _):
            return [node for node, _ in nodes]
        case _Floor(node, _) | _Table(node, _) | _Sign(node, _):
            return (node,)
        case _Bits(segments, _):
            return [segment[0] for segment in segments]
        case _Operation(_, _, _, operands):
            return operands


class Cone:
    """Walks one cone back to its variables."""

    def __init__(self, expressions: Expressions, variables: Variables):
        self.expressions, self.module, self.variables = expressions, expressions.module, variables
        self._atoms: dict[int, Node | None] = {}
        self._depth = 0

    def bits(self, segments: Sequence[Segment]) -> Node:
        """The unsigned integer of at most 62 bits; raises OpenConeError."""
        parts: list[tuple[Node, int, int, int]] = []
        constant = position = 0
        for word, low, count in segments:
            if word is None:
                constant |= low << position
            else:
                node = self._read(word.form, low + count)
                if node is None:
                    raise OpenConeError("it reads a sum that isn't the layer's")
                if low + count > NARROW:
                    raise OpenConeError(f"it reads a value of {low + count} bits")
                if len(segments) == 1 and low == 0 and self._is_value(word.form, count):
                    return node
                parts.append((node, low, count, position))
            position += count
        if position > NARROW:
            raise OpenConeError(f"it reads a value of {position} bits")
        return self.expressions.node(_Bits(tuple(parts), constant))

    def _is_value(self, form: Form, width: int) -> bool:
        """Whether a form is the unsigned integer of a value of so many bits."""
        if form.plain or form.constant or len(form.terms) != 1:
            return False
        ((atom, coefficient),) = form.terms.items()
        value = self.module.atoms.values.get(atom)
        return coefficient == 1 and value is not None and comb.width_of(value) == width

    def form(self, form: Form) -> Node | None:
        """A form's integer modulo 2^64; None where it isn't a function of the variables."""
        atoms = self.module.atoms
        own = form.terms if form.plain else {atom: each for atom, each in form.terms.items() if atom < atoms.inputs}
        linear = self.variables.linear(own)
        aligned: dict[int, Node] = {}
        if linear is None:
            own, aligned = self._aligned(form, own)
            linear = self.variables.linear(own)
        if linear is None:
            lifted = atoms.lifted(form)
            if lifted is None or not _exact(lifted[0]):
                return None
            inner = self.form(lifted[0])
            return None if inner is None else self.expressions.node(_Floor(inner, lifted[1]))
        nodes: list[tuple[Node, int]] = []
        if not form.plain:
            for atom, coefficient in form.terms.items():
                if atom >= atoms.inputs:
                    node = aligned[atom] if atom in aligned else self.atom(atom)
                    if node is None:
                        return None
                    nodes.append((node, _wrapped(coefficient)))
        terms = tuple((variable, _wrapped(factor)) for variable, factor in linear[0])
        constant = _wrapped(form.constant + linear[1])
        if not terms and not constant and len(nodes) == 1 and nodes[0][1] == 1:
            return nodes[0][0]
        return self.expressions.node(_Linear(terms, tuple(nodes), constant))

    def _read(self, form: Form, width: int) -> Node | None:
        """An integer whose lowest bits are those of a form; None where they aren't a function of the variables."""
        if form.plain:
            node = self.form(form)
            return self._lowest(form, width) if node is None else node
        lowest = self.module.atoms.modulo(form, width)  # what is carried by higher bits alone isn't read
        node = self._lowest(lowest, width)
        return self.form(form) if node is None else node

    def _lowest(self, form: Form, width: int) -> Node | None:
        """
        The same for a form that is a sum of the variables, and of floors of such sums, only modulo 2^width.

        The lowest bits of a sum are often those of some of its terms, which a row lets pass, or those of a counter.
        """
        own, nodes = form.terms, list[tuple[Node, int]]()
        if not form.plain:
            inputs = self.module.atoms.inputs
            own, aligned = self._aligned(form, {atom: each for atom, each in own.items() if atom < inputs})
            for atom, coefficient in form.terms.items():
                if atom >= inputs:
                    if atom not in aligned:
                        return None
                    nodes.append((aligned[atom], _wrapped(coefficient)))
        added = self.variables.aligned(own, width)
        if added is None:
            return None
        terms = {each: own.get(each, 0) + (added.get(each, 0) << width) for each in {**own, **added}}
        linear = self.variables.linear({each: factor for each, factor in terms.items() if factor})
        if linear is None:
            return None
        variables = tuple((variable, _wrapped(factor)) for variable, factor in linear[0])
        return self.expressions.node(_Linear(variables, tuple(nodes), _wrapped(form.constant + linear[1])))

    def _aligned(self, form: Form, own: dict[int, int]) -> tuple[dict[int, int], dict[int, Node]]:
        """
        A form's floors with their insides made sums of the variables, and its own terms without what that takes.

        floor(G / 2^s) is floor((G + 2^s K) / 2^s) - K: an inside in normal form need be no sum itself.
        """
        nodes: dict[int, Node] = {}
        for atom, coefficient in form.terms.items():
            inner, shift = self.module.atoms.floors.get(atom, (None, 0))
            if inner is None or not inner.plain or not _exact(inner):
                continue
            added = self.variables.aligned(inner.terms, shift)
            if added is None:
                continue
            terms = {each: factor + (added.get(each, 0) << shift) for each, factor in inner.terms.items()}
            terms.update({each: factor << shift for each, factor in added.items() if each not in terms})
            linear = self.variables.linear({each: factor for each, factor in terms.items() if factor})
            low, high = self.module.atoms.bounds(terms, inner.constant)
            if linear is None or max(-low, high) >= 1 << 62:
                continue
            variables = tuple((variable, _wrapped(factor)) for variable, factor in linear[0])
            sum_ = self.expressions.node(_Linear(variables, (), _wrapped(inner.constant + linear[1])))
            nodes[atom] = self.expressions.node(_Floor(sum_, shift))
            own = {each: own.get(each, 0) - coefficient * added.get(each, 0) for each in {**own, **added}}
        return {each: factor for each, factor in own.items() if factor}, nodes

    def atom(self, atom: int) -> Node | None:
        """A floor's integer, or an unknown value's unsigned one."""
        if atom in self._atoms:
            return self._atoms[atom]
        if self._depth >= MAXIMUM_DEPTH or len(self._atoms) >= MAXIMUM_OPERATIONS:
            raise OpenConeError(f"it has more than {MAXIMUM_OPERATIONS} operations, or {MAXIMUM_DEPTH} in a row")
        self._depth += 1
        result: Node | None = None
        floor = self.module.atoms.floors.get(atom)
        if floor is None:
            result = self._operation(self.module.atoms.values[atom])
        elif _exact(floor[0]):
            inner = self.form(floor[0])
            result = None if inner is None else self.expressions.node(_Floor(inner, floor[1]))
        self._depth -= 1
        self._atoms[atom] = result
        return result

    def _operation(self, value: SSAValue) -> Node | None:
        operation = value.owner
        if not isinstance(operation, Operation):
            return None
        values = self.module.values
        if isinstance(operation, comb.TruthTableOp):
            parts = [values[operand].segments for operand in reversed(operation.inputs)]
            index = self.module.join(parts, len(parts)).segments
            return self.expressions.node(_Table(self.bits(index), operation.entries))
        if isinstance(operation, comb.ICmpOp):
            compared = self._difference(operation)
            if compared is not None:
                return compared
        if type(operation) not in _EVALUATED or comb.width_of(value) > NARROW:
            raise OpenConeError(f"it has a {operation.name} of {comb.width_of(value)} bits")
        operands = tuple([self.bits(values[operand].segments) for operand in operation.operands])
        widths = tuple([comb.width_of(operand) for operand in operation.operands])
        properties = tuple(operation.properties.values())
        node = self.expressions.node(_Operation(operation.name, properties, widths, operands))
        self.expressions.examples.setdefault(node, operation)
        return node

    def _difference(self, operation: comb.ICmpOp) -> Node | None:
        """A comparison of two sums by the sign of their difference, which may be a function where they are none."""
        module = self.module
        left, right = module.values[operation.lhs], module.values[operation.rhs]
        signed, width = operation.mnemonic[0] == "s", left.width
        forms: list[Form] = []
        for bits in (left, right):
            # the exact integers that are compared: the bits of one word, read as a signed or unsigned number
            if len(bits.segments) != 1:
                return None
            word, low, count = bits.segments[0]
            if word is None or low:
                return None
            exact = word if count > word.width else word.extended(module.atoms, count, signed)
            lowest = -1 << (width - 1) if signed else 0
            if exact is None or exact.form.low < lowest or exact.form.high >= lowest + (1 << width):
                return None
            forms.append(exact.form)
        form = module.atoms.combine([(forms[0], 1), (forms[1], -1)])
        difference = self.form(form) if _exact(form) else None
        if difference is None:
            return None
        relation = operation.mnemonic.removeprefix("s").removeprefix("u")
        return self.expressions.node(_Sign(difference, relation))


_EVALUATED = frozenset(
    {
        comb.AddOp,
        comb.SubOp,
        comb.MulOp,
        comb.AndOp,
        comb.OrOp,
        comb.XorOp,
        comb.ShlOp,
        comb.ShrUOp,
        comb.ShrSOp,
        comb.ICmpOp,
        comb.MuxOp,
        comb.ParityOp,
        comb.ReplicateOp,
    }
)


def input_elements(module: ModuleBits, segments: Sequence[Segment], most_bits: int) -> list[int]:
    """
    The input elements that bits depend on, in the order in which they are found.

    The search stops where they have more than `most_bits` bits together.
    """
    atoms = module.atoms
    found: list[int] = []
    seen: set[int] = set()
    waiting = [word.form for word, _, _ in segments if word is not None]
    bits = 0
    while waiting and bits <= most_bits:
        for atom in waiting.pop().terms:
            if atom in seen:
                continue
            seen.add(atom)
            if atom < atoms.inputs:
                found.append(atom)
                bits += max(1, (atoms.high[atom] - atoms.low[atom]).bit_length())
            elif atom in atoms.floors:
                waiting.append(atoms.floors[atom][0])
            else:
                owner = atoms.values[atom].owner
                if isinstance(owner, Operation):
                    for operand in owner.operands:
                        waiting.extend(word.form for word, _, _ in module.values[operand].segments if word is not None)
    return found
