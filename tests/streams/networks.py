"""A small network with all kinds of ports: several tensors, signs, bipolar values, zero points, scales per channel."""

import numpy as np
import onnx
from onnx import TensorProto, helper

DOMAIN = "qonnx.custom_op.general"


def two_by_three(left_name: str = "left", raw_name: str = "sum/raw") -> onnx.ModelProto:
    """
    Two inputs and three outputs.

    `left` is signed, `right` is unsigned with a zero point; `sum/raw` is an accumulator with a scale for each channel,
    `class` has an activation, `sign` is bipolar. None of them is a whole number of bytes.
    """
    random = np.random.default_rng(5)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, values: object) -> str:
        array = np.asarray(values, np.float32)
        constants.append(helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.reshape(-1).tolist()))
        return name

    def quantise(source: str, result: str, scale: object, zero: float, bits: int, signed: int) -> str:
        parameters = [
            constant(f"{result}_s", scale),
            constant(f"{result}_z", zero),
            constant(f"{result}_b", bits),
        ]
        options = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        nodes.append(helper.make_node("Quant", [source, *parameters], [result], domain=DOMAIN, **options))
        return result

    def dense(source: str, result: str, shape: tuple[int, int]) -> str:
        weights = constant(f"{result}_w", random.normal(0, 0.5, shape))
        quantised = quantise(weights, f"{result}_q", [[0.25, 0.125, 0.5, 0.25][: shape[1]]], 0, 3, 1)
        nodes.append(helper.make_node("MatMul", [source, quantised], [result]))
        return result

    left = dense(quantise(left_name, "left_q", 0.25, 0, 4, 1), "left_sum", (7, 4))
    right = dense(quantise("right", "right_q", 0.25, 3, 3, 0), "right_sum", (5, 4))
    nodes.append(helper.make_node("Add", [left, right], [raw_name]))
    nodes.append(helper.make_node("Relu", [raw_name], ["active"]))
    quantise("active", "class", 0.5, 0, 3, 0)
    nodes.append(helper.make_node("BipolarQuant", [left, constant("sign_s", 0.5)], ["sign"], domain=DOMAIN))
    graph = helper.make_graph(
        nodes,
        "two_by_three",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
            for name, size in ((left_name, 7), ("right", 5))
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in (raw_name, "class", "sign")],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)])


def wide() -> onnx.ModelProto:
    """A maximum over images of three colours: ports of thousands of bits, and little between them."""
    quantiser = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Quant", ["image", "s", "z", "b"], ["image_q"], domain=DOMAIN, **quantiser),
        helper.make_node("MaxPool", ["image_q"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("s", 0.5), ("z", 0.0), ("b", 8.0))
    ]
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)])
