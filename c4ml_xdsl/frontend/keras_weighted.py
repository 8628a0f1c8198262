"""The layers with weights: dense layers, convolutions, and batch normalisations, alone or folded into them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from c4ml_xdsl.errors import ModelFileError
from c4ml_xdsl.frontend.keras_codes import dyadic_codes, one_scale, quantise_weights, quantised_values
from c4ml_xdsl.frontend.keras_config import Layer
from c4ml_xdsl.frontend.keras_file import KerasWeights
from c4ml_xdsl.frontend.keras_graph import GraphBuilder, Value
from c4ml_xdsl.frontend.keras_quantizers import Floats, quantizer_only, trainable


@dataclass
class Context:
    """What the layers of one model share: the graph that they add to and the weights that they read."""

    graph: GraphBuilder
    weights: KerasWeights
    keras_major: int
    made: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    """The tensors of weights that are in the graph, for layers that are called several times."""

    def once(self, layer: Layer, name: str, make: Callable[[], str]) -> str:
        """The tensor of a layer's weight, made on the first call."""
        key = (*layer.scope, layer.name, name)
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]


Handler = Callable[[Context, Layer, Value], Value]

_ZERO: Floats = np.zeros((), np.float32)


# Weights ---------------------------------------------------------------------------------------------------------


def _kernel(context: Context, layer: Layer, name: str, array: Floats, move: Callable[[Floats], Floats]) -> str:
    """
    A kernel quantised as the layer's options say, moved to ONNX's layout.

    A kernel without a quantiser must lie on a grid already. Raises UnsupportedModelError where it doesn't.
    """

    def make() -> str:
        option = {"depthwise_kernel": "depthwise_quantizer", "pointwise_kernel": "pointwise_quantizer"}.get(
            name, "kernel_quantizer"
        )
        quantizer = quantizer_only(layer.options.get(option), layer.name)
        if quantizer is None:
            codes = dyadic_codes(array)
            if codes is None:
                raise layer.unsupported(
                    f"its {name.replace('_', ' ')} isn't quantised",
                    f"Use QKeras's {'' if layer.kind.startswith('Q') else 'Q'}{layer.kind} with a {option}.",
                )
        else:
            quantizer = trainable(quantizer)
            codes = one_scale(quantise_weights(quantizer, array), quantizer)
        return context.graph.weights(codes.map(move), layer.name, name)

    return context.once(layer, name, make)


def _bias(context: Context, layer: Layer, array: Floats) -> str:
    """A bias, a vector; without a quantiser it stays as it is."""

    def make() -> str:
        quantizer = quantizer_only(layer.options.get("bias_quantizer"), layer.name)
        if quantizer is None:
            return context.graph.constant(array, f"{layer.name}_bias")
        codes = quantise_weights(quantizer, array)
        return context.graph.weights(codes.map(np.asarray), layer.name, "bias")

    return context.once(layer, "bias", make)


def _checked(layer: Layer, arrays: Mapping[str, Floats], name: str, shape: tuple[int, ...]) -> Floats:
    """A weight, which must have the shape that the layer's options and input ask for."""
    array = arrays[name]
    if array.shape != shape:
        raise ModelFileError(
            f"{layer.name}: its weight {name} has the shape {list(array.shape)}, not {list(shape)}",
            remedy="Give the weights that belong to this model.",
        )
    return array


