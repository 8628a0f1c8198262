"""
Random dense networks: every quantiser and elementwise function in any order.

Each compiles, and the compile's own check holds model = lbir = hw, or it is refused by name.
"""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import c4ml_xdsl as c4ml
from c4ml_xdsl.errors import UnsupportedModelError

MODES = ["ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"]
ELEMENTWISE = ["Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Mul", "Sub", "Min", "Max", "Clip"]
CUSTOM = "qonnx.custom_op.general"


class RandomModel:
    """Builds one network from a seed."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def constant(self, value: object, name: str | None = None) -> str:
        name = name or f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def node(self, operator: str, *inputs: str, **attributes: object) -> str:
        result = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [result], f"{operator}_{result}", **attributes))
        return result

    def scale(self) -> float:
        return float(2.0 ** -self.random.integers(0, 5) if self.chance(0.5) else self.random.uniform(0.02, 0.6))

    def quantise(self, source: str, scale: object = None, *, weights: bool = False) -> str:
        if self.chance(0.15):
            return self.node("BipolarQuant", source, self.constant(self.scale()), domain=CUSTOM)
        bits = int(self.random.integers(2, 8))
        zero = 0 if weights or self.chance(0.7) else int(self.random.integers(-3, 4))
        return self.node(
            "Quant",
            source,
            self.constant(self.scale() if scale is None else scale),
            self.constant(zero),
            self.constant(bits),
            domain=CUSTOM,
            signed=1 if weights else int(self.chance(0.5)),
            narrow=int(self.chance(0.4)),
            rounding_mode="ROUND" if weights else str(self.random.choice(MODES)),
        )

    def linear(self, source: str, inputs: int, outputs: int) -> str:
        transposed = self.chance(0.5)
        shape = (outputs, inputs) if transposed else (inputs, outputs)
        weights = self.constant(self.random.standard_normal(shape), f"w{len(self.nodes)}")
        channels = (outputs, 1) if transposed else (1, outputs)
        quantised = self.quantise(
            weights, self.random.uniform(0.05, 0.5, channels if self.chance(0.5) else ()), weights=True
        )
        if transposed:
            return self.node("Gemm", source, quantised, self.constant(self.random.standard_normal(outputs)), transB=1)
        result = self.node("MatMul", source, quantised)
        return self.node("Add", result, self.constant(self.random.standard_normal(outputs)))

    def elementwise(self, source: str, channels: int) -> str:
        operator = str(
            self.random.choice(["Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Mul", "Sub", "Min", "Max", "Clip"])
        )
        if operator == "Clip":
            return self.node(operator, source, self.constant(-1.3), self.constant(1.7))
        if operator in ("Mul", "Sub", "Min", "Max"):
            return self.node(operator, source, self.constant(self.random.uniform(0.1, 2.0, channels)))
        return self.node(operator, source)

    def normalise(self, source: str, channels: int) -> str:
        random = self.random
        parameters = (
            random.uniform(-1.5, 1.5, channels),
            random.standard_normal(channels),
            random.standard_normal(channels),
            random.uniform(0.1, 3.0, channels),
        )
        return self.node("BatchNormalization", source, *map(self.constant, parameters), epsilon=1e-5)

    def build(self) -> onnx.ModelProto:
        width = first = int(self.random.integers(2, 9))
        value = self.quantise("x")
        layers = int(self.random.integers(1, 4))
        for layer in range(layers):
            outputs = int(self.random.integers(1, 9))
            value, width = self.linear(value, width, outputs), outputs
            if self.chance(0.4):
                value = self.normalise(value, width)
            if layer == layers - 1 and self.chance(0.6):
                break
            for _ in range(int(self.random.integers(0, 3))):
                value = self.elementwise(value, width)
            value = self.quantise(value)
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, first])],
            [helper.make_tensor_value_info(value, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(CUSTOM, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.mark.parametrize("target", ["xilinx", "generic"])
def test_random_models_are_exact(target: str) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(60):
        try:
            circuit = c4ml.compile(RandomModel(seed).build(), vectors=64, target=target, effort="fast")
        except UnsupportedModelError as error:
            outcomes[error.reason] += 1
        else:
            outcomes["exact"] += 1
            outcomes["ambiguous"] += sum(entry.get("ambiguous", 0) for entry in circuit.report["verified"])
    # what is refused is refused for good reason, and float64 hardly ever needs to be overruled
    assert outcomes["exact"] >= 55, outcomes
    assert outcomes["ambiguous"] <= 0.05 * 60 * 64, outcomes
