"""Abs and Relu of wide integers, which no table and no search for thresholds can hold."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import c4ml_xdsl as c4ml


def model(operator: str, bits: int, signed: int, factor: float) -> onnx.ModelProto:
    """A quantiser with the scale 0.25, a factor, and the operator at the output."""
    constants = {"s": 0.25, "z": 0.0, "b": float(bits), "f": factor}
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["q"], "quant", domain="qonnx.custom_op.general",
                         signed=signed, narrow=0, rounding_mode="ROUND"),
        helper.make_node("Mul", ["q", "f"], ["scaled"], "scale"),
        helper.make_node(operator, ["scaled"], ["y"], "function"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets)


@pytest.mark.parametrize("factor", [1.0, -1.0])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("bits", [6, 12, 24])
@pytest.mark.parametrize("operator", ["Abs", "Relu"])
def test_wide_values(operator: str, bits: int, signed: int, factor: float) -> None:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    n = np.random.default_rng(1).integers(low, high + 1, (300, 4))
    n[0] = [low, high, max(low, -1), 1]
    scaled = n * 0.25 * factor
    circuit = c4ml.compile(model(operator, bits, signed, factor))
    want = np.abs(scaled) if operator == "Abs" else np.maximum(scaled, 0)
    np.testing.assert_array_equal(circuit(n * 0.25), want)
