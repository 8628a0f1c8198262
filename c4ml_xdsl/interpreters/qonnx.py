"""
The reference: what a `qonnx.graph` computes, on a batch.

Constants are float32 arrays, so constant subgraphs and quantised parameters come out in float32 as ONNX runs them;
data may be float32 (as qonnx executes) or float64 (the default of `run`). One table of kernels serves the reference,
shape inference and constant folding.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import InputDataError, UnsupportedModelError

Array: TypeAlias = NDArray[Any]
Inputs: TypeAlias = Sequence[Array | None]


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


def quantise(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    """The integer codes (as floats) of a Quant, IntQuant or BipolarQuant node, as qonnx computes them."""
    x, scale = cast(Array, inputs[0]), cast(Array, inputs[1])
    if not np.all(scale > 0):
        raise UnsupportedModelError(node.label, "a scale isn't positive", remedy="Check the quantiser's training.")
    if isinstance(node, qonnx.BipolarQuantOp):
        return np.where(x >= 0, 1, -1).astype(x.dtype)
    bits = quantiser_bits(node, cast(Array, inputs[3]))
    signed, narrow = bool(node.int_attribute("signed")), bool(node.int_attribute("narrow"))
    if bits == 1 and signed:
        return np.where(x >= 0, 1, -1).astype(x.dtype)
    low, high = qonnx.integer_range(bits, signed=signed, narrow=narrow)
    value = x / scale + cast(Array, inputs[2])
    return ROUNDINGS[node.str_attribute("rounding_mode").upper()](np.clip(value, low, high))


def _quant(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    codes, scale = quantise(node, inputs), cast(Array, inputs[1])
    zero_point = None if isinstance(node, qonnx.BipolarQuantOp) else inputs[2]
    return codes * scale if zero_point is None else (codes - zero_point) * scale


def _gemm(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    a, b = cast(Array, inputs[0]), cast(Array, inputs[1])
    a = a.T if node.int_attribute("transA", 0) else a
    b = b.T if node.int_attribute("transB", 0) else b
    y = np.matmul(a, b) * np.float32(node.float_attribute("alpha", 1.0))
    c = inputs[2] if len(inputs) > 2 else None
    return y if c is None else y + np.float32(node.float_attribute("beta", 1.0)) * c


def _batch_normalization(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = cast(Array, inputs[0])
    scale, bias, mean, variance = (
        cast(Array, each).reshape(-1, *[1] * max(0, x.ndim - 2)) if x.ndim > 1 else cast(Array, each)
        for each in inputs[1:5]
    )
    return (x - mean) / np.sqrt(variance + np.float32(node.float_attribute("epsilon"))) * scale + bias


def _reshape(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = cast(Array, inputs[0])
    target = qonnx.static_shape(node.output)
    if target is not None and math.prod(target) != x.size:  # a batch in place of the model's one sample
        return x.reshape(-1, *target[1:])
    shape = [int(each) for each in cast(Array, inputs[1]).reshape(-1)]
    if not node.int_attribute("allowzero", 0):
        shape = [x.shape[i] if each == 0 else each for i, each in enumerate(shape)]
    return x.reshape(shape)


def _flatten(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = cast(Array, inputs[0])
    axis = node.int_attribute("axis", 1) % (x.ndim + 1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _axes(node: qonnx.NodeOp, inputs: Inputs) -> tuple[int, ...] | None:
    given = inputs[1] if len(inputs) > 1 else None
    return node.ints_attribute("axes") if given is None else tuple(int(each) for each in given.reshape(-1))


def _unsqueeze(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.expand_dims(cast(Array, inputs[0]), _axes(node, inputs) or ())


def _squeeze(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.squeeze(cast(Array, inputs[0]), _axes(node, inputs))


def _gather(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.take(cast(Array, inputs[0]), cast(Array, inputs[1]).astype(np.int64), axis=node.int_attribute("axis", 0))


def _clip(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    low = inputs[1] if len(inputs) > 1 else node.attribute("min")
    high = inputs[2] if len(inputs) > 2 else node.attribute("max")
    x = cast(Array, inputs[0])
    x = x if low is None else np.maximum(x, np.asarray(low, np.float32))
    return x if high is None else np.minimum(x, np.asarray(high, np.float32))


def _softmax(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x = cast(Array, inputs[0])
    axis = node.int_attribute("axis", -1)
    exponentials = np.exp(x - x.max(axis=axis, keepdims=True))
    result = exponentials / exponentials.sum(axis=axis, keepdims=True)
    return np.log(result) if isinstance(node, qonnx.LogSoftmaxOp) else result


def _concat(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.concatenate([cast(Array, each) for each in inputs], axis=node.int_attribute("axis", 0))


def _transpose(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    return np.transpose(cast(Array, inputs[0]), node.ints_attribute("perm"))


def _constant(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    value = node.array_attribute("value")
    if value is not None:
        return value
    for name, dtype in (
        ("value_float", np.float32),
        ("value_int", np.int64),
        ("value_floats", np.float32),
        ("value_ints", np.int64),
    ):
        if node.properties.get(name) is not None:
            return np.asarray(node.attribute(name), dtype)
    raise UnsupportedModelError(node.label, "a Constant of this kind isn't supported")


def _cast(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    import onnx  # the names of element types

    x = cast(Array, inputs[0])
    target = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(node.int_attribute("to")))
    return x if target.kind == "f" and x.dtype.kind == "f" else x.astype(target)


def _arg_extreme(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    x, axis = cast(Array, inputs[0]), node.int_attribute("axis", 0)
    x = -x if node.operator == "ArgMin" else x
    if node.int_attribute("select_last_index", 0):
        found = x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis)
    else:
        found = np.argmax(x, axis)
    return np.asarray(np.expand_dims(found, axis) if node.int_attribute("keepdims", 1) else found, np.int64)


def _top_k(node: qonnx.NodeOp, inputs: Inputs) -> tuple[Array, ...]:
    """The extreme values and their indices; of equal ones the first comes first."""
    x, axis = cast(Array, inputs[0]), node.int_attribute("axis", -1)
    count = inputs[1].item() if len(inputs) > 1 and inputs[1] is not None else node.int_attribute("k")
    if not 1 <= count <= x.shape[axis]:
        raise ValueError(f"k is {count} for {x.shape[axis]} elements")
    order = np.argsort(-x if node.int_attribute("largest", 1) else x, axis=axis, kind="stable")
    indices = np.take(order, np.arange(count), axis)
    return np.take_along_axis(x, indices, axis), np.asarray(indices, np.int64)


def _unary(function: Callable[[Array], Array]) -> Callable[[qonnx.NodeOp, Inputs], Array]:
    """A kernel of the first input."""

    def kernel(node: qonnx.NodeOp, inputs: Inputs) -> Array:
        return function(cast(Array, inputs[0]))

    return kernel


def _first(function: Callable[..., Array]) -> Callable[[qonnx.NodeOp, Inputs], Array]:
    return lambda node, inputs: function(*(each for each in inputs if each is not None))


KERNELS: dict[str, Callable[[qonnx.NodeOp, Inputs], Array]] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "BipolarQuant": _quant,
    "Gemm": _gemm,
    "MatMul": _first(np.matmul),
    "BatchNormalization": _batch_normalization,
    "Add": _first(np.add),
    "Sub": _first(np.subtract),
    "Mul": _first(np.multiply),
    "Div": _first(np.divide),
    "Pow": _first(np.power),
    "Neg": _first(np.negative),
    "Abs": _first(np.abs),
    "Sqrt": _first(np.sqrt),
    "Exp": _first(np.exp),
    "Relu": _unary(lambda x: np.maximum(x, np.zeros((), x.dtype))),
    "Sigmoid": _unary(lambda x: 1 / (1 + np.exp(-x))),
    "Tanh": _first(np.tanh),
    "Min": _first(lambda *xs: np.minimum.reduce(np.broadcast_arrays(*xs))),
    "Max": _first(lambda *xs: np.maximum.reduce(np.broadcast_arrays(*xs))),
    "Clip": _clip,
    "Identity": _unary(lambda x: x),
    "Dropout": _unary(lambda x: x),
    "Cast": _cast,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Concat": _concat,
    "Gather": _gather,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Shape": _unary(lambda x: np.asarray(x.shape, np.int64)),
    "Constant": _constant,
    "ArgMax": _arg_extreme,
    "ArgMin": _arg_extreme,
}
"""The operators that can be executed, each by its first output."""


def evaluate_outputs(node: qonnx.NodeOp, inputs: Inputs) -> tuple[Array, ...]:
    """
    One node on arrays, all its outputs.

    Raises what `evaluate` raises.
    """
    if not isinstance(node, qonnx.TopKOp):
        return (evaluate(node, inputs),)
    try:
        return _top_k(node, inputs)
    except (ValueError, IndexError, TypeError, KeyError) as error:
        raise UnsupportedModelError(node.label, str(error), remedy="Check the shapes of the node's inputs.") from error


def evaluate(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    """
    One node on arrays, for operators of one output.

    Raises UnsupportedModelError, naming the node, for operators without a kernel and for shapes that don't fit.
    """
    kernel = KERNELS.get(node.operator)
    if kernel is None:
        operator = node.op_type.data if isinstance(node, qonnx.UnknownOp) else node.operator
        raise UnsupportedModelError(
            node.label,
            f"the operator {operator} isn't supported",
            remedy="Export the model without it; the README lists what is supported.",
        )
    if len(node.results) != 1 and not isinstance(node, qonnx.DropoutOp):
        raise UnsupportedModelError(node.label, "only its first output is supported")
    try:
        with np.errstate(all="ignore"):
            return np.asarray(kernel(node, inputs))
    except (ValueError, IndexError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else "inputs don't fit"
        raise UnsupportedModelError(node.label, reason, remedy="Check the shapes of the node's inputs.") from error


def constant_of(operation: Operation) -> Array | None:
    """The array of a constant operation, None for others."""
    if isinstance(operation, qonnx.InitializerOp | qonnx.QuantizedConstantOp):
        return operation.array
    return None


def graph_of(module: ModuleOp) -> qonnx.GraphOp:
    """The one graph of a module."""
    for operation in module.ops:
        if isinstance(operation, qonnx.GraphOp):
            return operation
    raise InputDataError("the module holds no qonnx.graph")


DECISIONS = (qonnx.QuantOp, qonnx.IntQuantOp, qonnx.BipolarQuantOp, qonnx.ArgMaxOp, qonnx.ArgMinOp, qonnx.TopKOp)
"""The operators where a small error of a float can become a large one."""

MARGIN = 2.0**-30
"""What float64 may be off, relative to a quantiser's step and the size of its input: generous for long sums."""


