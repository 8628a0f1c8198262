"""
Activations of Keras and QKeras as ONNX nodes: what QKeras computes at inference, step by step.

In the layers of QKeras a name means QKeras's function before it means Keras's: `hard_sigmoid` is clip(x / 2 + 1/2)
there and clip(x / 5 + 1/2) in Keras 2.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.frontend.keras_graph import GraphBuilder, Value
from c4ml_xdsl.frontend.keras_quantizers import Quantizer, grid_of, parse_quantizer, ternary_threshold

_ONE = np.ones((), np.float32)

_HARD, _SMOOTH = 0.5, 0.1875
"""The slopes of QKeras's approximations of the sigmoid."""

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "exponential": ("Exp", {}),
    "gelu": ("Gelu", {}),
}
"""Keras's activations that are one ONNX operator."""


def apply_activation(
    graph: GraphBuilder, value: Value, config: object, label: str, *, qkeras: bool, keras_major: int = 2
) -> Value:
    """
    The value behind an activation, which `config` names as Keras writes it.

    `qkeras` says that the layer is one of QKeras's. Raises UnsupportedModelError, naming the layer `label`, for what
    can't be expressed exactly.
    """
    activation = parse_quantizer(config, label)
    if activation in (None, "", "linear"):
        return value
    if isinstance(activation, Quantizer):
        alpha = activation.alpha() if "alpha" in activation.options.entries else _ONE
        if not isinstance(alpha, str) and alpha.size > 1:
            # A factor for each channel.
            value = Value(graph.last(value, label), value.shape)
            if np.shape(alpha)[-1:] != value.shape[-1:] or alpha.size != value.shape[-1]:
                raise activation.unsupported("alpha isn't one number for each channel", "Give alpha as one number.")
        function = _QUANTIZERS.get(activation.kind)
        if function is None:
            raise activation.unsupported(
                "its levels aren't uniform, so it can only be used for weights", "Use quantized_bits or quantized_relu."
            )
        return value.with_tensor(function(graph, activation, value.tensor, label))
    assert isinstance(activation, str)
    if qkeras and activation in _QKERAS_FUNCTIONS:
        slope, signed, rounded = _QKERAS_FUNCTIONS[activation]
        y = graph.node("HardSigmoid", [value.tensor], label, alpha=slope, beta=0.5)
        y = graph.quant(y, label, scale=_ONE, bits=1, signed=False) if rounded else y
        return value.with_tensor(_doubled(graph, y, label) if signed else y)
    x = value.tensor
    match activation:
        case "softmax" | "log_softmax":
            operator = "Softmax" if activation == "softmax" else "LogSoftmax"
            return value.with_tensor(graph.node(operator, [x], label, axis=value.axis(-1)))
        case "relu6":
            return value.with_tensor(clip(graph, x, label, 0.0, 6.0))
        case "hard_sigmoid":
            slope = 0.2 if keras_major == 2 else 1 / 6
            return value.with_tensor(graph.node("HardSigmoid", [x], label, alpha=slope, beta=0.5))
        case "swish" | "silu":
            return value.with_tensor(graph.node("Mul", [x, graph.node("Sigmoid", [x], label)], label))
        case _ if activation in OPERATORS:
            operator, attributes = OPERATORS[activation]
            return value.with_tensor(graph.node(operator, [x], label, **attributes))
        case _:
            raise UnsupportedModelError(
                label,
                f"the activation {activation} isn't supported",
                remedy="Use relu, quantized_relu, quantized_bits or another activation that docs/operators.md lists.",
            )


_QKERAS_FUNCTIONS: dict[str, tuple[float, bool, bool]] = {
    "hard_sigmoid": (_HARD, False, False),
    "smooth_sigmoid": (_SMOOTH, False, False),
    "binary_sigmoid": (_HARD, False, True),
    "hard_tanh": (_HARD, True, False),
    "smooth_tanh": (_SMOOTH, True, False),
    "binary_tanh": (_HARD, True, True),
}
"""QKeras's functions: the slope of the sigmoid, whether it is stretched to -1 … 1, whether it is rounded."""


