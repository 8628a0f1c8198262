"""The layers without weights: poolings, merges, changes of shape, padding, and activations with parameters."""

from collections.abc import Callable
from functools import partial
from math import prod

import numpy as np

from c4ml_xdsl.errors import ModelFileError
from c4ml_xdsl.frontend.keras_activations import apply_activation, clip
from c4ml_xdsl.frontend.keras_codes import quantised_values
from c4ml_xdsl.frontend.keras_config import Layer
from c4ml_xdsl.frontend.keras_graph import Value
from c4ml_xdsl.frontend.keras_quantizers import quantizer_only
from c4ml_xdsl.frontend.keras_weighted import Context, channels_first, spatial_input, spatial_output, window

IDENTITIES = frozenset(
    (
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "ActivityRegularization",
    )
)
"""The layers that do nothing at inference."""

Handler = Callable[[Context, Layer, list[Value]], Value]


def _single(handler: Callable[[Context, Layer, Value], Value]) -> Handler:
    """A handler of layers with one input."""

    def checked(context: Context, layer: Layer, inputs: list[Value]) -> Value:
        if len(inputs) != 1:
            raise ModelFileError(f"{layer.name}: {len(inputs)} inputs, where {layer.kind} has one")
        return handler(context, layer, inputs[0])

    return checked


# Poolings --------------------------------------------------------------------------------------------------------


def _pool(context: Context, layer: Layer, value: Value, rank: int, operator: str) -> Value:
    x, spatial, channels = spatial_input(context, layer, value, rank)
    frame = window(layer, layer.options.integers("pool_size", rank, 2), spatial, None)
    y = context.graph.node(operator, [x], layer.name, **frame.attributes(dilations=False))
    return _averaged(context, layer, spatial_output(layer, y, frame.sizes, channels), prod(frame.kernel))


def _global_pool(context: Context, layer: Layer, value: Value, rank: int, operator: str) -> Value:
    graph = context.graph
    x, spatial, channels = spatial_input(context, layer, value, rank)
    y = graph.node(operator, [x], layer.name)
    if layer.options.flag("keepdims", False):
        pooled = spatial_output(layer, y, (1,) * rank, channels)
    else:
        pooled = Value(graph.node("Flatten", [y], layer.name, axis=1), (1, channels))
    return _averaged(context, layer, pooled, prod(spatial))


def _averaged(context: Context, layer: Layer, value: Value, area: int) -> Value:
    """What QKeras's average poolings do behind the average: times the area, times its quantised inverse."""
    if not layer.kind.startswith("Q"):
        return value
    quantizer = quantizer_only(layer.options.get("average_quantizer"), layer.name)
    if quantizer is not None:
        inverse = quantised_values(quantizer, np.asarray(1.0 / area, np.float32))
        y = context.graph.binary("Mul", value.tensor, float(area), layer.name)
        value = value.with_tensor(context.graph.binary("Mul", y, inverse, layer.name))
    return apply_activation(context.graph, value, layer.options.get("activation"), layer.name, qkeras=True)


# Merges ----------------------------------------------------------------------------------------------------------


def _aligned(context: Context, layer: Layer, inputs: list[Value]) -> list[Value]:
    """The inputs in one layout: channels first where one of them is in it already."""
    ranks = {len(each.shape) for each in inputs}
    if len(ranks) != 1 or len(inputs) < 2:
        raise layer.unsupported("its inputs have different numbers of axes", "Reshape them to the same rank.")
    first = any(each.first for each in inputs)
    move = context.graph.first if first else context.graph.last
    return [Value(move(each, layer.name), each.shape, first) for each in inputs]


def _merge(context: Context, layer: Layer, inputs: list[Value], operator: str) -> Value:
    values = _aligned(context, layer, inputs)
    if operator == "Sub" and len(values) != 2:
        raise ModelFileError(f"{layer.name}: {len(values)} inputs, where {layer.kind} has two")
    try:
        shape = np.broadcast_shapes(*(each.shape for each in values))
    except ValueError as error:
        raise ModelFileError(f"{layer.name}: the shapes of its inputs don't fit") from error
    y = values[0].tensor
    for each in values[1:]:
        y = context.graph.node(operator, [y, each.tensor], layer.name)
    if layer.kind == "Average":
        y = context.graph.binary("Div", y, float(len(values)), layer.name)
    return Value(y, shape, values[0].first)


