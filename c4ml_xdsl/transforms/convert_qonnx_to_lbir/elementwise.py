"""Functions of single elements, and arithmetic with constants: steps of the chain."""

import math
from collections.abc import Callable

import numpy as np

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.numerics.chain import Step
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion, Handler
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.movement import broadcast
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import Real, full_rank

SIMPLE: dict[str, tuple[Step, ...]] = {
    "Neg": (Step("neg"),),
    "Abs": (Step("abs"),),
    "Sigmoid": (Step("sigmoid"),),
    "Tanh": (Step("tanh"),),
    "Exp": (Step("exp"),),
    "Log": (Step("log"),),
    "Sqrt": (Step("sqrt"),),
    "Erf": (Step("erf"),),
    "Softsign": (Step("softsign"),),
    "Sign": (Step("sign"),),
    "Floor": (Step("round", mode=RoundingMode.FLOOR),),
    "Ceil": (Step("round", mode=RoundingMode.CEIL),),
    "Round": (Step("round", mode=RoundingMode.HALF_EVEN),),
}
"""Functions without attributes."""


def _float32(node: qonnx.NodeOp, name: str) -> float:
    """An attribute as the float32 that it is, also where the node leaves it out."""
    return float(np.float32(node.float_attribute(name)))


def _relu(node: qonnx.NodeOp, real: Real) -> Real:
    return real.step("max", 0.0)


def _softplus(node: qonnx.NodeOp, real: Real) -> Real:
    return real.then(Step("exp")).step("add", 1.0).then(Step("log"))


def _leaky_relu(node: qonnx.NodeOp, real: Real) -> Real:
    return real.step("leaky", _float32(node, "alpha"))


def _thresholded_relu(node: qonnx.NodeOp, real: Real) -> Real:
    return real.step("thresholded", _float32(node, "alpha"))


def _elu(node: qonnx.NodeOp, real: Real) -> Real:
    return real.step("elu", _float32(node, "alpha"))


def _celu(node: qonnx.NodeOp, real: Real) -> Real:
    alpha = _float32(node, "alpha")
    return real.step("div", alpha).step("elu", 1.0).step("mul", alpha)


def _selu(node: qonnx.NodeOp, real: Real) -> Real:
    return real.step("elu", _float32(node, "alpha")).step("mul", _float32(node, "gamma"))


def _hard_sigmoid(node: qonnx.NodeOp, real: Real) -> Real:
    scaled = real.step("mul", _float32(node, "alpha")).step("add", _float32(node, "beta"))
    return scaled.step("max", 0.0).step("min", 1.0)


def times(real: Real, factor: Real) -> Real:
    """The product of two functions of the same integers."""
    return real.combined("mul", factor)


def _hard_swish(node: qonnx.NodeOp, real: Real) -> Real:
    return times(real, real.step("div", 6.0).step("add", 0.5).step("max", 0.0).step("min", 1.0))


def _gelu(node: qonnx.NodeOp, real: Real) -> Real:
    """x / 2 * (1 + erf(x / sqrt(2))), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)), its factor in float64."""
    if node.str_attribute("approximate", "none") == "none":
        inner = real.step("div_sqrt", 2.0).then(Step("erf"))
    else:
        cube = times(times(real, real), real).step("mul", 0.044715)
        inner = real.combined("add", cube).step("mul", math.sqrt(2 / math.pi)).then(Step("tanh"))
    return times(real, inner.step("add", 1.0).step("mul", 0.5))


FUNCTIONS: dict[str, Callable[[qonnx.NodeOp, Real], Real]] = {
    "Relu": _relu,
    "Softplus": _softplus,
    "LeakyRelu": _leaky_relu,
    "ThresholdedRelu": _thresholded_relu,
    "Elu": _elu,
    "Celu": _celu,
    "Selu": _selu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Gelu": _gelu,
}
"""Functions with attributes."""


def function(c: Conversion, node: qonnx.NodeOp) -> None:
    """A function of one operand."""
    real = c.real(node)
    if node.operator in SIMPLE:
        c.set(node, real.then(*SIMPLE[node.operator]))
    else:
        c.set(node, FUNCTIONS[node.operator](node, real))


