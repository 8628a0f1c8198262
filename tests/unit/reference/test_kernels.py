"""The reference's kernels against onnx.reference, onnxruntime and qonnx, and on many samples against one at a time."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import InputDataError, UnsupportedModelError
from c4ml_xdsl.frontend import import_model
from c4ml_xdsl.interpreters import onnx_kernels
from c4ml_xdsl.interpreters import qonnx as interpreter
from c4ml_xdsl.interpreters.qonnx import (
    KERNELS,
    _batchable,
    _known,
    evaluate_outputs,
    graph_of,
    run,
)
from c4ml_xdsl.transforms.qonnx_infer_shapes import QonnxInferShapes

RNG = np.random.default_rng(5)
QONNX = "qonnx.custom_op.general"


def real(*shape: int, scale: float = 2.0) -> np.ndarray:
    """Random data, the same in every run."""
    return np.asarray(RNG.normal(size=shape) * scale, np.float32)


def ints(*values: int, dtype: type = np.int64) -> np.ndarray:
    return np.array(values, dtype)


@dataclass(frozen=True)
class Case:
    """One node. `judges` leaves out a judge that is known to be wrong, or doesn't have the operator."""

    operator: str
    inputs: tuple[np.ndarray | None, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    outputs: int = 1
    judges: tuple[str, ...] = ("reference", "onnxruntime")

    def __str__(self) -> str:
        shapes = ",".join("-" if each is None else "x".join(map(str, each.shape)) for each in self.inputs)
        values = ",".join(f"{name}={np.asarray(value).tolist()}" for name, value in self.attributes.items())
        return f"{self.operator}-{self.opset}({shapes}){values}"

    @property
    def dynamic(self) -> bool:
        """Whether the first input is the model's input; integers and booleans are constants."""
        return bool(self.inputs) and self.inputs[0] is not None and self.inputs[0].dtype == np.float32

    def model(self) -> onnx.ModelProto:
        custom = self.operator in qonnx.CUSTOM_OPERATORS
        names = ["" if each is None else f"i{index}" for index, each in enumerate(self.inputs)]
        outputs = [f"o{index}" for index in range(self.outputs)]
        node = helper.make_node(
            self.operator, names, outputs, name="node", domain=QONNX if custom else "", **self.attributes
        )
        constants = [
            numpy_helper.from_array(each, name)
            for name, each in list(zip(names, self.inputs, strict=True))[int(self.dynamic) :]
            if each is not None
        ]
        given = [helper.make_tensor_value_info("i0", TensorProto.FLOAT, self.inputs[0].shape)] if self.dynamic else []
        results = [helper.make_empty_tensor_value_info(each) for each in outputs]
        graph = helper.make_graph([node], "graph", given, results, constants)
        opsets = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(QONNX, 1)] * custom
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 19 else 10)

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        return {"i0": self.inputs[0]} if self.dynamic else {}


def imported(model: onnx.ModelProto) -> ModuleOp:
    module = import_model(model)
    QonnxInferShapes().apply(Context(), module)
    module.verify()
    return module


def computed(case: Case) -> list[np.ndarray]:
    """What our kernel computes, on arrays as the file has them."""
    module = imported(case.model())
    (node,) = (each for each in graph_of(module).body.block.ops if isinstance(each, qonnx.NodeOp))
    return list(evaluate_outputs(node, case.inputs))