def _concatenate(context: Context, layer: Layer, inputs: list[Value]) -> Value:
    values = _aligned(context, layer, inputs)
    rank, axis = len(values[0].shape), layer.options.integer("axis", -1)
    if not -rank <= axis < rank or axis % rank == 0:
        raise layer.unsupported(f"it joins along the axis {axis}", "Join along another axis than the batch's.")
    axis %= rank
    others = {(*each.shape[:axis], *each.shape[axis + 1 :]) for each in values}
    if len(others) != 1:
        raise ModelFileError(f"{layer.name}: the shapes of its inputs don't fit")
    shape = list(values[0].shape)
    shape[axis] = sum(each.shape[axis] for each in values)
    y = context.graph.node("Concat", [each.tensor for each in values], layer.name, axis=values[0].axis(axis))
    return Value(y, tuple(shape), values[0].first)


# Shapes ----------------------------------------------------------------------------------------------------------


def _flatten(context: Context, layer: Layer, value: Value) -> Value:
    graph = context.graph
    x = graph.last(value, layer.name)
    if len(value.shape) > 2 and channels_first(layer):
        rank = len(value.shape)
        x = graph.node("Transpose", [x], layer.name, perm=[0, *range(2, rank), 1])
    return Value(graph.node("Flatten", [x], layer.name, axis=1), (1, prod(value.shape)))


def _reshape(context: Context, layer: Layer, value: Value) -> Value:
    target, count = list(layer.options.integers("target_shape")), prod(value.shape)
    known = prod(each for each in target if each != -1)
    if -1 in target and known > 0 and count % known == 0:
        target[target.index(-1)] = count // known
    if any(each < 1 for each in target) or prod(target) != count:
        raise ModelFileError(f"{layer.name}: {list(value.shape[1:])} can't be reshaped to {target}")
    shape = context.graph.constant(np.asarray([0, *target], np.int64), f"{layer.name}_shape")
    y = context.graph.node("Reshape", [context.graph.last(value, layer.name), shape], layer.name)
    return Value(y, (1, *target))


def _permute(context: Context, layer: Layer, value: Value) -> Value:
    dims = layer.options.integers("dims", len(value.shape) - 1)
    if sorted(dims) != list(range(1, len(value.shape))):
        raise ModelFileError(f"{layer.name}: {list(dims)} isn't an order of its input's axes")
    y = context.graph.node("Transpose", [context.graph.last(value, layer.name)], layer.name, perm=[0, *dims])
    return Value(y, tuple(value.shape[each] for each in (0, *dims)))


def _pad(context: Context, layer: Layer, value: Value, rank: int) -> Value:
    padding = layer.options.get("padding")
    match padding:
        case None:
            pairs = [(1, 1)] * rank
        case int():
            pairs = [(padding, padding)] * rank
        case [int() as before, int() as after] if rank == 1:
            pairs = [(before, after)]
        case [int() as height, int() as width]:
            pairs = [(height, height), (width, width)]
        case [[int() as top, int() as bottom], [int() as left, int() as right]]:
            pairs = [(top, bottom), (left, right)]
        case _:
            raise layer.options.wrong("padding", "a padding")
    if len(value.shape) != rank + 2 or any(not 0 <= each < 1 << 20 for pair in pairs for each in pair):
        raise ModelFileError(f"{layer.name}: its padding doesn't fit its input")
    shape = list(value.shape)
    pads = [0] * (2 * len(shape))
    for index, (before, after) in enumerate(pairs):
        axis = index + (2 if channels_first(layer) else 1)
        shape[axis] += before + after
        pads[value.axis(axis)], pads[len(shape) + value.axis(axis)] = before, after
    constant = context.graph.constant(np.asarray(pads, np.int64), f"{layer.name}_pads")
    return Value(context.graph.node("Pad", [value.tensor, constant], layer.name), tuple(shape), value.first)


