"""
The reference: what a `qonnx.graph` computes, on a batch.

Constants are float32 arrays, so constant subgraphs and quantised parameters come out in float32 as ONNX runs them;
data may be float32 (as qonnx executes) or float64 (the default of `run`). One table of kernels serves the reference,
shape inference and constant folding.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import InputDataError, UnsupportedModelError
from c4ml_xdsl.interpreters import onnx_kernels, qonnx_kernels
from c4ml_xdsl.interpreters.onnx_kernels import Array, Inputs, Kernel, axes_of, axis_of, padding_of, slice_axes
from c4ml_xdsl.interpreters.qonnx_kernels import ROUNDINGS, quantise, quantiser_bits

__all__ = [
    "KERNELS",
    "ROUNDINGS",
    "Array",
    "Inputs",
    "constant_of",
    "evaluate",
    "evaluate_outputs",
    "graph_of",
    "quantise",
    "quantiser_bits",
    "run",
]

KERNELS: dict[str, Kernel] = {**onnx_kernels.KERNELS, **qonnx_kernels.KERNELS}
"""The operators that can be executed."""


def evaluate_outputs(node: qonnx.NodeOp, inputs: Inputs) -> tuple[Array, ...]:
    """
    One node on arrays, all its outputs.

    Raises UnsupportedModelError, naming the node, for operators without a kernel, for shapes that don't fit and for
    results that are too large.
    """
    kernel = KERNELS.get(node.operator)
    if kernel is None:
        operator = node.op_type.data if isinstance(node, qonnx.UnknownOp) else node.operator
        raise UnsupportedModelError(
            node.label,
            f"the operator {operator} isn't supported",
            remedy="Export the model without it; docs/operators.md lists what is supported.",
        )
    try:
        with np.errstate(all="ignore"):
            results = kernel(node, inputs)
    except (ValueError, IndexError, TypeError, KeyError, ArithmeticError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else "inputs don't fit"
        raise UnsupportedModelError(node.label, reason, remedy="Check the shapes of the node's inputs.") from error
    arrays = results if isinstance(results, tuple) else (np.asarray(results),)
    if len(arrays) != len(node.results):
        raise UnsupportedModelError(node.label, "only its first output is supported")
    return arrays


def evaluate(node: qonnx.NodeOp, inputs: Inputs) -> Array:
    """
    One node on arrays, its first output.

    Raises what `evaluate_outputs` raises.
    """
    return evaluate_outputs(node, inputs)[0]


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


# Ambiguous decisions ---------------------------------------------------------------------------------------------


_QUANTISERS = (qonnx.QuantOp, qonnx.IntQuantOp, qonnx.TruncOp, qonnx.QuantizeLinearOp, qonnx.MultiThresholdOp)
"""Decisions whose second input says how large the numbers are that they compare."""

_ORDERS = (qonnx.ArgMaxOp, qonnx.ArgMinOp, qonnx.TopKOp)

DECISIONS = (
    *_QUANTISERS,
    *_ORDERS,
    qonnx.BipolarQuantOp,
    qonnx.FloorOp,
    qonnx.CeilOp,
    qonnx.RoundOp,
    qonnx.SignOp,
)
"""The operators where a small error of a float can become a large one."""

MARGIN = 2.0**-30
"""What float64 may be off, relative to a quantiser's step and the size of its input: generous for long sums."""


def _mark_ambiguous(node: qonnx.NodeOp, inputs: Inputs, outputs: Sequence[Array], ambiguous: NDArray[np.bool_]) -> None:
    """Marks the samples whose decision changes within the error that a float may have."""
    x, samples = cast(Array, inputs[0]), len(ambiguous)
    step = np.max(np.abs(cast(Array, inputs[1])), initial=0) if isinstance(node, _QUANTISERS) else 1.0
    error = MARGIN * (np.abs(x) + step)
    if isinstance(node, _ORDERS):
        axis = node.int_attribute("axis")
        gaps = np.diff(np.sort(x, axis=axis), axis=axis).reshape(samples, -1)
        ambiguous |= (gaps <= 2 * error.reshape(samples, -1).max(axis=1, keepdims=True)).any(axis=1)
        return
    for moved in (x - error, x + error):
        changed = evaluate(node, [moved, *inputs[1:]]) != outputs[0]
        ambiguous |= changed.reshape(samples, -1).any(axis=1)


# Batches ---------------------------------------------------------------------------------------------------------


