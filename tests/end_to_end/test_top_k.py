"""ArgMax, ArgMin and TopK at the output: exact comparisons, ties and offsets of single scores included."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import Circuit

SIZE = 5


def model(node: onnx.NodeProto, *, bias: list[float] | None = None, scale: float = 0.5) -> onnx.ModelProto:
    """A quantiser of SIZE scores, a bias for each, and the node from `scores` to `index`."""
    constants = {"s": np.float32(scale), "z": np.float32(0), "b": np.float32(3)}
    constants["bias"] = np.asarray(bias or [0.0] * SIZE, np.float32)
    constants["k"] = np.asarray([3], np.int64)
    nodes = [
        helper.make_node("Quant", ["x", "s", "z", "b"], ["q"], "quant", domain="qonnx.custom_op.general",
                         signed=1, narrow=0, rounding_mode="ROUND"),
        helper.make_node("Add", ["q", "bias"], ["scores"], "add"),
        node,
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SIZE])],
        [helper.make_tensor_value_info("index", TensorProto.INT64, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets)


def scores(x: np.ndarray, bias: list[float] | None, scale: float = 0.5) -> np.ndarray:
    return np.clip(np.rint(x / scale), -4, 3) * scale + np.asarray(bias or [0.0] * SIZE)


X = np.random.default_rng(3).integers(-4, 4, (400, SIZE)) * 0.5
BIASES = [None, [0.0, 0.25, -0.25, 0.5, 1.0], [10.0, 0.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
def test_arg_extremes(operator: str, last: int, keepdims: int, bias: list[float] | None) -> None:
    node = helper.make_node(
        operator, ["scores"], ["index"], "extreme", axis=-1, keepdims=keepdims, select_last_index=last
    )
    circuit = c4ml.compile(model(node, bias=bias))
    values = scores(X, bias) * (1 if operator == "ArgMax" else -1)
    want = SIZE - 1 - values[:, ::-1].argmax(axis=1) if last else values.argmax(axis=1)
    got = circuit(X)
    assert isinstance(got, np.ndarray)
    assert got.shape == ((len(X), 1) if keepdims else (len(X),))
    np.testing.assert_array_equal(got.reshape(-1), want)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("largest", [0, 1])
def test_top_k(largest: int, bias: list[float] | None) -> None:
    node = helper.make_node("TopK", ["scores", "k"], ["values", "index"], "top", axis=-1, largest=largest)
    circuit: Circuit = c4ml.compile(model(node, bias=bias))
    values = scores(X, bias)
    want = np.argsort(-values if largest else values, axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(circuit(X), want)


def test_scales_for_each_channel_meet_on_one_grid() -> None:
    proto = model(helper.make_node("ArgMax", ["scaled"], ["index"], "extreme", axis=-1))
    proto.graph.node.insert(2, helper.make_node("Mul", ["scores", "factors"], ["scaled"], "channels"))
    factors = np.array([1, 0.75, 3, 0.1, 1.5], np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(factors, "factors"))
    got = c4ml.compile(proto)(X)
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got.reshape(-1), (scores(X, None) * factors.astype(np.float64)).argmax(axis=1))
