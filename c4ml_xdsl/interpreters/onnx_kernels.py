"""
Numpy kernels of ONNX's own operators, opsets 7 to 21.

A kernel computes the outputs of one node. It takes data in any float type and never narrows it: attributes are
Python floats, and float32 constants are promoted by the data that they meet. Where a model's axis 0 is one sample,
arrays may hold more of them. What would have more than `MAXIMUM_ELEMENTS` elements is refused before it is allocated.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.lib.array_utils import normalize_axis_index
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from xdsl.dialects.builtin import IntegerType, Signedness, TensorType
from xdsl.ir import Attribute

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.numerics.windows import Windows

Array: TypeAlias = NDArray[Any]
Inputs: TypeAlias = Sequence[Array | None]
Kernel: TypeAlias = Callable[[qonnx.NodeOp, Inputs], Array | tuple[Array, ...]]

MAXIMUM_ELEMENTS = 1 << 24
"""The most elements that a node's output (or the windows that it reads, of one sample) may have."""

_MATRIX_ELEMENTS = 1 << 24
"""About how many elements a convolution copies at once."""


# Inputs and attributes -------------------------------------------------------------------------------------------


def required(inputs: Inputs, index: int = 0) -> Array:
    """An input that the operator can't do without; raises ValueError where the node leaves it out."""
    array = optional(inputs, index)
    if array is None:
        raise ValueError(f"input {index} is missing")
    return array


def optional(inputs: Inputs, index: int) -> Array | None:
    """An input, None where the node leaves it out."""
    return inputs[index] if index < len(inputs) else None


def bounded(node: qonnx.NodeOp, shape: Iterable[int]) -> tuple[int, ...]:
    """A shape that may be allocated; raises UnsupportedModelError, naming the node, for one that is too large."""
    sizes = tuple(int(each) for each in shape)
    if any(each < 0 for each in sizes):
        raise ValueError(f"the shape {list(sizes)} has a negative dimension")
    if math.prod(max(each, 1) for each in sizes) > MAXIMUM_ELEMENTS:
        raise UnsupportedModelError(
            node.label,
            f"needs {' x '.join(map(str, sizes))} elements, more than {MAXIMUM_ELEMENTS}",
            remedy="Check the node's attributes and the sizes of its inputs.",
        )
    return sizes


def broadcast_shape(node: qonnx.NodeOp, *arrays: Array) -> tuple[int, ...]:
    """The shape that arrays broadcast to, if it may be allocated."""
    return bounded(node, np.broadcast_shapes(*(each.shape for each in arrays)))


def number(node: qonnx.NodeOp, name: str) -> float:
    """A float attribute as ONNX holds it, a float32, that takes the type of the data that it meets."""
    return float(np.float32(node.float_attribute(name)))


def _integers(array: Array | None) -> tuple[int, ...] | None:
    return None if array is None else tuple(int(each) for each in array.reshape(-1))


def _listed(node: qonnx.NodeOp, inputs: Inputs, name: str, index: int) -> tuple[int, ...] | None:
    """Integers that an attribute gives in older opsets and an input in newer ones."""
    given = _integers(optional(inputs, index))
    return node.ints_attribute(name) if given is None else given


def axis_of(node: qonnx.NodeOp, rank: int, default: int | None = None) -> int:
    """The attribute `axis`, not negative; raises ValueError where the tensor has no such axis."""
    return normalize_axis_index(node.int_attribute("axis", default), rank)


def axes_of(node: qonnx.NodeOp, inputs: Inputs) -> tuple[int, ...] | None:
    """The axes of a reduction, Squeeze or Unsqueeze, None where the node gives none."""
    return _listed(node, inputs, "axes", 1)


