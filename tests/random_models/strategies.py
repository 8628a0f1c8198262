"""
Random valid models: Hypothesis strategies over graphs of the supported operators.

Scales are chosen so that ties and thresholds on reachable values are frequent: powers of two, small ratios, and the
same number several times. Hypothesis shrinks what fails to a few nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

CUSTOM = "qonnx.custom_op.general"
MODES = ("ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN")
SCALES = (1.0, 0.5, 0.25, 0.125, 2.0, 0.75, 0.3, 0.1, 1 / 3, 0.7)
MOVES = (
    "Transpose", "Reshape", "Flatten", "Slice", "Gather", "Split", "Pad", "Tile", "Resize", "DepthToSpace",
    "SpaceToDepth", "Unsqueeze", "Squeeze", "Expand",
)  # fmt: skip
LARGEST = 200
"""The most elements of a tensor."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the model being built: `kind` is quantised, linear (of quantised ones) or other."""

    name: str
    shape: tuple[int, ...]
    kind: str

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


@dataclass
class Builder:
    """Appends nodes; every choice is drawn."""

    draw: Callable[[Any], Any]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    opset: int = 20

    def one_of(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def array(self, shape: tuple[int, ...], values: tuple[float, ...]) -> np.ndarray:
        """Values drawn with one seed, which is quick; a single one by itself, which shrinks."""
        if int(np.prod(shape)) == 1:
            return np.full(shape, self.one_of(*values), np.float32)
        generator = np.random.default_rng(self.number(0, 1 << 16))
        return generator.choice(np.asarray(values, np.float32), shape).astype(np.float32)

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def node(self, operator: str, inputs: list[str], *, count: int = 1, **attributes: Any) -> list[str]:
        number = len(self.nodes)
        outputs = [f"t{number}" if index == 0 else f"t{number}_{index}" for index in range(count)]
        domain = CUSTOM if operator in ("Quant", "BipolarQuant", "Trunc", "MultiThreshold", "QuantAvgPool2d") else ""
        self.nodes.append(
            helper.make_node(operator, inputs, outputs, f"{operator}_{number}", domain=domain, **attributes)
        )
        return outputs

    def unary(self, operator: str, source: Tensor, kind: str = "other", **attributes: Any) -> Tensor:
        return Tensor(self.node(operator, [source.name], **attributes)[0], source.shape, kind)

    # quantisers --------------------------------------------------------------------------------------------------

    def channels(self, shape: tuple[int, ...], values: tuple[float, ...]) -> np.ndarray:
        """A parameter for the whole tensor or for each channel."""
        if len(shape) > 1 and shape[1] > 1 and self.chance(25):
            return self.array((1, shape[1], *(1,) * (len(shape) - 2)), values)
        return self.array((), values)

    def quantise(self, source: Tensor, whole: bool = False) -> Tensor:
        shape = (1,) if whole else source.shape
        kind = self.one_of("Quant", "Quant", "Quant", "Quant", "BipolarQuant", "QCDQ", "MultiThreshold")
        if kind == "BipolarQuant":
            name = self.node(kind, [source.name, self.constant(self.channels(shape, SCALES))])[0]
        elif kind == "QCDQ" or (kind == "MultiThreshold" and whole):
            name = self.qcdq(source, whole)
        elif kind == "MultiThreshold":
            rows = source.shape[1] if len(source.shape) > 1 and self.chance(50) else 1
            levels = np.sort(
                self.array((rows, self.number(1, 5)), (-2.5, -1.0, -0.3, 0.0, 0.25, 0.5, 1.0, 3.0)), axis=1
            )
            attributes = self.one_of({}, {"out_scale": 2.0, "out_bias": -1.0}, {"out_scale": 0.5})
            layout = {} if len(source.shape) != 3 else {"data_layout": "NCW"}
            name = self.node(kind, [source.name, self.constant(levels)], out_dtype="UINT4", **attributes, **layout)[0]
        else:
            zero = self.channels(shape, (0.0, 0.0, 0.0, 1.0, -2.0, 3.0))
            parameters = (self.channels(shape, SCALES), zero, float(self.one_of(1, 2, 3, 3, 4, 5)))
            name = self.node(
                kind,
                [source.name, *map(self.constant, parameters)],
                signed=self.number(0, 1),
                narrow=self.number(0, 1),
                rounding_mode=self.one_of(*MODES),
            )[0]
        return Tensor(name, source.shape, "quantised")

    def quantised_input(self, source: Tensor) -> Tensor:
        """An input's quantiser, perhaps behind constant arithmetic and moves."""
        whole = True
        if self.chance(20):
            operator, constant = self.one_of(("Mul", 2.0), ("Div", 4.0), ("Add", 0.5), ("Sub", 0.25), ("Mul", 0.3))
            given = [source.name, self.constant(constant)]
            source = Tensor(self.node(operator, given)[0], source.shape, "other")
        if self.chance(20):
            moved = self.move(
                source, ("Transpose", "Reshape", "Flatten", "Slice", "Gather", "Pad", "Tile", "Unsqueeze")
            )
            source = moved or source
        elif self.chance(15):
            whole = False
        return self.quantise(source, whole)

    def qcdq(self, source: Tensor, whole: bool = False) -> str:
        """QuantizeLinear, perhaps Clip, DequantizeLinear."""
        dtype = self.one_of(np.int8, np.uint8)
        axis = {}
        scale, zero = self.array((), SCALES), np.asarray(self.one_of(0, 0, 1, 2, 5))
        if not whole and len(source.shape) > 1 and self.chance(25):
            scale, axis = self.array((source.shape[1],), SCALES), {"axis": 1}
            zero = np.full(source.shape[1], int(zero))
        names = [self.constant(scale), self.constant(zero, dtype)]
        value = self.node("QuantizeLinear", [source.name, *names], **axis)[0]
        low = 0 if dtype is np.uint8 else -self.number(0, 6)
        bounds = [self.constant(low, dtype), self.constant(self.number(1, 9), dtype)]
        value = self.node("Clip", [value, *bounds])[0]
        return self.node("DequantizeLinear", [value, *names], **axis)[0]

    def weights(self, shape: tuple[int, ...], output_axis: int) -> str:
        """Quantised weights: codes, mostly on the grid, and a scale for all or for each output."""
        scale_shape = tuple(size if axis == output_axis else 1 for axis, size in enumerate(shape))
        scale = self.array(scale_shape if self.chance(40) else (), SCALES)
        codes = self.array(shape, (-3, -2, -1, 0, 0, 1, 2, 3, 0.5, -1.5))
        if self.chance(30):  # a pruned channel, of outputs or of inputs
            axis = self.number(0, len(shape) - 1)
            np.moveaxis(codes, axis, 0)[self.number(0, shape[axis] - 1)] = 0
        if self.chance(20):  # what a rectifier makes 0
            codes = -np.abs(codes)
        kind = self.one_of("Quant", "Quant", "Quant", "BipolarQuant", "QCDQ")
        if kind == "QCDQ":
            axis = {"axis": output_axis} if scale.size > 1 else {}
            integers = self.constant(np.clip(np.rint(codes), -3, 3), np.int8)
            zero = np.zeros(scale.size if scale.size > 1 else (), np.int8)
            given = [
                integers,
                self.constant(scale.reshape(-1) if scale.size > 1 else scale.reshape(())),
                self.constant(zero, np.int8),
            ]
            return self.node("DequantizeLinear", given, **axis)[0]
        values = [self.constant(codes * scale), self.constant(scale)]
        if kind == "BipolarQuant":
            return self.node(kind, values)[0]
        zero = float(self.one_of(0, 0, 0, 1))
        values += [self.constant(zero), self.constant(float(self.one_of(1, 2, 3, 4)))]
        return self.node(kind, values, signed=1, narrow=self.number(0, 1), rounding_mode="ROUND")[0]

    # linear layers -----------------------------------------------------------------------------------------------

    def gemm(self, source: Tensor) -> Tensor | None:
        if len(source.shape) != 2:
            return None
        inputs, outputs = source.shape[1], self.number(1, 5)
        turned = self.number(0, 1)
        weights = self.weights((outputs, inputs) if turned else (inputs, outputs), 0 if turned else 1)
        given = [source.name, weights]
        if self.chance(60):
            given.append(self.constant(self.array((outputs,), (-1.0, 0.0, 0.25, 0.5, 0.3))))
        attributes = {"transB": turned, "alpha": self.one_of(1.0, 1.0, 0.5), "beta": self.one_of(1.0, 1.0, 0.5)}
        return Tensor(self.node("Gemm", given, **attributes)[0], (1, outputs), "linear")

    def matmul(self, source: Tensor) -> Tensor:
        outputs = self.number(1, 4)
        weights = self.weights((source.shape[-1], outputs), 1)
        return Tensor(self.node("MatMul", [source.name, weights])[0], (*source.shape[:-1], outputs), "linear")

    def conv(self, source: Tensor) -> Tensor | None:
        rank = len(source.shape) - 2
        if rank < 1:
            return None
        channels = source.shape[1]
        groups = self.one_of(1, 1, channels, *([2] if channels % 2 == 0 else []))
        outputs = groups * self.number(1, 3 if groups == 1 else 2)
        attributes, space = self.window(source.shape[2:], ceil=False)
        kernel = attributes["kernel_shape"]
        weights = self.weights((outputs, channels // groups, *kernel), 0)
        given = [source.name, weights]
        if self.chance(50):
            given.append(self.constant(self.array((outputs,), (-1.0, 0.0, 0.25, 0.5, 0.3))))
        return Tensor(self.node("Conv", given, group=groups, **attributes)[0], (1, outputs, *space), "linear")

    def window(self, space: tuple[int, ...], ceil: bool) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Attributes of a window that fits, and how many there are of it along each axis."""
        kernel = [self.number(1, min(3, size)) for size in space]
        strides = [self.number(1, 2) for _ in space]
        dilations = [self.number(1, 2) if (k - 1) * 2 < size else 1 for k, size in zip(kernel, space, strict=True)]
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "dilations": dilations}
        padding = self.one_of("none", "some", "SAME_UPPER", "SAME_LOWER", "VALID")
        extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        if padding in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            attributes["auto_pad"] = padding
            if padding != "VALID":
                return attributes, tuple(-(-size // step) for size, step in zip(space, strides, strict=True))
        pads = [0] * (2 * len(space))
        if padding == "some":
            pads = [self.number(0, min(1, kernel[i % len(space)] - 1)) for i in range(2 * len(space))]
            attributes["pads"] = pads
        up = ceil and self.chance(30)
        if up:
            attributes["ceil_mode"] = 1
        counts = []
        for axis, (size, extent, step) in enumerate(zip(space, extents, strides, strict=True)):
            room = size + pads[axis] + pads[axis + len(space)] - extent
            count = room // step + 1
            if up and room % step and count * step < size + pads[axis]:
                count += 1
            counts.append(count)
        return attributes, tuple(counts)

    # pools and reductions ----------------------------------------------------------------------------------------

    def max_pool(self, source: Tensor) -> Tensor | None:
        if len(source.shape) < 3:
            return None
        attributes, space = self.window(source.shape[2:], ceil=True)
        return Tensor(self.node("MaxPool", [source.name], **attributes)[0], (*source.shape[:2], *space), source.kind)

    def average_pool(self, source: Tensor) -> Tensor | None:
        if len(source.shape) < 3:
            return None
        attributes, space = self.window(source.shape[2:], ceil=True)
        attributes["count_include_pad"] = self.number(0, 1)
        return Tensor(self.node("AveragePool", [source.name], **attributes)[0], (*source.shape[:2], *space), "linear")

    def global_pool(self, source: Tensor) -> Tensor | None:
        if len(source.shape) < 3:
            return None
        operator = self.one_of("GlobalAveragePool", "GlobalMaxPool")
        kind = source.kind if operator == "GlobalMaxPool" else "linear"
        return Tensor(self.node(operator, [source.name])[0], (*source.shape[:2], *(1,) * (len(source.shape) - 2)), kind)

    def reduce(self, source: Tensor) -> Tensor | None:
        operator = self.one_of("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")
        rank = len(source.shape)
        if rank < 3:
            return None
        axes = sorted({self.number(1, rank - 1) for _ in range(2)})
        if len(axes) == rank - 1:
            axes = axes[1:]
        keep = self.number(0, 1)
        names = [self.constant([axis - rank if self.chance(30) else axis for axis in axes], np.int64)]
        value = self.node(operator, [source.name, *names], keepdims=keep)[0]
        shape = tuple(1 if i in axes else s for i, s in enumerate(source.shape) if keep or i not in axes)
        kind = "linear" if operator in ("ReduceMean", "ReduceSum") else source.kind
        return Tensor(value, shape, kind)

    # elementwise -------------------------------------------------------------------------------------------------

    def activation(self, source: Tensor) -> Tensor:
        operator = self.one_of(
            "Relu", "Relu", "Sigmoid", "Tanh", "Neg", "Abs", "LeakyRelu", "PRelu", "HardSigmoid", "HardSwish",
            "Softsign", "Softplus", "Elu", "Celu", "Selu", "Gelu", "Erf", "Exp", "Floor", "Ceil", "Round", "Sign",
            "ThresholdedRelu", "Clip", "Pow", "Swish", "Identity",
        )  # fmt: skip
        if operator == "PRelu":
            slopes = self.channels(source.shape, (0.1, 0.25, 0.5))
            name = self.node(operator, [source.name, self.constant(slopes)])[0]
            return Tensor(name, source.shape, "other")
        if operator == "Clip":
            bounds = [self.constant(self.one_of(-1.3, -0.5, 0.0)), self.constant(self.one_of(0.5, 1.0, 1.7))]
            return Tensor(self.node(operator, [source.name, *bounds])[0], source.shape, "other")
        if operator == "Pow":
            return Tensor(self.node(operator, [source.name, self.constant(2.0)])[0], source.shape, "other")
        if operator == "Swish":
            gate = self.unary("Sigmoid", source)
            return Tensor(self.node("Mul", [source.name, gate.name])[0], source.shape, "other")
        if operator == "Exp":  # of what is small
            source = Tensor(self.node("Clip", [source.name, "", self.constant(2.0)])[0], source.shape, "other")
        same = operator in ("Neg", "Identity")
        return self.unary(operator, source, source.kind if same else "other")

    def arithmetic(self, source: Tensor) -> Tensor:
        operator = self.one_of("Add", "Sub", "Mul", "Div", "Min", "Max")
        values = (
            (-1.5, -0.5, 0.25, 0.3, 0.5, 1.0, 2.0, 3.0)
            if operator not in ("Add", "Sub")
            else (-1.0, 0.0, 0.25, 0.3, 1.0)
        )
        constant = self.constant(self.channels(source.shape, values))
        given = [source.name, constant]
        if operator in ("Add", "Mul", "Sub", "Min", "Max") and self.chance(30):
            given = given[::-1]
        kind = "other" if operator in ("Min", "Max") or source.kind == "other" else "linear"
        return Tensor(self.node(operator, given)[0], source.shape, kind)

    def batch_normalization(self, source: Tensor) -> Tensor | None:
        if len(source.shape) < 2:
            return None
        size = (source.shape[1],)
        parameters = (
            self.array(size, (-1.5, -0.5, 0.5, 1.0, 1.3)),
            self.array(size, (-1.0, 0.0, 0.25, 0.3)),
            self.array(size, (-1.0, 0.0, 0.5, 0.7)),
            self.array(size, (0.25, 1.0, 0.3, 2.0)),
        )
        epsilon = self.one_of(0.0, 1e-5)
        names = [self.constant(each) for each in parameters]
        return Tensor(self.node("BatchNormalization", [source.name, *names], epsilon=epsilon)[0], source.shape, "other")

    def trunc(self, source: Tensor) -> Tensor:
        scale, zero = self.one_of(*SCALES), float(self.one_of(0, 0, 1))
        bits_in = self.number(4, 8)
        bits_out = self.number(1, bits_in - 1)
        mode = self.one_of("FLOOR", "ROUND", "CEIL", "HALF_UP")
        given = [scale, zero, float(bits_in)]
        attributes: dict[str, Any] = {"rounding_mode": mode}
        if self.chance(50):
            given += [scale * 2.0 ** (bits_in - bits_out), float(max(bits_out, 2))]
            attributes |= {"signed": 1, "narrow": self.number(0, 1)}
        else:
            given.append(float(bits_out))
        name = self.node("Trunc", [source.name, *map(self.constant, given)], **attributes)[0]
        return Tensor(name, source.shape, "quantised")

    # moves -------------------------------------------------------------------------------------------------------

    def move(self, source: Tensor, among: tuple[str, ...] = MOVES) -> Tensor | None:
        rank, shape = len(source.shape), source.shape
        operator = self.one_of(*among)
        name, data = source.name, None
        match operator:
            case "Transpose" if rank > 2:
                order = [0, *self.draw(st.permutations(range(1, rank)))]
                name, data = self.node(operator, [name], perm=order)[0], tuple(shape[axis] for axis in order)
            case "Flatten":
                name, data = self.node(operator, [name], axis=1)[0], (1, source.size)
            case "Reshape":
                data = (1, source.size) if self.chance(60) or shape[1] % 2 else (1, 2, source.size // 2)
                given = [-1 if i == len(data) - 1 else size for i, size in enumerate(data)]
                name = self.node(operator, [name, self.constant(given, np.int64)])[0]
            case "Slice":
                axis = self.number(1, rank - 1)
                start, step = self.number(0, shape[axis] - 1), self.one_of(1, 1, 2)
                count = len(range(start, shape[axis], step))
                parameters = ([start], [shape[axis]], [axis], [step])
                name = self.node(operator, [name, *(self.constant(each, np.int64) for each in parameters)])[0]
                data = tuple(count if i == axis else size for i, size in enumerate(shape))
            case "Gather":
                axis = self.number(1, rank - 1)
                indices = [self.number(0, shape[axis] - 1) for _ in range(self.number(1, 3))]
                name = self.node(operator, [name, self.constant(indices, np.int64)], axis=axis)[0]
                data = tuple(len(indices) if i == axis else size for i, size in enumerate(shape))
            case "Split" if shape[1] > 1:
                first = self.number(1, shape[1] - 1)
                sizes = self.constant([first, shape[1] - first], np.int64)
                names = self.node(operator, [name, sizes], count=2, axis=1)
                which = self.number(0, 1)
                name, data = names[which], (1, (first, shape[1] - first)[which], *shape[2:])
            case "Pad":
                mode = self.one_of("constant", "constant", "edge", "reflect")
                pads = [0] * (2 * rank)
                for axis in range(1, rank):
                    most = 1 if mode != "reflect" or shape[axis] > 1 else 0
                    pads[axis], pads[axis + rank] = self.number(0, most), self.number(0, most)
                name = self.node(operator, [name, self.constant(pads, np.int64)], mode=mode)[0]
                data = tuple(size + pads[i] + pads[i + rank] for i, size in enumerate(shape))
            case "Tile":
                repeats = [1, *(self.one_of(1, 1, 2) for _ in range(rank - 1))]
                name = self.node(operator, [name, self.constant(repeats, np.int64)])[0]
                data = tuple(size * times for size, times in zip(shape, repeats, strict=True))
            case "Resize" if rank > 2:
                scales = [1.0, 1.0, *(self.one_of(1.0, 2.0) for _ in range(rank - 2))]
                given = [name, "", self.constant(scales)]
                attributes = {
                    "mode": "nearest",
                    "coordinate_transformation_mode": "asymmetric",
                    "nearest_mode": "floor",
                }
                name = self.node(operator, given, **attributes)[0]
                data = tuple(int(size * scale) for size, scale in zip(shape, scales, strict=True))
            case "DepthToSpace" if rank == 4 and shape[1] % 4 == 0:
                mode = self.one_of("DCR", "CRD")
                name = self.node(operator, [name], blocksize=2, mode=mode)[0]
                data = (1, shape[1] // 4, shape[2] * 2, shape[3] * 2)
            case "SpaceToDepth" if rank == 4 and shape[2] % 2 == 0 and shape[3] % 2 == 0:
                name, data = (
                    self.node(operator, [name], blocksize=2)[0],
                    (1, shape[1] * 4, shape[2] // 2, shape[3] // 2),
                )
            case "Unsqueeze" if rank < 4:
                name = self.node(operator, [name, self.constant([rank], np.int64)])[0]
                data = (*shape, 1)
            case "Squeeze" if rank > 2 and shape[-1] == 1:
                name = self.node(operator, [name, self.constant([-1], np.int64)])[0]
                data = shape[:-1]
            case "Expand" if shape[-1] == 1:
                data = (*shape[:-1], self.number(1, 3))
                name = self.node(operator, [name, self.constant(data, np.int64)])[0]
            case _:
                return None
        return Tensor(name, data, source.kind)

    # joins -------------------------------------------------------------------------------------------------------

    def join(self, source: Tensor, other: Tensor) -> Tensor | None:
        operator = self.one_of("Add", "Add", "Sub", "Mul", "Max", "Min", "Concat", "Sum", "Mean")
        both = {source.kind, other.kind}
        if operator == "Concat":
            if len(source.shape) != len(other.shape) or source.shape[2:] != other.shape[2:]:
                return None
            kind = source.kind if len(both) == 1 else "other"
            shape = (1, source.shape[1] + other.shape[1], *source.shape[2:])
            return Tensor(self.node(operator, [source.name, other.name], axis=1)[0], shape, kind)
        if source.shape != other.shape and other.size != 1:
            return None
        shape = np.broadcast_shapes(source.shape, other.shape)
        kind = "linear" if operator not in ("Max", "Min") and "other" not in both else "other"
        return Tensor(self.node(operator, [source.name, other.name])[0], shape, kind)


@st.composite
def models(draw: Callable[[Any], Any], most_nodes: int = 8) -> onnx.ModelProto:
    """A model of a few layers; most of them can be compiled."""
    b = Builder(draw)
    tensors: list[Tensor] = []
    for number in range(b.one_of(1, 1, 1, 2)):
        shape = b.one_of(
            (1, b.number(1, 6)),
            (1, b.number(1, 4), b.number(1, 6)),
            (1, b.number(1, 4), b.number(1, 5), b.number(1, 5)),
        )
        name = f"x{number}"
        b.inputs.append((name, shape))
        tensors.append(b.quantised_input(Tensor(name, shape, "other")))
    used: set[str] = set()
    for _ in range(b.number(1, most_nodes)):
        source = tensors[-1] if b.chance(75) else b.one_of(*tensors)
        action = b.one_of(
            b.gemm, b.matmul, b.conv, b.conv, b.max_pool, b.average_pool, b.global_pool, b.reduce, b.activation,
            b.activation, b.arithmetic, b.batch_normalization, b.trunc, b.move, b.move, "join", "join", "quantise",
        )  # fmt: skip
        linear = action in (b.gemm, b.matmul, b.conv, b.average_pool, b.reduce)
        if (linear and source.kind != "quantised" and b.chance(95)) or (action is b.trunc and source.kind == "other"):
            source = b.quantise(source)
            tensors.append(source)
        if action == "join":
            other = b.one_of(*tensors)
            result = b.join(source, other)
            used.add(other.name)
        else:
            result = b.quantise(source) if action == "quantise" else action(source)
        used.add(source.name)
        if result is None or result.size > LARGEST or result.size == 0:
            continue
        tensors.append(result)
    last = tensors[-1]
    if last.kind == "other" and b.chance(98):
        last = b.quantise(last)
    ending = b.one_of("plain", "plain", "plain", "Softmax", "ArgMax")
    outputs = [last.name]
    if ending == "Softmax" and last.kind != "other":
        outputs = b.node("Softmax", [last.name], axis=-1)
    elif ending == "ArgMax" and last.kind == "quantised":
        outputs = b.node("ArgMax", [last.name], axis=b.number(1, len(last.shape) - 1), keepdims=b.number(0, 1))
    elif b.chance(15):
        extra = [t.name for t in tensors if t.kind == "quantised" and t.name not in (last.name, *outputs)]
        outputs += extra[-1:]
    return _model(b, outputs)


def _model(b: Builder, outputs: list[str]) -> onnx.ModelProto:
    element = {"ArgMax": TensorProto.INT64}
    produced = {name: node.op_type for node in b.nodes for name in node.output}
    graph = helper.make_graph(
        b.nodes,
        "random",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in b.inputs],
        [helper.make_tensor_value_info(n, element.get(produced[n], TensorProto.FLOAT), None) for n in outputs],
        [numpy_helper.from_array(array, name) for name, array in b.constants.items()],
    )
    opsets = [helper.make_opsetid("", b.opset), helper.make_opsetid(CUSTOM, 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
