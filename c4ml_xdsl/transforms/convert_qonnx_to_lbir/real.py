"""
Tensors of real numbers as elementwise chains on tensors of integers, and what can be done to them exactly.

A chain's constants have the rank of the tensor and broadcast against it: one for all, one a channel or one an element.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.numerics.chain import LINEAR, Floats, Step, affine

Fractions: TypeAlias = NDArray[np.object_]
Move: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]

FAR = 2.0**300
"""Farther than any value: a clip at it changes nothing."""


@dataclass(frozen=True)
class Real:
    """The tensor that a chain of steps makes of an LBIR tensor of the same shape."""

    integers: SSAValue
    steps: tuple[Step, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return lbir.shape_of(self.integers)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def then(self, *steps: Step) -> "Real":
        """The same with more steps."""
        return replace(self, steps=(*self.steps, *steps))

    def step(self, operation: str, constant: ArrayLike) -> "Real":
        """The same with one more step by a constant that broadcasts."""
        return self.then(Step(operation, full_rank(constant, self.rank)))

    def combined(self, operation: str, other: "Real") -> "Real":
        """An operation with another function of the same integers."""
        steps = other.steps or (Step("add", full_rank(0.0, self.rank)),)
        return self.then(Step(operation, other=steps))

    def moved(self, integers: SSAValue, move: Move) -> "Real":
        """What stands for `integers`, whose elements `move` has brought to their places."""
        return Real(integers, tuple(moved_step(step, self.shape, move) for step in self.steps))


def full_rank(array: ArrayLike, rank: int) -> Floats:
    """A float64 array with axes of 1 in front up to a rank."""
    result = np.asarray(array, np.float64)
    return result.reshape((1,) * (rank - result.ndim) + result.shape)


def compressed(array: NDArray[Any]) -> NDArray[Any]:
    """An array that broadcasts to the same values, with one entry along each axis that they don't vary along."""
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if array.shape[axis] > 1 and np.all(array == first):
            array = first
    return array


def moved_step(step: Step, shape: tuple[int, ...], move: Move) -> Step:
    """A step whose constants go with the elements of a tensor of a shape."""
    constant = step.constant
    if constant is not None and step.operation == "count":
        levels = [move(np.broadcast_to(constant[..., level], shape)) for level in range(constant.shape[-1])]
        constant = compressed(np.stack(levels, axis=-1)) if levels[0].size else constant
        constant = np.broadcast_to(constant, (*constant.shape[:-1], len(levels)))
    elif constant is not None:
        constant = compressed(move(np.broadcast_to(constant, shape)))
    other = None if step.other is None else tuple(moved_step(each, shape, move) for each in step.other)
    return replace(step, constant=constant, other=other)


def prefixed(prefix: Sequence[Step], steps: Sequence[Step]) -> tuple[Step, ...]:
    """The chain of `steps` behind `prefix`, where second chains also start with it."""
    moved = (s if s.other is None else replace(s, other=prefixed(prefix, s.other)) for s in steps)
    return (*prefix, *moved)


@dataclass(frozen=True)
class Affine:
    """L(integers - zero), where L multiplies by the constants of `scales`; `zero` is exact and broadcasts."""

    integers: SSAValue
    zero: Fractions
    scales: tuple[Step, ...]

    def real(self) -> Real:
        """The same as a chain; raises Inexact where `zero` is no float64."""
        steps = self.scales if not np.any(self.zero) else (*offset_steps(-self.zero), *self.scales)
        return Real(self.integers, steps)

    def factors(self) -> Fractions | None:
        """The exact scale; None where it is irrational."""
        return rational_scale(self.scales, len(lbir.shape_of(self.integers)))


class Inexact(ValueError):
    """A number isn't exact in what must hold it."""


def fractions_of(array: ArrayLike) -> Fractions:
    """Floats or integers as fractions."""
    given = np.asarray(array)
    result = np.empty(given.shape, object)
    flat = [Fraction(each) for each in cast(list[float], given.reshape(-1).tolist())]
    result.reshape(-1)[:] = flat
    return result


def rational_scale(scales: Sequence[Step], rank: int) -> Fractions | None:
    """The product of linear steps; None where a square root in it is irrational."""
    total = fractions_of(np.ones((1,) * rank))
    for step in scales:
        if step.operation == "neg":
            total = -total
            continue
        assert step.constant is not None
        if step.operation == "div_sqrt":
            flat = [affine([replace(step, constant=np.array([each]))], 0) for each in step.constant.reshape(-1)]
            if any(each is None for each in flat):
                return None
            factor = np.empty(step.constant.shape, object)
            factor.reshape(-1)[:] = [each[0] for each in flat if each is not None]
        else:
            factor = fractions_of(step.constant)
            if step.operation == "div":
                factor = 1 / factor
        total = total * factor
    return total