def judged(case: Case, judge: str) -> list[np.ndarray]:
    if judge == "reference":
        from onnx.reference import ReferenceEvaluator

        return ReferenceEvaluator(case.model()).run(None, case.feeds)
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(
            case.model().SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        if "NOT_IMPLEMENTED" in str(error):
            pytest.skip("onnxruntime has no kernel for these types")
        raise
    return session.run(None, case.feeds)


X = real(1, 3, 5)
IMAGE = real(1, 2, 7, 6)
HALVES = np.array([[-2.5, -1.5, -1, -0.5, -0.2, 0, 0.3, 0.5, 1, 1.5, 2.5, 7]], np.float32)
INTEGERS = np.array([[-7, -3, 0, 4], [5, 7, -8, 9]], np.int32)
TRUTHS = np.array([[True, False, True], [False, True, True]])
BOTH = ("reference", "onnxruntime")
RUNTIME = ("onnxruntime",)
REFERENCE = ("reference",)

ELEMENTWISE = [
    Case(operator, (np.abs(HALVES) + 0.1 if operator in ("Log", "Sqrt", "Reciprocal") else HALVES,))
    for operator in (
        "Neg Abs Relu Sigmoid HardSwish Tanh Softsign Softplus Erf Exp Log Sqrt Reciprocal Floor Ceil Round Sign "
        "Identity LeakyRelu ThresholdedRelu HardSigmoid Elu Celu Selu Dropout Clip Size"
    ).split()
]
ELEMENTWISE += [
    Case("LeakyRelu", (X,), {"alpha": 0.3}),
    Case("ThresholdedRelu", (X,), {"alpha": 0.4}),
    Case("HardSigmoid", (X,), {"alpha": 0.3, "beta": 0.4}),
    Case("Elu", (X,), {"alpha": 0.3}),
    Case("Celu", (X,), {"alpha": 0.6}),
    Case("Selu", (X,), {"alpha": 0.3, "gamma": 2.0}),
    Case("Gelu", (X,), opset=20),
    Case("Gelu", (X,), {"approximate": "tanh"}, 20),
    Case("Clip", (X,), {"min": -1.0, "max": 0.5}, 7),
    Case("Clip", (X, np.float32(-1)), opset=13),
    Case("Clip", (X, None, np.float32(0.5)), opset=13),
    Case("Clip", (INTEGERS, np.int32(-3), np.int32(5)), opset=13),
    Case("Not", (TRUTHS,)),
    Case("Neg", (INTEGERS,)),
    Case("Dropout", (X,), opset=12, outputs=2),
    Case("Cast", (HALVES,), {"to": TensorProto.INT32}),
    Case("Cast", (HALVES,), {"to": TensorProto.BOOL}),
    Case("Cast", (INTEGERS,), {"to": TensorProto.FLOAT}),
    Case("Cast", (TRUTHS,), {"to": TensorProto.INT64}),
]

BROADCAST = [
    *(
        Case(operator, (X, right))
        for operator in "Add Sub Mul Div PRelu Equal Greater GreaterOrEqual Less LessOrEqual".split()
        for right in (real(3, 1), real(1, 1, 5), np.float32(0.5), X)
    ),
    *(
        Case(operator, (INTEGERS, ints(2, -3, 5, -4, dtype=np.int32)))
        for operator in "Add Sub Mul Div Mod Equal Greater GreaterOrEqual Less LessOrEqual".split()
    ),
    *(Case(operator, (TRUTHS, np.array([True, True, False]))) for operator in ("And", "Or", "Xor")),
    *(Case(operator, (X, real(3, 1), real(5))) for operator in ("Min", "Max", "Sum", "Mean")),
    *(Case(operator, (X,)) for operator in ("Min", "Max", "Sum", "Mean")),
    Case("Mod", (INTEGERS, ints(2, -3, 5, -4, dtype=np.int32)), {"fmod": 1}),
    Case("Mod", (X, np.float32(-0.7)), {"fmod": 1}),
    Case("Pow", (np.abs(X), real(5))),
    Case("Pow", (X, ints(2))),
    Case("Pow", (INTEGERS, ints(2))),
    Case("Pow", (INTEGERS, np.float32([0.5, 2, 1, 3])), judges=RUNTIME),
    Case("Where", (TRUTHS, real(2, 3), real(3))),
    Case("Where", (TRUTHS, real(2, 1, 1), real(3))),
]

QUANTISED = [
    *(
        Case("QuantizeLinear", (real(1, 3, 4, scale=30), np.float32(0.25), np.asarray(zero, dtype)), opset=21)
        for dtype, zero in ((np.int8, -3), (np.uint8, 130), (np.int16, 70), (np.uint16, 300))
    ),
    Case("QuantizeLinear", (HALVES, np.float32(1)), opset=13),
    Case("QuantizeLinear", (HALVES, np.float32(1)), {"output_dtype": TensorProto.INT8}, 21),
    *(
        Case("QuantizeLinear", (real(1, 3, 4), np.float32([0.5, 0.1, 1]), ints(1, 2, 3, dtype=np.int8)), attributes, 13)
        for attributes in ({}, {"axis": -2})
    ),
    *(
        Case("DequantizeLinear", (np.arange(-6, 6).reshape(1, 3, 4).astype(dtype), np.float32(0.3), *zero), opset=21)
        for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32)
        for zero in ((), (np.asarray(0, dtype),), (np.asarray(5, dtype),))
        if dtype != np.int32 or not zero or zero[0] == 0
    ),
    Case(
        "DequantizeLinear",
        (
            ints(*range(-100, 20, 10), dtype=np.int8).reshape(1, 3, 4),
            np.float32([0.3, 1, 2]),
            ints(1, 120, 3, dtype=np.int8),
        ),
        opset=13,
        judges=RUNTIME,
    ),
]

