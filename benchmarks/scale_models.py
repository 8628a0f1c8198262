"""Models that grow: a dense layer by its width, a convolutional network by its image."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.cases import QONNX, matrix_model

PIXEL_BITS, ACTIVATION_BITS, ACTIVATION_SCALE = 8, 4, 2.0**6


def half_zero(shape: tuple[int, ...], seed: int) -> NDArray[np.int64]:
    """4-bit weights, half of them 0."""
    generator = np.random.default_rng(seed)
    weights = generator.integers(-8, 8, shape)
    weights[generator.random(shape) < 0.5] = 0
    return weights


def dense_model(width: int) -> bytes:
    """A dense layer of as many 4-bit inputs as outputs, raw sums out."""
    return matrix_model(half_zero((width, width), width), 4)


def image_model(size: int, channels: tuple[int, int, int]) -> bytes:
    """Two 3 x 3 convolutions with a max-pool between them, on square images of 8-bit pixels; 4-bit activations."""
    first, second, third = channels
    constants: dict[str, NDArray[np.float32]] = {
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.float32),
        "pixel_bits": np.array(PIXEL_BITS, np.float32),
        "bits": np.array(ACTIVATION_BITS, np.float32),
        "scale": np.array(ACTIVATION_SCALE, np.float32),
        "kernel1": half_zero((second, first, 3, 3), 1).astype(np.float32),
        "kernel2": half_zero((third, second, 3, 3), 2).astype(np.float32),
    }

    def quantiser(name: str, source: str, scale: str, bits: str) -> onnx.NodeProto:
        return helper.make_node(
            "Quant", [source, scale, "zero", bits], [name], f"{name}_quant", domain=QONNX,
            signed=0, narrow=0, rounding_mode="ROUND",
        )  # fmt: skip

    nodes = [
        quantiser("pixels", "x", "one", "pixel_bits"),
        helper.make_node("Conv", ["pixels", "kernel1"], ["sum1"], "conv1", kernel_shape=[3, 3]),
        helper.make_node("Relu", ["sum1"], ["positive1"], "relu1"),
        quantiser("a1", "positive1", "scale", "bits"),
        helper.make_node("MaxPool", ["a1"], ["pooled"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["pooled", "kernel2"], ["sum2"], "conv2", kernel_shape=[3, 3]),
        helper.make_node("Relu", ["sum2"], ["positive2"], "relu2"),
        quantiser("y", "positive2", "scale", "bits"),
    ]
    side = (size - 2) // 2 - 2
    graph = helper.make_graph(
        nodes,
        "images",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, first, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, third, side, side])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 2)]
    return helper.make_model(graph, opset_imports=opsets).SerializeToString()
