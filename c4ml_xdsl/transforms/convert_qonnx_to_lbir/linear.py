"""Layers with constant weights: MatMul, Gemm, Conv and XnorPopcountMatMul."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.interpreters.qonnx import Array
from c4ml_xdsl.numerics.chain import Integers, Step
from c4ml_xdsl.numerics.windows import Windows
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion, Handler, whole_numbers
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.movement import padded, reshaped
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import (
    Affine,
    Fractions,
    Inexact,
    Real,
    fractions_of,
    full_rank,
    greatest_common_divisor,
    offset_steps,
    rational_scale,
)

WHOLE_WEIGHTS = 1 << 16
"""Plain constants that are integers up to this size are weights without a quantiser, as FINN writes them."""


def weights_of(c: Conversion, node: qonnx.NodeOp, index: int) -> tuple[Integers, Array, Array]:
    """Codes, scale and zero point of quantised weights, the last two broadcast to the codes' rank."""
    value = node.input(index)
    source = None if value is None else value.owner
    if isinstance(source, qonnx.QuantizedConstantOp):
        codes = source.code_array
        return codes, full_rank(source.scale_array, codes.ndim), full_rank(source.zero_point_array, codes.ndim)
    array = c.constant(node, index)
    with np.errstate(invalid="ignore"):
        whole = bool(np.all(array == np.rint(array)) and np.all(np.abs(array) <= WHOLE_WEIGHTS))
    if not whole:
        c.refuse(
            node,
            "its weights are floats, not quantised",
            "Train with quantised weights (Brevitas: weight_quant=…) and export them as Quant.",
        )
    ones = np.ones((1,) * array.ndim, np.float32)
    return array.astype(np.int64), ones, ones * 0