def _kept_batch(node: qonnx.NodeOp, x: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A constant shape for all samples of `x`, where it says 1 for the model's one sample."""
    static = qonnx.static_shape(node.operands[0])
    return (*x.shape[:1], *shape[1:]) if static and static[0] == 1 == shape[0] else shape


def _integer_type(element_type: Attribute) -> IntegerType | None:
    return cast(IntegerType, element_type) if isinstance(element_type, IntegerType) else None


def _element_type(node: qonnx.NodeOp, onnx_number: int) -> Attribute:
    """The element type for which ONNX has a number."""
    from onnx import TensorProto  # takes long to load, and few models need it here

    from c4ml_xdsl.frontend.onnx_file import element_dtype, element_type_name

    dtype = element_dtype(onnx_number)
    if dtype is None:
        raise UnsupportedModelError(node.label, f"elements of type {element_type_name(onnx_number)} aren't supported")
    if onnx_number in (TensorProto.INT4, TensorProto.UINT4):
        return IntegerType(4, Signedness.UNSIGNED if onnx_number == TensorProto.UINT4 else Signedness.SIGNLESS)
    return qonnx.element_type_of(dtype)


# Elementwise and broadcast ---------------------------------------------------------------------------------------


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return np.divide(a, b)
    quotient = np.floor_divide(a, b)
    return quotient + ((np.remainder(a, b) != 0) & ((a < 0) != (b < 0))).astype(quotient.dtype)


def _power(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.power(a, b if b.dtype.kind == "f" else b.astype(a.dtype))
    exponent = b.astype(np.float64) if b.dtype.kind == "f" or np.any(b < 0) else b
    return np.power(a, exponent).astype(a.dtype)


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def _gelu(x: Array, approximate: str) -> Array:
    if approximate.upper() == "TANH":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + _erf(x * math.sqrt(0.5)))


_UNARY: dict[str, Callable[[Array], Array]] = {
    "Not": np.logical_not,
    "Neg": np.negative,
    "Abs": np.abs,
    "Relu": lambda x: np.maximum(x, np.zeros((), x.dtype)),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "Tanh": np.tanh,
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Softplus": lambda x: np.logaddexp(x, np.zeros((), x.dtype)),
    "Erf": _erf,
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Reciprocal": lambda x: 1 / x,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sign": np.sign,
    "Identity": lambda x: x,
    "Size": lambda x: np.asarray(x.size, np.int64),
    "GlobalAveragePool": lambda x: x.mean(axis=tuple(range(2, x.ndim)), keepdims=True),
    "GlobalMaxPool": lambda x: x.max(axis=tuple(range(2, x.ndim)), keepdims=True),
}

_WITH_ALPHA: dict[str, Callable[[Array, float], Array]] = {
    "LeakyRelu": lambda x, alpha: np.where(x < 0, alpha * x, x),
    "ThresholdedRelu": lambda x, alpha: np.where(x > alpha, x, np.zeros((), x.dtype)),
    "Elu": lambda x, alpha: np.where(x < 0, alpha * np.expm1(x), x),
    "Celu": lambda x, alpha: np.maximum(x, 0) + np.minimum(alpha * np.expm1(x / alpha), 0),
}

_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Pow": _power,
    "Min": np.minimum,
    "Max": np.maximum,
    "Sum": np.add,
    "PRelu": lambda x, slope: np.where(x < 0, slope * x, x),
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}
"""Functions of two inputs; where a node has more, the result meets the next one."""


def _broadcast(node: qonnx.NodeOp, inputs: Inputs) -> list[Array]:
    """All inputs, if what they broadcast to may be allocated."""
    arrays = [required(inputs, index) for index in range(len(inputs))]
    broadcast_shape(node, *arrays)
    return arrays


def _unary(function: Callable[[Array], Array]) -> Kernel:
    return lambda node, inputs: function(required(inputs))


def _with_alpha(function: Callable[[Array, float], Array]) -> Kernel:
    return lambda node, inputs: function(required(inputs), number(node, "alpha"))


def _binary(function: Callable[[Array, Array], Array]) -> Kernel:
    return lambda node, inputs: reduce(function, _broadcast(node, inputs))