def _weights(
    context: Context, layer: Layer, kernels: Mapping[str, tuple[int, ...]], channels: int
) -> dict[str, Floats]:
    """
    A layer's kernels and its bias (where it has one) by name, checked against their shapes.

    A batch normalisation inside of the layer is folded into its first kernel and the bias, as QKeras does it.
    """
    use_bias = layer.options.flag("use_bias", True)
    own = [*kernels, *(["bias"] if use_bias else [])]
    inner = _normalisation_names(layer) if layer.kind.endswith("Batchnorm") else []
    arrays = context.weights.of_layer(layer, {"": own, **({"batchnorm": inner} if inner else {})})
    for name, shape in kernels.items():
        _checked(layer, arrays, name, shape)
    for name in (*own[len(kernels) :], *inner):
        _checked(layer, arrays, name, (channels,))
    if inner:
        axis = layer.options.get("axis")
        last = len(next(iter(kernels.values()))) - 1
        if axis not in (-1, [-1], last, [last]) or channels_first(layer):
            raise layer.unsupported(f"it normalises along the axis {axis}", "Use channels_last and the last axis.")
        name = next(iter(kernels))
        inverse = _inverse_deviation(layer, arrays)
        bias: Floats = arrays.get("bias", _ZERO) - arrays["moving_mean"]
        arrays["bias"] = np.asarray(inverse * bias + arrays.get("beta", _ZERO), np.float32)
        # A depthwise kernel ends in (input channel, multiplier), others in the output channel.
        arrays[name] = arrays[name] * inverse.reshape(arrays[name].shape[2:] if name == "depthwise_kernel" else (-1,))
    return arrays


# Dense layers and convolutions -----------------------------------------------------------------------------------


def _dense(context: Context, layer: Layer, value: Value) -> Value:
    graph, units = context.graph, layer.options.integer("units")
    arrays = _weights(context, layer, {"kernel": (value.shape[-1], units)}, units)
    kernel = _kernel(context, layer, "kernel", arrays["kernel"], np.asarray)
    y = graph.node("MatMul", [graph.last(value, layer.name), kernel], layer.name)
    if "bias" in arrays:
        y = graph.node("Add", [y, _bias(context, layer, arrays["bias"])], layer.name)
    return Value(y, (*value.shape[:-1], units))


class Window(NamedTuple):
    """How a convolution or pooling moves over its spatial axes, and the sizes that it gives."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    sizes: tuple[int, ...]

    def attributes(self, *, dilations: bool = True) -> dict[str, list[int]]:
        """ONNX's attributes."""
        found = {"kernel_shape": list(self.kernel), "strides": list(self.strides), "pads": list(self.pads)}
        return {**found, "dilations": list(self.dilations)} if dilations else found


