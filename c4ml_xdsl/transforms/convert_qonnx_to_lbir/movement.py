"""Operators that only move elements: reshapes, transposes, slices, padding, upsampling, concatenation."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.interpreters.qonnx import evaluate_outputs
from c4ml_xdsl.numerics.chain import Step
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion, Handler, whole_numbers
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import (
    Real,
    affine_form,
    fractions_of,
    joined_steps,
)

MOVES = (
    qonnx.ReshapeOp,
    qonnx.FlattenOp,
    qonnx.SqueezeOp,
    qonnx.UnsqueezeOp,
    qonnx.TransposeOp,
    qonnx.IdentityOp,
    qonnx.DropoutOp,
    qonnx.SliceOp,
    qonnx.GatherOp,
    qonnx.SplitOp,
    qonnx.ExpandOp,
    qonnx.TileOp,
    qonnx.PadOp,
    qonnx.UpsampleOp,
    qonnx.ResizeOp,
    qonnx.DepthToSpaceOp,
    qonnx.SpaceToDepthOp,
    qonnx.ConcatOp,
    qonnx.Im2ColOp,
)


def move(c: Conversion, node: qonnx.NodeOp, sources: Sequence[Real]) -> list[Real]:
    """What a node makes of tensors by moving their elements, for each of its outputs."""
    if isinstance(node, qonnx.ConcatOp):
        return [_concat(c, node, sources)]
    source = sources[0]
    if isinstance(node, qonnx.PadOp) and node.str_attribute("mode").lower() == "constant":
        return [_pad(c, node, source)]
    if isinstance(node, qonnx.TransposeOp):
        order = node.ints_attribute("perm") or tuple(range(source.rank))[::-1]
        return [_transposed(c, source, order)]
    if isinstance(node, qonnx.Im2ColOp):
        return [_im2col(c, node, source)]
    # the reference itself says where each element goes
    numbers = np.arange(math.prod(source.shape), dtype=np.float64).reshape(source.shape)
    inputs = [c.constants.get(value) for value in node.operands]
    inputs[0] = numbers
    return [_gathered(c, source, np.rint(each).astype(np.int64)) for each in evaluate_outputs(node, inputs)]


def _transposed(c: Conversion, source: Real, order: Sequence[int]) -> Real:
    if tuple(order) == tuple(range(source.rank)):
        return source
    integers = c.add(lbir.TransposeOp(source.integers, order))
    return source.moved(integers, lambda array: array.transpose(order))


def reshaped(c: Conversion, source: Real, shape: tuple[int, ...]) -> Real:
    """The same elements in another shape."""
    if shape == source.shape:
        return source
    integers = c.add(lbir.ReshapeOp(source.integers, shape))
    return source.moved(integers, lambda array: array.reshape(shape))


def _gathered(c: Conversion, source: Real, places: NDArray[np.int64]) -> Real:
    """The elements at some places of the flat tensor: by axes where that says it, else one by one."""
    size = math.prod(source.shape)
    if places.size == size and np.array_equal(places.reshape(-1), np.arange(size)):
        return reshaped(c, source, places.shape)
    axes = _by_axes(source.shape, places)
    value = source.integers
    if axes is not None:
        for axis, indices in enumerate(axes):
            if indices != list(range(source.shape[axis])):
                value = c.add(lbir.GatherOp(value, axis, indices))
        if lbir.shape_of(value) != places.shape:
            value = c.add(lbir.ReshapeOp(value, places.shape))
    else:
        flat = c.add(lbir.ReshapeOp(value, (size,))) if source.rank != 1 else value
        value = c.add(lbir.GatherOp(flat, 0, places.reshape(-1).tolist()))
        value = c.add(lbir.ReshapeOp(value, places.shape)) if places.ndim != 1 else value
    return source.moved(value, lambda array: np.ascontiguousarray(array).reshape(-1)[places])


def _by_axes(shape: tuple[int, ...], places: NDArray[np.int64]) -> list[list[int]] | None:
    """The indices along each axis whose product the places are; None where they aren't such a product."""
    if places.size == 0:
        return None
    coordinates = np.unravel_index(places.reshape(-1), shape)
    distinct: list[list[int]] = []
    if places.ndim == len(shape):
        for axis, coordinate in enumerate(coordinates):
            lines = np.moveaxis(coordinate.reshape(places.shape), axis, 0).reshape(places.shape[axis], -1)
            if not np.all(lines == lines[:, :1]):
                return None
            distinct.append(lines[:, 0].tolist())
        return distinct
    # an axis may have been dropped, by a Gather with one index
    for coordinate in coordinates:
        distinct.append(list(dict.fromkeys(coordinate.tolist())))
    product = np.ravel_multi_index(np.ix_(*map(np.array, distinct)), shape).reshape(-1)
    return distinct if np.array_equal(product, places.reshape(-1)) else None


