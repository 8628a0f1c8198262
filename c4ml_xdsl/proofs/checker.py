"""
Proves that the `hw` modules of a design compute what its folded `lbir` network says.

Only the final IR is read, and only what its operations mean: how the circuit was found plays no part. Results that
nothing reads there needn't be proved.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import comb, lbir
from c4ml_xdsl.interpreters.hw import HwInterpreter, Value, pack, unpack
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.proofs.bit_vectors import Bits, ModuleBits, Segment, UnknownOperationError
from c4ml_xdsl.proofs.cones import Cone, Expressions, Node, OpenConeError, input_elements
from c4ml_xdsl.proofs.element_ranges import element_ranges
from c4ml_xdsl.proofs.linear_forms import Atoms, Form
from c4ml_xdsl.proofs.reachable import Reachable
from c4ml_xdsl.proofs.specification import Specification, SpecificationError, specify
from c4ml_xdsl.proofs.unread import Bools, unread_results
from c4ml_xdsl.proofs.wiring import check_wiring

MAXIMUM_SUM_BITS = 22
"""An activation is evaluated for all integers of a sum up to this many bits."""
MAXIMUM_CONE_BITS = 20
"""A cone over input elements is evaluated for all their combinations up to this many bits."""
SAMPLES = 512
"""Random inputs that what can't be proved is tried on."""
CHUNK = 1 << 13
"""Integers that a cone is evaluated for at once, so that its values stay in the cache."""
OPERATIONS, AXES = "c4ml.operations", "c4ml.axes"
"""Attributes of a `hw.module`: which operations of the network it stands for, and how their result is in its rows."""

Status = Literal["proved", "not proved", "refuted"]


@dataclass
class LayerProof:
    """What is known of one module."""

    name: str
    """The `hw.module`."""
    node: str
    """The model's node whose tensor it gives."""
    status: Status
    """`refuted` only where an input is known for which the module gives something else."""
    reasons: list[str]
    """What couldn't be proved and why, or the input that refutes; each names module, output and node."""
    seconds: float


class _Refuted(Exception):
    """An output differs for an input; the message says which."""


class _NotProved(Exception):
    """An output that can't be proved; the message says why."""


def prove(lbir_module: ModuleOp, hw_module: ModuleOp) -> list[LayerProof]:
    """
    One entry for each `hw.module`, the last one for the top, which puts the others together.

    `lbir_module` is the folded network, `hw_module` the design. Nothing is raised for what is wrong with a design.
    """
    network = network_of(lbir_module)
    operations = list(network.body.block.ops)
    modules = [each for each in hw_module.body.block.ops if isinstance(each, hw.HWModuleOp)]
    *layers, top = modules
    instances: dict[str, list[hw.InstanceOp]] = {}
    for operation in top.body.block.ops:
        if isinstance(operation, hw.InstanceOp):
            instances.setdefault(operation.module_name.string_value(), []).append(operation)
    interpreter, ranges = HwInterpreter(hw_module), element_ranges(network)
    unread = unread_results(top, layers, instances)
    proofs: list[LayerProof] = []
    specifications: dict[str, Specification] = {}
    for module in layers:
        name, start = module.sym_name.data, time.perf_counter()
        try:
            specification = _specification(module, operations, len(instances.get(name, ())), ranges)
        except SpecificationError as error:
            proofs.append(LayerProof(name, name, "not proved", [f"{name}: {error}"], time.perf_counter() - start))
            continue
        specifications[name] = specification
        status, reasons = _Module(module, specification, interpreter, unread.get(name)).prove()
        proofs.append(LayerProof(name, specification.node, status, reasons, time.perf_counter() - start))
    start = time.perf_counter()
    reasons = check_wiring(network, top, specifications, instances)
    name = top.sym_name.data
    proofs.append(LayerProof(name, name, "not proved" if reasons else "proved", reasons, time.perf_counter() - start))
    return proofs


def _specification(
    module: hw.HWModuleOp, operations: Sequence[Operation], rows: int, ranges: Mapping[SSAValue, Integers]
) -> Specification:
    """What a module has to compute, as its attributes say."""
    positions, axes = module.attributes.get(OPERATIONS), module.attributes.get(AXES)
    if not isinstance(positions, lbir.NumbersAttr) or not positions.data:
        raise SpecificationError("the module doesn't say which operations it stands for")
    chosen: list[lbir.LayerOp] = []
    for position in positions.data:
        operation = operations[position] if 0 <= position < len(operations) else None
        if not isinstance(operation, lbir.LayerOp):
            raise SpecificationError(f"operation {position} is no layer")
        chosen.append(operation)
    return specify(chosen, axes.data if isinstance(axes, lbir.NumbersAttr) else None, rows, ranges)