def clip(graph: GraphBuilder, x: str, label: str, low: float | None, high: float | None) -> str:
    """A node that clips to a range of which one end may be missing."""
    ends = [
        "" if end is None else graph.constant(float(end), f"{label}_{name}")
        for name, end in (("min", low), ("max", high))
    ]
    while not ends[-1]:
        ends.pop()
    return graph.node("Clip", [x, *ends], label)


def _doubled(graph: GraphBuilder, x: str, label: str) -> str:
    """2 x - 1."""
    return graph.binary("Sub", graph.binary("Mul", x, 2.0, label), 1.0, label)


def _times(graph: GraphBuilder, x: str, gain: Any, label: str) -> str:
    return x if np.all(gain == 1) else graph.binary("Mul", x, gain, label)


def _grid(graph: GraphBuilder, quantizer: Quantizer, x: str, label: str) -> str:
    grid = grid_of(quantizer)
    if grid.bits == 1 and grid.signed:
        return graph.quant(x, label, scale=grid.step * grid.gain, bits=1, signed=True)
    y = graph.quant(x, label, scale=grid.step, bits=grid.bits, signed=grid.signed, narrow=grid.narrow)
    return _times(graph, y, grid.gain, label)


def _relu(graph: GraphBuilder, quantizer: Quantizer, x: str, label: str) -> str:
    options, grid = quantizer.options, grid_of(quantizer)
    bits, slope = grid.bits, options.number("negative_slope")
    if slope:
        # One bit tells the sign.
        bits, step = bits - 1, np.float32(grid.step * 2)
    else:
        step = np.float32(grid.step)
    whole = float(step) * 2.0**bits  # 2 ** integer
    if slope < 0 or (slope and np.frexp(slope)[0] != 0.5):
        raise quantizer.unsupported(f"the slope {slope} isn't a power of two", "Use a power of two as negative_slope.")
    lowest = slope * 2.0**bits
    if bits < 1 or lowest != int(lowest):
        raise quantizer.unsupported(
            f"a slope of {slope} with {bits} bits has levels off the grid", "Use more bits, or a larger slope."
        )
    bound = options.get("relu_upper_bound")
    upper = whole - float(step)
    if bound is not None and not options.flag("is_quantized_clip"):
        limit = options.number("relu_upper_bound")
        if limit < upper and limit / float(step) != int(limit / float(step)):
            raise quantizer.unsupported(f"the upper bound {limit} lies between two levels", "Use a bound on the grid.")
        if 0 < limit < upper:
            x = clip(graph, x, label, None, limit)
    if options.flag("use_sigmoid"):
        if slope or bound is not None:
            raise quantizer.unsupported("use_sigmoid with a slope or an upper bound", "Use one of them.")
        y = graph.node("HardSigmoid", [_times(graph, x, np.float32(1 / whole), label)], label, alpha=_HARD, beta=0.5)
        # The rounded sigmoid may be 1, which takes a bit more; stretched to -1 … 1 it lies on the grid again.
        y = graph.quant(y, label, scale=np.asarray(2.0**-bits, np.float32), bits=bits + 1, signed=False)
        y = _times(graph, _doubled(graph, y, label), np.float32(whole), label)
        return graph.quant(y, label, scale=np.asarray(step), bits=bits, signed=False)
    if not slope:
        return graph.quant(x, label, scale=np.asarray(step), bits=bits, signed=False)
    y = graph.node("LeakyRelu", [x], label, alpha=slope)
    y = clip(graph, y, label, -lowest * float(step), upper)
    wide = bits + 1 + max(0, int(np.log2(slope)))
    return graph.quant(y, label, scale=np.asarray(step), bits=wide, signed=True)


