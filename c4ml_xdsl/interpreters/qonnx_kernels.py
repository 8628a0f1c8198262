"""Numpy kernels of the operators that QONNX, FINN and Brevitas define, as qonnx 1.0 computes them."""

from collections.abc import Callable, Sequence

import numpy as np

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.interpreters.onnx_kernels import (
    Array,
    Inputs,
    Kernel,
    bounded,
    broadcast_shape,
    matrix_product,
    maxima,
    number,
    required,
    sliding,
)
from c4ml_xdsl.numerics.windows import Windows


def _ties_away(x: Array) -> Array:
    return np.sign(x) * np.floor(np.abs(x) + x.dtype.type(0.5))


def _ties_to_zero(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x) - x.dtype.type(0.5))


ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "HALF_UP": _ties_away,
    "HALF_DOWN": _ties_to_zero,
}
"""qonnx's rounding modes; HALF_UP rounds ties away from zero, HALF_DOWN towards it, UP away from zero."""


LARGEST_ZERO_POINT = 1 << 24
"""The largest integer up to which float32, in which models add zero points, has them all."""


# Quantisers ------------------------------------------------------------------------------------------------------


def quantiser_bits(node: qonnx.NodeOp, bits: Array) -> int:
    """The whole bit width of a quantiser; raises UnsupportedModelError for others."""
    width = np.unique(bits)
    if width.size != 1 or width[0] != int(width[0]) or not 1 <= width[0] <= qonnx.MAXIMUM_BIT_WIDTH:
        raise UnsupportedModelError(
            node.label,
            f"its bit width is {bits.tolist()}",
            remedy=f"Quantise with one whole bit width from 1 to {qonnx.MAXIMUM_BIT_WIDTH} a tensor.",
        )
    return int(width[0])


def _scale(node: qonnx.NodeOp, inputs: Inputs, index: int = 1) -> Array:
    scale = required(inputs, index)
    if not np.all(scale > 0):
        raise UnsupportedModelError(node.label, "a scale isn't positive", remedy="Check the quantiser's training.")
    return scale