def _concat(c: Conversion, node: qonnx.NodeOp, sources: Sequence[Real]) -> Real:
    rank = sources[0].rank
    axis = node.int_attribute("axis", 1) % rank
    ends = np.cumsum([0, *(source.shape[axis] for source in sources)]).tolist()
    ranges = [slice(start, end) for start, end in pairwise(ends)]
    steps = joined_steps([source.steps for source in sources], ranges, axis, ends[-1])
    if steps is None:  # different functions stand in front of it: what is integral becomes integers
        sources = [c.settled(source, node) for source in sources]
        steps = joined_steps([source.steps for source in sources], ranges, axis, ends[-1])
    if steps is None:
        c.refuse(node, "different functions stand in front of it", "Quantise its inputs.")
    return Real(c.add(lbir.ConcatOp([source.integers for source in sources], axis, node.label)), tuple(steps))


def pad_amounts(c: Conversion, node: qonnx.NodeOp, rank: int) -> tuple[list[int], list[int], float]:
    """What a Pad adds in front of and behind each axis (negative where it cuts), and the number that it adds."""
    pads = node.ints_attribute("pads") if node.input(1) is None else tuple(c.constant(node, 1).reshape(-1).tolist())
    value = float(c.constant(node, 2).reshape(-1)[0]) if node.input(2) is not None else 0.0
    if node.input(1) is None:
        value = node.float_attribute("value", 0.0)
    axes = list(range(rank))
    if node.input(3) is not None:
        axes = [int(axis) % rank for axis in c.constant(node, 3).reshape(-1)]
    if pads is None or len(pads) != 2 * len(axes):
        c.refuse(node, "its pads don't fit its input", "Export the model again.")
    low, high = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        low[axis], high[axis] = int(pads[index]), int(pads[index + len(axes)])
    return low, high, value


def _pad(c: Conversion, node: qonnx.NodeOp, source: Real) -> Real:
    """A Pad with a constant; negative pads cut."""
    low, high, value = pad_amounts(c, node, source.rank)
    for axis in range(source.rank):
        if low[axis] < 0 or high[axis] < 0:
            kept = list(range(max(0, -low[axis]), source.shape[axis] - max(0, -high[axis])))
            cut = c.add(lbir.GatherOp(source.integers, axis, kept))
            source = source.moved(cut, lambda array, axis=axis, kept=kept: array.take(kept, axis))
    return padded(c, node, source, [max(0, each) for each in low], [max(0, each) for each in high], value)


