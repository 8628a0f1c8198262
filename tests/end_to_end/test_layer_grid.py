"""
The grid of layers that chisel4ml tests, rebuilt: convolutions, depthwise ones, max-pools, dense layers, small CNNs.

Every combination is compiled, which compares the model in float64, lbir and hw on 16 vectors. The circuit must give
exactly what qonnx's own float32 execution gives for 8 random samples, with ties and values out of range; all scales
are powers of two. Where chisel4ml has one bit, here it is an unsigned or a bipolar one, which chance decides, the same
in every run, as it does the strategy. For about every 16th combination the samples go through the Verilog in Icarus.
"""

import itertools
import math
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import c4ml_xdsl as c4ml

wrapper = pytest.importorskip("qonnx.core.modelwrapper", reason="qonnx isn't installed")
execution = pytest.importorskip("qonnx.core.onnx_exec", reason="qonnx isn't installed")

CUSTOM = "qonnx.custom_op.general"
INPUT_SCALE, WEIGHT_SCALE = 0.5, 0.25
KERNELS = (3, 3), (2, 3)
SAMPLES, SIMULATED = 8, 16
ICARUS = shutil.which("iverilog") is not None


class Network:
    """A model under construction, with shapes without the batch axis; its random numbers follow from its name."""

    def __init__(self, name: str, shape: tuple[int, ...], bits: int):
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.shapes: dict[str, tuple[int, ...]] = {"x": shape}
        self.fixed: dict[str, tuple[int, ...]] = {}
        kind = self.one_of("BIPOLAR" if bits == 1 else f"INT{bits}", f"UINT{bits}")
        self.name = f"{name} ({kind}"
        self.value = self.quantise("x", kind, INPUT_SCALE)
        self.deviation = INPUT_SCALE * 2.0 ** (bits - 2)
        """About how far from 0 the tensor's values are."""

    def one_of(self, *choices: str) -> str:
        return str(self.random.choice(choices))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.shapes[self.value]

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def node(self, operator: str, inputs: Sequence[str], shape: tuple[int, ...], **attributes: Any) -> str:
        result = f"t{len(self.nodes)}"
        domain = CUSTOM if operator in ("Quant", "BipolarQuant") else ""
        node = helper.make_node(operator, inputs, [result], f"{operator}_{result}", domain=domain, **attributes)
        self.nodes.append(node)
        self.shapes[result] = shape
        return result

    def quantise(self, source: str, kind: str, scale: Any, shape: tuple[int, ...] | None = None) -> str:
        shape = self.shapes[source] if shape is None else shape
        if kind == "BIPOLAR":
            return self.node("BipolarQuant", [source, self.constant(scale)], shape)
        given = [source, *map(self.constant, (scale, 0, int(kind.lstrip("UINT"))))]
        return self.node("Quant", given, shape, signed=int(kind[0] == "I"), narrow=0, rounding_mode="ROUND")

    def parameter(self, shape: tuple[int, ...], bits: int, scale: Any) -> str:
        """A quantised constant, made of numbers on its grid, between and beyond."""
        halves = self.random.integers(-(1 << bits) - 1, (1 << bits) + 2, shape)
        source = self.constant(halves / 2 * np.asarray(scale))
        result = self.quantise(source, "BIPOLAR" if bits == 1 else f"INT{bits}", scale, shape)
        self.fixed[result] = self.shapes.pop(result)
        return result

    def finish(self, taps: int, weight_bits: int, scale: Any, bias_bits: int, bits: int) -> "Network":
        """
        Behind a layer: Add, unless the bias has no bits, ReLU, unless a bipolar number follows, and a quantiser.

        Scales are such that no part outweighs the others.
        """
        self.deviation *= math.sqrt(taps) * float(np.mean(scale)) * 2.0 ** (weight_bits - 2)
        if bias_bits:
            bias_shape = (self.shape[0], *(1,) * (len(self.shape) - 1))
            bias = self.parameter(bias_shape, bias_bits, 2.0 ** round(math.log2(self.deviation * 2 / (1 << bias_bits))))
            self.value = self.node("Add", [self.value, bias], self.shape)
        kind = self.one_of("BIPOLAR", "UINT1") if bits == 1 else f"UINT{bits}"
        self.name += f" to {kind})"
        if kind != "BIPOLAR":
            self.value = self.node("Relu", [self.value], self.shape)
        self.value = self.quantise(self.value, kind, 2.0 ** round(math.log2(self.deviation * 4 / (1 << bits))))
        return self

    def conv(
        self, outputs: int, kernel: tuple[int, int], padding: str, stride: int, weight_bits: int, bias_bits: int,
        bits: int, groups: int = 1, scale: Any = WEIGHT_SCALE,
    ) -> "Network":  # fmt: skip
        channels, *space = self.shape
        given = [self.value, self.parameter((outputs, channels // groups, *kernel), weight_bits, scale)]
        attributes = {"kernel_shape": kernel, "strides": (stride, stride), "group": groups}
        if padding == "same":
            attributes["auto_pad"] = "SAME_UPPER"
            sizes = [-(-size // stride) for size in space]
        else:
            sizes = [(size - k) // stride + 1 for size, k in zip(space, kernel, strict=True)]
        self.value = self.node("Conv", given, (outputs, *sizes), **attributes)
        return self.finish(channels // groups * math.prod(kernel), weight_bits, scale, bias_bits, bits)

    def dense(self, outputs: int, weight_bits: int, bias_bits: int, bits: int, scale: Any = WEIGHT_SCALE) -> "Network":
        """MatMul or Gemm, as it falls."""
        inputs = self.shape[0]
        operator = self.one_of("MatMul", "Gemm")
        turned = operator == "Gemm"
        matrix = self.parameter((outputs, inputs) if turned else (inputs, outputs), weight_bits, scale)
        self.value = self.node(operator, [self.value, matrix], (outputs,), **({"transB": 1} if turned else {}))
        return self.finish(inputs, weight_bits, scale, bias_bits, bits)

    def max_pool(self, kernel: tuple[int, int], padding: int, stride: int) -> "Network":
        channels, *space = self.shape
        sizes = [(size + 2 * padding - k) // stride + 1 for size, k in zip(space, kernel, strict=True)]
        attributes = {"kernel_shape": kernel, "strides": (stride, stride), "pads": (padding,) * 4}
        self.value = self.node("MaxPool", [self.value], (channels, *sizes), **attributes)
        return self

    def flatten(self) -> "Network":
        self.value = self.node("Flatten", [self.value], (math.prod(self.shape),), axis=1)
        return self

    def model(self, batch: int) -> onnx.ModelProto:
        shapes = {name: (batch, *shape) for name, shape in self.shapes.items()} | self.fixed
        infos = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
        graph = helper.make_graph(
            self.nodes,
            "layer",
            [infos.pop("x")],
            [infos.pop(self.value)],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
            value_info=list(infos.values()),
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(CUSTOM, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


# the grid ------------------------------------------------------------------------------------------------------------


def convolutions(kernel: tuple[int, int], padding: str, stride: int, depthwise: bool) -> Iterator[Network]:
    channels = [(3, 3)] if depthwise else itertools.product((1, 3), (1, 3))
    for (inputs, outputs), bits, *rest in itertools.product(channels, (1, 3), (1, 5), (3, 8), (1, 4)):
        name = f"conv {inputs} to {outputs}, {kernel}, {padding}, stride {stride}, bits {[bits, *rest]}"
        network = Network(name, (inputs, 4, 4), bits)
        yield network.conv(outputs, kernel, padding, stride, *rest, groups=inputs if depthwise else 1)


def pools(space: tuple[int, int]) -> Iterator[Network]:
    for channels, kernel, padding, bits in itertools.product((1, 3), KERNELS, (0, 1), (1, 3)):
        for draw in range(2):  # signed and unsigned, as it falls
            name = f"max-pool {channels} of {space}, {kernel}, pad {padding}, {bits} bits, {draw}"
            yield Network(name, (channels, *space), bits).max_pool(kernel, padding, 1)


def denses(inputs: int) -> Iterator[Network]:
    for outputs, bits, *rest in itertools.product((4, 8, 32), (1, 5), (1, 5), (0, 3, 5), (1, 3)):
        yield Network(f"dense {inputs} to {outputs}, bits {[bits, *rest]}", (inputs,), bits).dense(outputs, *rest)


def scaled(scale: float) -> Iterator[Network]:
    for bits, *rest in itertools.product((1, 3), (1, 5), (3, 8), (1, 4)):
        name = f"weight scale {scale}, bits {[bits, *rest]}"
        yield Network(f"dense, {name}", (8,), bits).dense(4, *rest, scale=scale)
        yield Network(f"conv, {name}", (2, 4, 4), bits).conv(2, (3, 3), "same", 1, *rest, scale=scale)


def cnns(channels: int) -> Iterator[Network]:
    for bits, weight_bits, hidden_bits, output_bits in itertools.product((1, 3), (1, 4), (1, 3), (1, 3)):
        name = f"cnn {channels}, bits {[bits, weight_bits, hidden_bits, output_bits]}"
        network = Network(name, (channels, 6, 6), bits)
        scale = network.random.choice((0.25, 0.5, 1.0, 2.0), (3, 1, 1, 1))
        network.conv(3, (3, 3), "none", 1, weight_bits, 4, hidden_bits, scale=scale)
        yield network.max_pool((2, 2), 0, 2).flatten().dense(5, weight_bits, 4, output_bits)


GROUPS: dict[str, Callable[[], Iterator[Network]]] = {
    f"{'depthwise' if depthwise else 'conv'}-{kernel[0]}x{kernel[1]}-{padding}-stride{stride}": partial(
        convolutions, kernel, padding, stride, depthwise
    )
    for depthwise, kernel, padding, stride in itertools.product((False, True), KERNELS, ("none", "same"), (1, 2))
}
GROUPS |= {f"max-pool-{space[0]}x{space[1]}": partial(pools, space) for space in ((4, 4), (8, 15))}
GROUPS |= {f"dense-{inputs}": partial(denses, inputs) for inputs in (4, 8, 32)}
GROUPS |= {f"weight-scale-{scale}": partial(scaled, scale) for scale in (0.25, 0.5, 2.0)}
GROUPS |= {f"cnn-{channels}": partial(cnns, channels) for channels in (1, 3)}


def judge(network: Network) -> None:
    """Compiles a network and compares it with qonnx."""
    # auto looks at tables, which takes as long as all the rest: a third of the networks has it
    strategy = ("auto", "shared", "direct")[zlib.crc32(network.name.encode()) % 3]
    circuit = c4ml.compile(network.model(1), vectors=16, effort="fast", strategy=strategy)
    limit = 1 << circuit.ports[0].bits + 1
    halves = network.random.integers(-limit, limit + 1, (SAMPLES, *network.shapes["x"]))
    x = (halves * INPUT_SCALE / 2).astype(np.float32)
    want = execution.execute_onnx(wrapper.ModelWrapper(network.model(SAMPLES)), {"x": x})[network.value]
    np.testing.assert_array_equal(circuit(x), want)
    if ICARUS and network.random.integers(SIMULATED) == 0:
        np.testing.assert_array_equal(circuit(x, "icarus"), want)


@pytest.mark.parametrize("group", GROUPS)
def test_layers_are_exact(group: str) -> None:
    failures: list[str] = []
    for network in GROUPS[group]():
        try:
            judge(network)
        except Exception as error:
            failures.append(f"{network.name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    assert not failures, "\n".join(failures)