_SAMPLEWISE = (
    qonnx.ElementwiseOp,
    qonnx.ClipOp,
    qonnx.DropoutOp,
    qonnx.CastOp,
    qonnx.MultiThresholdOp,
    qonnx.Im2ColOp,
    qonnx.QuantAvgPool2dOp,
    qonnx.MaxPoolNHWCOp,
    qonnx.ConvOp,
    qonnx.BatchNormalizationOp,
    qonnx.MaxPoolOp,
    qonnx.AveragePoolOp,
    qonnx.GlobalAveragePoolOp,
    qonnx.GlobalMaxPoolOp,
    qonnx.ReshapeOp,
    qonnx.ExpandOp,
    qonnx.TileOp,
    qonnx.DepthToSpaceOp,
    qonnx.SpaceToDepthOp,
)
"""Operators that treat each index of axis 0 of their first input alike, where it stays axis 0 of size 1."""

_BROADCASTING = (qonnx.BroadcastOp, qonnx.QuantOp, qonnx.IntQuantOp, qonnx.BipolarQuantOp, qonnx.TruncOp)


def _leads_with_one(value: SSAValue) -> bool:
    return (qonnx.static_shape(value) or ())[:1] == (1,)


def _rank(value: SSAValue) -> int:
    return len(qonnx.static_shape(value) or ())


def _keeps_samples_apart(node: qonnx.NodeOp, known: Mapping[SSAValue, Array | None]) -> bool:
    """
    Whether a node computes on N samples along axis 0 what it computes on each of them.

    `known` holds what doesn't depend on the samples. All other operands and all results have an axis 0 of size 1.
    """
    data = [index for index, value in enumerate(node.operands) if value not in known]
    inputs = [known.get(value) for value in node.operands]
    rank = _rank(node.operands[0])
    match node:
        case qonnx.ConcatOp():
            return len(data) == len(node.operands) and axis_of(node, rank) != 0
        case _ if isinstance(node, _BROADCASTING):
            return all(_rank(node.operands[index]) == _rank(node.output) for index in data)
        case qonnx.GemmOp():
            return (
                1 not in data and not node.int_attribute("transA") and all(_rank(node.operands[i]) == 2 for i in data)
            )
        case qonnx.MatMulOp() | qonnx.XnorPopcountMatMulOp():
            highest = max(_rank(value) for value in node.operands)
            # a row of the left matrix, or a matrix of a stack
            return all(_rank(node.operands[index]) == highest >= (2 if data == [0] else 3) for index in data)
        case _ if data != [0]:
            return False
        case qonnx.SoftmaxOp() | qonnx.LogSoftmaxOp():
            return axis_of(node, rank, -1 if node.opset_version >= 13 else 1) != 0
        case qonnx.TopKOp() | qonnx.ArgMaxOp() | qonnx.ArgMinOp() | qonnx.SplitOp() | qonnx.GatherOp():
            return axis_of(node, rank) != 0
        case qonnx.QuantizeLinearOp() | qonnx.DequantizeLinearOp():
            return all(each is None or each.size == 1 for each in inputs[1:]) or axis_of(node, rank) != 0
        case qonnx.ReduceOp() if not axes_of(node, inputs):
            return bool(node.int_attribute("noop_with_empty_axes"))
        case qonnx.ReduceOp() | qonnx.SqueezeOp():
            return all(axis % rank for axis in axes_of(node, inputs) or (0,))
        case qonnx.UnsqueezeOp():
            return all(axis % _rank(node.output) for axis in axes_of(node, inputs) or (0,))
        case qonnx.SliceOp():
            return all(axis % rank for axis in slice_axes(node, inputs))
        case qonnx.PadOp():
            return padding_of(node, inputs, rank)[0] == (0, 0)
        case qonnx.TransposeOp():
            return (node.ints_attribute("perm") or tuple(range(rank))[::-1])[0] == 0
        case qonnx.FlattenOp():
            return node.int_attribute("axis") % rank != 0
        case qonnx.UpsampleOp():
            scales = node.floats_attribute("scales") if len(inputs) < 2 else inputs[1]
            return scales is not None and scales[0] == 1
        case qonnx.ResizeOp():
            return _resize_keeps_samples(node, inputs)
        case _:
            return isinstance(node, _SAMPLEWISE)


def _resize_keeps_samples(node: qonnx.NodeOp, inputs: Inputs) -> bool:
    """Whether a Resize leaves axis 0 alone; its output has the size 1 there."""
    axes = node.ints_attribute("axes")
    if axes is not None:
        return all(axis % _rank(node.operands[0]) for axis in axes)
    scales = inputs[min(2, len(inputs) - 1)]
    return (
        node.str_attribute("keep_aspect_ratio_policy").lower() == "stretch"
        and node.str_attribute("coordinate_transformation_mode").lower() != "tf_crop_and_resize"
        and (scales is None or not scales.size or scales.flat[0] == 1)
    )