def _binary(graph: GraphBuilder, quantizer: Quantizer, x: str, label: str) -> str:
    alpha = _given_alpha(quantizer)
    if not ("use_01" in quantizer.options.entries and quantizer.options.flag("use_01")):
        return graph.quant(x, label, scale=alpha, bits=1, signed=True)
    y = graph.quant(x, label, scale=np.asarray(0.5, np.float32), bits=1, signed=True)
    y = graph.binary("Add", y, 0.5, label)
    # It is 0 or 1 already; the quantiser says so.
    return _times(graph, graph.quant(y, label, scale=_ONE, bits=1, signed=False), alpha, label)


def _ternary(graph: GraphBuilder, quantizer: Quantizer, x: str, label: str) -> str:
    # Ties away from zero: |x| equal to the threshold gives 1.
    y = graph.binary("Div", x, ternary_threshold(quantizer) * np.float32(2), label)
    y = graph.quant(y, label, scale=_ONE, bits=2, signed=True, narrow=True, rounding="HALF_UP")
    return _times(graph, y, _given_alpha(quantizer), label)


def _given_alpha(quantizer: Quantizer) -> Any:
    alpha = quantizer.alpha()
    if isinstance(alpha, str):
        raise quantizer.unsupported("alpha is derived from the data that arrives", "Give alpha as a number.")
    return alpha


def _bits_of(quantizer: Quantizer, fewest: int) -> int:
    bits = quantizer.options.integer("bits")
    if not fewest <= bits <= 24:
        raise quantizer.unsupported(f"{bits} bits", f"Use {fewest} to 24 bits.")
    return bits


def _tanh(graph: GraphBuilder, quantizer: Quantizer, x: str, label: str) -> str:
    bits, options = _bits_of(quantizer, 2), quantizer.options
    if options.flag("use_real_tanh"):
        y = graph.node("Tanh", [x], label)
    else:
        y = _doubled(graph, graph.node("HardSigmoid", [x], label, alpha=_HARD, beta=0.5), label)
    scale = np.asarray(2.0 ** (1 - bits), np.float32)
    return graph.quant(y, label, scale=scale, bits=bits, signed=True, narrow=options.flag("symmetric"))


def _sigmoid(graph: GraphBuilder, quantizer: Quantizer, x: str, label: str) -> str:
    bits, options = _bits_of(quantizer, 1), quantizer.options
    if options.flag("use_real_sigmoid"):
        y = graph.node("Sigmoid", [x], label)
    else:
        y = graph.node("HardSigmoid", [x], label, alpha=_HARD, beta=0.5)
    scale = 2.0**-bits
    if options.flag("symmetric"):  # the lowest level is 1, not 0
        y = clip(graph, y, label, scale, None)
    return graph.quant(y, label, scale=np.asarray(scale, np.float32), bits=bits, signed=False)


def _hswish(graph: GraphBuilder, quantizer: Quantizer, x: str, label: str) -> str:
    shift, bound = quantizer.options.number("relu_shift"), quantizer.options.number("relu_upper_bound")
    if shift <= 0 or bound <= 0:
        raise quantizer.unsupported("relu_shift or relu_upper_bound isn't positive", "Use positive numbers.")
    y = clip(graph, graph.binary("Add", x, shift, label), label, 0.0, bound)
    y = graph.binary("Div", graph.node("Mul", [x, y], label), bound, label)
    return _grid(graph, quantizer, y, label)


_QUANTIZERS: dict[str, Callable[[GraphBuilder, Quantizer, str, str], str]] = {
    "quantized_bits": _grid,
    "quantized_linear": _grid,
    "quantized_relu": _relu,
    "quantized_tanh": _tanh,
    "quantized_sigmoid": _sigmoid,
    "quantized_hswish": _hswish,
    "binary": _binary,
    "stochastic_binary": _binary,
    "ternary": _ternary,
    "stochastic_ternary": _ternary,
}
