"""Quantisers: Quant, BipolarQuant, Trunc, MultiThreshold, QuantizeLinear and DequantizeLinear."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from xdsl.dialects.builtin import IntegerType, Signedness, TensorType
from xdsl.ir import Attribute, SSAValue

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.interpreters.qonnx import Array, quantiser_bits
from c4ml_xdsl.numerics.chain import Floats, Step
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import ROUND, Conversion, Handler
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import Real, full_rank


@dataclass(frozen=True)
class Quantiser:
    """
    What a quantiser does: steps to integers of a range, and what they stand for, (integer - zero_point) * scale.

    `scale` and `zero_point` broadcast; a bipolar one has the integers {0, 1}, 1 for x >= 0, and a zero point of 1/2
    where the model's is 0.
    """

    steps: tuple[Step, ...]
    low: int
    high: int
    scale: Floats
    zero_point: Floats
    rounding: str
    bipolar: bool = False

    def real(self, integers: Real) -> Real:
        """The tensor that integers of this quantiser stand for."""
        result = integers
        if np.any(self.zero_point):
            result = result.step("sub", self.zero_point)
        return result.step("mul", self.scale) if np.any(self.scale != 1) else result


def quantiser_of(c: Conversion, node: qonnx.NodeOp, rank: int) -> Quantiser:
    """The parameters of a Quant, IntQuant, BipolarQuant or QuantizeLinear node on a tensor of a rank."""
    if isinstance(node, qonnx.QuantizeLinearOp):
        return _quantize_linear(c, node, rank)
    scale = c.float_constant(node, 1, rank)
    if not np.all(scale > 0):
        c.refuse(node, "its scale isn't positive", "Check the quantiser's training.")
    if isinstance(node, qonnx.BipolarQuantOp):
        return _bipolar(c, node, scale, full_rank(0.5, rank))
    bits = quantiser_bits(node, c.constant(node, 3))
    zero = c.float_constant(node, 2, rank)
    signed, narrow = bool(node.int_attribute("signed")), bool(node.int_attribute("narrow"))
    if bits == 1 and signed:
        return _bipolar(c, node, scale, (zero + 1) / 2)
    low, high = qonnx.integer_range(bits, signed=signed, narrow=narrow)
    rounding = node.str_attribute("rounding_mode").upper()
    steps = [Step("div", scale)] if np.any(scale != 1) else []
    if np.any(zero):
        steps.append(Step("add", zero))
    steps += [Step("max", full_rank(low, rank)), Step("min", full_rank(high, rank))]
    steps.append(Step("round", mode=RoundingMode.from_qonnx(rounding)))
    return Quantiser(tuple(steps), low, high, scale, zero, rounding)


def _bipolar(c: Conversion, node: qonnx.NodeOp, scale: Floats, zero: Floats) -> Quantiser:
    doubled = scale * 2
    if np.any(doubled > np.finfo(np.float32).max):
        c.refuse(node, "its scale is too large", "Check the quantiser's training.")
    return Quantiser((Step("step"),), 0, 1, doubled, zero, "ROUND", bipolar=True)


def _linear_parameters(c: Conversion, node: qonnx.NodeOp, rank: int) -> tuple[Floats, Floats]:
    """Scale and zero point of QuantizeLinear or DequantizeLinear, along its axis where there are several."""
    scale = c.constant(node, 1)
    zero = c.constant(node, 2) if node.input(2) is not None else np.zeros(scale.shape, np.uint8)
    if not np.all(np.isfinite(scale)) or not np.all(scale > 0) or scale.ndim > 1:
        c.refuse(node, "its scale isn't a positive number a tensor or a channel", "Check the quantiser's training.")
    axis = node.int_attribute("axis", 1) % max(rank, 1)

    def spread(array: Array) -> Floats:
        array = array.astype(np.float64)
        if array.size == 1:
            return full_rank(array.reshape(()), rank)
        return array.reshape([-1 if each == axis else 1 for each in range(rank)])

    return spread(scale), spread(zero)


def _quantize_linear(c: Conversion, node: qonnx.NodeOp, rank: int) -> Quantiser:
    """QuantizeLinear rounds first and then adds the zero point: a tie goes to the even number without it."""
    scale, zero = _linear_parameters(c, node, rank)
    bits, signed = integer_bits(c, node)
    low, high = qonnx.integer_range(bits, signed=signed, narrow=False)
    steps = [Step("div", scale), ROUND, *([Step("add", zero)] if np.any(zero) else [])]
    steps += [Step("max", full_rank(low, rank)), Step("min", full_rank(high, rank)), ROUND]
    return Quantiser(tuple(steps), low, high, scale, zero, "ROUND")


_OUTPUT_TYPES = {
    0: (8, False),
    2: (8, False),
    3: (8, True),
    4: (16, False),
    5: (16, True),
    21: (4, False),
    22: (4, True),
}
"""Bits and sign of ONNX's element types that QuantizeLinear may give."""