class _Module:
    """The proof of one module."""

    def __init__(
        self,
        module: hw.HWModuleOp,
        specification: Specification,
        interpreter: HwInterpreter,
        unread: Bools | None,
    ):
        """`unread` says of each bit of the output whether nothing reads it; None where that isn't known."""
        self.module, self.specification, self.interpreter = module, specification, interpreter
        self.name = module.sym_name.data
        self.atoms = Atoms(specification.ranges)
        self.values = ModuleBits(self.atoms)
        self.width = specification.result.bits
        self.outputs = range(specification.outputs)
        """Those that matter."""
        if unread is not None and len(unread) == specification.outputs * self.width:
            matters: list[int] = np.flatnonzero(~unread.reshape(-1, self.width).all(axis=1)).tolist()
            self.outputs = matters
        self.expressions = Expressions(self.values)
        self._proved: dict[tuple[object, ...], list[tuple[int, int]]] = {}
        """The intervals of sums for which an expression is what the layer's function of the sum is."""
        self._alike: dict[tuple[object, ...], list[int]] = {}
        """For expressions of input elements, ranges and function, an output that is proved."""

    def prove(self) -> tuple[Status, list[str]]:
        """The status, and the reasons where it isn't `proved`."""
        specification = self.specification
        try:
            result = self._result()
        except (UnknownOperationError, SpecificationError) as error:
            return "not proved", [f"{self.name} (node {specification.node}): {error}"]
        refuted: list[str] = []
        open_: list[str] = []
        for output in self.outputs:
            where = f"{self.name}, output {output} (node {specification.node})"
            try:
                self._output(output, result.slice(output * self.width, self.width))
            except _Refuted as error:
                refuted.append(f"{where}: {error}")
            except (_NotProved, OpenConeError) as error:
                open_.append(f"{where}: {error}")
        if open_ and not refuted:
            counterexample = self._sampled()
            if counterexample:
                refuted.append(counterexample)
        return "refuted" if refuted else "not proved" if open_ else "proved", refuted + open_

    def _result(self) -> Bits:
        """The bits of the packed output."""
        specification, block = self.specification, self.module.body.block
        widths = [element.bits * count for element, count in specification.operands]
        if [comb.width_of(port) for port in block.args] != widths:
            raise SpecificationError(f"the input ports don't have {widths} bits")
        first = 0
        for port, (element, count) in zip(block.args, specification.operands, strict=True):
            self.values.inputs(port, first, count, element.bits)
            first += count
        *operations, last = block.ops
        if not isinstance(last, hw.OutputOp) or len(last.operands) != 1:
            raise SpecificationError("the module doesn't have one output")
        if comb.width_of(last.operands[0]) != specification.outputs * self.width:
            raise SpecificationError(f"the output doesn't have {specification.outputs} elements of {self.width} bits")
        self.values.run(operations)
        return self.values.values[last.operands[0]]

    def _output(self, output: int, segments: Sequence[Segment]) -> None:
        """Proves one output element; raises _Refuted, _NotProved or OpenConeError."""
        specification = self.specification
        if specification.sums is None:
            return self._by_elements(output, segments, "the layer isn't linear")
        if specification.activation is None:
            return self._linear(output, segments)
        try:
            self._behind_sum(output, segments)
        except OpenConeError as error:
            self._by_elements(output, segments, str(error))

    def _linear(self, output: int, segments: Sequence[Segment]) -> None:
        """A sum without an activation: the output's form is that of the layer."""
        wanted, element = self._wanted(output), self.specification.result
        if wanted.low < element.low or wanted.high > element.high:
            raise _NotProved(f"the layer's sums leave the range {element.low} to {element.high}")
        given = self.values.form(Bits(segments, self.width))
        mask = (1 << self.width) - 1
        if given.terms == wanted.terms and not (given.constant - wanted.constant) & mask:
            return
        difference = self.atoms.modulo(self.atoms.combine([(given, 1), (wanted, -1)]), self.width)
        if not difference.terms and not difference.constant & mask:
            return
        if not difference.plain:
            self._by_elements(output, segments, "the sum isn't the layer's as far as it can be followed")
            return
        # both forms are known: one of two inputs that differ in one element refutes
        x = [low for low, _ in self.specification.ranges]
        differs = self._differs(output, x)
        if not differs and difference.terms:
            x[next(iter(difference.terms))] += 1
            differs = self._differs(output, x)
        if not differs:
            raise _NotProved("the sum isn't the layer's, but no input shows it")
        raise _Refuted(differs)

    def _wanted(self, output: int) -> Form:
        sums = self.specification.sums
        assert sums is not None
        mine = sums[output]
        return self.atoms.combine([(self.atoms.element(i), each) for i, each in mine.terms.items()], mine.constant)

    def _behind_sum(self, output: int, segments: Sequence[Segment]) -> None:
        """An activation, for all integers that its sum can be."""
        wanted = self._wanted(output)
        factor = math.gcd(*wanted.terms.values()) if wanted.terms else 1
        primitive = {atom: each // factor for atom, each in wanted.terms.items()}
        # the sum is factor * m + rest, where m is what the primitive form is, and `moved`
        moved, rest = divmod(wanted.constant, factor)
        low, high = (end + moved for end in self.atoms.bounds(primitive, 0))
        if (high - low).bit_length() > MAXIMUM_SUM_BITS:
            raise _NotProved(f"its sum is one of {high - low + 1} integers")
        root = Cone(self.expressions, _Multiple(primitive, moved)).bits(segments)
        known = self._proved.setdefault((root, factor, rest, self.specification.function(output)), [])
        pieces, wrong = _uncovered(known, low, high), list[int]()
        for first, last in pieces:
            for start in range(first, last + 1, CHUNK):
                m = np.arange(start, min(start + CHUNK, last + 1))
                want = self.specification.activated(output, factor * m + rest)
                wrong.extend(start + each for each in self._wrong(root, [m], want).tolist())
        if not wrong:
            known.extend(pieces)
            return
        # not every integer in the range need be a sum: those that are refute
        reachable = Reachable([(each, self.atoms.low[a], self.atoms.high[a]) for a, each in primitive.items()])
        for each in wrong:
            found = reachable.find(each - moved)
            if found is not None:
                x = [low for low, _ in self.specification.ranges]
                for atom, value in zip(primitive, found, strict=True):
                    x[atom] = value
                differs = self._differs(output, x)
                if not differs:
                    raise _NotProved("the cone behind its sum differs, but the module doesn't")
                raise _Refuted(differs)
        if not reachable.known:
            raise _NotProved("the cone behind its sum differs, if at all, for integers that may be no sum")

    def _wrong(self, root: Node, variables: Sequence[Integers], want: Integers) -> Integers:
        """The positions at which an expression isn't what is wanted."""
        got, element = self.expressions.evaluate(root, variables), self.specification.result
        if want.min() < element.low or want.max() > element.high:
            raise _NotProved(f"the layer's results leave the range {element.low} to {element.high}")
        return np.flatnonzero(got != want & ((1 << self.width) - 1))

    def _by_elements(self, output: int, segments: Sequence[Segment], why: str) -> None:
        """Whatever the output is, for all combinations of the input elements that it or the layer depends on."""
        read = list(self.specification.read(output))
        elements = list(dict.fromkeys([*read, *input_elements(self.values, segments, MAXIMUM_CONE_BITS)]))
        ranges = [self.specification.ranges[each] for each in elements]
        count = math.prod(high - low + 1 for low, high in ranges)
        if count > 1 << MAXIMUM_CONE_BITS:
            bits = sum((high - low).bit_length() for low, high in ranges)
            raise _NotProved(f"{why}, and the cone reads {bits} bits or more")
        root = Cone(self.expressions, _Elements(elements)).bits(segments)
        known = self._alike.setdefault((root, tuple(ranges), self.specification.key(output)), [])
        if known:
            return
        for start in range(0, count, CHUNK):
            index = np.arange(start, min(start + CHUNK, count))
            variables: list[Integers] = []
            stride = 1
            for low, high in ranges:
                variables.append(index // stride % (high - low + 1) + low)
                stride *= high - low + 1
            want = self.specification.evaluate(output, dict(zip(elements, variables, strict=True)))
            wrong = self._wrong(root, variables, want)
            if wrong.size:
                chosen = [low for low, _ in self.specification.ranges]
                for each, variable in zip(elements, variables, strict=True):
                    chosen[each] = int(variable[wrong[0]])
                differs = self._differs(output, chosen)
                if not differs:
                    raise _NotProved("its cone differs, but the module doesn't")
                raise _Refuted(differs)
        known.append(output)

    def _run(self, x: Integers) -> Integers:
        """The module's outputs (samples, outputs) for input elements (samples, elements)."""
        ports = [each for each in self.module.module_type.ports.data if each.dir.data.is_input_like()]
        outputs = [each for each in self.module.module_type.ports.data if not each.dir.data.is_input_like()]
        given: dict[str, Value] = {}
        first = 0
        for port, (element, count) in zip(ports, self.specification.operands, strict=True):
            given[port.port_name.data] = pack(x[:, first : first + count], element.bits)
            first += count
        value = self.interpreter.run(self.name, given)[outputs[0].port_name.data]
        return unpack(value, self.specification.outputs, self.width, self.specification.result.signed)

    def _differs(self, output: int, x: Sequence[int]) -> str:
        """What an input refutes, from running the module on it; empty where nothing."""
        row = np.array([x], np.int64)
        got = int(self._run(row)[0, output])
        want = int(self.specification.evaluate(output, {i: row[:, i] for i in range(row.shape[1])})[0])
        return "" if got == want else f"it gives {got} instead of {want} for the inputs {_short(x)}"

    def _sampled(self) -> str:
        """A counterexample among random inputs; empty where there is none."""
        generator = np.random.default_rng(0)
        low, high = np.array(self.specification.ranges, np.int64).T
        x = generator.integers(low, high + 1, (SAMPLES, len(low)))
        x[0], x[1] = low, high
        got = self._run(x)
        columns = {index: x[:, index] for index in range(len(low))}
        for output in self.outputs:
            wrong = np.flatnonzero(got[:, output] != self.specification.evaluate(output, columns))
            if wrong.size:
                where = f"{self.name}, output {output} (node {self.specification.node})"
                return f"{where}: {self._differs(output, x[wrong[0]].tolist())}"
        return ""


def _short(numbers: Sequence[int]) -> str:
    return str(list(numbers[:16])).replace("]", ", …]" if len(numbers) > 16 else "]")


def _uncovered(known: Sequence[tuple[int, int]], low: int, high: int) -> list[tuple[int, int]]:
    """What some intervals leave of another one."""
    left = [(low, high)]
    for start, end in known:
        parts = [piece for a, b in left for piece in ((a, min(b, start - 1)), (max(a, end + 1), b))]
        left = [(a, b) for a, b in parts if a <= b]
    return left


class _Multiple:
    """Forms that are multiples of one form, which with a constant added is the variable."""

    def __init__(self, primitive: dict[int, int], moved: int):
        self.primitive, self.moved = primitive, moved
        self.first = next(iter(primitive), None)

    def linear(self, terms: dict[int, int]) -> tuple[tuple[tuple[int, int], ...], int] | None:
        """The variable's coefficient, and the constant that takes the added one away."""
        if not terms:
            return (), 0
        primitive = self.primitive
        if terms == primitive:
            return ((0, 1),), -self.moved
        if self.first is None or len(terms) != len(primitive):
            return None
        factor, rest = divmod(terms.get(self.first, 0), primitive[self.first])
        if rest or not factor or terms != {atom: factor * each for atom, each in primitive.items()}:
            return None
        return ((0, factor),), -factor * self.moved

    def aligned(self, terms: dict[int, int], shift: int) -> dict[int, int] | None:
        """What makes a form a multiple, times 2^shift: the multiple is known modulo 2^shift by an odd coefficient."""
        unit = 1 << shift
        odd = next((atom for atom, each in self.primitive.items() if each & 1), None)
        if odd is None or any(atom not in self.primitive for atom in terms):
            return None
        factor = terms.get(odd, 0) * pow(self.primitive[odd], -1, unit) % unit
        if factor > unit >> 1:
            factor -= unit
        added: dict[int, int] = {}
        for atom, each in self.primitive.items():
            added[atom], rest = divmod(factor * each - terms.get(atom, 0), unit)
            if rest:
                return None
        return added


class _Elements:
    """Forms of some input elements, which are the variables in their order."""

    def __init__(self, elements: Sequence[int]):
        self.numbers = {element: number for number, element in enumerate(elements)}

    def linear(self, terms: dict[int, int]) -> tuple[tuple[tuple[int, int], ...], int] | None:
        """The elements' numbers and coefficients."""
        if any(atom not in self.numbers for atom in terms):
            return None
        return tuple(sorted((self.numbers[atom], coefficient) for atom, coefficient in terms.items())), 0

    def aligned(self, terms: dict[int, int], shift: int) -> None:
        """Nothing need be added to sums of the variables."""
