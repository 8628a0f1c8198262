"""The state of one conversion: what each value of the graph has become, and the network built so far."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

import numpy as np
from xdsl.dialects.builtin import NoneType
from xdsl.ir import Block, SSAValue

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.interpreters.qonnx import Array
from c4ml_xdsl.numerics.chain import INTEGRAL, Integers, Step, step_count
from c4ml_xdsl.numerics.intervals import DomainError
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.numerics.staircase import TooManyValues, enumerate_values, function_ends
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import (
    Affine,
    Inexact,
    Real,
    affine_form,
    exact_floats,
    fractions_of,
    full_rank,
    scale_steps,
)

ROUND = Step("round", mode=RoundingMode.HALF_EVEN)


@dataclass(frozen=True)
class Raw:
    """An input before its quantiser, or what moves made of some: scale * x + offset, element by element."""

    shape: tuple[int, ...]
    tensor: str = ""
    """The input's name, where this is one."""
    node: qonnx.NodeOp | None = None
    """The move that gave this, where it is none."""
    sources: tuple["Raw", ...] = ()
    scale: Array = field(default_factory=lambda: fractions_of(1.0))
    offset: Array = field(default_factory=lambda: fractions_of(0.0))

    @property
    def inputs(self) -> list[str]:
        """The names of all inputs in it."""
        return [self.tensor] if self.node is None else [name for source in self.sources for name in source.inputs]