def affine_form(real: Real) -> Affine | None:
    """The chain as a scale and a zero point; None where it has other steps or an offset that isn't rational."""
    scales: list[Step] = []
    zero = fractions_of(np.zeros((1,) * real.rank))
    for step in real.steps:
        if step.other is not None:
            return None
        if step.operation in LINEAR:
            scales.append(step)
        elif step.operation in ("add", "sub"):
            assert step.constant is not None
            if not np.any(step.constant):
                continue
            scale = rational_scale(scales, real.rank)
            if scale is None or not np.all(scale != 0):
                return None
            offset = fractions_of(step.constant) / scale
            zero = zero - offset if step.operation == "add" else zero + offset
        else:
            return None
    return Affine(real.integers, zero, tuple(scales))


def exact_floats(array: Fractions) -> Floats:
    """Fractions as float64, exactly; raises Inexact."""
    flat = array.reshape(-1).tolist()
    result = np.array([float(each) for each in flat], np.float64).reshape(array.shape)
    if any(Fraction(got) != want for got, want in zip(result.reshape(-1).tolist(), flat, strict=True)):
        raise Inexact("a number has more than 53 bits")
    return result


def offset_steps(offset: Fractions) -> tuple[Step, ...]:
    """Steps that add exact numbers; raises Inexact where float64 doesn't hold them."""
    return (Step("add", exact_floats(offset)),) if np.any(offset) else ()


def scale_steps(scale: Fractions) -> tuple[Step, ...]:
    """Steps that multiply by exact numbers; raises Inexact where float64 doesn't hold numerators and denominators."""
    if np.all(scale == 1):
        return ()
    try:
        return (Step("mul", exact_floats(scale)),)
    except Inexact:
        top, bottom = scale.copy(), scale.copy()
        top.reshape(-1)[:] = [each.numerator for each in scale.reshape(-1)]
        bottom.reshape(-1)[:] = [each.denominator for each in scale.reshape(-1)]
        return (Step("mul", exact_floats(top)), Step("div", exact_floats(bottom)))


def greatest_common_divisor(numbers: Sequence[Fraction]) -> Fraction:
    """The largest number that all of these are whole multiples of; 1 where all are 0."""
    top, bottom = 0, 1
    for number in numbers:
        top = math.gcd(top * number.denominator, abs(number.numerator) * bottom)
        bottom *= number.denominator
        shared = math.gcd(top, bottom) or 1
        top, bottom = top // shared, bottom // shared
    return Fraction(top, bottom) if top else Fraction(1)


def same_steps(a: Sequence[Step], b: Sequence[Step]) -> bool:
    """Whether two chains have equal steps."""
    return len(a) == len(b) and all(
        x.operation == y.operation
        and x.mode == y.mode
        and (x.constant is None) == (y.constant is None)
        and (x.constant is None or y.constant is None or np.array_equal(x.constant, y.constant))
        and same_steps(x.other or (), y.other or ())
        for x, y in zip(a, b, strict=True)
    )


NEUTRAL = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0, "div_sqrt": 1.0, "max": -FAR, "min": FAR, "leaky": 1.0}
"""The constants with which a step changes nothing."""


def joined_steps(chains: Sequence[Sequence[Step]], ranges: Sequence[slice], axis: int, size: int) -> list[Step] | None:
    """
    One chain for tensors side by side along an axis of a size, each in its range; None where there is none.

    Chains of the same steps share them. Others come one after the other, each leaving the rest as it is.
    """
    first = chains[0]
    alike = all(
        [(s.operation, s.mode, s.other) for s in chain] == [(s.operation, s.mode, None) for s in first]
        for chain in chains
    )
    if alike:
        joined: list[Step] = []
        for group in zip(*chains, strict=True):
            parts = [step.constant for step in group]
            if parts[0] is None:
                joined.append(group[0])
                continue
            if group[0].operation == "count":
                if not all(np.array_equal(each, parts[0]) for each in parts if each is not None):
                    return None
                joined.append(group[0])
                continue
            constant = _side_by_side([each for each in parts if each is not None], ranges, axis)
            joined.append(replace(group[0], constant=constant))
        return joined
    result: list[Step] = []
    for chain, place in zip(chains, ranges, strict=True):
        for step in chain:
            constant = step.constant
            if step.operation == "neg":
                step, constant = Step("mul"), np.full((1,) * max(1, _rank(chains)), -1.0)
            if step.other is not None or step.operation not in NEUTRAL or constant is None:
                return None
            shape = list(constant.shape)
            shape[axis] = size
            whole = np.full(shape, NEUTRAL[step.operation])
            index = [slice(None)] * len(shape)
            index[axis] = place
            whole[tuple(index)] = constant
            result.append(replace(step, constant=whole))
    return result


def _rank(chains: Sequence[Sequence[Step]]) -> int:
    return max((s.constant.ndim for chain in chains for s in chain if s.constant is not None), default=1)


def _side_by_side(parts: Sequence[Floats], ranges: Sequence[slice], axis: int) -> Floats:
    shape = list(np.broadcast_shapes(*([*p.shape[:axis], 1, *p.shape[axis + 1 :]] for p in parts)))
    spread: list[Floats] = []
    for part, place in zip(parts, ranges, strict=True):
        shape[axis] = place.stop - place.start
        spread.append(np.broadcast_to(part, shape))
    return cast(Floats, compressed(np.concatenate(spread, axis=axis)))