def _zero_point(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    zero_point = required(inputs, 2)
    if np.any(np.abs(zero_point) > LARGEST_ZERO_POINT):
        raise UnsupportedModelError(
            node.label, f"a zero point is beyond {LARGEST_ZERO_POINT}", remedy="Check the quantiser's training."
        )
    return zero_point


def _rounded(node: qonnx.NodeOp, values: Array) -> Array:
    return ROUNDINGS[node.str_attribute("rounding_mode").upper()](values)


def _bipolar(x: Array) -> Array:
    return np.where(x >= 0, 1, -1).astype(x.dtype)


def quantise(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    """The integer codes (as floats) of a Quant, IntQuant or BipolarQuant node, as qonnx computes them."""
    x, scale = required(inputs), _scale(node, inputs)
    broadcast_shape(node, *(each for each in inputs if each is not None))
    if isinstance(node, qonnx.BipolarQuantOp):
        return _bipolar(x)
    bits = quantiser_bits(node, required(inputs, 3))
    signed, narrow = bool(node.int_attribute("signed")), bool(node.int_attribute("narrow"))
    if bits == 1 and signed:
        return _bipolar(x)
    low, high = qonnx.integer_range(bits, signed=signed, narrow=narrow)
    return _rounded(node, np.clip(x / scale + _zero_point(node, inputs), low, high))


def _quant(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    codes, scale = quantise(node, inputs), required(inputs, 1)
    return codes * scale if isinstance(node, qonnx.BipolarQuantOp) else (codes - required(inputs, 2)) * scale


def _trunc(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, scale, zero_point = required(inputs), _scale(node, inputs), _zero_point(node, inputs)
    broadcast_shape(node, *(required(inputs, index) for index in range(len(inputs))))
    codes = np.rint(x / scale + zero_point)
    input_bits, output_bits = quantiser_bits(node, required(inputs, 3)), quantiser_bits(node, required(inputs, -1))
    if len(inputs) == 5:  # version 1
        return (_rounded(node, codes / 2.0 ** (input_bits - output_bits)) - zero_point) * scale
    output_scale = _scale(node, inputs, 4)
    divisor = np.exp2(np.rint(np.log2(output_scale / scale)))
    if not np.all(np.isfinite(divisor) & (divisor > 0)):
        raise ValueError("its output scale is too far from its input's scale")
    signed, narrow = bool(node.int_attribute("signed")), bool(node.int_attribute("narrow"))
    low, high = qonnx.integer_range(output_bits, signed=signed, narrow=narrow)
    if signed and output_bits == 1:  # where Quant is bipolar, Trunc isn't
        low, high = -1 + narrow, 0
    return (_rounded(node, np.clip(codes / divisor, low, high)) - zero_point / divisor) * output_scale


_LAYOUTS = {2: "NC", 3: "NWC", 4: "NCHW"}
"""The layouts that qonnx assumes by rank where a MultiThreshold names none."""


def _multi_threshold(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, thresholds = required(inputs), required(inputs, 1)
    layout = node.str_attribute("data_layout").upper() or _LAYOUTS.get(x.ndim, "NC")
    channels = np.moveaxis(x, layout.index("C"), 0)
    if thresholds.ndim != 2 or len(thresholds) not in (1, len(channels)):
        raise ValueError(f"thresholds {list(thresholds.shape)} for {len(channels)} channels")
    # How many thresholds a value reaches is where it belongs among them in order.
    ordered = np.broadcast_to(np.sort(thresholds, axis=1), (len(channels), thresholds.shape[1]))
    counts = np.empty_like(channels)
    for count, steps, values in zip(counts, ordered, channels, strict=True):
        count[...] = np.searchsorted(steps, values, side="right")
    counts = np.moveaxis(counts, 0, layout.index("C"))
    return number(node, "out_scale") * counts + number(node, "out_bias")


# Matrices and windows --------------------------------------------------------------------------------------------


def _xnor_popcount_mat_mul(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    a, b = (2 * required(inputs, index) - 1 for index in range(2))
    # agreements - disagreements is the product, agreements + disagreements the length
    return (matrix_product(node, a, b) + a.shape[-1]) / 2


def _channels_first(x: Array) -> Array:
    if x.ndim != 4:
        raise ValueError(f"an image has 4 dimensions, not {x.ndim}")
    return np.moveaxis(x, -1, 1)


def _image_windows(
    node: qonnx.NodeOp, x: Array, kernel: str, strides: str, pads: str, *, ceil_mode: bool = False
) -> Windows:
    """The windows on a channels-first image that attributes of these names describe."""
    sizes: Sequence[int] = node.ints_attribute(kernel) or ()
    dilations = node.ints_attribute("dilations") if isinstance(node, qonnx.Im2ColOp) else None
    return Windows.of(
        x.shape[2:],
        sizes,
        node.ints_attribute(strides),
        dilations,
        node.ints_attribute(pads),
        ceil_mode=ceil_mode,
    )


def _im2col(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = _channels_first(required(inputs))
    windows = _image_windows(node, x, "kernel_size", "stride", "pad_amount")
    bounded(node, (len(x), *windows.output_shape, *windows.kernel, x.shape[1]))
    patches = np.moveaxis(sliding(node, x, windows, node.int_attribute("pad_value")), 1, -1)
    return patches.reshape(*patches.shape[:3], -1)


def _quant_avg_pool(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, last = required(inputs), node.str_attribute("data_layout").upper() == "NHWC"
    kernel, stride = node.int_attribute("kernel"), node.int_attribute("stride")
    channels = _channels_first(x) if last else x
    windows = Windows.of(channels.shape[2:], (kernel, kernel), (stride, stride))
    total = np.rint(sliding(node, channels, windows, 0).sum(axis=(-2, -1))).astype(np.int64)
    bits = node.int_attribute("ibits")
    if bits > qonnx.MAXIMUM_BIT_WIDTH:
        raise ValueError(f"its input has {bits} bits")
    largest = ((1 << bits) - 1) * kernel * kernel
    shifted = np.right_shift(total, max(0, largest.bit_length() - node.int_attribute("obits"))).astype(x.dtype)
    return np.moveaxis(shifted, 1, -1) if last else shifted


def _max_pool_nhwc(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = _channels_first(required(inputs))
    ceil_mode = bool(node.int_attribute("ceil_mode"))
    windows = _image_windows(node, x, "kernel_shape", "strides", "pads", ceil_mode=ceil_mode)
    return np.moveaxis(maxima(node, x, windows), 1, -1)


KERNELS: dict[str, Kernel] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "BipolarQuant": _quant,
    "Trunc": _trunc,
    "MultiThreshold": _multi_threshold,
    "XnorPopcountMatMul": _xnor_popcount_mat_mul,
    "Im2Col": _im2col,
    "QuantAvgPool2d": _quant_avg_pool,
    "MaxPoolNHWC": _max_pool_nhwc,
}
"""QONNX's operators."""