@dataclass
class Conversion:
    """Handlers of operators read `reals` and `constants`, and write `reals`."""

    graph: qonnx.GraphOp
    block: Block = field(default_factory=Block)
    reals: dict[SSAValue, Real] = field(default_factory=dict[SSAValue, Real])
    raws: dict[SSAValue, Raw] = field(default_factory=dict[SSAValue, Raw])
    constants: dict[SSAValue, Array] = field(default_factory=dict[SSAValue, Array])
    after: dict[SSAValue, tuple[str, int]] = field(default_factory=dict[SSAValue, tuple[str, int]])
    """What the model does to a value behind the circuit, and along which axis."""
    ports: dict[str, tuple[lbir.PortAttr, SSAValue]] = field(default_factory=dict[str, tuple[lbir.PortAttr, SSAValue]])

    # what handlers read ------------------------------------------------------------------------------------------

    def data(self, node: qonnx.NodeOp) -> list[SSAValue]:
        """The operands that aren't constant, each once."""
        found = [v for v in node.operands if v not in self.constants and not isinstance(v.type, NoneType)]
        return list(dict.fromkeys(found))

    def real(self, node: qonnx.NodeOp, index: int = 0) -> Real:
        """The operand at a position, which must be computed by the circuit."""
        value = node.input(index)
        if value is None or value not in self.reals:
            self.refuse(node, f"its input {index} must be an activation, not a constant")
        return self.reals[value]

    def constant(self, node: qonnx.NodeOp, index: int) -> Array:
        """A parameter that must be constant."""
        value = node.input(index)
        if value is None or value not in self.constants:
            self.refuse(node, f"its input {index} must be a constant", "Export the model with constant parameters.")
        return self.constants[value]

    def float_constant(self, node: qonnx.NodeOp, index: int, rank: int) -> Array:
        """A constant parameter of float32 values, with so many axes."""
        array = self.constant(node, index)
        with np.errstate(all="ignore"):
            if not np.all(np.isfinite(array)):
                self.refuse(node, "a constant is infinite or not a number", "Check the training.")
            if np.any(array != array.astype(np.float32)):
                self.refuse(node, "a constant isn't float32", "Export the model in float32.")
        if array.ndim > rank:
            array = (
                array.reshape(array.shape[array.ndim - rank :])
                if array.size == 1 or set(array.shape[: array.ndim - rank]) == {1}
                else self.refuse(node, "a constant has more axes than the tensor")
            )
        return full_rank(array, rank)

    def refuse(self, node: qonnx.NodeOp, reason: str, remedy: str = "Export the model without it.") -> NoReturn:
        """Raises UnsupportedModelError for a node."""
        raise UnsupportedModelError(node.label, reason, remedy=remedy)

    # what handlers write -----------------------------------------------------------------------------------------

    def set(self, node: qonnx.NodeOp, real: Real) -> None:
        """What the node's only output has become; refuses chains that joins have made too long."""
        if step_count(real.steps) > MAXIMUM_STEPS:
            reason = f"it computes more than {MAXIMUM_STEPS} steps on the same integers"
            raise UnsupportedModelError(node.label, reason, remedy=QUANTISE)
        if real.shape != qonnx.static_shape(node.output):
            reason = "its parameters have more axes than its input"
            raise UnsupportedModelError(node.label, reason, remedy="Reshape its parameters.")
        self.reals[node.output] = real

    def add(self, operation: lbir.LayerOp) -> SSAValue:
        """Appends a layer to the network."""
        self.block.add_op(operation)
        return operation.results[0]

    def activate(self, real: Real, steps: Sequence[Step], node: qonnx.NodeOp) -> SSAValue:
        """The integers that a chain gives behind a tensor; its range is what it can give."""
        chain = (*real.steps, *steps)
        if chain[-1].operation not in INTEGRAL:
            chain = (*chain, ROUND)
        low, high = self.chain_range(real.integers, chain, node)
        return self.add(lbir.ActivateOp(real.integers, chain, low, high, node.label))

    def chain_range(self, value: SSAValue, chain: Sequence[Step], node: qonnx.NodeOp) -> tuple[int, int]:
        """The lowest and highest integer of a chain: its clips', else by what its input can be."""
        bounds = _clip_bounds(chain)
        if bounds is not None:
            return bounds
        rank = len(lbir.shape_of(value))
        shape = np.broadcast_shapes((1,) * rank, *lbir.step_shapes(chain))
        flat = lbir.flattened(chain, shape)
        low, high = lbir.function_ranges(value, shape)
        try:
            ends = function_ends(flat, low, high)
            if ends is None:
                ends = enumerate_values(flat, int(low.min()), int(high.max()), len(low))
        except TooManyValues:
            self.refuse(node, "its activation isn't monotone and its input has too many bits", QUANTISE)
        except DomainError as error:
            self.refuse(node, f"it computes {error} for values that can occur", "Clip the function's input.")
        return int(ends.min()), int(ends.max())

    # exact forms -------------------------------------------------------------------------------------------------

    def affine(self, node: qonnx.NodeOp, real: Real) -> Affine:
        """
        The tensor as scaled integers, for operations that add up or multiply.

        Clips and the like in front are computed on the integers where they are exact there.
        """
        form = affine_form(self.settled(real, node))
        if form is None:
            self.refuse(
                node,
                "its input isn't quantised: behind the last quantiser stand functions that aren't linear",
                "Put a quantiser in front of it.",
            )
        return form

    def settled(self, real: Real, node: qonnx.NodeOp) -> Real:
        """The same tensor with what isn't linear computed on integers, as far as that is exact."""
        pending = real
        while True:
            if any(step.other is not None for step in pending.steps):
                return pending  # its second chain is on these very integers
            index = next((i for i, s in enumerate(pending.steps) if s.operation in INTEGRAL), None)
            if index is not None:
                head = Real(pending.integers, pending.steps[:index])
                whole = self.activate(head, [pending.steps[index]], node)
                pending = Real(whole, pending.steps[index + 1 :])
                continue
            index = next((i for i, s in enumerate(pending.steps) if s.operation in ("max", "min", "abs")), None)
            if index is None:
                return pending
            clipped = self._clipped(Real(pending.integers, pending.steps[:index]), pending.steps[index], node)
            if clipped is None:
                return pending
            pending = clipped.then(*pending.steps[index + 1 :])

    def _clipped(self, real: Real, step: Step, node: qonnx.NodeOp) -> Real | None:
        """A clip or absolute value of scaled integers as one of the integers; None where the bound is no integer."""
        form = affine_form(real)
        scale = None if form is None else form.factors()
        if form is None or scale is None or step.other is not None or not np.all(scale != 0):
            return None
        if step.operation == "abs":
            whole = self.centred(node, form)
            positive = tuple(
                Step(s.operation, None if s.constant is None else np.abs(s.constant)) for s in whole.scales
            )
            integers = self.absolute(whole.integers, node)
            return Real(integers, tuple(s for s in positive if s.operation != "neg"))
        assert step.constant is not None
        bound = fractions_of(step.constant) / scale + form.zero
        if any(each.denominator != 1 for each in bound.reshape(-1)):
            return None
        rising = scale > 0
        if not (np.all(rising) or not np.any(rising)):
            return None
        operation = step.operation if np.all(rising) else {"max": "min", "min": "max"}[step.operation]
        integers = self.activate(Real(real.integers), [Step(operation, exact_floats(bound))], node)
        return Real(integers, real.steps)

    def absolute(self, integers: SSAValue, node: qonnx.NodeOp) -> SSAValue:
        """The absolute value of integers: a table, or where they are wide the greater of both signs."""
        element = lbir.range_of(integers)
        if element.low >= 0:
            return integers
        if element.bits <= WIDEST_ABSOLUTE_TABLE:
            return self.activate(Real(integers), [Step("abs")], node)
        minus = np.array(-1, np.int64)
        negated = self.add(lbir.AddOp([integers], [minus], np.array(0, np.int64), f"{node.label}_negated"))
        return negated if element.high <= 0 else self.add(lbir.MaximumOp(integers, negated, node.label))

    def centred(self, node: qonnx.NodeOp, form: Affine, part: str = "_centred") -> Affine:
        """The same with zero point 0, the integers moved (and multiplied where the zero point isn't whole)."""
        if not np.any(form.zero):
            return form
        multiple = max(each.denominator for each in form.zero.reshape(-1))
        if any(multiple % each.denominator for each in form.zero.reshape(-1)) or multiple > 1 << 20:
            self.refuse(node, "the zero point of its input isn't on the integers' grid", "Use whole zero points.")
        constant = -whole_numbers(form.zero * multiple)
        integers = self.add(lbir.AddOp([form.integers], [np.array(multiple, np.int64)], constant, node.label + part))
        rank = len(lbir.shape_of(integers))
        scales = form.scales if multiple == 1 else (*form.scales, Step("div", full_rank(multiple, rank)))
        return Affine(integers, fractions_of(np.zeros((1,) * rank)), scales)

    def scaled(self, node: qonnx.NodeOp, scale: Array) -> tuple[Step, ...]:
        """Steps that multiply by exact numbers; refuses the node where no step holds them."""
        try:
            return scale_steps(scale)
        except Inexact:
            self.refuse(node, "its scales have no common grid of a few bits", QUANTISE)

    def real_of(self, node: qonnx.NodeOp, form: Affine) -> Real:
        """An affine form as a chain; refuses the node where its zero point is no float64."""
        try:
            return form.real()
        except Inexact:
            self.refuse(node, "its offset has no exact value", "Put a quantiser in front of it.")


