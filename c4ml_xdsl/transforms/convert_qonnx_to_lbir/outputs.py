"""The network's outputs: ports, and what only makes sense in front of them: Softmax, ArgMax, TopK."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.numerics.chain import Step, affine_values, is_affine
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion, Handler, whole_numbers
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.movement import reshaped
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import (
    Real,
    compressed,
    fractions_of,
    greatest_common_divisor,
)

WIDEST_PORT = 53


def softmax(c: Conversion, node: qonnx.NodeOp) -> None:
    """Softmax and LogSoftmax at an output keep the order: the scores come out, and the port says what follows."""
    real = c.real(node)
    before_13 = node.opset_version < 13
    axis = node.int_attribute("axis", 1 if before_13 else -1) % real.rank
    if before_13:  # all axes from this one on are normalised together
        long = [each for each in range(axis, real.rank) if real.shape[each] > 1] or [axis]
        if len(long) > 1:
            c.refuse(node, "it normalises several axes together", "Flatten its input first.")
        axis = long[0]
    if axis == 0 and real.shape[:1] == (1,):
        c.refuse(node, "it normalises the batch axis", "Normalise another axis.")
    c.set(node, real)
    name = "softmax" if node.operator == "Softmax" else "log_softmax"
    c.after[node.output] = name, axis - (1 if real.shape[:1] == (1,) else 0)


def _on_one_scale(c: Conversion, node: qonnx.NodeOp, real: Real, axis: int) -> Real:
    """Scores of one scale along an axis; different ones are multiplied to a common grid."""
    form = c.affine(node, real)
    rows = [s for s in form.scales if s.constant is not None and s.constant.shape[axis] > 1]
    if not rows:
        return real
    scale = Real(form.integers, tuple(rows))
    factors = c.affine(node, scale).factors()
    if factors is None:
        c.refuse(node, "its scores have irrational scales", "Quantise the scores with one scale.")
    lines = np.moveaxis(factors, axis, -1).reshape(-1, factors.shape[axis])
    units = [greatest_common_divisor(line.tolist()) for line in lines]
    grid = np.array(units, object).reshape(*np.moveaxis(factors, axis, -1).shape[:-1], 1)
    multiples = whole_numbers(factors / np.moveaxis(grid, -1, axis))
    zero = fractions_of(multiples) * form.zero
    if any(each.denominator != 1 for each in zero.reshape(-1)):
        c.refuse(node, "its scores have different scales and offsets", "Quantise the scores with one scale.")
    value = c.add(lbir.AddOp([form.integers], [multiples], -whole_numbers(zero), f"{node.label}_scaled"))
    rest = tuple(s for s in form.scales if all(s is not row for row in rows))
    return Real(value, (*rest, *c.scaled(node, np.moveaxis(grid, -1, axis))))


def top_k(c: Conversion, node: qonnx.NodeOp) -> None:
    """ArgMax, ArgMin and the indices of TopK, decided by exact comparisons of what the integers stand for."""
    real = c.real(node)
    is_top_k = isinstance(node, qonnx.TopKOp)
    axis = node.int_attribute("axis", -1 if is_top_k else 0) % real.rank
    largest, last, count = (
        node.operator != "ArgMin",
        bool(not is_top_k and node.int_attribute("select_last_index", 0)),
        1,
    )
    indices = node.results[0]
    if is_top_k:
        largest, indices = bool(node.int_attribute("largest", 1)), node.results[1]
        count = int(c.constant(node, 1).item()) if node.input(1) is not None else node.int_attribute("k")
        if node.results[0].uses:
            c.refuse(node, "its values are used; only its indices can be compiled", "Use the indices alone.")
    if not is_affine(real.steps):
        real = c.settled(real, node)
    if axis != real.rank - 1:
        order = (*(each for each in range(real.rank) if each != axis), axis)
        real = real.moved(c.add(lbir.TransposeOp(real.integers, order)), lambda array: array.transpose(order))
    if any(s.operation in ("mul", "div", "div_sqrt") and _varies(s) for s in real.steps):
        real = _on_one_scale(c, node, real, real.rank - 1)
    margins, largest = _margins(c, node, real, largest, last)
    result = c.add(lbir.TopKOp(real.integers, margins, largest, count, node.label))
    found = Real(result)
    if axis != real.rank - 1:
        back = (*range(axis), real.rank - 1, *range(axis, real.rank - 1))
        found = Real(c.add(lbir.TransposeOp(result, back)))
    if not is_top_k and not node.int_attribute("keepdims", 1):
        found = reshaped(c, found, tuple(size for each, size in enumerate(found.shape) if each != axis))
    c.reals[indices] = found


def _varies(step: Step) -> bool:
    return step.constant is not None and step.constant.shape[-1] > 1


def _margins(c: Conversion, node: qonnx.NodeOp, real: Real, largest: bool, last: bool) -> tuple[np.ndarray, bool]:
    """By how much an integer must exceed a later one to come first, and whether the largest integers come first."""
    size = real.shape[-1]
    shape = np.broadcast_shapes((1,) * real.rank, *lbir.step_shapes(real.steps))
    if not is_affine(real.steps) or any(each > 1 for each in shape[:-1]):
        c.refuse(
            node,
            "its input has scales for each row, or more than a scale and an offset",
            "Quantise the scores with one scale, or export the model without this node.",
        )
    flat = lbir.flattened(real.steps, shape)
    forms = [affine_values(flat, index if shape[-1] > 1 else 0) for index in range(size)]
    known = [form for form in forms if form is not None]
    if any(form[0] != known[0][0] or form[0] == 0 for form in known):
        c.refuse(node, "its input has scales for each channel", "Quantise the scores with one scale.")
    if known[0][0] < 0:
        largest = not largest
    zeros = [-offset / scale for scale, offset in known]
    margins = np.zeros((size, size), np.int64)
    for a in range(size):
        for b in range(a + 1, size):
            margin = zeros[a] - zeros[b] if largest else zeros[b] - zeros[a]
            bound = floor(margin) + 1 if last else ceil(margin)
            margins[a, b] = min(max(bound, -(1 << 60)), 1 << 60)
    return margins, largest


def output_port(c: Conversion, name: str, value: SSAValue) -> tuple[lbir.PortAttr, SSAValue]:
    """The port of an output: integers, and the scale and zero point that lead back to the model's values."""
    real = c.reals.get(value)
    node = value.owner if isinstance(value.owner, qonnx.NodeOp) else None
    if real is None or node is None:
        if real is None:
            raise UnsupportedModelError(
                name,
                "this output isn't computed from quantised values",
                remedy="Quantise the input in the model, or declare its type with --input-type.",
            )
    else:
        real = _ready(c, real, node)
    after, after_axis = c.after.get(value, ("", len(real.shape) - 1 - (1 if real.shape[:1] == (1,) else 0)))
    if real.steps and real.steps[-1].operation == "sigmoid" and is_affine(real.steps[:-1]) and not after:
        real, after = Real(real.integers, real.steps[:-1]), "sigmoid"
    if not is_affine(real.steps):
        raise UnsupportedModelError(
            name,
            "between the last layer and this output stands more than a scale and an offset",
            remedy="Put a quantiser behind the last activation.",
        )
    shape = np.broadcast_shapes((1,) * real.rank, *lbir.step_shapes(real.steps))
    flat = lbir.flattened(real.steps, shape)
    count = int(np.prod(shape))
    forms = [form for form in (affine_values(flat, index) for index in range(count)) if form is not None]
    if any(scale == 0 for scale, _ in forms):
        raise UnsupportedModelError(name, "a scale of this output is 0", remedy="Leave constant outputs out.")
    scales = _shaped([scale for scale, _ in forms], shape)
    zeros = _shaped([-offset / scale for scale, offset in forms], shape)
    integers, zeros = _with_offsets(c, real.integers, zeros)
    axes = [axis for axis, size in enumerate(np.broadcast_shapes(scales.shape, zeros.shape)) if size > 1]
    if len(axes) > 1:
        raise UnsupportedModelError(
            name, "this output's scales vary along several axes", remedy="Quantise it with one scale."
        )
    element = lbir.range_of(integers)
    if element.bits > WIDEST_PORT:
        raise UnsupportedModelError(
            name, f"this output needs {element.bits} bits an element", remedy="Put a quantiser behind the last layer."
        )
    batch = 1 if real.shape[:1] == (1,) else 0
    port = lbir.PortAttr.of(
        name,
        element,
        [float(each) for each in scales.reshape(-1)],
        [float(each) for each in zeros.reshape(-1)],
        axis=axes[0] - batch if axes else 0,
        after=after,
        after_axis=after_axis if after else 0,
    )
    return port, integers