def _batchable(graph: qonnx.GraphOp, known: Mapping[SSAValue, Array | None]) -> bool:
    """Whether the graph can run on many samples along axis 0 at once; says no where it can't tell."""
    if not all(map(_leads_with_one, graph.body.block.args)):
        return False
    for node in graph.body.block.ops:
        if not isinstance(node, qonnx.NodeOp) or all(value in known for value in node.results):
            continue
        values = [*(value for value in node.operands if value not in known), *node.results]
        if not all(map(_leads_with_one, values)):
            return False
        try:
            if not _keeps_samples_apart(node, known):
                return False
        except (ValueError, IndexError, KeyError):
            return False
    return True


# The graph -------------------------------------------------------------------------------------------------------


_ELEMENTS_AT_ONCE = 1 << 24
"""About how many elements all values of a batch may have; larger batches run in parts."""


def _known(graph: qonnx.GraphOp, dtype: type[np.floating[Any]]) -> dict[SSAValue, Array | None]:
    """The values that don't depend on the inputs: constants, shapes, and what is computed of them."""
    known: dict[SSAValue, Array | None] = {}
    for operation in graph.body.block.ops:
        constant = constant_of(operation)
        if isinstance(operation, qonnx.QuantizedConstantOp) and dtype is np.float64:
            codes = operation.code_array - np.asarray(operation.zero_point_array, np.float64)
            known[operation.results[0]] = codes * np.asarray(operation.scale_array, np.float64)
        elif constant is not None:
            known[operation.results[0]] = constant
        elif isinstance(operation, qonnx.NoneOp):
            known[operation.output] = None
        elif isinstance(operation, qonnx.ShapeOp | qonnx.SizeOp):
            # The model's own shape, whatever the batch: other shapes are computed of it.
            shape = qonnx.static_shape(operation.operands[0])
            if shape is not None:
                known[operation.output] = evaluate(operation, [np.broadcast_to(np.float32(0), shape)])
        elif isinstance(operation, qonnx.NodeOp) and all(value in known for value in operation.operands):
            known.update(zip(operation.results, _outputs(operation, known, dtype), strict=True))
    return known


def _outputs(
    node: qonnx.NodeOp, values: Mapping[SSAValue, Array | None], dtype: type[np.floating[Any]]
) -> tuple[Array, ...]:
    inputs = [values[each] for each in node.operands]
    if isinstance(node, qonnx.DequantizeLinearOp) and inputs[1] is not None:
        inputs[1] = inputs[1].astype(dtype)  # integers take the scale's type
    return evaluate_outputs(node, inputs)


Observer = Callable[[SSAValue, Array, NDArray[np.bool_]], None]
"""
Is told every tensor that depends on the inputs, each (samples, *its shape without the batch axis of 1).

For each sample it is also told whether float error may have decided a step from the node's operands to the tensor.
"""


def _run_part(
    graph: qonnx.GraphOp,
    known: Mapping[SSAValue, Array | None],
    arguments: Mapping[SSAValue, Array],
    dtype: type[np.floating[Any]],
    ambiguous: NDArray[np.bool_] | None,
    observe: Observer | None = None,
) -> list[Array]:
    """The graph's outputs for samples that run at once; `observe` is told nodes' results with what `ambiguous` gets."""
    values: dict[SSAValue, Array | None] = {**known, **arguments}
    for node in graph.body.block.ops:
        if not isinstance(node, qonnx.NodeOp) or all(value in known for value in node.results):
            continue
        arrays = _outputs(node, values, dtype)
        # Data stays in its type where a node has made it of constants, as Where does.
        arrays = [each.astype(dtype, copy=False) if each.dtype.kind == "f" else each for each in arrays]
        values.update(zip(node.results, arrays, strict=True))
        if ambiguous is not None:
            marks = np.zeros_like(ambiguous)
            source = node.operands[0] if isinstance(node, DECISIONS) else None
            if source is not None and source not in known and source not in arguments:
                _mark_ambiguous(node, [values[each] for each in node.operands], arrays, marks)
                ambiguous |= marks
            if observe is not None:
                for each, array in zip(node.results, arrays, strict=True):
                    observe(each, array, marks)
    return [cast(Array, values[each]) for each in graph.outputs.values()]