def clip(c: Conversion, node: qonnx.NodeOp) -> None:
    """Clip with bounds as attributes or inputs."""
    real = c.real(node)
    for index, name, operation in ((1, "min", "max"), (2, "max", "min")):
        bound = c.constant(node, index) if node.input(index) is not None else node.attribute(name)
        if bound is None or (np.isinf(np.asarray(bound)).all() and node.input(index) is None):
            continue
        if not np.all(np.isfinite(np.asarray(bound, np.float64))):
            c.refuse(node, "a bound is infinite or not a number", "Leave the bound out.")
        real = real.step(operation, np.asarray(bound, np.float32))
    # between QuantizeLinear and DequantizeLinear it makes the integers fewer
    c.set(node, c.settled(real, node) if not c.real(node).steps else real)


def prelu(c: Conversion, node: qonnx.NodeOp) -> None:
    """PRelu: a slope below 0 for each channel; ONNX broadcasts it from the last axis, as numpy does."""
    real = c.real(node)
    c.set(node, real.step("leaky", c.float_constant(node, 1, real.rank)))


def reciprocal(c: Conversion, node: qonnx.NodeOp) -> None:
    """1 / x."""
    c.set(node, c.real(node).step("rdiv", 1.0))


def power(c: Conversion, node: qonnx.NodeOp) -> None:
    """Pow with a constant exponent that is a small whole number, or 1/2."""
    real = c.real(node)
    exponent = c.constant(node, 1)
    if exponent.size != 1 or float(exponent.reshape(())) not in (0.5, *range(1, 9)):
        c.refuse(node, "its exponent isn't 1/2 or a whole number from 1 to 8", "Export it as products.")
    number = float(exponent.reshape(()))
    if number == 0.5:
        c.set(node, real.then(Step("sqrt")))
        return
    result = real
    for _ in range(int(number) - 1):
        result = times(result, real)
    c.set(node, result)


def with_constant(c: Conversion, node: qonnx.NodeOp) -> None:
    """Add, Sub, Mul, Div, Min or Max of one activation and constants, which broadcast."""
    data = c.data(node)[0]
    real = c.reals[data]
    for index, value in enumerate(node.operands):
        if value is data:
            continue
        rank = max(real.rank, c.constant(node, index).ndim)
        shape = np.broadcast_shapes(real.shape, c.constant(node, index).shape)
        real = broadcast(c, real, shape) if shape != real.shape else real
        real = _arithmetic(c, node, real, c.float_constant(node, index, rank), reverse=index == 0)
    c.set(node, real.step("div", float(len(node.operands))) if node.operator == "Mean" else real)


OPERATIONS = {
    "Add": "add",
    "Sum": "add",
    "Mean": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Min": "min",
    "Max": "max",
}
"""The step of each operator of two operands."""


def _arithmetic(c: Conversion, node: qonnx.NodeOp, real: Real, constant: np.ndarray, reverse: bool) -> Real:
    operation = OPERATIONS[node.operator]
    if operation == "div" and reverse:
        return real.step("rdiv", constant)
    if operation == "div" and not np.all(constant):
        c.refuse(node, "it divides by zero", "Check the training.")
    if operation == "sub" and reverse:
        return real.then(Step("neg")).step("add", constant)
    return real.step(operation, constant)


def batch_normalization(c: Conversion, node: qonnx.NodeOp) -> None:
    """BatchNormalization at inference: (x - mean) / sqrt(variance + epsilon) * scale + bias, channel by channel."""
    real = c.real(node)
    if node.int_attribute("training_mode", 0):
        c.refuse(node, "it is in training mode", "Export the model for inference.")
    shape = (1, -1, *(1,) * (real.rank - 2)) if real.rank > 1 else (-1,)
    scale, bias, mean, variance = (
        full_rank(c.float_constant(node, index, 1).reshape(shape), real.rank) for index in range(1, 5)
    )
    radicand = variance + _float32(node, "epsilon")
    if not np.all(radicand > 0):
        c.refuse(node, "a variance is negative", "Check the training.")
    c.set(node, real.step("sub", mean).step("div_sqrt", radicand).step("mul", scale).step("add", bias))


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys((*SIMPLE, *FUNCTIONS), function),
    "Clip": clip,
    "PRelu": prelu,
    "Reciprocal": reciprocal,
    "Pow": power,
    "BatchNormalization": batch_normalization,
}