def padded(
    c: Conversion, node: qonnx.NodeOp, source: Real, low: Sequence[int], high: Sequence[int], value: float = 0.0
) -> Real:
    """A tensor with a real number around it, which must be one that its integers can stand for."""
    if not any((*low, *high)):
        return source
    source = c.settled(source, node)
    form = affine_form(source)
    scale = None if form is None else form.factors()
    if form is None or (value and scale is None):
        c.refuse(node, "it pads what isn't quantised", "Put a quantiser in front of it.")
    code = form.zero if not value or scale is None else form.zero + fractions_of(value) / scale
    if any(each.denominator != 1 for each in code.reshape(-1)):
        form = c.centred(node, form)
        source = c.real_of(node, form)
        code = form.zero if not value or scale is None else fractions_of(value) / (form.factors() or scale)
        if any(each.denominator != 1 for each in code.reshape(-1)):
            c.refuse(node, f"its input has no integer that stands for {value}", "Pad with zeros.")
    shape = [a + size + b for a, size, b in zip(low, source.shape, high, strict=True)]
    pairs = list(zip(low, high, strict=True))

    def spread(array: NDArray[Any]) -> NDArray[Any]:
        return np.pad(array, pairs, mode="edge")

    codes = spread(np.broadcast_to(code, source.shape)) if code.size > 1 else code
    for axis, size in enumerate(codes.shape):
        if size > 1 and np.all(codes == codes.take([0], axis)):
            codes = codes.take([0], axis)
    integers = c.add(lbir.PadOp(source.integers, whole_numbers(codes), low, high, node.label))
    assert list(lbir.shape_of(integers)) == shape
    return source.moved(integers, spread)


def broadcast(c: Conversion, source: Real, shape: tuple[int, ...]) -> Real:
    """A tensor repeated up to a shape, as operators do it with their operands."""
    if source.shape == shape:
        return source
    lifted = reshaped(c, source, (1,) * (len(shape) - source.rank) + source.shape)
    if lifted.shape == shape:
        return lifted
    integers = c.add(lbir.BroadcastOp(lifted.integers, shape))
    return Real(integers, lifted.steps)


def _im2col(c: Conversion, node: qonnx.NodeOp, source: Real) -> Real:
    """Im2Col on channels-last images: (1, height, width, channels) to (1, out, out, kernel * channels)."""
    kernel = node.ints_attribute("kernel_size") or (1, 1)
    strides = node.ints_attribute("stride") or (1, 1)
    pads = node.ints_attribute("pad_amount") or (0, 0, 0, 0)
    dilations = node.ints_attribute("dilations") or (1, 1)
    value = float(node.int_attribute("pad_value"))
    source = padded(c, node, source, [0, *pads[:2], 0], [0, *pads[2:], 0], value)
    numbers = np.arange(math.prod(source.shape), dtype=np.int64).reshape(source.shape)
    windows = lbir.windows_of(numbers.transpose(0, 3, 1, 2), kernel, strides, dilations)
    places = windows.transpose(0, 2, 3, 4, 5, 1)
    return _gathered(c, source, places.reshape(*places.shape[:3], -1))


def moves(c: Conversion, node: qonnx.NodeOp) -> None:
    """The integers move, with their scales; padding is the integer that stands for the number."""
    inputs = [value for value in node.operands if value in c.reals]
    if isinstance(node, qonnx.ConcatOp) and len(inputs) != len(node.operands):
        c.refuse(node, "it joins activations with constants", "Leave the constants out.")
    if not isinstance(node, qonnx.ConcatOp) and (node.operands[0] not in c.reals or len(set(inputs)) != 1):
        c.refuse(node, "where it moves elements to isn't constant", "Export the model with constant shapes.")
    for value, real in zip(node.results, move(c, node, [c.reals[each] for each in inputs]), strict=False):
        c.reals[value] = real


def cast(c: Conversion, node: qonnx.NodeOp) -> None:
    """A Cast to floats changes nothing, one to integers drops fractions."""
    real, target = c.real(node), node.int_attribute("to")
    if target in (6, 7):
        real = Real(c.activate(real, [Step("round", mode=RoundingMode.DOWN)], node))
    elif target not in (1, 10, 11):
        c.refuse(node, "it casts activations to another type than floats or int32 and int64", "Leave it out.")
    c.set(node, real)


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys((each.name.removeprefix("qonnx.") for each in MOVES), moves),
    "Cast": cast,
}