def _ready(c: Conversion, real: Real, node: qonnx.NodeOp) -> Real:
    """The tensor as scaled integers as far as that is exact; a sigmoid at the end stays."""
    if is_affine(real.steps):
        return real
    if real.steps[-1].operation == "sigmoid":
        return c.settled(Real(real.integers, real.steps[:-1]), node).then(real.steps[-1])
    return c.settled(real, node)


def _shaped(numbers: list[Fraction], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(numbers), object)
    array[:] = numbers
    return compressed(array.reshape(shape))


def _with_offsets(c: Conversion, value: SSAValue, zeros: np.ndarray) -> tuple[SSAValue, np.ndarray]:
    """Offsets on the accumulator's grid are its bias, where nobody else reads it."""
    owner = value.owner
    plain = isinstance(owner, lbir.DenseOp | lbir.ConvOp) and not value.uses
    if not plain or not np.any(zeros) or any(zero.denominator != 1 for zero in zeros.reshape(-1)):
        return value, zeros
    assert isinstance(owner, lbir.DenseOp | lbir.ConvOp)
    weights, bias = lbir.integers(owner.weights), lbir.integers(owner.bias)
    axis = 1 if isinstance(owner, lbir.ConvOp) else zeros.ndim - 1
    if zeros.size not in (1, zeros.shape[axis]):
        return value, zeros
    bias = bias - whole_numbers(zeros).reshape(-1)
    if isinstance(owner, lbir.ConvOp):
        moved = c.add(
            lbir.ConvOp(
                owner.input,
                weights,
                bias,
                owner.strides.data,
                owner.dilations.data,
                owner.groups.value.data,
                owner.label,
            )
        )
    else:
        moved = c.add(lbir.DenseOp(owner.input, weights, bias, owner.label))
    return moved, fractions_of(np.zeros((1,) * zeros.ndim))


HANDLERS: dict[str, Handler] = {
    "Softmax": softmax,
    "LogSoftmax": softmax,
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK"), top_k),
}
