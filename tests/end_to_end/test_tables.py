"""Layers of small fan-in: their neurons become truth tables, which the Verilog is told to have and the proof reads."""

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import c4ml_xdsl as c4ml
from c4ml_xdsl.verification import check_rtl


def model(inputs: int, bits: int, signed: bool, fan_in: Sequence[int], neurons: int) -> onnx.ModelProto:
    """Dense layers of random weights, so many of each neuron not 0, and a quantiser of two bits behind each."""
    random = np.random.default_rng(sum(fan_in))
    constants: dict[str, Any] = {"one": 1, "zero": 0, "bits": bits, "two": 2}

    def quantise(source: str, result: str, scale: str, bits: str, signed: bool) -> onnx.NodeProto:
        return helper.make_node("Quant", [source, scale, "zero", bits], [result], result, signed=int(signed), narrow=0,
                                rounding_mode="ROUND", domain="qonnx.custom_op.general")  # fmt: skip

    nodes = [quantise("x", "q", "one", "bits", signed)]
    value, width, spread = "q", inputs, 2.0**bits
    for layer, count in enumerate(fan_in):
        weights = np.zeros((width, neurons), np.float32)
        for column in weights.T:
            column[random.choice(width, count, replace=False)] = random.integers(1, 8, count) * random.choice([-1, 1])
        scale = 2.0 ** np.round(np.log2(spread * count))
        constants |= {f"w{layer}": weights, f"b{layer}": random.integers(-3, 4, neurons), f"s{layer}": scale}
        nodes += [
            helper.make_node("MatMul", [value, f"w{layer}"], [f"m{layer}"], f"fc{layer}"),
            helper.make_node("Add", [f"m{layer}", f"b{layer}"], [f"a{layer}"], f"add{layer}"),
            quantise(f"a{layer}", f"q{layer}", f"s{layer}", "two", layer % 2 == 0),
        ]
        value, width, spread = f"q{layer}", neurons, 4.0 * scale
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, neurons])],
        [numpy_helper.from_array(np.asarray(each, np.float32), name) for name, each in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets)


@pytest.mark.parametrize("strategy", ["auto", "table"])
@pytest.mark.parametrize(
    ("bits", "signed", "fan_in"), [(2, False, (3, 4)), (3, True, (3, 5)), (1, False, (12,))], ids=str
)
def test_small_fan_in(bits: int, signed: bool, fan_in: tuple[int, ...], strategy: str) -> None:
    circuit = c4ml.compile(model(16, bits, signed, fan_in, 8), strategy=strategy)
    layers = circuit.report["layers"]
    assert circuit.report["proved"]["proved"] == len(layers) + 1
    assert {layer["strategy"] for layer in layers} == {"table"}
    assert all(layer["adders"] == 0 for layer in layers)
    shared = c4ml.compile(model(16, bits, signed, fan_in, 8), strategy="shared", verify=False, effort="fast")
    assert circuit.report["totals"]["lut"] <= 0.75 * shared.report["totals"]["lut"]
    if shutil.which("iverilog"):
        check_rtl(circuit, circuit.simulator("icarus"), "icarus", 200)


def test_wide_neurons_stay_sums() -> None:
    """A neuron of more bits than the limit, among tables."""
    proto = model(16, 2, False, (3,), 8)
    weights = next(each for each in proto.graph.initializer if each.name == "w0")
    wide = np.array(numpy_helper.to_array(weights))
    wide[:, 0] = 3
    weights.CopyFrom(numpy_helper.from_array(wide, "w0"))
    circuit = c4ml.compile(proto, strategy="table", effort="fast")
    assert [layer["strategy"] for layer in circuit.report["layers"]] == ["table, shared"]
    assert circuit.report["proved"]["reasons"] == []