LINEAR = [
    *(
        Case("MatMul", (real(*a), real(*b)))
        for a, b in (((1, 4), (4, 3)), ((1, 2, 4), (4, 3)), ((1, 2, 4), (1, 4, 3)), ((4,), (4, 3)), ((1, 4), (4,)))
    ),
    Case("Gemm", (real(1, 4), real(4, 3))),
    Case("Gemm", (real(1, 4), real(3, 4), real(3)), {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    Case("Gemm", (real(4, 2), real(4, 3), real(2, 1)), {"transA": 1}),
    *(
        Case(
            "BatchNormalization",
            (x, real(x.shape[1]), real(x.shape[1]), real(x.shape[1]), np.abs(real(x.shape[1]))),
            {"epsilon": 1e-3},
            opset,
            judges=BOTH if opset == 15 else RUNTIME,
        )
        for x in (real(1, 4), X, IMAGE)
        for opset in (9, 15)
    ),
    *(
        Case(
            operator,
            (real(1, 3, 4),),
            {} if axis is None else {"axis": axis},
            opset,
            judges=BOTH if opset == 13 else RUNTIME,
        )
        for operator in ("Softmax", "LogSoftmax")
        for opset in (11, 13)
        for axis in (None, 0, 1, 2, -1)
    ),
]


def convolution(
    x: np.ndarray,
    outputs: int,
    kernel: tuple[int, ...],
    group: int = 1,
    bias: bool = True,
    judges: tuple[str, ...] = BOTH,
    **attributes: Any,
) -> Case:
    inputs = (x, real(outputs, x.shape[1] // group, *kernel), *[real(outputs)] * bias)
    return Case("Conv", inputs, {"group": group, **attributes}, judges=judges)


CONVOLUTIONS = [
    convolution(real(1, 3, 9), 4, (3,)),
    convolution(real(1, 3, 9), 4, (3,), strides=[2], pads=[2, 1], dilations=[2]),
    convolution(real(1, 2, 5, 4, 6), 3, (2, 3, 2), strides=[2, 1, 2], pads=[1, 0, 1, 0, 1, 1]),
    convolution(IMAGE, 4, (3, 2), bias=False),
    convolution(IMAGE, 4, (3, 2), 2, strides=[2, 3], dilations=[2, 1], pads=[1, 2, 0, 1]),
    convolution(IMAGE, 2, (3, 3), 2, pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
    *(
        convolution(IMAGE, 4, kernel, strides=strides, auto_pad=auto_pad, judges=RUNTIME)
        for auto_pad in ("VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET")
        for kernel in ((3, 2), (4, 1))
        for strides in ((1, 1), (2, 3))
    ),
    *(
        convolution(IMAGE, 4, (2, 3), auto_pad=auto_pad, dilations=[2, 2], judges=judges)
        for auto_pad, judges in (("VALID", RUNTIME), ("SAME_UPPER", REFERENCE), ("SAME_LOWER", REFERENCE))
    ),
]

POOLS = [
    Case(
        operator,
        (x,),
        {"kernel_shape": kernel, **({"ceil_mode": 1} if ceil_mode else {}), **attributes},
        19,
        judges=RUNTIME if "auto_pad" in attributes else BOTH,
    )
    for operator in ("MaxPool", "AveragePool")
    for ceil_mode in (0, 1)
    for x, kernel, attributes in (
        (real(1, 3, 9), [3], {}),
        (real(1, 3, 9), [2], {"strides": [2]}),
        (real(1, 3, 9), [3], {"strides": [2], "pads": [1, 0]}),
        (real(1, 2, 5, 4, 6), [2, 2, 3], {"strides": [2, 1, 2]}),
        (IMAGE, [3, 2], {"strides": [2, 2], "pads": [1, 1, 2, 0]}),
        (IMAGE, [3, 2], {"strides": [3, 4], "pads": [1, 1, 1, 1]}),
        (IMAGE, [2, 2], {"strides": [3, 3]}),
        (IMAGE, [2, 2], {"strides": [4, 4], "pads": [1, 1, 1, 1]}),
        (IMAGE, [3, 2], {"strides": [2, 2], "dilations": [2, 3], "pads": [1, 1, 1, 1]}),
        (IMAGE, [3, 2], {"strides": [2, 3], "auto_pad": "VALID"}),
        (IMAGE, [3, 3], {"strides": [2, 3], "auto_pad": "SAME_UPPER"}),
        (IMAGE, [3, 2], {"strides": [2, 1], "auto_pad": "SAME_LOWER"}),
    )
]
POOLS += [
    Case(each.operator, each.inputs, {**each.attributes, "count_include_pad": 1}, 19, judges=each.judges)
    for each in POOLS
    if each.operator == "AveragePool"
]
POOLS += [
    Case(
        "MaxPool",
        (ints(*range(-128, -112), dtype=np.int8).reshape(1, 1, 4, 4),),
        {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]},
        judges=RUNTIME,
    ),
    *(Case("GlobalAveragePool", (x,)) for x in (X, IMAGE)),
    *(Case("GlobalMaxPool", (x,), judges=RUNTIME) for x in (X, IMAGE)),
]

REDUCTIONS = [
    *(
        Case(f"Reduce{kind}", (X,), {**axes, "keepdims": keepdims}, 11)
        for kind in ("Mean", "Sum", "Max", "Min", "Prod")
        for keepdims in (0, 1)
        for axes in ({}, {"axes": [1]}, {"axes": [-1, 1]}, {"axes": [0]})
    ),
    *(
        Case(f"Reduce{kind}", (X, *axes), attributes, 18)
        for kind in ("Mean", "Sum", "Max", "Min", "Prod")
        for axes in ((), (ints(1),), (ints(2, 1),), (ints(),))
        for attributes in ({}, {"noop_with_empty_axes": 1}, {"keepdims": 0})
    ),
    Case("ReduceSum", (INTEGERS, ints(1)), opset=13),
    *(
        Case(
            operator,
            (np.float32([[3, 1, 3, 1], [2, 5, 0, 5]]),),
            {"axis": axis, "keepdims": keepdims, "select_last_index": last},
            13,
        )
        for operator in ("ArgMax", "ArgMin")
        for axis, keepdims, last in ((0, 1, 0), (1, 0, 0), (-1, 1, 1))
    ),
    *(Case("TopK", (np.float32([[3, 1, 3, 1, 2]]), ints(3)), {"largest": largest}, 11, 2) for largest in (0, 1)),
    Case("TopK", (real(3, 4),), {"k": 2, "axis": 0}, 7, 2, judges=RUNTIME),
]

BIG = np.iinfo(np.int64)
MOVES = [
    Case("Concat", (real(1, 2, 3), real(1, 4, 3)), {"axis": 1}),
    Case("Concat", (real(1, 2, 3), real(1, 2, 1)), {"axis": -1}),
    Case("Split", (real(1, 6),), {"axis": 1}, 11, 3, judges=RUNTIME),
    Case("Split", (real(1, 6),), {"axis": -1, "split": [1, 3, 2]}, 11, 3, judges=RUNTIME),
    Case("Split", (real(1, 6), ints(4, 2)), {"axis": 1}, 13, 2),
    Case("Split", (real(1, 6),), {"axis": 1}, 13, 3),
    Case("Split", (real(1, 7),), {"axis": 1, "num_outputs": 3}, 18, 3),
    Case("Slice", (real(4, 5, 6),), {"starts": [1, -3], "ends": [3, 1000], "axes": [0, 2]}, 9, judges=RUNTIME),
    Case("Slice", (real(4, 5),), {"starts": [1, 0], "ends": [-1, 4]}, 9, judges=RUNTIME),
    *(
        Case("Slice", (real(4, 7), ints(*start), ints(*end), *rest), opset=opset)
        for opset in (10, 13)
        for start, end, rest in (
            ((1, 2), (3, -1), ()),
            ((-5,), (BIG.max,), (ints(1),)),
            ((1, 5), (3, 0), (ints(0, 1), ints(1, -2))),
            ((-1,), (BIG.min,), (ints(-1), ints(-1))),
            ((20,), (-8,), (ints(1), ints(-3))),
            ((5,), (2,), (ints(1),)),
        )
    ),
    Case("Slice", (real(2, 5), ints(-20), ints(-30), ints(1), ints(-1)), judges=RUNTIME),
    *(
        Case("Gather", (real(3, 4), indices), {"axis": axis})
        for indices in (ints(0, 2, -1), np.array([[1, 0], [2, -2]]), np.array(1))
        for axis in (0, 1, -1)
    ),
    *(Case("Transpose", (real(2, 3, 4),), each) for each in ({}, {"perm": [0, 2, 1]}, {"perm": [2, 0, 1]})),
    *(Case("Reshape", (real(1, 3, 4), ints(*shape))) for shape in ((1, -1), (0, 2, 6), (12,), (0, 0, -1))),
    *(Case("Flatten", (real(2, 3, 4),), {"axis": axis}) for axis in (0, 1, 2, 3, -1, -3)),
    Case("Squeeze", (real(1, 3, 1),), {"axes": [2]}, 11),
    Case("Squeeze", (real(1, 3, 1), ints(-1)), opset=13),
    Case("Squeeze", (real(1, 3, 1),), opset=13),
    Case("Unsqueeze", (real(1, 3),), {"axes": [1, 3]}, 11),
    Case("Unsqueeze", (real(1, 3), ints(-1, 0)), opset=13),
    *(Case("Expand", (real(1, 3, 1), ints(*shape))) for shape in ((1, 3, 4), (2, 1, 5), (3, 1), (5, 1, 1, 1))),
    Case("Tile", (real(1, 3), ints(1, 3))),
    Case("Tile", (real(2, 3, 1), ints(2, 1, 4))),
    Case("Pad", (real(1, 3),), {"pads": [0, 1, 0, 2], "value": 1.5}, 9, judges=RUNTIME),
    *(
        Case("Pad", (real(1, 5, 6), ints(*pads), *rest), {"mode": mode}, 19)
        for mode in ("constant", "reflect", "edge", "wrap")
        for pads, rest in (((0, 1, 2, 0, 3, 1), ()), ((2, 1), (None, ints(-1))))
    ),
    Case("Pad", (real(2, 5), ints(1, -1, 0, -2)), judges=RUNTIME),
    Case("Pad", (real(2, 5), ints(1, -1, 0, 2)), {"mode": "edge"}, judges=RUNTIME),
    Case("Pad", (real(2, 7), ints(1, -2, 0, 2)), {"mode": "reflect"}, judges=RUNTIME),
    Case("Pad", (real(2, 5), ints(1, 0, 0, 2), np.float32(-3))),
    Case("DepthToSpace", (real(1, 12, 2, 3),), {"blocksize": 2}),
    Case("DepthToSpace", (real(1, 12, 2, 3),), {"blocksize": 2, "mode": "CRD"}),
    Case("SpaceToDepth", (real(1, 3, 4, 6),), {"blocksize": 2}),
]

SMALL = real(1, 2, 4, 5)
COORDINATES = "half_pixel pytorch_half_pixel align_corners asymmetric half_pixel_symmetric".split()
RESIZES = [
    *(
        Case(
            "Resize",
            (SMALL, None, np.float32(scales)),
            {"coordinate_transformation_mode": mode, "nearest_mode": nearest},
            19,
            judges=RUNTIME,
        )
        for scales in ([1, 1, 2, 3], [1, 1, 0.6, 1.7], [1, 1, 0.25, 0.8], [1, 1, 1.4, 2.5])
        for mode in COORDINATES
        for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    ),
    *(
        Case("Resize", (SMALL, None, None, ints(*sizes)), {"coordinate_transformation_mode": mode}, 19, judges=RUNTIME)
        for sizes in ((1, 2, 8, 10), (1, 2, 3, 7), (1, 2, 1, 1))
        for mode in COORDINATES
    ),
    Case("Resize", (SMALL, None, np.float32([1, 1, 2, 2]))),
    Case(
        "Resize",
        (SMALL, None, None, ints(1, 2, 6, 3)),
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    Case(
        "Resize",
        (SMALL, np.float32([]), np.float32([1, 1, 2, 1.5])),
        {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"},
        11,
        judges=RUNTIME,
    ),
    *(
        Case("Resize", (SMALL, None, None, ints(7, 8)), {"axes": [2, 3], "keep_aspect_ratio_policy": policy}, 18)
        for policy in ("stretch", "not_larger", "not_smaller")
    ),
    Case(
        "Resize",
        (SMALL, np.float32([0, 0, 0.4, 0.6, 1, 1, 1.2, 1.7]), None, ints(1, 2, 3, 3)),
        {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 10.0},
        13,
    ),
    *(
        Case("Resize", (SMALL, np.float32(scales)), opset=10, judges=RUNTIME)
        for scales in ([1, 1, 2, 3], [1, 1, 0.6, 0.5], [1, 1, 1.5, 1])
    ),
    *(
        Case("Upsample", (SMALL, np.float32(scales)), opset=9, judges=RUNTIME)
        for scales in ([1, 1, 2, 3], [1, 1, 1.5, 2.2])
    ),
    Case("Upsample", (SMALL,), {"scales": [1.0, 1.0, 2.0, 1.5]}, 7, judges=RUNTIME),
]

SHAPES = [
    *(Case("Shape", (real(2, 3, 4),), each, 15) for each in ({}, {"start": 1}, {"start": -2, "end": 10}, {"end": -1})),
    Case("ConstantOfShape", (ints(2, 3),)),
    Case("ConstantOfShape", (ints(2, 3),), {"value": numpy_helper.from_array(ints(7, dtype=np.int32))}),
    Case("ConstantOfShape", (ints(),)),
    *(
        Case("Range", tuple(np.asarray(each, dtype) for each in numbers))
        for dtype, numbers in (
            (np.float32, (1, 5, 1.5)),
            (np.int64, (10, 3, -3)),
            (np.int32, (3, 3, 1)),
            (np.int64, (3, 9, -1)),
        )
    ),
    Case("Constant", (), {"value_floats": [1.0, 2.5]}),
    Case("Constant", (), {"value_int": 3}),
]

CASES = ELEMENTWISE + BROADCAST + QUANTISED + LINEAR + CONVOLUTIONS + POOLS + REDUCTIONS + MOVES + RESIZES + SHAPES


@pytest.mark.parametrize(("case", "judge"), [(case, judge) for case in CASES for judge in case.judges], ids=str)
def test_kernel_computes_what_onnx_says(case: Case, judge: str) -> None:
    for got, want in zip(computed(case), judged(case, judge), strict=True):
        assert got.shape == want.shape
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-5)


# QONNX's operators -----------------------------------------------------------------------------------------------

STEP = np.float32(0.25)
ZERO = np.float32(0)
MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "half_even")
CODES = np.asarray(RNG.integers(-128, 128, (1, 3, 5)), np.float32) * STEP
COUNTS = np.asarray(RNG.integers(0, 16, (1, 6, 4, 6)), np.float32)
THRESHOLDS = np.sort(real(3, 7), axis=1)

CUSTOM = [
    *(
        Case(
            "Quant",
            (real(1, 3, 5), STEP, np.float32(2), np.float32(4)),
            {"signed": 1, "narrow": 0, "rounding_mode": mode},
        )
        for mode in MODES
    ),
    *(
        Case(operator, (HALVES, scale, ZERO, np.float32(bits)), {"signed": signed, "narrow": narrow})
        for operator, scale in (("Quant", np.float32([[0.3]])), ("IntQuant", np.abs(real(1, 12)) + STEP))
        for bits in (1, 3)
        for signed in (0, 1)
        for narrow in (0, 1)
    ),
    Case("BipolarQuant", (HALVES, STEP)),
    *(
        Case("Trunc", (CODES, STEP, ZERO, np.float32(8), np.float32(bits)), {"rounding_mode": mode})
        for bits in (3, 6)
        for mode in MODES
    ),
    Case(
        "Trunc",
        (CODES, np.float32([[[0.25], [0.125], [0.5]]]), np.float32(3), np.float32(8), np.float32(5)),
        {"rounding_mode": "FLOOR"},
    ),
    *(
        Case(
            "Trunc",
            (CODES, STEP, np.float32(zero), np.float32(8), np.float32(output_scale), np.float32(bits)),
            {"rounding_mode": mode, "signed": signed, "narrow": narrow},
            opset=18,
        )
        for zero, output_scale, bits in ((0, 2, 5), (3, 1.1, 4), (0, 4, 1))
        for mode in ("FLOOR", "ROUND", "HALF_UP")
        for signed in (0, 1)
        for narrow in (0, 1)
    ),
    *(
        Case("MultiThreshold", (x, thresholds), {"out_dtype": "INT4", **attributes})
        for x, attributes in (
            (real(1, 3), {}),
            (real(1, 5, 3), {}),
            (real(1, 3, 5), {"data_layout": "NCW"}),
            (real(1, 3, 4, 5), {"out_scale": 0.3, "out_bias": -1.5}),
            (real(1, 4, 5, 3), {"data_layout": "NHWC"}),
            (real(1, 3, 2, 2, 2), {}),
        )
        for thresholds in (THRESHOLDS, THRESHOLDS[:1], THRESHOLDS[:, ::-1].copy())
    ),
    Case("MultiThreshold", (np.float32([[1, 2, 3, 4]]), np.float32([[1, 2, 2, 4]])), {"out_dtype": "UINT4"}),
    Case(
        "XnorPopcountMatMul", (np.float32([[1, 0, 1], [0, 0, 1]]), np.asarray(RNG.integers(0, 2, (3, 4)), np.float32))
    ),
    *(
        Case("Im2Col", (COUNTS,), {"input_shape": "(1,6,4,6)", **attributes})
        for attributes in (
            {"stride": [1, 1], "kernel_size": [3, 2]},
            {"stride": [2, 1], "kernel_size": [2, 3], "pad_amount": [1, 0, 2, 1], "pad_value": 3},
            {"stride": [1, 2], "kernel_size": [2, 2], "dilations": [2, 3], "depthwise": 1},
        )
    ),
    *(
        Case(
            "QuantAvgPool2d",
            (COUNTS - 8 * signed,),
            {"kernel": kernel, "stride": stride, "ibits": 4, "obits": obits, "signed": signed, "data_layout": layout},
        )
        for kernel, stride, obits in ((2, 2, 4), (3, 1, 4), (2, 1, 20))
        for signed in (0, 1)
        for layout in ("NCHW", "NHWC")
    ),
    *(
        Case(
            "MaxPoolNHWC",
            (real(1, 6, 7, 2),),
            {"kernel_shape": [2, 3], "strides": [2, 2], "pads": pads, "ceil_mode": ceil_mode},
        )
        for pads in ([0, 0, 0, 0], [1, 1, 1, 1])
        for ceil_mode in (0, 1)
    ),
]


def judged_by_qonnx(case: Case, output: np.ndarray) -> np.ndarray:
    """qonnx's own class for the operator; some of them look for the output's shape and the input's data type."""
    registry = pytest.importorskip("qonnx.custom_op.registry")
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper

    model = ModelWrapper(case.model())
    model.set_tensor_datatype("i0", DataType["INT8"])
    (node,) = model.graph.node
    context = {f"i{index}": each for index, each in enumerate(case.inputs)}
    context["o0"] = np.zeros_like(output)
    version = 2 if case.operator == "Trunc" and len(case.inputs) == 6 else 1
    registry.getCustomOp(node, onnx_opset_version=version).execute_node(context, model.graph)
    return context["o0"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CUSTOM, ids=str)
def test_kernel_computes_what_qonnx_computes(case: Case) -> None:
    (got,) = computed(case)
    want = judged_by_qonnx(case, got)
    assert got.shape == want.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


# Batches ---------------------------------------------------------------------------------------------------------


def stacked(module: ModuleOp, data: np.ndarray, dtype: type) -> list[np.ndarray]:
    """The outputs of single samples, stacked."""
    singles = [run(module, {"i0": data[index : index + 1]}, dtype=dtype) for index in range(len(data))]
    return [np.concatenate([each[name] for each in singles]) for name in singles[0]]


@pytest.mark.parametrize(
    "case", [case for case in CASES + CUSTOM if case.dynamic and case.operator != "Range"], ids=str
)
def test_a_batch_computes_what_its_samples_compute(case: Case) -> None:
    module = imported(case.model())
    (x,) = case.feeds.values()
    own = x.shape[1:] if x.shape[:1] == (1,) else x.shape
    data = np.asarray(RNG.permutation(np.resize(x, (5, *own)).reshape(-1)).reshape(5, *own))
    if case.operator in ("Log", "Sqrt", "Reciprocal", "Pow"):
        data = np.abs(data) + np.float32(0.1)
    for dtype in (np.float32, np.float64):
        got = list(run(module, {"i0": data}, dtype=dtype).values())
        for batch, samples in zip(got, stacked(module, data, dtype), strict=True):
            assert batch.shape == samples.shape
            assert batch.dtype == samples.dtype
            assert batch.dtype == dtype or batch.dtype.kind != "f"
            np.testing.assert_allclose(batch, samples, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6)
    # The first sample alone, as the model has it
    want = [
        each.astype(np.float32)
        for each in computed(Case(case.operator, (x, *case.inputs[1:]), case.attributes, case.opset, case.outputs))
    ]
    for alone, expected in zip(
        run(module, {"i0": x[None] if own == x.shape else x}, dtype=np.float32).values(), want, strict=True
    ):
        np.testing.assert_allclose(alone.reshape(expected.shape), expected, rtol=1e-6, atol=1e-6)


SEPARATE = (
    "Conv MaxPool AveragePool GlobalAveragePool BatchNormalization Quant MultiThreshold Im2Col QuantAvgPool2d".split()
)


def at_once(module: ModuleOp) -> bool:
    graph = graph_of(module)
    return _batchable(graph, _known(graph, np.float64))


@pytest.mark.parametrize("operator", SEPARATE)
def test_usual_operators_run_on_all_samples_at_once(operator: str) -> None:
    for case in CASES + CUSTOM:
        if case.operator == operator:
            assert at_once(imported(case.model())), case


def graph(nodes: list[onnx.NodeProto], shape: tuple[int, ...], opset: int = 17, **constants: np.ndarray) -> ModuleOp:
    """A graph from the input i0 to what its last node gives."""
    proto = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("i0", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info(nodes[-1].output[0])],
        [numpy_helper.from_array(each, name) for name, each in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
    return imported(helper.make_model(proto, opset_imports=opsets))


def test_shapes_computed_from_the_input_are_those_of_one_sample() -> None:
    module = graph(
        [
            helper.make_node("Shape", ["i0"], ["shape"]),
            helper.make_node("Gather", ["shape", "zero"], ["first"]),
            helper.make_node("Concat", ["first", "rest"], ["target"], axis=0),
            helper.make_node("Reshape", ["i0", "target"], ["flat"]),
            helper.make_node("ConstantOfShape", ["target_shape"], ["zeros"]),
            helper.make_node("Add", ["flat", "zeros"], ["sum"]),
            helper.make_node("Expand", ["sum", "target_shape"], ["o0"]),
        ],
        (1, 2, 3),
        zero=ints(0),
        rest=ints(-1),
        target_shape=ints(1, 6),
    )
    data = real(4, 2, 3)
    assert at_once(module)
    np.testing.assert_array_equal(run(module, {"i0": data})["o0"], data.reshape(4, 6).astype(np.float64))


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Transpose", ["i0"], ["t"], perm=[1, 0]), helper.make_node("MatMul", ["i0", "t"], ["o0"])],
        [helper.make_node("Squeeze", ["i0"], ["s"]), helper.make_node("Softmax", ["s"], ["o0"])],
        [helper.make_node("ReduceMax", ["i0"], ["m"], keepdims=0), helper.make_node("Sub", ["i0", "m"], ["o0"])],
        [helper.make_node("Concat", ["i0", "c"], ["k"], axis=1), helper.make_node("Relu", ["k"], ["o0"])],
        [helper.make_node("Softmax", ["i0"], ["o0"], axis=0)],
        [helper.make_node("Tile", ["i0", "r"], ["t"]), helper.make_node("Softmax", ["t"], ["o0"], axis=0)],
        [helper.make_node("Pad", ["i0", "p"], ["o0"])],
    ],
    ids=lambda nodes: "-".join(node.op_type for node in nodes),
)
def test_graphs_that_mix_samples_run_one_after_the_other(nodes: list[onnx.NodeProto]) -> None:
    module = graph(nodes, (1, 4), c=real(1, 2), r=ints(3, 1), p=ints(1, 0, -1, 0))
    data = real(5, 4)
    assert not at_once(module)
    (got,) = run(module, {"i0": data}).values()
    (want,) = stacked(module, data, np.float64)
    np.testing.assert_array_equal(got, want)


def test_tensors_without_a_batch_axis_get_one() -> None:
    module = graph([helper.make_node("ReduceSum", ["i0"], ["o0"], keepdims=0)], (2, 3))
    data = real(5, 2, 3)
    np.testing.assert_allclose(run(module, {"i0": data})["o0"], data.sum(axis=(1, 2), dtype=np.float64))
    assert run(module, {"i0": data[0]})["o0"].shape == ()
    with pytest.raises(InputDataError, match="got the shape"):
        run(module, {"i0": data[:, :1]})


def test_large_batches_run_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    module = imported(convolution(IMAGE, 4, (3, 2), 2).model())
    data = real(7, *IMAGE.shape[1:])
    want = run(module, {"i0": data})["o0"]
    monkeypatch.setattr(onnx_kernels, "_MATRIX_ELEMENTS", 1000)
    np.testing.assert_allclose(run(module, {"i0": data})["o0"], want, rtol=1e-12)
    monkeypatch.setattr(interpreter, "_ELEMENTS_AT_ONCE", 500)
    np.testing.assert_allclose(run(module, {"i0": data})["o0"], want, rtol=1e-12)


def test_shapes_that_depend_on_the_data_are_refused() -> None:
    module = graph(
        [helper.make_node("Range", ["i0", "limit", "one"], ["o0"])], (), limit=np.float32(5), one=np.float32(1)
    )
    with pytest.raises(UnsupportedModelError, match="depends on the data"):
        run(module, {"i0": np.float32([1, 2])})


def test_decisions_within_float_error_are_marked() -> None:
    for operator, inputs in (
        ("Floor", ["m"]),
        ("Sign", ["m"]),
        ("MultiThreshold", ["m", "t"]),
        ("QuantizeLinear", ["m", "h"]),
        ("Trunc", ["m", "one", "z", "eight", "four"]),
        ("ArgMax", ["m"]),
    ):
        custom = operator in qonnx.CUSTOM_OPERATORS
        attributes: dict[str, Any] = {"out_dtype": "INT4"} if operator == "MultiThreshold" else {}
        attributes |= {"axis": 1} if operator == "ArgMax" else {}
        nodes = [
            helper.make_node("Identity", ["i0"], ["m"]),
            helper.make_node(operator, inputs, ["o0"], domain=QONNX if custom else "", **attributes),
        ]
        numbers = {"h": 2, "one": 1, "z": 0, "eight": 8, "four": 4}
        constants = {name: np.float32(value) for name, value in numbers.items()}
        module = graph(nodes, (1, 2), t=np.float32([[0, 3]]), **constants)
        # at a decision: a threshold, a tie of the rounding, two equal numbers
        near = 15.5 if operator == "Trunc" else 3.0 if operator in ("MultiThreshold", "QuantizeLinear") else 0.0
        for data in (np.float32([[near, near], [1.3, 5.4]]), np.float32([[1.3, 5.4]])):
            marks = np.zeros(len(data), np.bool_)
            run(module, {"i0": data}, ambiguous=marks)
            assert marks.tolist() == [True, False][-len(data) :], operator


# Bounds ----------------------------------------------------------------------------------------------------------

HUGE = 1 << 20
ONE = real(1, 1, 1, 1)


@pytest.mark.parametrize(
    "case",
    [
        Case("Tile", (ONE, ints(1, HUGE, HUGE, HUGE))),
        Case("Expand", (ONE, ints(1, HUGE, HUGE, HUGE))),
        Case("Resize", (ONE, None, np.float32([1, 1, HUGE, HUGE]))),
        Case("Resize", (ONE, None, None, ints(1, 1, HUGE, HUGE))),
        Case("Upsample", (ONE, np.float32([1, 1, HUGE, HUGE])), opset=9),
        Case("Pad", (ONE, ints(0, 0, HUGE, HUGE, 0, 0, 0, 0))),
        Case("Pad", (ONE, ints(0, 0, 1 << 62, 1 << 62, 0, 0, 1 << 62, 0))),
        Case("ConstantOfShape", (ints(HUGE, HUGE, 0),)),
        Case("Range", (ints(0)[0], ints(1 << 62)[0], ints(1)[0])),
        convolution(ONE, 1, (1, 1), pads=[0, 0, HUGE, HUGE]),
        Case("MaxPool", (ONE,), {"kernel_shape": [HUGE, HUGE], "pads": [0, 0, HUGE, HUGE]}),
        Case("Im2Col", (ONE,), {"kernel_size": [HUGE, HUGE], "stride": [1, 1], "pad_amount": [HUGE, HUGE, 0, 0]}),
        Case("MatMul", (real(1, HUGE, 1), real(1, HUGE))),
        Case("Add", (real(1, HUGE, 1), real(1, HUGE))),
    ],
    ids=str,
)
def test_what_is_too_large_is_refused_before_it_is_allocated(case: Case) -> None:
    with pytest.raises(UnsupportedModelError, match=r"^node: needs .* elements"):
        computed(case)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Case("Resize", (SMALL, None, np.float32([1, 1, 2, 2])), {"mode": "linear"}), "linear isn't supported"),
        (Case("Resize", (SMALL, None, np.float32([1, 1, 2, 2])), {"mode": "cubic"}), "cubic isn't supported"),
        (Case("QuantizeLinear", (real(1, 4), real(2, 4), None), {"block_size": 2}, 21), "isn't positive|blocks"),
        (
            Case("DequantizeLinear", (ints(1, 2, dtype=np.int8), np.float32([[1], [2]])), {"block_size": 1}, 21),
            "blocks",
        ),
        (Case("BatchNormalization", (X, *[np.abs(real(3))] * 4), {"training_mode": 1}), "training"),
        (Case("Conv", (IMAGE, real(4, 3, 2, 2))), "don't fit"),
        (Case("Conv", (IMAGE, real(4, 2, 9, 2))), "doesn't fit"),
        (Case("MaxPool", (IMAGE,), {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}), "aren't smaller"),
        (Case("Range", (ints(0)[0], ints(3)[0], ints(0)[0])), "range"),
        (Case("Split", (real(1, 6), ints(4, 3)), {"axis": 1}, outputs=2), "can't be split"),
        (Case("Slice", (real(1, 6), ints(0), ints(3), ints(1), ints(0))), "zero"),
        (Case("Reshape", (real(1, 6), ints(1, 4))), "reshape"),
        (Case("Cast", (real(1, 6),), {"to": TensorProto.FLOAT8E4M3FN}, 19), "FLOAT8"),
        (Case("Quant", (real(1, 6), STEP, ZERO, np.float32(2.5)), {"signed": 1, "narrow": 0}), "bit width"),
    ],
    ids=str,
)
def test_what_is_not_supported_names_the_node(case: Case, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"^node: .*({reason})"):
        computed(case)


def test_four_bit_codes_saturate() -> None:
    """onnxruntime quantises to four bits, the dialect holds them in eight."""
    zero = helper.make_tensor("z", TensorProto.INT4, [], [1])
    info = helper.make_tensor_value_info("i0", TensorProto.FLOAT, [1, 4])
    node = helper.make_node("QuantizeLinear", ["i0", "s", "z"], ["o0"], name="node")
    scale = numpy_helper.from_array(np.float32(1), "s")
    outputs = [helper.make_empty_tensor_value_info("o0")]
    model = helper.make_model(
        helper.make_graph([node], "graph", [info], outputs, [scale, zero]), opset_imports=[helper.make_opsetid("", 21)]
    )
    (operation,) = (each for each in graph_of(import_model(model)).body.block.ops if isinstance(each, qonnx.NodeOp))
    (got,) = evaluate_outputs(operation, [np.float32([[-20, 2.5, 3.5, 20]]), np.float32(1), np.int8(1)])
    np.testing.assert_array_equal(got, np.int8([[-8, 3, 5, 7]]))


def test_every_operator_has_a_kernel() -> None:
    assert set(KERNELS) == set(qonnx.OPERATORS)