def _sample_shape(value: SSAValue) -> tuple[int, ...]:
    """A value's shape without the batch axis of 1 that it may have."""
    shape = qonnx.static_shape(value)
    if shape is None:
        raise InputDataError("the graph has values without a shape", remedy="Run qonnx-infer-shapes first.")
    return shape[1:] if shape[:1] == (1,) else shape


def _sample_count(graph: qonnx.GraphOp, arguments: Mapping[SSAValue, Array]) -> int | None:
    """How many samples the inputs hold along axis 0, None where they hold one without an axis for samples."""
    counts: set[int | None] = set()
    for name, argument in graph.inputs.items():
        if argument not in arguments:
            continue
        array, own = arguments[argument], _sample_shape(argument)
        if array.ndim and array.shape[1:] == own:
            counts.add(len(array))
        elif array.shape == own:
            counts.add(None)
        else:
            raise InputDataError(
                f"{name}: got the shape {list(array.shape)}", remedy=f"Give samples of the shape {list(own)}."
            )
    if len(counts) > 1 or 0 in counts:
        raise InputDataError("the inputs hold no samples, or not the same number of them")
    return counts.pop() if counts else None


def _of_samples(name: str, value: SSAValue, array: Array, samples: int, *, constant: bool) -> Array:
    """An output with an axis of samples in front; a constant is the same for each of them."""
    shape = (samples, *_sample_shape(value))
    if constant:
        return np.broadcast_to(array.reshape(shape[1:]), shape)
    if array.size != math.prod(shape):
        raise UnsupportedModelError(name, "its shape depends on the data", remedy="Export a model of static shapes.")
    return array.reshape(shape)


def run(
    module: ModuleOp,
    inputs: Mapping[str, Array],
    *,
    dtype: type[np.floating[Any]] = np.float64,
    ambiguous: NDArray[np.bool_] | None = None,
    observe: Observer | None = None,
) -> dict[str, Array]:
    """
    Runs the module's graph on a batch: a leading axis of samples takes the place of the model's batch axis of 1.

    Tensors that have no batch axis get one. A graph that mixes samples along that axis runs on one after the other.

    Data is computed in `dtype`; constants stay float32 until they meet it, but quantised ones are their codes times
    their scale without another rounding where `dtype` is float64. Needs static shapes. In `ambiguous`, which
    has one entry a sample, those are marked where a quantiser behind an input's is within float error of a decision.
    `observe` is told all tensors that are computed of the inputs, each once; it needs `ambiguous` and an axis of
    samples.
    """
    graph = graph_of(module)
    with np.errstate(over="ignore"):  # beyond float32 lies infinity
        arguments = {
            argument: np.asarray(inputs[name], np.float32).astype(dtype)
            for name, argument in graph.inputs.items()
            if argument.uses  # what nobody reads need not be given
        }
    samples = _sample_count(graph, arguments)
    known = _known(graph, dtype)
    if samples is None:
        shaped = {value: array.reshape(qonnx.static_shape(value) or ()) for value, array in arguments.items()}
        return dict(zip(graph.outputs, _run_part(graph, known, shaped, dtype, ambiguous), strict=True))
    step = 1
    if _batchable(graph, known):
        values = (value for operation in graph.body.block.ops for value in operation.results if value not in known)
        elements = sum(math.prod(_sample_shape(value)) for value in (*arguments, *values))
        step = max(1, _ELEMENTS_AT_ONCE // max(1, elements))
    parts: list[list[Array]] = []
    seen: dict[SSAValue, list[tuple[Array, NDArray[np.bool_]]]] = {}
    for start in range(0, samples, step):
        stop = min(start + step, samples)
        part = {
            value: array[start:stop] if _leads_with_one(value) else array[start] for value, array in arguments.items()
        }
        marks = None if ambiguous is None else ambiguous[start:stop]

        def collect(value: SSAValue, array: Array, marked: NDArray[np.bool_]) -> None:
            own = _of_samples(str(value.name_hint), value, array, len(marked), constant=False)
            seen.setdefault(value, []).append((own, marked))

        outputs = _run_part(graph, known, part, dtype, marks, None if observe is None else collect)
        parts.append(
            [
                _of_samples(name, value, array, stop - start, constant=value in known)
                for (name, value), array in zip(graph.outputs.items(), outputs, strict=True)
            ]
        )
    for value, pieces in seen.items():
        assert observe is not None
        observe(value, np.concatenate([array for array, _ in pieces]), np.concatenate([marked for _, marked in pieces]))
    return {name: np.concatenate(arrays) for name, arrays in zip(graph.outputs, zip(*parts, strict=True), strict=True)}
