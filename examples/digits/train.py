"""
Trains the example: a quantized network 64-32-10 on scikit-learn's handwritten digits, written as QONNX.

    python -m pip install '.[train]'
    python examples/digits/train.py examples/digits

Quantisation-aware training in plain numpy: weights have 4 bits and real scales, activations 4 bits, gradients pass
the rounding unchanged (straight-through). `digits.onnx` is the model, `digits.npz` the 360 images that the training
never saw, with their labels.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Floats = NDArray[np.float32]
WEIGHT_MAXIMUM, ACTIVATION_MAXIMUM = 7, 15
DOMAIN = "qonnx.custom_op.general"


def quantise(values: Floats, scale: float, low: int, high: int) -> Floats:
    """What qonnx's Quant computes, with ties to even."""
    return (np.rint(np.clip(values / np.float32(scale), low, high)) * np.float32(scale)).astype(np.float32)


def weight_scale(weights: Floats) -> float:
    """A scale that keeps all but the largest weights."""
    return float(np.quantile(np.abs(weights), 0.995) / WEIGHT_MAXIMUM)


class Network:
    """Two dense layers with a quantised ReLU between them."""

    def __init__(self, generator: np.random.Generator):
        self.parameters: dict[str, Floats] = {
            "w1": (generator.standard_normal((64, 32)) * 0.1).astype(np.float32),
            "b1": np.zeros(32, np.float32),
            "w2": (generator.standard_normal((32, 10)) * 0.2).astype(np.float32),
            "b2": np.zeros(10, np.float32),
        }
        self.activation_scale = 0.5

    def forward(self, x: Floats) -> tuple[Floats, dict[str, Floats]]:
        """The scores, and what the backward pass needs."""
        p = self.parameters
        w1, w2 = (quantise(p[n], weight_scale(p[n]), -WEIGHT_MAXIMUM, WEIGHT_MAXIMUM) for n in ("w1", "w2"))
        hidden = x @ w1 + p["b1"]
        active = quantise(np.maximum(hidden, 0), self.activation_scale, 0, ACTIVATION_MAXIMUM)
        return active @ w2 + p["b2"], {"w2": w2, "hidden": hidden, "active": active}

    def gradients(self, x: Floats, labels: NDArray[np.int64]) -> dict[str, Floats]:
        """Cross-entropy gradients; rounding passes them, saturation and ReLU stop them."""
        scores, kept = self.forward(x)
        error = np.exp(scores - scores.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        back = error @ kept["w2"].T
        back *= (kept["hidden"] > 0) & (kept["hidden"] < self.activation_scale * ACTIVATION_MAXIMUM)
        return {"w1": x.T @ back, "b1": back.sum(axis=0), "w2": kept["active"].T @ error, "b2": error.sum(axis=0)}

    def train(self, x: Floats, labels: NDArray[np.int64], epochs: int, generator: np.random.Generator) -> None:
        """Adam, with a learning rate that falls to zero."""
        first = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        second = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        step, total = 0, epochs * -(-len(x) // 32)
        for _ in range(epochs):
            for batch in np.array_split(generator.permutation(len(x)), -(-len(x) // 32)):
                step += 1
                rate = 0.004 * (1 - step / total)
                for name, gradient in self.gradients(x[batch], labels[batch]).items():
                    first[name] = 0.9 * first[name] + 0.1 * gradient
                    second[name] = 0.999 * second[name] + 0.001 * gradient**2
                    mean, square = first[name] / (1 - 0.9**step), second[name] / (1 - 0.999**step)
                    self.parameters[name] -= (rate * mean / (np.sqrt(square) + 1e-8)).astype(np.float32)

    def to_qonnx(self) -> onnx.ModelProto:
        """The trained network, quantisers and all."""
        constants: dict[str, NDArray[np.float32]] = {"zero": np.float32(0), "bits": np.float32(4)}
        nodes: list[onnx.NodeProto] = []

        def quant(source: str, result: str, scale: float, *, signed: int, narrow: int) -> None:
            constants[f"{result}_scale"] = np.float32(scale)
            nodes.append(
                helper.make_node(
                    "Quant", [source, f"{result}_scale", "zero", "bits"], [result], name=f"quant_{result}",
                    domain=DOMAIN, signed=signed, narrow=narrow, rounding_mode="ROUND",
                )
            )  # fmt: skip

        quant("image", "pixels", 1.0, signed=0, narrow=0)
        for layer, source, result in ((1, "pixels", "hidden"), (2, "active", "scores")):
            constants[f"w{layer}"], constants[f"b{layer}"] = self.parameters[f"w{layer}"], self.parameters[f"b{layer}"]
            quant(f"w{layer}", f"w{layer}_quantised", weight_scale(constants[f"w{layer}"]), signed=1, narrow=1)
            inputs = [source, f"w{layer}_quantised", f"b{layer}"]
            nodes.append(helper.make_node("Gemm", inputs, [result], name=f"dense_{layer}"))
            if layer == 1:
                nodes.append(helper.make_node("Relu", ["hidden"], ["positive"], name="relu"))
                quant("positive", "active", self.activation_scale, signed=0, narrow=0)
        graph = helper.make_graph(
            nodes,
            "digits",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 64])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])],
            [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, producer_name="c4ml-xdsl example", ir_version=9)


def main() -> None:
    """Trains and writes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=150)
    arguments = parser.parse_args()
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        np.minimum(images, 15).astype(np.float32), labels, test_size=360, random_state=0, stratify=labels
    )
    generator = np.random.default_rng(0)
    network = Network(generator)
    network.train(train_x, train_y, arguments.epochs, generator)
    scores, _ = network.forward(test_x)
    print(f"accuracy on unseen images: {np.mean(scores.argmax(axis=1) == test_y):.3f}")
    onnx.save(network.to_qonnx(), arguments.folder / "digits.onnx")
    np.savez_compressed(arguments.folder / "digits.npz", x=test_x.astype(np.uint8), labels=test_y.astype(np.uint8))


if __name__ == "__main__":
    main()
