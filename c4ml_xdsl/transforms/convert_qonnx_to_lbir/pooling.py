"""Pools and reductions: the largest, the sum or the mean of windows or axes."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.numerics.chain import Step, direction
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.numerics.windows import Windows
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion, Handler
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.movement import padded
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import Real, compressed, full_rank, prefixed


def _uniform(c: Conversion, node: qonnx.NodeOp, steps: Sequence[Step], axes: Sequence[int]) -> None:
    """Refuses a node whose input is scaled differently along axes that it combines."""
    for step in steps:
        if step.other is not None:
            _uniform(c, node, step.other, axes)
        constant = step.constant
        if constant is not None and any(constant.shape[axis] > 1 for axis in axes):
            c.refuse(node, "it combines elements with different scales", "Quantise its input with one scale a channel.")


def increasing(c: Conversion, node: qonnx.NodeOp, real: Real) -> Real:
    """
    The same tensor on integers whose order is that of the real numbers, for maxima.

    Where a chain falls, as behind a negative factor of a BatchNormalization, its integers are negated.
    """
    shape = np.broadcast_shapes((1,) * real.rank, *lbir.step_shapes(real.steps))
    flat = lbir.flattened(real.steps, shape)
    sign = direction(flat, math.prod(shape))
    if sign is None:
        real = c.settled(real, node)
        shape = np.broadcast_shapes((1,) * real.rank, *lbir.step_shapes(real.steps))
        sign = direction(lbir.flattened(real.steps, shape), math.prod(shape))
        if sign is None:
            c.refuse(node, "its input is a function that isn't monotone", "Put a quantiser in front of it.")
    if np.all(sign > 0):
        return real
    signs = compressed(sign.reshape(shape))
    integers = c.add(lbir.AddOp([real.integers], [signs], np.array(0, np.int64), f"{node.label}_signs"))
    return Real(integers, prefixed([Step("mul", signs.astype(np.float64))], real.steps))


def _windows(c: Conversion, node: qonnx.NodeOp, source: Real) -> Windows:
    kernel = node.ints_attribute("kernel_shape")
    if kernel is None:
        c.refuse(node, "it has no kernel_shape", "Export the model again.")
    return Windows.of(
        source.shape[2:],
        kernel,
        node.ints_attribute("strides"),
        node.ints_attribute("dilations"),
        node.ints_attribute("pads"),
        node.str_attribute("auto_pad", "NOTSET"),
        bool(node.int_attribute("ceil_mode", 0)),
    )


def _max_windows(c: Conversion, node: qonnx.NodeOp, source: Real, windows: Windows) -> Real:
    """The maxima of windows of a tensor (1, channels, *space); padding never is the largest."""
    source = increasing(c, node, source)
    _uniform(c, node, source.steps, range(2, source.rank))
    value = source.integers
    if any((*windows.pads_begin, *windows.pads_end)):
        lowest = np.array(lbir.range_of(value).low, np.int64)
        pads = (0, 0, *windows.pads_begin), (0, 0, *windows.pads_end)
        value = c.add(lbir.PadOp(value, lowest, *pads, node.label))
    pooled = c.add(lbir.MaxPoolOp(value, windows.kernel, windows.strides, windows.dilations, node.label))
    return replace(source, integers=pooled)


def max_pool(c: Conversion, node: qonnx.NodeOp) -> None:
    """MaxPool with all its attributes, its indices aside."""
    if len(node.results) > 1 and node.results[1].uses:
        c.refuse(node, "the indices of its maxima are used", "Export the model without them.")
    source = c.real(node)
    c.set(node, _max_windows(c, node, source, _windows(c, node, source)))


def _sum_windows(c: Conversion, node: qonnx.NodeOp, source: Real, windows: Windows) -> Real:
    """The sums of windows of a tensor (1, channels, *space), padded with zeros."""
    source = padded(c, node, source, (0, 0, *windows.pads_begin), (0, 0, *windows.pads_end))
    form = c.affine(node, source)
    _uniform(c, node, form.scales, range(2, source.rank))
    if form.zero.size > 1 and form.zero.size != form.zero.shape[1]:
        c.refuse(node, "it adds up elements with different zero points", "Quantise its input.")
    channels, count = source.shape[1], math.prod(windows.kernel)
    ones = np.ones((channels, 1, *windows.kernel), np.int64)
    bias = np.zeros(channels, np.int64)
    value = c.add(lbir.ConvOp(form.integers, ones, bias, windows.strides, windows.dilations, channels, node.label))
    return c.real_of(node, replace(form, integers=value, zero=form.zero * count))


def average_pool(c: Conversion, node: qonnx.NodeOp) -> None:
    """AveragePool; without `count_include_pad` windows at the border divide by fewer elements."""
    source = c.real(node)
    windows = _windows(c, node, source)
    inside = np.ones(source.shape[2:], np.int64)
    explicit = _windows_pads(node, windows)
    fill = 1 if node.int_attribute("count_include_pad", 0) else 0
    inside = np.pad(inside, list(zip(windows.pads_begin, explicit, strict=True)), constant_values=fill)
    extra = [(0, end - given) for end, given in zip(windows.pads_end, explicit, strict=True)]
    inside = np.pad(inside, extra)
    views = lbir.windows_of(inside, windows.kernel, windows.strides, windows.dilations)
    counts = views.sum(axis=tuple(range(windows.rank, 2 * windows.rank)))
    summed = _sum_windows(c, node, source, windows)
    c.set(node, summed.step("div", compressed(counts[None, None]).astype(np.float64)))


def _windows_pads(node: qonnx.NodeOp, windows: Windows) -> tuple[int, ...]:
    """The padding behind the input that the model says, without what `ceil_mode` adds."""
    pads = node.ints_attribute("pads")
    automatic = node.str_attribute("auto_pad", "NOTSET").upper()
    if automatic.startswith("SAME"):
        return windows.pads_end
    given = pads[windows.rank :] if pads and automatic == "NOTSET" else (0,) * windows.rank
    return tuple(min(each, end) for each, end in zip(given, windows.pads_end, strict=True))


def quant_average_pool(c: Conversion, node: qonnx.NodeOp) -> None:
    """QuantAvgPool2d: the sum of integers, shifted right from the accumulator's bits to `obits`."""
    source = c.real(node)
    last = node.str_attribute("data_layout", "NCHW") == "NHWC"
    if last:
        source = _turned(c, source, (0, 3, 1, 2))
    kernel = (node.int_attribute("kernel"),) * 2
    windows = Windows.of(source.shape[2:], kernel, (node.int_attribute("stride"),) * 2)
    summed = _sum_windows(c, node, source, windows)
    largest = ((1 << node.int_attribute("ibits")) - 1) * kernel[0] ** 2
    shift = max(0, largest.bit_length() - node.int_attribute("obits"))
    steps = [Step("round", mode=RoundingMode.HALF_EVEN), Step("div", full_rank(1 << shift, summed.rank))]
    result = Real(c.activate(summed, [*steps, Step("round", mode=RoundingMode.FLOOR)], node))
    c.set(node, _turned(c, result, (0, 2, 3, 1)) if last else result)