def window(layer: Layer, kernel: tuple[int, ...], spatial: tuple[int, ...], strides: tuple[int, ...] | None) -> Window:
    """A layer's window over spatial axes of the sizes `spatial`; None stands for strides of the window's size."""
    options, rank = layer.options, len(spatial)
    if strides is None:
        strides = kernel if options.get("strides") is None else options.integers("strides", rank)
    dilations = options.integers("dilation_rate", rank, 1)
    padding = options.text("padding", "valid").lower()
    before: list[int] = []
    after: list[int] = []
    sizes: list[int] = []
    for size, width, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True):
        if min(width, stride, dilation) < 1:
            raise ModelFileError(f"{layer.name}: a window, stride or dilation below 1")
        extent = (width - 1) * dilation + 1
        match padding:
            case "valid":
                total, first = 0, 0
            case "same":
                total = max((-(-size // stride) - 1) * stride + extent - size, 0)
                first = total // 2
            case "causal" if rank == 1:
                total = first = extent - 1
            case _:
                raise layer.unsupported(f"the padding {padding} isn't supported", "Use valid, same or causal padding.")
        if size + total < extent:
            raise layer.unsupported(f"its window of {extent} is larger than its input of {size}", "Use a larger input.")
        before.append(first)
        after.append(total - first)
        sizes.append((size + total - extent) // stride + 1)
    return Window(kernel, strides, dilations, (*before, *after), tuple(sizes))


def channels_first(layer: Layer) -> bool:
    """Whether a layer's options put the channels first."""
    match layer.options.text("data_format", "channels_last"):
        case "channels_last":
            return False
        case "channels_first":
            return True
        case other:
            raise ModelFileError(f"{layer.name}: the data format {other} doesn't exist")


def spatial_input(context: Context, layer: Layer, value: Value, rank: int) -> tuple[str, tuple[int, ...], int]:
    """The tensor with its channels first, the sizes of its `rank` spatial axes, and the number of channels."""
    if len(value.shape) != rank + 2:
        raise ModelFileError(f"{layer.name}: an input of {len(value.shape)} axes, where {layer.kind} needs {rank + 2}")
    if channels_first(layer):
        return context.graph.last(value, layer.name), value.shape[2:], value.shape[1]
    return context.graph.first(value, layer.name), value.shape[1:-1], value.shape[-1]


def spatial_output(layer: Layer, tensor: str, sizes: tuple[int, ...], channels: int) -> Value:
    """The value for a tensor with its channels first."""
    if channels_first(layer):
        return Value(tensor, (1, channels, *sizes))
    return Value(tensor, (1, *sizes, channels), first=True)


def _to_onnx_kernel(kernel: Floats) -> Floats:
    """From (spatial axes, input, output) to (output, input, spatial axes)."""
    spatial = range(kernel.ndim - 2)
    return kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *spatial)


def _to_onnx_depthwise(kernel: Floats) -> Floats:
    """From (spatial axes, input, multiplier) to (input * multiplier, 1, spatial axes)."""
    spatial = range(kernel.ndim - 2)
    moved = kernel.transpose(kernel.ndim - 2, kernel.ndim - 1, *spatial)
    return moved.reshape(-1, 1, *moved.shape[2:])


def _conv(context: Context, layer: Layer, value: Value, rank: int) -> Value:
    options = layer.options
    x, spatial, channels = spatial_input(context, layer, value, rank)
    filters, groups = options.integer("filters"), options.integer("groups", 1)
    if groups < 1 or channels % groups or options.get("mask") is not None:
        raise layer.unsupported("a mask or uneven groups aren't supported", "Use a convolution without them.")
    frame = window(layer, options.integers("kernel_size", rank), spatial, options.integers("strides", rank, 1))
    arrays = _weights(context, layer, {"kernel": (*frame.kernel, channels // groups, filters)}, filters)
    inputs = [x, _kernel(context, layer, "kernel", arrays["kernel"], _to_onnx_kernel)]
    if "bias" in arrays:
        inputs.append(_bias(context, layer, arrays["bias"]))
    y = context.graph.node("Conv", inputs, layer.name, group=groups, **frame.attributes())
    return spatial_output(layer, y, frame.sizes, filters)


def _depthwise(context: Context, layer: Layer, value: Value, rank: int) -> Value:
    options = layer.options
    x, spatial, channels = spatial_input(context, layer, value, rank)
    multiplier = options.integer("depth_multiplier", 1)
    frame = window(layer, options.integers("kernel_size", rank), spatial, options.integers("strides", rank, 1))
    shape = {"depthwise_kernel": (*frame.kernel, channels, multiplier)}
    arrays = _weights(context, layer, shape, channels * multiplier)
    inputs = [x, _kernel(context, layer, "depthwise_kernel", arrays["depthwise_kernel"], _to_onnx_depthwise)]
    if "bias" in arrays:
        inputs.append(_bias(context, layer, arrays["bias"]))
    y = context.graph.node("Conv", inputs, layer.name, group=channels, **frame.attributes())
    return spatial_output(layer, y, frame.sizes, channels * multiplier)


def _separable(context: Context, layer: Layer, value: Value, rank: int) -> Value:
    options = layer.options
    x, spatial, channels = spatial_input(context, layer, value, rank)
    filters, multiplier = options.integer("filters"), options.integer("depth_multiplier", 1)
    frame = window(layer, options.integers("kernel_size", rank), spatial, options.integers("strides", rank, 1))
    shapes = {
        "depthwise_kernel": (*frame.kernel, channels, multiplier),
        "pointwise_kernel": (*(1 for _ in frame.kernel), channels * multiplier, filters),
    }
    arrays = _weights(context, layer, shapes, filters)
    depthwise = _kernel(context, layer, "depthwise_kernel", arrays["depthwise_kernel"], _to_onnx_depthwise)
    y = context.graph.node("Conv", [x, depthwise], layer.name, group=channels, **frame.attributes())
    inputs = [y, _kernel(context, layer, "pointwise_kernel", arrays["pointwise_kernel"], _to_onnx_kernel)]
    if "bias" in arrays:
        inputs.append(_bias(context, layer, arrays["bias"]))
    y = context.graph.node("Conv", inputs, layer.name, kernel_shape=[1] * rank)
    return spatial_output(layer, y, frame.sizes, filters)


# Batch normalisation ---------------------------------------------------------------------------------------------


def _normalisation_names(layer: Layer) -> list[str]:
    """The weights of a batch normalisation in Keras's order."""
    scale, center = layer.options.flag("scale", True), layer.options.flag("center", True)
    return [*(["gamma"] if scale else []), *(["beta"] if center else []), "moving_mean", "moving_variance"]


def _inverse_deviation(layer: Layer, arrays: Mapping[str, Floats]) -> Floats:
    """gamma / sqrt(variance + epsilon) in float32, each step rounded as TensorFlow rounds it."""
    shifted = arrays["moving_variance"] + np.float32(layer.options.number("epsilon", 1e-3))
    if np.any(shifted <= 0):
        raise layer.unsupported("a variance isn't positive", "Look at how the model was trained.")
    inverse: Floats = (1 / np.sqrt(np.asarray(shifted, np.float64))).astype(np.float32)
    return inverse * arrays["gamma"] if "gamma" in arrays else inverse


def _batch_normalization(context: Context, layer: Layer, value: Value) -> Value:
    options, rank = layer.options, len(value.shape)
    axes = options.get("axis")
    axis = axes if isinstance(axes, int) else options.integers("axis", 1, -1)[0]
    if not -rank <= axis < rank or axis % rank == 0:
        raise ModelFileError(f"{layer.name}: the axis {axis} isn't one of its input's")
    names = _normalisation_names(layer)
    arrays = context.weights.of_layer(layer, {"": names})
    for name in names:
        _checked(layer, arrays, name, (value.shape[axis],))
        if layer.kind == "QBatchNormalization":
            quantizer = quantizer_only(options.get(f"{name.removeprefix('moving_')}_quantizer"), layer.name)
            if quantizer is not None and name in ("gamma", "moving_variance"):
                quantizer = trainable(quantizer)
            arrays[name] = quantised_values(quantizer, arrays[name])
    inverse = _inverse_deviation(layer, arrays)
    quantizer = quantizer_only(options.get("inverse_quantizer"), layer.name)
    inverse = quantised_values(quantizer, inverse)
    # In the tensor's own layout, the vector's axis is followed by those behind its axis.
    behind = rank - 1 - value.axis(axis)
    beta = arrays.get("beta", _ZERO)
    mean = arrays["moving_mean"]
    offset: Floats = np.asarray(beta - mean * inverse, np.float32)
    fused = layer.kind == "BatchNormalization" and rank == 4
    # TensorFlow's fused kernel subtracts the mean first, the other one folds it into the offset.
    steps = [("Sub", mean), ("Mul", inverse), ("Add", beta)] if fused else [("Mul", inverse), ("Add", offset)]
    y = value.tensor
    for operator, vector in steps:
        if vector.ndim:
            vector = vector.reshape(-1, *[1] * behind)
        if operator != "Add" or np.any(vector != 0):
            y = context.graph.binary(operator, y, vector, layer.name)
    return value.with_tensor(y)


WEIGHTED_LAYERS: dict[str, Handler] = {
    **dict.fromkeys(("Dense", "QDense", "QDenseBatchnorm"), _dense),
    **dict.fromkeys(("Conv1D", "QConv1D"), partial(_conv, rank=1)),
    **dict.fromkeys(("Conv2D", "QConv2D", "QConv2DBatchnorm"), partial(_conv, rank=2)),
    "DepthwiseConv1D": partial(_depthwise, rank=1),
    **dict.fromkeys(("DepthwiseConv2D", "QDepthwiseConv2D", "QDepthwiseConv2DBatchnorm"), partial(_depthwise, rank=2)),
    **dict.fromkeys(("SeparableConv1D", "QSeparableConv1D"), partial(_separable, rank=1)),
    **dict.fromkeys(("SeparableConv2D", "QSeparableConv2D"), partial(_separable, rank=2)),
    **dict.fromkeys(("BatchNormalization", "QBatchNormalization"), _batch_normalization),
}
"""The layers with weights by their classes; their activations come afterwards."""