def _accumulated(
    c: Conversion, node: qonnx.NodeOp, form: Affine, weights: tuple[Integers, Array, Array], channels: int, groups: int
) -> tuple[Integers, Integers, tuple[Step, ...]]:
    """
    Integer weights, bias, and the steps that scale the sums, with one number an output or one for all.

    Weights are (outputs, inputs, …). `form.zero` and `form.scales` are constant or vary along the inputs, which are
    `channels` in `groups` groups: sum w * L(x - zero).
    """
    codes, scale, zero = weights
    outputs, kernel = len(codes), codes.shape[2:]
    rank = len(lbir.shape_of(form.integers))
    along = [_along_channels(c, node, step.constant, channels, rank) for step in form.scales]
    uniform = all(each is None or each.size == 1 for each in along)
    per_output = bool(np.all(scale == scale[:, :1].reshape(-1, *(1,) * (codes.ndim - 1))) if scale.size > 1 else True)
    whole = bool(np.all(zero == np.rint(zero)))
    if uniform and per_output and whole:
        integers = codes - np.rint(zero).astype(np.int64)
        steps = [
            Step(s.operation, None if a is None else a.reshape(-1)[:1]) for s, a in zip(form.scales, along, strict=True)
        ]
        first = scale.reshape(len(scale), -1)[:, 0].astype(np.float64)
        steps.append(Step("mul", first))
    else:
        factors = rational_scale(
            [Step(s.operation, None if a is None else a.reshape(-1)) for s, a in zip(form.scales, along, strict=True)],
            1,
        )
        if factors is None:
            c.refuse(node, "its input has irrational scales for each channel", "Quantise its input.")
        per_input = np.broadcast_to(factors, (channels,))
        # the inputs of output o are those of its group
        grouped = per_input.reshape(groups, 1, channels // groups, *(1,) * len(kernel))
        exact = (fractions_of(codes) - fractions_of(zero)) * fractions_of(scale)
        exact = exact.reshape(groups, outputs // groups, *codes.shape[1:]) * grouped
        rows = exact.reshape(outputs, -1)
        units = [greatest_common_divisor(row.tolist()) for row in rows]
        integers = whole_numbers(rows / np.array(units, object)[:, None]).reshape(codes.shape)
        steps = [*c.scaled(node, np.array(units, object))]
    # a zero point adds -sum w * zero to each output
    zeros = np.broadcast_to(_channel_fractions(c, node, form.zero, channels, rank), (channels,))
    denominator = math.lcm(*(each.denominator for each in zeros.tolist()))
    if denominator > 1 << 20:
        c.refuse(node, "the zero point of its input isn't on the integers' grid", "Use whole zero points.")
    numerators = whole_numbers(zeros * denominator).reshape(groups, 1, channels // groups)
    sums = integers.reshape(groups, outputs // groups, channels // groups, -1).sum(axis=-1)
    correction = whole_numbers(-(sums.astype(object) * numerators).sum(axis=-1).reshape(outputs))
    if denominator > 1 and np.any(correction % denominator):
        integers, correction = integers * denominator, correction * denominator
        steps.append(Step("div", np.array([float(denominator)])))
    return integers, correction // denominator, tuple(steps)


def _along_channels(
    c: Conversion, node: qonnx.NodeOp, constant: Array | None, channels: int, rank: int
) -> NDArray[np.float64] | None:
    """A constant of the input as one number, or one a channel."""
    if constant is None or constant.size == 1:
        return None if constant is None else constant.reshape(1)
    axis = _channel_axis(node, rank)
    if constant.size != constant.shape[axis]:
        c.refuse(node, "its input has different scales at different positions", "Quantise its input with one scale.")
    return np.broadcast_to(constant.reshape(-1), (channels,))


def _channel_fractions(c: Conversion, node: qonnx.NodeOp, numbers: Fractions, channels: int, rank: int) -> Fractions:
    if numbers.size > 1 and numbers.size != numbers.shape[_channel_axis(node, rank)]:
        c.refuse(node, "its input has different zero points at different positions", "Quantise its input with one.")
    return numbers.reshape(-1)


def _channel_axis(node: qonnx.NodeOp, rank: int) -> int:
    """The axis that the layer sums over."""
    return 1 if isinstance(node, qonnx.ConvOp) else rank - 1


def _with_channels(steps: Sequence[Step], rank: int, axis: int) -> tuple[Step, ...]:
    """Steps with one number an output, along an axis of the result."""
    shape = [1] * rank
    shape[axis] = -1
    return tuple(Step(s.operation, None if s.constant is None else s.constant.reshape(shape)) for s in steps)


def _bias(c: Conversion, node: qonnx.NodeOp, real: Real, index: int, factor: float, shape: Sequence[int]) -> Real:
    """Adds the bias in float32, as the model has it."""
    if node.input(index) is None or factor == 0:
        return real
    bias = c.constant(node, index)
    if not np.all(np.isfinite(bias)):
        c.refuse(node, "its bias is infinite or not a number", "Check the training.")
    scaled = np.float32(factor) * bias.astype(np.float32)
    return real.step("add", scaled.reshape(shape) if scaled.size > 1 else scaled.reshape(()))


def matmul(c: Conversion, node: qonnx.NodeOp) -> None:
    """
    MatMul by constant weights, on either side and with batch dimensions.

    Weights of several dimensions are one matrix for each of the activation's batches.
    """
    if node.operands[0] in c.constants:  # W x is the transpose of x' W'
        source = c.real(node, 1)
        codes, scale, zero = weights_of(c, node, 0)
        if codes.ndim != 2 or source.rank < 2:
            c.refuse(node, "a constant in front of a vector or of several dimensions isn't supported")
        axes = (*range(source.rank - 2), source.rank - 1, source.rank - 2)
        turned = Real(c.add(lbir.TransposeOp(source.integers, axes)))
        turned = source.moved(turned.integers, lambda array: array.transpose(axes))
        result = _dense(c, node, turned, (codes, scale, zero))
        back = c.add(lbir.TransposeOp(result.integers, axes))
        c.set(node, result.moved(back, lambda array: array.transpose(axes)))
        return
    source = c.real(node)
    codes, scale, zero = weights_of(c, node, 1)
    if codes.ndim == 1:
        codes, scale, zero = (each.reshape(-1, 1) for each in (codes, scale, zero))
        result = _dense(c, node, source, tuple(each.T for each in (codes, scale, zero)))
        c.set(node, reshaped(c, result, result.shape[:-1]))
        return
    lead = codes.shape[:-2]
    if math.prod(lead) == 1:
        matrix = tuple(each.reshape(each.shape[-2:]).T for each in (codes, scale, zero))
        result = _dense(c, node, source, matrix)
        rank = max(source.rank, codes.ndim)
        c.set(node, reshaped(c, result, (1,) * (rank - result.rank) + result.shape))
        return
    if lead != source.shape[:-2]:
        c.refuse(node, "its batches of weights broadcast, which isn't supported", "Use one matrix for each batch.")
    # the batches become groups of channels of a pointwise convolution
    batches, rows, inputs = math.prod(lead), source.shape[-2], source.shape[-1]
    full = [np.broadcast_to(each, codes.shape).reshape(batches, inputs, -1) for each in (codes, scale, zero)]
    weights = tuple(each.transpose(0, 2, 1).reshape(-1, inputs, 1) for each in full)
    flat = reshaped(c, source, (batches, rows, inputs))
    turned = flat.moved(c.add(lbir.TransposeOp(flat.integers, (0, 2, 1))), lambda array: array.transpose(0, 2, 1))
    turned = reshaped(c, turned, (1, batches * inputs, rows))
    form = c.affine(node, turned)
    outputs = codes.shape[-1]
    integers, bias, steps = _accumulated_groups(c, node, form, weights, batches)
    value = c.add(lbir.ConvOp(form.integers, integers, bias, (1,), (1,), batches, node.label))
    result = Real(value, _with_channels(steps, 3, 1))
    result = reshaped(c, result, (batches, outputs, rows))
    back = c.add(lbir.TransposeOp(result.integers, (0, 2, 1)))
    result = result.moved(back, lambda array: array.transpose(0, 2, 1))
    c.set(node, reshaped(c, result, (*lead, rows, outputs)))


def _accumulated_groups(
    c: Conversion, node: qonnx.NodeOp, form: Affine, weights: tuple[Array, ...], groups: int
) -> tuple[Integers, Integers, tuple[Step, ...]]:
    channels = lbir.shape_of(form.integers)[1]
    if any(s.constant is not None and s.constant.size > 1 for s in form.scales) or form.zero.size > 1:
        c.refuse(node, "its input has a scale for each channel", "Quantise its input with one scale.")
    codes, scale, zero = weights
    return _accumulated(c, node, form, (codes.astype(np.int64), scale, zero), channels, groups)


def _dense(c: Conversion, node: qonnx.NodeOp, source: Real, weights: tuple[Array, ...]) -> Real:
    """Weights (outputs, inputs) times the last axis."""
    form = c.affine(node, source)
    codes, scale, zero = weights
    if source.shape[-1:] != codes.shape[1:]:
        c.refuse(node, f"weights of the shape {codes.shape} don't fit its input {source.shape}", "Export it again.")
    kept: tuple[Step, ...] = ()
    offset = form.zero
    constants = [offset, *(s.constant for s in form.scales if s.constant is not None)]
    by_row = any(each.size > 1 for each in constants) and all(each.shape[-1] == 1 for each in constants)
    if by_row:  # what is the same for all inputs of a sum stays behind it
        kept, form = form.scales, Affine(form.integers, fractions_of(np.zeros((1,) * source.rank)), ())
    integers, bias, steps = _accumulated(c, node, form, (codes, scale, zero), codes.shape[1], 1)
    value = c.add(lbir.DenseOp(form.integers, integers, bias, node.label))
    if by_row and np.any(offset):
        try:
            kept = (*offset_steps(-offset * fractions_of(integers.sum(axis=1))), *kept)
        except Inexact:
            c.refuse(node, "the zero point of its input has no exact value", "Use whole zero points.")
    return Real(value, (*kept, *_with_channels(steps, source.rank, source.rank - 1)))


def gemm(c: Conversion, node: qonnx.NodeOp) -> None:
    """Gemm with all its attributes; the weights may be either factor."""
    alpha, beta = node.float_attribute("alpha", 1.0), node.float_attribute("beta", 1.0)
    turned = [bool(node.int_attribute(name, 0)) for name in ("transA", "transB")]
    left = node.operands[0] in c.reals
    source = c.real(node, 0 if left else 1)
    if (left and turned[0]) or (not left and not turned[1]):
        value = c.add(lbir.TransposeOp(source.integers, (1, 0)))
        source = source.moved(value, lambda array: array.T)
    weights = weights_of(c, node, 1 if left else 0)
    matrix = tuple(each if (turned[1] if left else not turned[0]) else each.T for each in weights)
    result = _dense(c, node, source, matrix)
    if alpha != 1:
        result = result.step("mul", alpha)
    if not left:
        value = c.add(lbir.TransposeOp(result.integers, (1, 0)))
        result = result.moved(value, lambda array: array.T)
    if node.input(2) is not None:
        if node.operands[2] in c.reals:
            c.refuse(node, "its bias is an activation", "Use MatMul and Add.")
        result = _bias(c, node, result, 2, beta, full_rank(c.constant(node, 2), 2).shape)
    c.set(node, result)


def conv(c: Conversion, node: qonnx.NodeOp) -> None:
    """Conv in one, two or three dimensions with groups, strides, dilations and every padding."""
    source = c.real(node)
    codes, scale, zero = weights_of(c, node, 1)
    rank = codes.ndim - 2
    windows = Windows.of(
        source.shape[2:],
        codes.shape[2:],
        node.ints_attribute("strides"),
        node.ints_attribute("dilations"),
        node.ints_attribute("pads"),
        node.str_attribute("auto_pad", "NOTSET"),
    )
    source = padded(c, node, source, (0, 0, *windows.pads_begin), (0, 0, *windows.pads_end))
    form = c.affine(node, source)
    groups = node.int_attribute("group", 1)
    channels = source.shape[1]
    if channels % groups or codes.shape[1] * groups != channels or len(codes) % groups:
        c.refuse(node, f"weights of the shape {codes.shape} don't fit {channels} channels in {groups} groups")
    integers, bias, steps = _accumulated(c, node, form, (codes, scale, zero), channels, groups)
    value = c.add(lbir.ConvOp(form.integers, integers, bias, windows.strides, windows.dilations, groups, node.label))
    result = Real(value, _with_channels(steps, rank + 2, 1))
    c.set(node, _bias(c, node, result, 2, 1.0, (1, -1, *(1,) * rank)))


def xnor_popcount(c: Conversion, node: qonnx.NodeOp) -> None:
    """XnorPopcountMatMul: how many bits of x and w, both of {0, 1}, are equal: sum x (2w - 1) + (1 - w)."""
    source = c.real(node)
    form = c.affine(node, source)
    scale, element = form.factors(), lbir.range_of(form.integers)
    if (
        scale is None
        or np.any(scale != 1)
        or np.any(form.zero)
        or (element.low, element.high) not in ((0, 0), (0, 1), (1, 1))
    ):
        c.refuse(node, "its input isn't of 0 and 1", "Put a quantiser of one unsigned bit in front of it.")
    weights = c.constant(node, 1)
    if weights.ndim != 2 or not np.all((weights == 0) | (weights == 1)):
        c.refuse(node, "its weights aren't a matrix of 0 and 1", "Export the model again.")
    bits = weights.T.astype(np.int64)
    c.set(node, Real(c.add(lbir.DenseOp(form.integers, 2 * bits - 1, (1 - bits).sum(axis=1), node.label))))


HANDLERS: dict[str, Handler] = {
    "MatMul": matmul,
    "Gemm": gemm,
    "Conv": conv,
    "XnorPopcountMatMul": xnor_popcount,
}