def _upsample(context: Context, layer: Layer, value: Value, rank: int) -> Value:
    if layer.options.text("interpolation", "nearest") != "nearest":
        raise layer.unsupported("only the nearest neighbour is supported", 'Use interpolation="nearest".')
    factors = layer.options.integers("size", rank, 2)
    if len(value.shape) != rank + 2 or any(not 0 < each < 1 << 16 for each in factors):
        raise ModelFileError(f"{layer.name}: its factors don't fit its input")
    shape, scales = list(value.shape), np.ones(rank + 2, np.float32)
    for index, factor in enumerate(factors):
        axis = index + (2 if channels_first(layer) else 1)
        shape[axis] *= factor
        scales[value.axis(axis)] = factor
    y = context.graph.node(
        "Resize",
        [value.tensor, "", context.graph.constant(scales, f"{layer.name}_scales")],
        layer.name,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return Value(y, tuple(shape), value.first)


# Activations with parameters -------------------------------------------------------------------------------------


def _relu(context: Context, layer: Layer, value: Value) -> Value:
    graph, options, x, label = context.graph, layer.options, value.tensor, layer.name
    limit = None if options.get("max_value") is None else options.number("max_value")
    slope, threshold = options.number("negative_slope", 0.0), options.number("threshold", 0.0)
    if threshold:
        y = graph.node("ThresholdedRelu", [x], label, alpha=threshold)
        y = y if limit is None else clip(graph, y, label, 0.0, limit)
        if slope:
            below = graph.node("Relu", [graph.binary("Add", graph.node("Neg", [x], label), threshold, label)], label)
            y = graph.node("Sub", [y, graph.binary("Mul", below, slope, label)], label)
    elif slope:
        y = graph.node("LeakyRelu", [x], label, alpha=slope)
        y = y if limit is None else clip(graph, y, label, None, limit)
    else:
        y = graph.node("Relu", [x], label) if limit is None else clip(graph, x, label, 0.0, limit)
    return value.with_tensor(y)


def _leaky_relu(context: Context, layer: Layer, value: Value) -> Value:
    slope = layer.options.number("alpha", layer.options.number("negative_slope", 0.3))
    return value.with_tensor(context.graph.node("LeakyRelu", [value.tensor], layer.name, alpha=slope))


def _one_parameter(context: Context, layer: Layer, value: Value, operator: str, name: str) -> Value:
    alpha = layer.options.number(name, 1.0)
    return value.with_tensor(context.graph.node(operator, [value.tensor], layer.name, alpha=alpha))


def _softmax(context: Context, layer: Layer, value: Value) -> Value:
    rank, axis = len(value.shape), layer.options.integer("axis", -1)
    if not -rank <= axis < rank or axis % rank == 0:
        raise ModelFileError(f"{layer.name}: the axis {axis} isn't one of its input's")
    return value.with_tensor(context.graph.node("Softmax", [value.tensor], layer.name, axis=value.axis(axis)))


SHAPE_LAYERS: dict[str, Handler] = {
    "MaxPooling1D": _single(partial(_pool, rank=1, operator="MaxPool")),
    "MaxPooling2D": _single(partial(_pool, rank=2, operator="MaxPool")),
    "AveragePooling1D": _single(partial(_pool, rank=1, operator="AveragePool")),
    "AveragePooling2D": _single(partial(_pool, rank=2, operator="AveragePool")),
    "QAveragePooling2D": _single(partial(_pool, rank=2, operator="AveragePool")),
    "GlobalMaxPooling1D": _single(partial(_global_pool, rank=1, operator="GlobalMaxPool")),
    "GlobalMaxPooling2D": _single(partial(_global_pool, rank=2, operator="GlobalMaxPool")),
    "GlobalAveragePooling1D": _single(partial(_global_pool, rank=1, operator="GlobalAveragePool")),
    "GlobalAveragePooling2D": _single(partial(_global_pool, rank=2, operator="GlobalAveragePool")),
    "QGlobalAveragePooling2D": _single(partial(_global_pool, rank=2, operator="GlobalAveragePool")),
    "Add": partial(_merge, operator="Add"),
    "Subtract": partial(_merge, operator="Sub"),
    "Multiply": partial(_merge, operator="Mul"),
    "Maximum": partial(_merge, operator="Max"),
    "Minimum": partial(_merge, operator="Min"),
    "Average": partial(_merge, operator="Add"),
    "Concatenate": _concatenate,
    "Flatten": _single(_flatten),
    "Reshape": _single(_reshape),
    "Permute": _single(_permute),
    "ZeroPadding1D": _single(partial(_pad, rank=1)),
    "ZeroPadding2D": _single(partial(_pad, rank=2)),
    "UpSampling1D": _single(partial(_upsample, rank=1)),
    "UpSampling2D": _single(partial(_upsample, rank=2)),
    "ReLU": _single(_relu),
    "LeakyReLU": _single(_leaky_relu),
    "ELU": _single(partial(_one_parameter, operator="Elu", name="alpha")),
    "ThresholdedReLU": _single(partial(_one_parameter, operator="ThresholdedRelu", name="theta")),
    "Softmax": _single(_softmax),
}
"""The layers without weights by their classes."""
