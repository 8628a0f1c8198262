"""Operators of several activations: sums, products, maxima, where branches meet."""

import math
from collections.abc import Sequence

import numpy as np
from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.numerics.chain import Integers, Step
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion, Handler, whole_numbers
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.elementwise import OPERATIONS, with_constant
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.movement import broadcast
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import (
    Affine,
    Fractions,
    Real,
    affine_form,
    fractions_of,
    greatest_common_divisor,
    same_steps,
)


def binary(c: Conversion, node: qonnx.NodeOp) -> None:
    """
    With constants a step of the chain; of two activations an addition, product or maximum on a common grid.

    Two functions of the same integers, as x * sigmoid(x), are one function.
    """
    data = c.data(node)
    if len(data) == 1 and list(node.operands).count(data[0]) == 1:
        with_constant(c, node)
        return
    if any(value in c.constants for value in node.operands):
        c.refuse(node, "it has activations and constants as operands", "Split it in two.")
    reals = [c.reals[value] for value in node.operands]
    result = reals[0]
    for real in reals[1:]:
        result = _join(c, node, result, real)
    c.set(node, result.step("div", float(len(reals))) if node.operator == "Mean" else result)


def _join(c: Conversion, node: qonnx.NodeOp, a: Real, b: Real) -> Real:
    """One operation on two activations."""
    operation = OPERATIONS[node.operator]
    both_affine = affine_form(a) is not None and affine_form(b) is not None
    if a.integers is b.integers and not (both_affine and operation in ("add", "sub")):
        # functions of the same integers, as x * sigmoid(x)
        return a.combined(operation, b)
    if operation == "div":
        c.refuse(node, "it divides an activation by another one", "Export the model without it.")
    if operation == "mul":
        return _product(c, node, c.affine(node, a), c.affine(node, b))
    if operation in ("add", "sub"):
        return _sum(c, node, c.affine(node, a), c.affine(node, b), -1 if operation == "sub" else 1)
    shape = np.broadcast_shapes(a.shape, b.shape)
    a, b = broadcast(c, a, shape), broadcast(c, b, shape)
    sign = -1 if operation == "min" else 1
    numbers, steps = _on_one_grid(c, node, [c.affine(node, a), c.affine(node, b)], sign)
    return Real(c.add(lbir.MaximumOp(numbers[0], numbers[1], node.label)), steps)


def _lifted(c: Conversion, form: Affine, shape: tuple[int, ...]) -> Affine:
    """An affine form whose constants have the rank of a shape that it broadcasts to."""
    real = Real(form.integers, form.scales)
    lifted = broadcast(c, real, (1,) * (len(shape) - real.rank) + real.shape)
    zero = form.zero.reshape((1,) * (len(shape) - form.zero.ndim) + form.zero.shape)
    return Affine(lifted.integers, zero, lifted.steps)


def _product(c: Conversion, node: qonnx.NodeOp, a: Affine, b: Affine) -> Real:
    shape = np.broadcast_shapes(lbir.shape_of(a.integers), lbir.shape_of(b.integers))
    a, b = (c.centred(node, _lifted(c, each, shape), f"_operand{i}") for i, each in enumerate((a, b)))
    return Real(c.add(lbir.MultiplyOp(a.integers, b.integers, node.label)), (*a.scales, *b.scales))


def _coefficients(
    c: Conversion, node: qonnx.NodeOp, forms: Sequence[Affine], signs: Sequence[int] | None = None
) -> tuple[list[Integers], tuple[Step, ...]]:
    """
    Whole multiples of a common grid for each form, and the grid's steps.

    The zero points are whole on that grid: each one, or with `signs` their signed sum.
    """
    if all(same_steps(form.scales, forms[0].scales) for form in forms):
        ones: list[Fractions] = [fractions_of(1) for _ in forms]
        steps, parts = forms[0].scales, ones
    else:
        scales = [form.factors() for form in forms]
        known = [scale for scale in scales if scale is not None]
        if len(known) < len(forms):
            c.refuse(node, "one of its inputs has an irrational scale", "Quantise it behind the BatchNormalization.")
        shape = np.broadcast_shapes(*(scale.shape for scale in known))
        spread = [np.broadcast_to(scale, shape) for scale in known]
        grid = np.empty(shape, object)
        grid.reshape(-1)[:] = [
            greatest_common_divisor(numbers)
            for numbers in zip(*(each.reshape(-1).tolist() for each in spread), strict=True)
        ]
        steps, parts = c.scaled(node, grid), [each / grid for each in spread]
    zeros = [np.asarray(part * form.zero, object) for part, form in zip(parts, forms, strict=True)]
    if signs is not None:
        zeros = [np.asarray(sum((s * zero for s, zero in zip(signs, zeros, strict=True)), fractions_of(0)), object)]
    denominator = math.lcm(*(each.denominator for zero in zeros for each in zero.reshape(-1).tolist()))
    if denominator > 1 << 20:
        c.refuse(node, "the zero points of its inputs have no common grid", "Use whole zero points.")
    if denominator > 1:
        steps = (*steps, Step("div", np.full((1,) * len(lbir.shape_of(forms[0].integers)), float(denominator))))
        parts = [part * denominator for part in parts]
    return [whole_numbers(part) for part in parts], steps


def _sum(c: Conversion, node: qonnx.NodeOp, a: Affine, b: Affine, sign: int) -> Real:
    """a + b or a - b on the finest grid that both need."""
    shape = np.broadcast_shapes(lbir.shape_of(a.integers), lbir.shape_of(b.integers))
    a, b = (_lifted(c, each, shape) for each in (a, b))
    (first, second), steps = _coefficients(c, node, [a, b], (1, sign))
    zero = fractions_of(first) * a.zero + sign * fractions_of(second) * b.zero
    value = c.add(lbir.AddOp([a.integers, b.integers], [first, sign * second], -whole_numbers(zero), node.label))
    return Real(value, steps)


def _on_one_grid(
    c: Conversion, node: qonnx.NodeOp, forms: Sequence[Affine], sign: int
) -> tuple[list[SSAValue], tuple[Step, ...]]:
    """Integers of one scale and no zero point for each form, multiplied by `sign`; and the steps behind them."""
    factors, steps = _coefficients(c, node, forms)
    values: list[SSAValue] = []
    negative = False
    rank = len(lbir.shape_of(forms[0].integers))
    scale = Affine(forms[0].integers, forms[0].zero, steps).factors()
    if scale is not None and not np.all(scale > 0):
        if np.any(scale > 0):
            c.refuse(node, "its inputs have scales of both signs", "Quantise its inputs.")
        negative = True
    turn = -sign if negative else sign
    for form, factor in zip(forms, factors, strict=True):
        constant = -whole_numbers(fractions_of(factor) * form.zero) * turn
        if np.all(factor * turn == 1) and not np.any(constant):
            values.append(form.integers)
        else:
            label = f"{node.label}_operand{len(values)}"
            values.append(c.add(lbir.AddOp([form.integers], [factor * turn], constant, label)))
    if turn < 0:
        steps = (*steps, Step("mul", np.full((1,) * rank, -1.0)))
    return values, steps


HANDLERS: dict[str, Handler] = dict.fromkeys(OPERATIONS, binary)