def _mark_ambiguous(node: qonnx.NodeOp, inputs: Inputs, outputs: Sequence[Array], ambiguous: NDArray[np.bool_]) -> None:
    """Marks the samples whose decision changes within the error that a float may have."""
    x = cast(Array, inputs[0])
    step = np.max(np.abs(cast(Array, inputs[1]))) if isinstance(node, qonnx.QuantOp | qonnx.IntQuantOp) else 1.0
    error = MARGIN * (np.abs(x) + step)
    if isinstance(node, qonnx.ArgMaxOp | qonnx.ArgMinOp | qonnx.TopKOp):
        ordered = np.sort(x, axis=node.int_attribute("axis", -1))
        close = np.diff(ordered, axis=node.int_attribute("axis", -1)) <= 2 * error.max()
        ambiguous |= close.reshape(len(x), -1).any(axis=1)
        return
    for moved in (x - error, x + error):
        changed = evaluate(node, [moved, *inputs[1:]]) != outputs[0]
        ambiguous |= changed.reshape(len(x), -1).any(axis=1)


def run(
    module: ModuleOp,
    inputs: Mapping[str, Array],
    *,
    dtype: type[np.floating[Any]] = np.float64,
    ambiguous: NDArray[np.bool_] | None = None,
) -> dict[str, Array]:
    """
    Runs the module's graph on a batch: a leading axis of samples takes the place of the model's batch axis of 1.

    Data is computed in `dtype`; constants stay float32 until they meet it, but quantised ones are their codes times
    their scale without another rounding where `dtype` is float64. Needs static shapes. In `ambiguous`, which
    has one entry a sample, those are marked where a quantiser behind an input's is within float error of a decision.
    """
    graph = graph_of(module)
    values: dict[SSAValue, Array | None] = {}
    for name, argument in graph.inputs.items():
        values[argument] = np.asarray(inputs[name], np.float32).astype(dtype)
    argument_values = set(values)
    for operation in graph.body.block.ops:
        constant = constant_of(operation)
        if isinstance(operation, qonnx.QuantizedConstantOp) and dtype is np.float64:
            codes = operation.code_array - np.asarray(operation.zero_point_array, np.float64)
            values[operation.results[0]] = codes * np.asarray(operation.scale_array, np.float64)
        elif constant is not None:
            values[operation.results[0]] = constant
        elif isinstance(operation, qonnx.NoneOp):
            values[operation.output] = None
        elif isinstance(operation, qonnx.NodeOp):
            arrays = evaluate_outputs(operation, [values[each] for each in operation.operands])
            values.update(zip(operation.results, arrays, strict=False))
            source = operation.operands[0]
            if ambiguous is not None and isinstance(operation, DECISIONS) and source not in argument_values:
                _mark_ambiguous(operation, [values[each] for each in operation.operands], arrays, ambiguous)
    return {name: cast(Array, values[value]) for name, value in graph.outputs.items()}