def _mean(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return reduce(np.add, _broadcast(node, inputs)) / len(inputs)


def _where(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    condition, x, y = _broadcast(node, inputs)
    return np.where(condition != 0, x, y)


def _hard_sigmoid(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.clip(number(node, "alpha") * required(inputs) + number(node, "beta"), 0, 1)


def _selu(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    return number(node, "gamma") * np.where(x > 0, x, number(node, "alpha") * np.expm1(x))


def _mod(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    a, b = _broadcast(node, inputs)
    return np.fmod(a, b) if node.int_attribute("fmod") else np.mod(a, b)


def _clip(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    for index, name, function in ((1, "min", np.maximum), (2, "max", np.minimum)):
        limit = optional(inputs, index)
        if limit is not None:
            x = function(x, limit.reshape(()))
        elif node.attribute(name) is not None:
            x = function(x, number(node, name))
    return x


def _dropout(node: qonnx.NodeOp, inputs: Inputs) -> tuple[Array, ...]:
    x = required(inputs)
    return (x, np.ones(x.shape, np.bool_))[: len(node.results)]


def _cast(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    element_type = _element_type(node, node.int_attribute("to"))
    integer = _integer_type(element_type)
    if integer is not None and integer.width.data == 4:
        raise UnsupportedModelError(node.label, "a Cast to four bits isn't supported")
    target = qonnx.dtype_of(element_type)
    # Between floats, data stays in the type that the reference runs in.
    return x if target.kind == "f" and x.dtype.kind == "f" else x.astype(target)


# Quantisation ----------------------------------------------------------------------------------------------------


def _along_axis(node: qonnx.NodeOp, x: Array, parameter: Array) -> Array:
    """A scale or zero point, one for the tensor or one for each index of an axis, to broadcast against `x`."""
    if node.int_attribute("block_size") or parameter.ndim > 1:
        raise UnsupportedModelError(
            node.label, "quantises blocks of an axis", remedy="Quantise with one scale a tensor or a channel."
        )
    if parameter.size == 1:
        return parameter.reshape(())
    axis = axis_of(node, x.ndim)
    if parameter.size != x.shape[axis]:
        raise ValueError(f"{parameter.size} scales or zero points for {x.shape[axis]} channels")
    return parameter.reshape([-1 if each == axis else 1 for each in range(x.ndim)])


def _quantised_type(node: qonnx.NodeOp) -> IntegerType:
    """The integer type that QuantizeLinear gives: its zero point's, or what the node says, or unsigned eight bits."""
    zero_point, given = node.input(2), node.int_attribute("output_dtype")
    element_type: Attribute = IntegerType(8, Signedness.UNSIGNED)
    if zero_point is not None:
        # Four bits are held in eight, so the file's constant tells more than a value's type.
        constant = zero_point.owner
        of = constant.value.type if isinstance(constant, qonnx.InitializerOp) else zero_point.type
        if isinstance(of, TensorType):
            element_type = cast("TensorType[Attribute]", of).element_type
    elif given:
        element_type = _element_type(node, given)
    integer = _integer_type(element_type)
    if integer is None:
        raise UnsupportedModelError(node.label, f"doesn't quantise to integers but to {element_type}")
    return integer


def _quantize_linear(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, scale, zero_point = required(inputs), required(inputs, 1), optional(inputs, 2)
    if not np.all(scale > 0):
        raise UnsupportedModelError(node.label, "a scale isn't positive", remedy="Check the quantiser's training.")
    target = _quantised_type(node)
    signed = target.signedness.data is not Signedness.UNSIGNED
    low, high = qonnx.integer_range(target.width.data, signed=signed, narrow=False)
    x = x if x.dtype.kind == "f" else x.astype(scale.dtype)
    # float64 holds the sum of a rounded quotient and a zero point of 32 bits
    codes = np.rint(x / _along_axis(node, x, scale)).astype(np.float64)
    if zero_point is not None:
        codes += _along_axis(node, x, zero_point)
    return np.clip(codes, low, high).astype(qonnx.dtype_of(target))


def _dequantize_linear(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, scale, zero_point = required(inputs), required(inputs, 1), optional(inputs, 2)
    codes = x if x.dtype.kind == "f" else x.astype(np.int64)
    if zero_point is not None:
        codes = codes - _along_axis(node, x, zero_point).astype(codes.dtype)
    codes = codes if codes.dtype.kind == "f" else codes.astype(scale.dtype)
    return codes * _along_axis(node, x, scale)


# Linear algebra and normalisation --------------------------------------------------------------------------------


def matrix_product(node: qonnx.NodeOp, a: Array, b: Array) -> Array:
    """numpy's matrix product, if it may be allocated."""
    if a.ndim > 1 and b.ndim > 1:
        bounded(node, (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]))
    return np.matmul(a, b)


def _mat_mul(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return matrix_product(node, required(inputs), required(inputs, 1))


def _gemm(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    a, b, c = required(inputs), required(inputs, 1), optional(inputs, 2)
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"Gemm multiplies matrices, not tensors of {a.ndim} and {b.ndim} dimensions")
    y = matrix_product(node, a.T if node.int_attribute("transA") else a, b.T if node.int_attribute("transB") else b)
    alpha, beta = number(node, "alpha"), number(node, "beta")
    y = y if alpha == 1 else alpha * y
    if c is None:
        return y
    return y + np.broadcast_to(c if beta == 1 else beta * c, y.shape)


def _batch_normalization(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    if node.int_attribute("training_mode"):
        raise UnsupportedModelError(
            node.label, "normalises in training mode", remedy="Export the model for inference (eval mode)."
        )
    per_element = node.opset_version < 9 and not node.int_attribute("spatial")
    shape = x.shape[1:] if per_element else (*x.shape[1:2], *[1] * max(0, x.ndim - 2))
    dtype = np.result_type(x, *(required(inputs, index) for index in range(1, 5)))
    scale, bias, mean, variance = (required(inputs, index).reshape(shape).astype(dtype) for index in range(1, 5))
    return (x - mean) / np.sqrt(variance + number(node, "epsilon")) * scale + bias


def _softmax(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    matrix, axis = x, node.int_attribute("axis", -1)
    if node.opset_version < 13:
        axis = axis_of(node, x.ndim, 1)
        matrix, axis = x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:])), 1
    shifted = matrix - matrix.max(axis=axis, keepdims=True)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    logarithmic = isinstance(node, qonnx.LogSoftmaxOp)
    return (shifted - np.log(total) if logarithmic else np.exp(shifted) / total).reshape(x.shape)


def multiplications(node: qonnx.NodeOp, inputs: Inputs) -> int:
    """
    How many multiplications a matrix product or convolution takes, 0 for other operators and inputs that don't fit.

    Integers count eight times, as numpy multiplies matrices of them so much more slowly.
    """
    if not isinstance(node, qonnx.MatMulOp | qonnx.XnorPopcountMatMulOp | qonnx.GemmOp | qonnx.ConvOp):
        return 0
    try:
        a, b = required(inputs), required(inputs, 1)
        if isinstance(node, qonnx.ConvOp):
            shape = (*a.shape[:1], *b.shape[:1], *_windows(node, a, b.shape[2:]).output_shape)
            summed = math.prod(b.shape[1:])
        else:
            turned = isinstance(node, qonnx.GemmOp) and (node.int_attribute("transA"), node.int_attribute("transB"))
            rows, summed = (1, *a.shape)[-2:][:: -1 if turned and turned[0] else 1]
            columns = 1 if b.ndim < 2 else b.shape[-2 if turned and turned[1] else -1]
            shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), rows, columns)
        return math.prod(bounded(node, shape)) * summed * (1 if np.result_type(a, b).kind == "f" else 8)
    except ValueError:
        return 0


# Windows ---------------------------------------------------------------------------------------------------------


def _windows(node: qonnx.NodeOp, x: Array, kernel: Sequence[int], *, ceil_mode: bool = False) -> Windows:
    """The windows of a convolution or pool, as the node's attributes say."""
    return Windows.of(
        x.shape[2:],
        kernel,
        node.ints_attribute("strides"),
        node.ints_attribute("dilations"),
        node.ints_attribute("pads"),
        node.str_attribute("auto_pad"),
        ceil_mode,
    )


def sliding(node: qonnx.NodeOp, x: Array, windows: Windows, fill: float) -> Array:
    """A view (samples, channels, *output, *kernel) of what each window sees of `x`, padded with `fill`."""
    bounded(node, (*x.shape[1:2], *windows.output_shape, *windows.kernel))
    bounded(node, (*x.shape[:2], *windows.padded_shape(x.shape[2:])))
    padding = [(0, 0), (0, 0), *zip(windows.pads_begin, windows.pads_end, strict=True)]
    padded = np.pad(x, padding, constant_values=fill) if any(map(any, padding)) else x
    view = sliding_window_view(padded, windows.extents, axis=tuple(range(2, x.ndim)))
    starts = (
        slice(0, (count - 1) * stride + 1, stride)
        for count, stride in zip(windows.output_shape, windows.strides, strict=True)
    )
    return view[(..., *starts, *(slice(None, None, dilation) for dilation in windows.dilations))]


def _inside(windows: Windows) -> tuple[int, ...]:
    """The axes of `sliding` that lie within a window."""
    return tuple(range(-windows.rank, 0))


def _conv(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, weights, bias = required(inputs), required(inputs, 1), optional(inputs, 2)
    groups, (outputs, depth, *kernel) = node.int_attribute("group"), weights.shape
    if node.ints_attribute("kernel_shape") not in (None, tuple(kernel)):
        raise ValueError(f"kernel_shape isn't that of the weights, {kernel}")
    if x.ndim != weights.ndim or x.shape[1] != groups * depth or outputs % groups:
        raise ValueError(f"weights {list(weights.shape)} in {groups} groups don't fit the input {list(x.shape)}")
    windows = _windows(node, x, kernel)
    shape = bounded(node, (len(x), outputs, *windows.output_shape))
    view = sliding(node, x, windows, 0)
    view = view.reshape(len(x), groups, depth, *view.shape[2:])
    # (samples, groups, *output, depth, *kernel): a row of a matrix product is what a window sees
    view = np.moveaxis(view, 2, 2 + windows.rank)
    filters = weights.reshape(groups, outputs // groups, -1).swapaxes(1, 2)
    y = np.empty((len(x), groups, outputs // groups, math.prod(windows.output_shape)), np.result_type(x, weights))
    step = max(1, _MATRIX_ELEMENTS // max(1, math.prod(view.shape[1:])))
    for first in range(0, len(x), step):
        part = view[first : first + step]
        rows = part.reshape(len(part), groups, y.shape[-1], filters.shape[1])
        y[first : first + step] = np.matmul(rows, filters).swapaxes(2, 3)
    y = y.reshape(shape)
    return y if bias is None else y + bias.reshape(-1, *[1] * windows.rank)


def maxima(node: qonnx.NodeOp, x: Array, windows: Windows) -> Array:
    """The maximum of each window of a channels-first tensor; padding is below everything."""
    _require_small_pads(windows)
    low = -np.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
    return sliding(node, x, windows, low).max(axis=_inside(windows))


def _require_small_pads(windows: Windows) -> None:
    """Refuses pools of which a window may see nothing but padding, as onnxruntime does."""
    if any(begin >= taps for begin, taps in zip(windows.pads_begin, windows.kernel, strict=True)):
        raise ValueError(f"pads {list(windows.pads_begin)} aren't smaller than the kernel {list(windows.kernel)}")


def _max_pool(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    kernel = node.ints_attribute("kernel_shape") or ()
    return maxima(node, x, _windows(node, x, kernel, ceil_mode=bool(node.int_attribute("ceil_mode"))))


def _average_pool(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    kernel = node.ints_attribute("kernel_shape") or ()
    declared = _windows(node, x, kernel)
    windows = _windows(node, x, kernel, ceil_mode=bool(node.int_attribute("ceil_mode")))
    _require_small_pads(windows)
    total = sliding(node, x, windows, 0).sum(axis=_inside(windows))
    # What counts is 1: the input, and the padding if the node says so, but never what ceil_mode reads behind both.
    counts = np.ones((1, 1, *x.shape[2:]), x.dtype)
    padding = [(0, 0), (0, 0), *zip(declared.pads_begin, declared.pads_end, strict=True)]
    counts = np.pad(counts, padding, constant_values=node.int_attribute("count_include_pad"))
    behind = tuple(a - b for a, b in zip(windows.pads_end, declared.pads_end, strict=True))
    rest = Windows(
        windows.kernel, windows.strides, windows.dilations, (0,) * windows.rank, behind, windows.output_shape
    )
    return total / sliding(node, counts, rest, 0).sum(axis=_inside(windows))


# Reductions and order --------------------------------------------------------------------------------------------


_REDUCTIONS: dict[str, Callable[..., Array]] = {
    "ReduceMean": np.mean,
    "ReduceSum": np.sum,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
}


def _reducing(function: Callable[..., Array]) -> Kernel:
    def kernel(node: qonnx.NodeOp, inputs: Inputs) -> Array:
        x, axes = required(inputs), axes_of(node, inputs)
        if not axes and node.int_attribute("noop_with_empty_axes"):
            return x
        axes = axes or tuple(range(x.ndim))
        # numpy widens sums of small integers
        return np.asarray(function(x, axis=axes, keepdims=bool(node.int_attribute("keepdims")))).astype(x.dtype)

    return kernel


def _arg_extreme(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, axis = required(inputs), node.int_attribute("axis")
    find = np.argmin if isinstance(node, qonnx.ArgMinOp) else np.argmax
    if node.int_attribute("select_last_index"):
        found = x.shape[axis] - 1 - find(np.flip(x, axis), axis)
    else:
        found = find(x, axis)
    return np.asarray(np.expand_dims(found, axis) if node.int_attribute("keepdims") else found, np.int64)


def _top_k(node: qonnx.NodeOp, inputs: Inputs) -> tuple[Array, ...]:
    """The extreme values and their indices; of equal ones the first comes first."""
    x, axis = required(inputs), node.int_attribute("axis")
    given = optional(inputs, 1)
    count = node.int_attribute("k") if given is None else int(given.item())
    if not 1 <= count <= x.shape[axis]:
        raise ValueError(f"k is {count} for {x.shape[axis]} elements")
    if node.int_attribute("largest"):  # a stable sort of the reversed elements, read from its end
        order = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
    else:
        order = np.argsort(x, axis=axis, kind="stable")
    indices = np.take(order, np.arange(count), axis)
    return np.take_along_axis(x, indices, axis), np.asarray(indices, np.int64)


# Moving elements -------------------------------------------------------------------------------------------------


def _concat(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    arrays = [required(inputs, index) for index in range(len(inputs))]
    axis = axis_of(node, arrays[0].ndim)
    shape = list(arrays[0].shape)
    shape[axis] = sum(each.shape[axis] for each in arrays)
    bounded(node, shape)
    return np.concatenate(arrays, axis=axis)


def _split(node: qonnx.NodeOp, inputs: Inputs) -> tuple[Array, ...]:
    x, sizes, count = required(inputs), _listed(node, inputs, "split", 1), len(node.results)
    axis = axis_of(node, x.ndim)
    whole = x.shape[axis]
    if sizes is None:
        if node.attribute("num_outputs") is None and whole % count:
            raise ValueError(f"{whole} elements can't be split into {count} equal pieces")
        piece = -(-whole // count)
        sizes = (*[piece] * (count - 1), whole - piece * (count - 1))
    if (
        len(sizes) != count
        or sum(sizes) != whole
        or min(sizes) < 0
        or node.attribute("num_outputs") not in (None, count)
    ):
        raise ValueError(f"{whole} elements can't be split into {count} pieces of {list(sizes)}")
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


def slice_axes(node: qonnx.NodeOp, inputs: Inputs) -> tuple[int, ...]:
    """The axes that a Slice cuts."""
    starts = _listed(node, inputs, "starts", 1) or ()
    axes = _listed(node, inputs, "axes", 3)
    return tuple(range(len(starts))) if axes is None else axes


def _slice(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, axes = required(inputs), slice_axes(node, inputs)
    starts, ends = _listed(node, inputs, "starts", 1) or (), _listed(node, inputs, "ends", 2) or ()
    steps = _integers(optional(inputs, 4)) or (1,) * len(starts)
    ranges = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = x.shape[axis]
        start, end = (each + size if each < 0 else each for each in (start, end))
        # Unlike Python, ONNX moves a start in front of the tensor to its first element when it counts down.
        last, before = (size - 1, -1) if step < 0 else (size, 0)
        start, end = min(max(start, 0), last), min(max(end, before), last)
        ranges[axis] = slice(start, end if end >= 0 else None, step) if size else slice(0, 0)
    return x[tuple(ranges)]


def _gather(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, indices = required(inputs), required(inputs, 1).astype(np.int64)
    axis = axis_of(node, x.ndim)
    bounded(node, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    return np.take(x, indices, axis=axis)


def _transpose(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.transpose(required(inputs), node.ints_attribute("perm"))


def _reshape(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    target = qonnx.static_shape(node.output)
    if target and target[0] == 1 and math.prod(target) != x.size:  # a batch in place of the model's one sample
        return x.reshape(-1, *target[1:])
    shape = list(_listed(node, inputs, "shape", 1) or ())
    if not node.int_attribute("allowzero"):
        shape = [x.shape[index] if each == 0 else each for index, each in enumerate(shape)]
    return x.reshape(shape)


def _flatten(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    axis = node.int_attribute("axis")
    if not -x.ndim <= axis <= x.ndim:
        raise ValueError(f"axis {axis} of a tensor of {x.ndim} dimensions")
    axis = axis if axis >= 0 else axis + x.ndim
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _squeeze(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.squeeze(required(inputs), axes_of(node, inputs))


def _unsqueeze(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.expand_dims(required(inputs), axes_of(node, inputs) or ())


def _expand(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, shape = required(inputs), _integers(required(inputs, 1)) or ()
    return np.broadcast_to(x, bounded(node, np.broadcast_shapes(x.shape, bounded(node, shape))))


def _tile(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, repeats = required(inputs), _integers(required(inputs, 1)) or ()
    bounded(node, (size * count for size, count in zip(x.shape, repeats, strict=True)))
    return np.tile(x, repeats)


def padding_of(node: qonnx.NodeOp, inputs: Inputs, rank: int) -> list[tuple[int, int]]:
    """What a Pad adds at both ends of each axis; negative numbers take away."""
    pads = _listed(node, inputs, "pads", 1) or ()
    axes = _integers(optional(inputs, 3))
    axes = tuple(range(rank)) if axes is None else axes
    if len(pads) != 2 * len(axes):
        raise ValueError(f"{len(pads)} pads for {len(axes)} axes")
    padding = [(0, 0)] * rank
    for axis, begin, end in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        padding[axis] = (begin, end)
    return padding


def _pad(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, mode = required(inputs), node.str_attribute("mode").lower()
    padding = padding_of(node, inputs, x.ndim)
    bounded(node, (size + begin + end for size, (begin, end) in zip(x.shape, padding, strict=True)))
    x = x[
        tuple(slice(max(0, -begin), size - max(0, -end)) for size, (begin, end) in zip(x.shape, padding, strict=True))
    ]
    added = [(max(0, begin), max(0, end)) for begin, end in padding]
    if mode == "constant":
        given = optional(inputs, 2)
        fill = number(node, "value") if given is None else given.item()
        return np.pad(x, added, constant_values=fill)
    return np.pad(x, added, mode=cast(Any, mode))


def _depth_to_space(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, block = required(inputs), node.int_attribute("blocksize")
    samples, channels, height, width = x.shape
    depth = channels // (block * block)
    if node.str_attribute("mode").upper() == "DCR":
        blocks = x.reshape(samples, block, block, depth, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(samples, depth, block, block, height, width).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(samples, depth, height * block, width * block)


def _space_to_depth(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, block = required(inputs), node.int_attribute("blocksize")
    samples, channels, height, width = x.shape
    blocks = x.reshape(samples, channels, height // block, block, width // block, block).transpose(0, 3, 5, 1, 2, 4)
    return blocks.reshape(samples, channels * block * block, height // block, width // block)


# Resizing --------------------------------------------------------------------------------------------------------


Coordinates: TypeAlias = NDArray[np.float32]

_half = np.float32(0.5)


def _half_pixel(x: Coordinates, scale: np.float32, size: int) -> Coordinates:
    return (x + _half) / scale - _half


def _half_pixel_symmetric(x: Coordinates, scale: np.float32, size: int) -> Coordinates:
    # The middle of the input stays in the middle although the output's size was rounded.
    offset = size / 2 * (1 - len(x) / float(scale * np.float32(size)))
    return np.asarray(((x + _half) / scale).astype(np.float64) + (offset - 0.5), np.float32)


_COORDINATES: dict[str, Callable[[Coordinates, np.float32, int], Coordinates]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": lambda x, scale, size: _half_pixel(x, scale, size) if len(x) > 1 else np.zeros_like(x),
    "align_corners": lambda x, scale, size: x * np.float32(size - 1) / np.float32(max(1, len(x) - 1)),
    "asymmetric": lambda x, scale, size: x / scale,
    "tf_half_pixel_for_nn": lambda x, scale, size: (x + _half) / scale,
}
"""Where an output element lies in the input, in float32 as onnxruntime computes it."""

_NEAREST: dict[str, Callable[[Coordinates, np.float32], Coordinates]] = {
    "round_prefer_floor": lambda x, scale: np.ceil(x - _half),
    "round_prefer_ceil": lambda x, scale: np.floor(x + _half),
    "floor": lambda x, scale: np.floor(x),
    "ceil": lambda x, scale: np.ceil(x),
    "opset 10": lambda x, scale: np.ceil(x) if scale < 1 else np.floor(x),
}
"""Which element of the input that means; Resize has no attribute for it before opset 11."""


def _resized(
    node: qonnx.NodeOp,
    x: Array,
    shape: Sequence[int],
    scales: Sequence[np.float32],
    coordinates: str,
    nearest: str,
    region: Sequence[tuple[float, float]] | None = None,
) -> Array:
    """The nearest elements of `x`, one axis after the other."""
    if node.str_attribute("mode").lower() != "nearest":
        raise UnsupportedModelError(
            node.label,
            f"{node.operator} in the mode {node.str_attribute('mode')} isn't supported",
            remedy="Resize to the nearest element.",
        )
    shape = bounded(node, shape)
    outside: Array = np.zeros((), np.bool_)
    for axis, (count, scale) in enumerate(zip(shape, scales, strict=True)):
        size = x.shape[axis]
        if size == count and scale == 1 and region is None:
            continue
        bounded(node, (*shape[: axis + 1], *x.shape[axis + 1 :]))  # larger than both where the next axis shrinks
        position = np.arange(count, dtype=np.float32)
        if region is not None:
            start, end = (np.float32(each) for each in region[axis])
            last = np.float32(size - 1)
            position = (
                start * last + position * (end - start) * last / np.float32(count - 1)
                if count > 1
                else np.full(1, _half * (start + end) * last)[:count]
            )
            beyond = (position < 0) | (position > last)
            outside = outside | beyond.reshape(-1, *[1] * (x.ndim - 1 - axis))
        else:
            position = _COORDINATES[coordinates](position, scale, size)
        indices = np.clip(_NEAREST[nearest](position, scale), 0, size - 1).astype(np.int64)
        x = np.take(x, indices, axis)
    return np.where(outside, number(node, "extrapolation_value"), x) if region is not None else x


def _scaled_shape(x: Array, scales: Array) -> tuple[int, ...]:
    if scales.size != x.ndim or not np.all((scales > 0) & np.isfinite(scales)):
        raise ValueError(f"scales {scales.tolist()} for {x.ndim} dimensions")
    return tuple(int(each) for each in np.floor(np.asarray(x.shape, np.float32) * scales))


def _upsample(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, given = required(inputs), optional(inputs, 1)
    scales = np.asarray(node.floats_attribute("scales") if given is None else given, np.float32).reshape(-1)
    return _resized(node, x, _scaled_shape(x, scales), list(scales), "asymmetric", "floor")


def _resize(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = required(inputs)
    if node.opset_version < 11:
        scales = required(inputs, 1).astype(np.float32).reshape(-1)
        return _resized(node, x, _scaled_shape(x, scales), list(scales), "asymmetric", "opset 10")
    axes = tuple(normalize_axis_index(each, x.ndim) for each in node.ints_attribute("axes") or range(x.ndim))
    given, sizes = optional(inputs, 2), _integers(optional(inputs, 3))
    scales = np.ones(x.ndim, np.float32)
    if given is not None and given.size:
        scales[list(axes)] = given.reshape(-1)
        shape = _scaled_shape(x, scales)
    elif sizes:
        shape = list(x.shape)
        for axis, size in zip(axes, sizes, strict=True):
            shape[axis] = size
        shape = _kept_batch(node, x, tuple(shape))
        scales = np.asarray(shape, np.float32) / np.asarray(x.shape, np.float32)
        policy = node.str_attribute("keep_aspect_ratio_policy").lower()
        if policy != "stretch":
            some = scales[list(axes)]
            scale = some.min() if policy == "not_larger" else some.max()
            scales[list(axes)] = scale
            shape = tuple(
                math.floor(float(scale * np.float32(x.shape[axis])) + 0.5) if axis in axes else size
                for axis, size in enumerate(shape)
            )
    else:
        raise ValueError("neither scales nor sizes are given")
    coordinates = node.str_attribute("coordinate_transformation_mode").lower()
    region = None
    if coordinates == "tf_crop_and_resize":
        ends = required(inputs, 1).reshape(2, len(axes))
        region = [(0.0, 1.0)] * x.ndim
        for axis, start, end in zip(axes, *ends, strict=True):
            region[axis] = (float(start), float(end))
    elif coordinates not in _COORDINATES:
        raise ValueError(f"{coordinates} is no coordinate_transformation_mode")
    return _resized(node, x, shape, list(scales), coordinates, node.str_attribute("nearest_mode").lower(), region)


# Shapes and constants --------------------------------------------------------------------------------------------


def _shape(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    end = node.attribute("end")
    return np.asarray(required(inputs).shape[node.int_attribute("start") : cast("int | None", end)], np.int64)


def _constant(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return cast(qonnx.ConstantOp, node).array


def _constant_of_shape(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    value = node.array_attribute("value")
    value = np.zeros((), np.float32) if value is None else value.reshape(())
    return np.full(bounded(node, _integers(required(inputs)) or ()), value, value.dtype)


def _range(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    start, limit, delta = (required(inputs, index).reshape(()) for index in range(3))
    count = np.ceil((limit.astype(np.float64) - start) / delta)
    if not np.isfinite(count):
        raise ValueError(f"a range from {start} to {limit} in steps of {delta}")
    (length,) = bounded(node, (max(0, int(count)),))
    return (start + np.arange(length) * delta).astype(np.result_type(start, delta))


KERNELS: dict[str, Kernel] = {
    **{operator: _unary(function) for operator, function in _UNARY.items()},
    **{operator: _with_alpha(function) for operator, function in _WITH_ALPHA.items()},
    **{operator: _binary(function) for operator, function in _BINARY.items()},
    **{operator: _reducing(function) for operator, function in _REDUCTIONS.items()},
    "Gelu": lambda node, inputs: _gelu(required(inputs), node.str_attribute("approximate")),
    "HardSigmoid": _hard_sigmoid,
    "Selu": _selu,
    "Mean": _mean,
    "Where": _where,
    "Mod": _mod,
    "Clip": _clip,
    "Dropout": _dropout,
    "Cast": _cast,
    "QuantizeLinear": _quantize_linear,
    "DequantizeLinear": _dequantize_linear,
    "MatMul": _mat_mul,
    "Gemm": _gemm,
    "Conv": _conv,
    "BatchNormalization": _batch_normalization,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "ArgMax": _arg_extreme,
    "ArgMin": _arg_extreme,
    "TopK": _top_k,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Upsample": _upsample,
    "Resize": _resize,
    "Shape": _shape,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
}
"""ONNX's operators; a tuple holds all outputs, an array is the only one."""