def _turned(c: Conversion, source: Real, order: Sequence[int]) -> Real:
    if tuple(order) == tuple(range(source.rank)):
        return source
    return source.moved(c.add(lbir.TransposeOp(source.integers, order)), lambda array: array.transpose(order))


def max_pool_channels_last(c: Conversion, node: qonnx.NodeOp) -> None:
    """MaxPoolNHWC."""
    source = _turned(c, c.real(node), (0, 3, 1, 2))
    pooled = _max_windows(c, node, source, _windows(c, node, source))
    c.set(node, _turned(c, pooled, (0, 2, 3, 1)))


# reductions ------------------------------------------------------------------------------------------------------


def _reduced_axes(c: Conversion, node: qonnx.NodeOp, rank: int) -> tuple[int, ...]:
    """The axes of a Reduce node, from its attribute or its second input."""
    given = node.ints_attribute("axes") if "axes" in qonnx.attribute_table(type(node)) else None
    if node.input(1) is not None:
        given = tuple(int(each) for each in c.constant(node, 1).reshape(-1))
    if not given:
        return () if node.int_attribute("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted(axis % rank for axis in given))


def _reduce(
    c: Conversion, node: qonnx.NodeOp, source: Real, axes: tuple[int, ...], keep: bool, largest: bool, mean: bool
) -> Real:
    if not axes:
        return source
    if largest:
        source = increasing(c, node, source)
        steps = source.steps
        form = None
    else:
        form = c.affine(node, source)
        source, steps = c.real_of(node, form), form.scales
    _uniform(c, node, steps, axes)
    if form is not None and any(form.zero.shape[axis] > 1 for axis in axes):
        c.refuse(node, "it adds up elements with different zero points", "Quantise its input.")
    kept = tuple(axis for axis in range(source.rank) if axis not in axes)
    count = math.prod(source.shape[axis] for axis in axes)
    flat = _turned(c, source, (*kept, *axes))
    rows = math.prod(flat.shape) // count
    value = flat.integers
    if largest:
        value = c.add(lbir.ReshapeOp(value, (1, rows, count)))
        value = c.add(lbir.MaxPoolOp(value, (count,), (1,), (1,), node.label))
    else:
        value = c.add(lbir.ReshapeOp(value, (rows, count)))
        value = c.add(lbir.DenseOp(value, np.ones((1, count), np.int64), np.zeros(1, np.int64), node.label))
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
    if not keep:
        shape = tuple(source.shape[axis] for axis in kept)

    def first(array: NDArray[np.float64]) -> NDArray[np.float64]:
        taken = np.asarray(array)
        for axis in axes:
            taken = taken.take([0], axis)
        return taken.reshape(shape)

    result = replace(source, steps=tuple(steps)).moved(c.add(lbir.ReshapeOp(value, shape)), first)
    if form is not None and np.any(form.zero):
        zero = np.broadcast_to(form.zero * count, source.shape)
        moved = compressed(first(zero))
        result = c.real_of(node, replace(form, integers=result.integers, zero=moved, scales=result.steps))
    return result.step("div", float(count)) if mean else result


def reduce(c: Conversion, node: qonnx.NodeOp) -> None:
    """ReduceMean, ReduceSum, ReduceMax and ReduceMin."""
    source = c.real(node)
    axes = _reduced_axes(c, node, source.rank)
    keep = bool(node.int_attribute("keepdims", 1))
    if node.operator == "ReduceMin":
        lowest = _reduce(c, node, source.then(Step("neg")), axes, keep, largest=True, mean=False)
        c.set(node, lowest.then(Step("neg")))
        return
    largest, mean = node.operator == "ReduceMax", node.operator == "ReduceMean"
    c.set(node, _reduce(c, node, source, axes, keep, largest, mean))


def global_pool(c: Conversion, node: qonnx.NodeOp) -> None:
    """GlobalAveragePool and GlobalMaxPool: over all spatial axes."""
    largest = node.operator == "GlobalMaxPool"
    source = c.real(node)
    c.set(node, _reduce(c, node, source, tuple(range(2, source.rank)), True, largest, mean=not largest))


HANDLERS: dict[str, Handler] = {
    "MaxPool": max_pool,
    "MaxPoolNHWC": max_pool_channels_last,
    "AveragePool": average_pool,
    "QuantAvgPool2d": quant_average_pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), reduce),
}