WIDEST_ABSOLUTE_TABLE = 8
"""Bits up to which an absolute value is a table, which merges with other tables."""

MAXIMUM_STEPS = 1000
"""The most steps of a chain; each join of two functions of the same integers holds the steps of both."""

QUANTISE = "Quantise the activation in front of it to fewer bits."

Handler: TypeAlias = Callable[[Conversion, qonnx.NodeOp], None]
Handlers: TypeAlias = Mapping[str, Handler]


def whole_numbers(numbers: Array) -> Integers:
    """Whole fractions as int64; raises VerifyException-like ValueError where they have more than 62 bits."""
    numbers = np.asarray(numbers, object)
    flat = [int(each) for each in numbers.reshape(-1).tolist()]
    if any(each.denominator != 1 for each in numbers.reshape(-1).tolist()):
        raise AssertionError("a number that isn't whole stands for an integer")
    if any(abs(each) >= 1 << 61 for each in flat):
        raise OverflowError("integers of more than 62 bits")
    return np.array(flat, np.int64).reshape(numbers.shape)


def _clip_bounds(chain: Sequence[Step]) -> tuple[int, int] | None:
    """The bounds of a chain that ends in a clip and a rounding, as quantisers do."""
    last = [step.operation for step in chain[-3:]]
    if last == ["max", "min", "round"]:
        low, high = chain[-3].constant, chain[-2].constant
        if low is not None and high is not None and np.all(low <= high):
            if np.all(low == np.rint(low)) and np.all(high == np.rint(high)):
                return int(low.min()), int(high.max())
    if chain[-1].operation == "step":
        return 0, 1
    if chain[-1].operation == "sign":
        return -1, 1
    return None