def integer_type_of(value: SSAValue) -> tuple[int, bool] | None:
    """Bits and sign of a tensor of integers; None for others."""
    value_type = value.type
    if not isinstance(value_type, TensorType):
        return None
    element = cast("TensorType[Attribute]", value_type).element_type
    if not isinstance(element, IntegerType):
        return None
    integer = cast("IntegerType[int, Signedness]", element)
    width = integer.width.data
    return width, width > 1 and integer.signedness.data is not Signedness.UNSIGNED


def integer_bits(c: Conversion, node: qonnx.NodeOp) -> tuple[int, bool]:
    """Bits and sign of what a QuantizeLinear node gives: its zero point's type, else the attribute's."""
    value = node.input(2)
    if value is None:
        found = _OUTPUT_TYPES.get(node.int_attribute("output_dtype"))
    else:
        found = integer_type_of(value)
    if found is None or found[0] not in (4, 8, 16, 32):
        c.refuse(node, "its output isn't an integer of 4, 8, 16 or 32 bits", "Export such integers.")
    return found


def quant(c: Conversion, node: qonnx.NodeOp) -> None:
    """A quantiser behind integers: an activation, the whole chain up to here."""
    real = c.real(node)
    quantiser = quantiser_of(c, node, real.rank)
    integers = Real(c.activate(real, quantiser.steps, node))
    c.set(node, integers if isinstance(node, qonnx.QuantizeLinearOp) else quantiser.real(integers))


def dequantize_linear(c: Conversion, node: qonnx.NodeOp) -> None:
    """DequantizeLinear: what the codes stand for."""
    real = c.real(node)
    scale, zero = _linear_parameters(c, node, real.rank)
    real = real.step("sub", zero) if np.any(zero) else real
    c.set(node, real.step("mul", scale))


def trunc(c: Conversion, node: qonnx.NodeOp) -> None:
    """Trunc of version 1 (five inputs, no clip, the input's scale) and 2 (six inputs, with an output scale)."""
    real = c.real(node)
    rank = real.rank
    scale, zero = c.float_constant(node, 1, rank), c.float_constant(node, 2, rank)
    mode = Step("round", mode=RoundingMode.from_qonnx(node.str_attribute("rounding_mode")))
    steps = [Step("div", scale), *([Step("add", zero)] if np.any(zero) else []), ROUND]
    if len(node.operands) == 6:
        output_scale = c.float_constant(node, 4, rank)
        ratio = np.log2(output_scale.astype(np.float32) / scale.astype(np.float32))
        factor = 2.0 ** np.round(ratio).astype(np.float64)
        bits = quantiser_bits(node, c.constant(node, 5))
        low, high = qonnx.integer_range(
            bits, signed=bool(node.int_attribute("signed")), narrow=bool(node.int_attribute("narrow"))
        )
        steps += [Step("div", factor), Step("max", full_rank(low, rank)), Step("min", full_rank(high, rank))]
        scale, zero = output_scale, zero / factor
    else:
        bits_in, bits_out = (quantiser_bits(node, c.constant(node, index)) for index in (3, 4))
        steps.append(Step("div", full_rank(2.0 ** (bits_in - bits_out), rank)))
    integers = Real(c.activate(real, (*steps, mode), node))
    integers = integers.step("sub", zero) if np.any(zero) else integers
    c.set(node, integers.step("mul", scale))


def multi_threshold(c: Conversion, node: qonnx.NodeOp) -> None:
    """MultiThreshold: out_scale * #{k : x >= t_k} + out_bias, with thresholds for each channel or for all."""
    real = c.real(node)
    thresholds = c.constant(node, 1)
    if thresholds.ndim != 2 or not np.all(np.isfinite(thresholds)):
        c.refuse(node, "its thresholds aren't numbers of the shape (channels, levels)", "Export the model again.")
    layout = node.str_attribute("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(real.rank, "NC")
    axis = layout.index("C") if "C" in layout else 1
    shape = [1] * real.rank
    shape[min(axis, real.rank - 1)] = len(thresholds)
    count = Step("count", thresholds.astype(np.float64).reshape(*shape, -1))
    result = Real(c.activate(real, [count], node))
    scale, bias = node.float_attribute("out_scale", 1.0), node.float_attribute("out_bias", 0.0)
    result = result.step("mul", scale) if scale != 1 else result
    c.set(node, result.step("add", bias) if bias else result)


HANDLERS: dict[str, Handler] = {
    "Quant": quant,
    "IntQuant": quant,
    "BipolarQuant": quant,
    "QuantizeLinear": quant,
    "DequantizeLinear": dequantize_linear,
    "Trunc": trunc,
    "MultiThreshold": multi_threshold,
}
