"""The pass `convert-qonnx-to-lbir`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, NoneType, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.errors import OptionError, UnsupportedModelError
from c4ml_xdsl.interpreters.qonnx import Array, constant_of, evaluate, graph_of, quantiser_bits
from c4ml_xdsl.numerics.chain import Step, affine_values, as_floats
from c4ml_xdsl.numerics.rounding import RoundingMode


@dataclass(frozen=True)
class Real:
    """
    A tensor of real numbers: product(factors) * (integers - zero_point), then `steps`, element by element.

    `factors` are float32 arrays that broadcast against the shape; `integers` is an LBIR tensor of the same shape.
    """

    integers: SSAValue
    zero_point: Fraction
    factors: tuple[NDArray[np.float32], ...]
    steps: tuple[Step, ...] = ()

    def chain(self) -> list[Step]:
        """All of it as steps on the integers."""
        shape = lbir.shape_of(self.integers)
        steps = [Step("sub", as_floats(np.float64(float(self.zero_point)), shape))] if self.zero_point else []
        return [*steps, *(Step("mul", as_floats(factor, shape)) for factor in self.factors), *self.steps]


@dataclass(frozen=True)
class Unquantised:
    """An input before its quantiser: a * x + b, and the reshapes that it has passed."""

    name: str
    shape: tuple[int, ...]
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    moves: tuple[qonnx.NodeOp, ...] = ()


MOVES = (qonnx.ReshapeOp, qonnx.FlattenOp, qonnx.SqueezeOp, qonnx.UnsqueezeOp, qonnx.TransposeOp)


@dataclass(frozen=True)
class ConvertQonnxToLbir(ModulePass):
    """
    Makes an integer network of a quantised graph; run it after shapes are known and constants are folded.

    Scales and zero points move to the ports and into the elementwise chains (`lbir.activate`), which hold every real
    operation between an accumulator and the next quantiser as the model has it. A bipolar activation is one bit, 1 for
    x >= 0. `input_type` declares inputs that have no quantiser: `[TENSOR=]TYPE[:SCALE[:ZERO_POINT]]`, several
    separated by semicolons, TYPE in qonnx's names (INT4, UINT8, BIPOLAR).

    Before:
    ```mlir
    qonnx.graph @g opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x2xf32>) {
      %s = qonnx.initializer "s" dense<0.5> : tensor<f32>
      %z = qonnx.initializer "z" dense<0.0> : tensor<f32>
      %b = qonnx.initializer "b" dense<4.0> : tensor<f32>
      %q = qonnx.Quant "q" (%x, %s, %z, %b) {signed = 1, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("q": tensor<1x2xf32>)
      %r = qonnx.Relu "act" (%q) : (tensor<1x2xf32>) -> ("r": tensor<1x2xf32>)
      %c = qonnx.initializer "c" dense<2.0> : tensor<f32>
      %y = qonnx.Quant "q2" (%r, %s, %z, %c) {signed = 0, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("y": tensor<1x2xf32>)
      qonnx.return %y : tensor<1x2xf32>
    }
    ```
    After `convert-qonnx-to-lbir`:
    ```mlir
    lbir.network @g inputs [#lbir.port<"x" bits 4 range [-8, 7] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 2 range [0, 3] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<-8, 7>>):
      %0 = lbir.activate %x steps [#lbir.step<mul dense<0.5> : tensor<1xf64>>, #lbir.step<max dense<0.0> : tensor<1xf64>>, #lbir.step<div dense<0.5> : tensor<1xf64>>, #lbir.step<max dense<0.0> : tensor<1xf64>>, #lbir.step<min dense<3.0> : tensor<1xf64>>, #lbir.step<round half_even>] node "q2" : tensor<1x2x!lbir.int<-8, 7>> -> tensor<1x2x!lbir.int<0, 3>>
      lbir.output %0 : tensor<1x2x!lbir.int<0, 3>>
    }
    ```
    """  # noqa: E501

    name = "convert-qonnx-to-lbir"

    input_type: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        graph = graph_of(op)
        try:
            network = _Converter(graph, self.input_type).convert()
        except VerifyException as error:
            raise UnsupportedModelError(graph.sym_name.data, str(error)) from error
        block = op.body.block
        block.insert_op_before(network, graph)
        graph.detach()
        graph.erase()


class _Converter:
    """Converts one graph; `reals` and `inputs` say what each of its values has become."""

    def __init__(self, graph: qonnx.GraphOp, input_type: str | None):
        self.graph = graph
        self.block = Block()
        self.reals: dict[SSAValue, Real] = {}
        self.raw: dict[SSAValue, Unquantised] = {}
        self.constants: dict[SSAValue, Array] = {}
        self.after: dict[SSAValue, str] = {}
        self.ports: dict[str, tuple[lbir.PortAttr, SSAValue]] = {}
        self.declared = _input_types(input_type, list(graph.inputs))

    def convert(self) -> lbir.NetworkOp:
        for name, value in self.graph.inputs.items():
            shape = qonnx.static_shape(value)
            if shape is None:
                raise UnsupportedModelError(
                    name, "the input has no static shape", remedy="Run qonnx-infer-shapes first."
                )
            self.raw[value] = Unquantised(name, shape)
            if name in self.declared:
                element, scale, zero = self.declared[name]
                self.reals[value] = self.port(name, shape, element, scale, zero, Fraction(1), Fraction(0), "ROUND")
                del self.raw[value]
        for operation in self.graph.body.block.ops:
            constant = constant_of(operation)
            if constant is not None:
                self.constants[operation.results[0]] = constant
            elif isinstance(operation, qonnx.NodeOp):
                self.node(operation)
        outputs: list[tuple[lbir.PortAttr, SSAValue]] = []
        for name, value in self.graph.outputs.items():
            outputs.append(self.output(name, value))
        inputs: list[lbir.PortAttr] = []
        for name in self.graph.inputs:
            if name not in self.ports:
                raise UnsupportedModelError(name, "nothing reads this input", remedy="Remove it from the model.")
            inputs.append(self.ports[name][0])
        order = [self.ports[name][1] for name in self.graph.inputs]
        if order != list(self.block.args):  # quantisers may come in another order than the inputs
            block = Block(arg_types=[value.type for value in order])
            for old, new in zip(order, block.args, strict=True):
                old.replace_all_uses_with(new)
            outputs = [(port, block.args[order.index(value)] if value in order else value) for port, value in outputs]
            for operation in list(self.block.ops):
                operation.detach()
                block.add_op(operation)
            self.block = block
        self.block.add_op(lbir.OutputOp([value for _, value in outputs]))
        return lbir.NetworkOp(self.graph.sym_name.data, inputs, [port for port, _ in outputs], Region(self.block))

    def add(self, operation: Operation) -> SSAValue:
        self.block.add_op(operation)
        return operation.results[0]

    def port(
        self,
        name: str,
        shape: tuple[int, ...],
        element: lbir.IntType,
        scale: Fraction | np.float32,
        zero: Fraction,
        a: Fraction,
        b: Fraction,
        rounding: str,
    ) -> Real:
        """The input port for integers q with (q - zero) * scale = a * x + b, as a block argument."""
        value = self.block.insert_arg(lbir.tensor_of(shape, element.low, element.high), len(self.block.args))
        value.name_hint = self.graph.inputs[name].name_hint
        real_scale = Fraction(float(scale))
        port_scale = float(real_scale / a)
        port_zero = float(zero + b / real_scale)
        self.ports[name] = (
            lbir.PortAttr.of(name, element, [port_scale], [port_zero], rounding=rounding),
            value,
        )
        return Real(value, zero, (np.asarray(scale, np.float32),))

    # nodes -----------------------------------------------------------------------------------------------------

    def node(self, node: qonnx.NodeOp) -> None:
        inputs = [
            value for value in node.operands if value not in self.constants and not isinstance(value.type, NoneType)
        ]
        if not inputs or (len(node.results) != 1 and not isinstance(node, qonnx.TopKOp)):
            evaluate(node, [np.zeros(1, np.float32)] * len(node.operands))
            raise UnsupportedModelError(node.label, "only one output and constant parameters are supported")
        if any(value in self.after for value in inputs):
            raise UnsupportedModelError(
                node.label, "nothing may follow a Softmax", remedy="Export the model without it."
            )
        data = inputs[0]
        if any(value is not data for value in inputs):
            raise UnsupportedModelError(
                node.label,
                f"{node.operator} of two activations isn't supported yet",
                remedy="Only networks without branches that join again can be compiled so far.",
            )
        if data in self.raw and data not in self.reals:
            self.raw_node(node, data)
            return
        handler = _HANDLERS.get(node.operator)
        if handler is None:
            evaluate(node, [self.constants.get(v, np.zeros((1, 1), np.float32)) for v in node.operands])
            raise UnsupportedModelError(
                node.label,
                f"the operator {node.operator} isn't supported behind a quantiser",
                remedy="Export the model without it; the README lists what is supported.",
            )
        handler(self, node, data)

    def constant(self, node: qonnx.NodeOp, index: int) -> Array:
        """A parameter that must be constant."""
        value = node.input(index)
        if value is None or value not in self.constants:
            raise UnsupportedModelError(node.label, f"input {index} must be a constant")
        return self.constants[value]

    def raw_node(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        """A node in front of an input's quantiser."""
        raw = self.raw[data]
        if isinstance(node, MOVES):
            self.raw[node.output] = replace(raw, moves=(*raw.moves, node))
            return
        if isinstance(node, qonnx.QuantOp | qonnx.IntQuantOp | qonnx.BipolarQuantOp):
            self.input_quantiser(node, raw)
            return
        if isinstance(node, qonnx.MulOp | qonnx.AddOp | qonnx.SubOp | qonnx.DivOp):
            index = 1 if node.operands[0] is data else 0
            array = self.constant(node, index)
            if array.size == 1 and (index == 1 or isinstance(node, qonnx.MulOp | qonnx.AddOp)):
                c = Fraction(float(array.reshape(())))
                match node:
                    case qonnx.MulOp() if c > 0:
                        raw = replace(raw, scale=raw.scale * c, offset=raw.offset * c)
                    case qonnx.DivOp() if c > 0:
                        raw = replace(raw, scale=raw.scale / c, offset=raw.offset / c)
                    case qonnx.AddOp():
                        raw = replace(raw, offset=raw.offset + c)
                    case qonnx.SubOp():
                        raw = replace(raw, offset=raw.offset - c)
                    case _:
                        raise UnsupportedModelError(node.label, "scales the input by a number that isn't positive")
                self.raw[node.output] = raw
                return
        evaluate(node, [self.constants.get(v, np.zeros(raw.shape, np.float32)) for v in node.operands])
        raise UnsupportedModelError(
            node.label,
            f"{node.operator} gets the input {raw.name}, which has no quantiser",
            remedy=f"Quantise the input in the model, or declare its type: --input-type {raw.name}=UINT8:0.00390625",
        )

    def input_quantiser(self, node: qonnx.NodeOp, raw: Unquantised) -> None:
        if raw.name in self.ports:
            raise UnsupportedModelError(node.label, f"the input {raw.name} has two quantisers")
        element, scale, zero, rounding = self.quantiser(node)
        if scale.size != 1:
            raise UnsupportedModelError(node.label, "an input with a scale for each channel isn't supported yet")
        real = self.port(raw.name, raw.shape, element, np.float32(scale.item()), zero, raw.scale, raw.offset, rounding)
        value = real.integers
        for move in raw.moves:
            value = self.move(move, value)
        self.reals[node.output] = replace(real, integers=value)

    def quantiser(self, node: qonnx.NodeOp) -> tuple[lbir.IntType, NDArray[np.float32], Fraction, str]:
        """Range, scale, zero point and rounding of a quantiser; a bipolar one has {0, 1} and zero point 1/2."""
        scale = self.constant(node, 1)
        if not np.all(np.isfinite(scale)) or not np.all(scale > 0) or np.any(scale != scale.astype(np.float32)):
            raise UnsupportedModelError(node.label, "its scale isn't a positive float32", remedy="Check the training.")
        scale = scale.astype(np.float32)
        bits = 1 if isinstance(node, qonnx.BipolarQuantOp) else quantiser_bits(node, self.constant(node, 3))
        if isinstance(node, qonnx.BipolarQuantOp) or (bits == 1 and node.int_attribute("signed")):
            if not isinstance(node, qonnx.BipolarQuantOp) and np.any(self.constant(node, 2)):
                raise UnsupportedModelError(node.label, "a bipolar quantiser with a zero point isn't supported")
            if np.any(scale * 2 != scale + scale) or not np.all(np.isfinite(scale * 2)):
                raise UnsupportedModelError(node.label, "its scale is too large")
            return lbir.IntType(0, 1), scale * np.float32(2), Fraction(1, 2), "ROUND"
        zero = np.unique(self.constant(node, 2))
        if zero.size != 1 or zero[0] != int(zero[0]):
            raise UnsupportedModelError(
                node.label, f"its zero point is {zero.tolist()[:4]}", remedy="Use one whole zero point a tensor."
            )
        low, high = qonnx.integer_range(
            bits, signed=bool(node.int_attribute("signed")), narrow=bool(node.int_attribute("narrow"))
        )
        return lbir.IntType(low, high), scale, Fraction(int(zero[0])), node.str_attribute("rounding_mode").upper()

    def quant(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        """A quantiser behind integers: an activation, the whole chain up to here."""
        real = self.reals[data]
        shape = lbir.shape_of(real.integers)
        element, scale, zero, rounding = self.quantiser(node)
        if zero.denominator == 2:
            steps = [*real.chain(), Step("step")]
        else:
            steps = [
                *real.chain(),
                Step("div", as_floats(scale, shape)),
                *([Step("add", as_floats(np.float64(int(zero)), shape))] if zero else []),
                Step("max", as_floats(np.float64(element.low), shape)),
                Step("min", as_floats(np.float64(element.high), shape)),
                Step("round", mode=RoundingMode.from_qonnx(rounding)),
            ]
        result = self.add(
            lbir.ActivateOp.create(
                operands=[real.integers],
                properties={
                    "steps": ArrayAttr([lbir.StepAttr.from_step(step) for step in steps]),
                    "node": StringAttr(node.label),
                },
                result_types=[lbir.tensor_of(shape, element.low, element.high)],
            )
        )
        self.reals[node.output] = Real(result, zero, (scale,))

    def linear(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        """MatMul or Gemm by constant weights."""
        real = self.reals[data]
        if node.operands[0] is not data or (len(node.operands) > 2 and node.operands[2] is data):
            raise UnsupportedModelError(node.label, "the activation must be the first factor")
        source = node.operands[1].owner
        if not isinstance(source, qonnx.QuantizedConstantOp):
            raise UnsupportedModelError(
                node.label,
                "its weights are floats, not quantised",
                remedy="Train with quantised weights (Brevitas: weight_quant=…) and export them as Quant.",
            )
        gemm = isinstance(node, qonnx.GemmOp)
        if gemm and node.int_attribute("transA", 0):
            raise UnsupportedModelError(node.label, "transA of an activation isn't supported")
        transposed = gemm and bool(node.int_attribute("transB", 0))
        codes, scale, zero = source.code_array, source.scale_array, source.zero_point_array
        if codes.ndim != 2:
            raise UnsupportedModelError(node.label, f"weights of {codes.ndim} dimensions aren't supported")
        scale, zero = (np.broadcast_to(each, codes.shape) for each in (scale, zero))
        weights = codes - zero
        if not transposed:
            weights, scale = weights.T, scale.T
        if np.any(weights != np.rint(weights)):
            raise UnsupportedModelError(node.label, "its weights have a fractional zero point")
        if np.any(scale != scale[:, :1]):
            raise UnsupportedModelError(
                node.label,
                "its weights have a scale for each input",
                remedy="Use a scale for each output or one for all.",
            )
        if real.steps or any(factor.size != 1 for factor in real.factors):
            raise UnsupportedModelError(
                node.label, "its input isn't quantised", remedy="Put a quantiser in front of it."
            )
        # sum w * (x - zero): a whole zero point goes into the bias, one half (bipolar) by doubling the weights
        integer_weights = np.rint(weights).astype(np.int64) * real.zero_point.denominator
        bias = -integer_weights.sum(axis=1) * real.zero_point.numerator // real.zero_point.denominator
        factors = [*real.factors, scale[:, 0].astype(np.float32)]
        if real.zero_point.denominator == 2:
            factors.append(np.asarray(0.5, np.float32))
        result = self.add(lbir.DenseOp(real.integers, integer_weights, bias, node.label))
        output = Real(result, Fraction(0), tuple(factors))
        shape = lbir.shape_of(result)
        if gemm:
            steps = list(output.steps)
            alpha, beta = np.float32(node.float_attribute("alpha", 1.0)), np.float32(node.float_attribute("beta", 1.0))
            if alpha != 1:
                steps.append(Step("mul", as_floats(alpha, shape)))
            if node.input(2) is not None:
                steps.append(Step("add", as_floats(beta * self.constant(node, 2), shape)))
            output = replace(output, steps=tuple(steps))
        self.reals[node.output] = output

    def step(self, node: qonnx.NodeOp, data: SSAValue, *steps: Step) -> None:
        real = self.reals[data]
        self.reals[node.output] = replace(real, steps=(*real.steps, *steps))

    def arithmetic(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        """Add, Sub, Mul, Div, Min or Max with a constant."""
        real = self.reals[data]
        shape = lbir.shape_of(real.integers)
        index = 1 if node.operands[0] is data else 0
        array = self.constant(node, index)
        if np.broadcast_shapes(array.shape, shape) != shape:
            raise UnsupportedModelError(node.label, "the constant makes the tensor larger")
        if np.any(array != array.astype(np.float32)):
            raise UnsupportedModelError(node.label, "the constant isn't float32")
        operation = node.operator.lower()
        constant = as_floats(array, shape)
        if operation == "div" and (index == 0 or not np.all(constant)):
            raise UnsupportedModelError(node.label, "divides by an activation or by zero")
        if operation == "mul" and array.size == 1 and constant[0] > 0 and not real.steps:
            self.reals[node.output] = replace(real, factors=(*real.factors, array.astype(np.float32).reshape(())))
            return
        if operation == "sub" and index == 0:
            self.step(node, data, Step("neg"), Step("add", constant))
            return
        self.step(node, data, Step(operation, constant))

    def clip(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        shape = lbir.shape_of(self.reals[data].integers)
        steps: list[Step] = []
        for index, name, operation in ((1, "min", "max"), (2, "max", "min")):
            bound = self.constant(node, index) if node.input(index) is not None else node.attribute(name)
            if bound is not None:
                steps.append(Step(operation, as_floats(np.asarray(bound, np.float32), shape)))
        self.step(node, data, *steps)

    def relu(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        self.step(node, data, Step("max", as_floats(np.float64(0), lbir.shape_of(self.reals[data].integers))))

    def function(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        self.step(node, data, Step(node.operator.lower()))

    def batch_normalization(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        shape = lbir.shape_of(self.reals[data].integers)
        scale, bias, mean, variance = (
            as_floats(self.constant(node, i).reshape(-1, *[1] * max(0, len(shape) - 2)), shape) for i in range(1, 5)
        )
        radicand = variance + float(np.float32(node.float_attribute("epsilon")))
        if not np.all(radicand > 0):
            raise UnsupportedModelError(node.label, "a variance is negative")
        self.step(node, data, Step("sub", mean), Step("div_sqrt", radicand), Step("mul", scale), Step("add", bias))

    def move(self, node: qonnx.NodeOp, value: SSAValue) -> SSAValue:
        """A reshape or transpose of integers."""
        if isinstance(node, qonnx.TransposeOp):
            rank = len(lbir.shape_of(value))
            return self.add(lbir.TransposeOp(value, node.ints_attribute("perm") or tuple(range(rank))[::-1]))
        shape = qonnx.static_shape(node.output)
        if shape is None:
            raise UnsupportedModelError(node.label, "its shape isn't known")
        return self.add(lbir.ReshapeOp(value, shape)) if shape != lbir.shape_of(value) else value

    def moved(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        real = self.reals[data]
        constants = [*real.factors, *(s.constant for s in real.steps if s.constant is not None)]
        if any(np.any(each != each.reshape(-1)[0]) for each in constants):
            raise UnsupportedModelError(node.label, "a reshape behind scales for each channel isn't supported yet")
        moved = self.move(node, real.integers)
        self.reals[node.output] = Real(
            moved,
            real.zero_point,
            tuple(each.reshape(-1)[0].reshape(()) for each in real.factors),
            tuple(
                s if s.constant is None else replace(s, constant=as_floats(s.constant[:1], lbir.shape_of(moved)))
                for s in real.steps
            ),
        )

    def softmax(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        rank = len(lbir.shape_of(self.reals[data].integers))
        if node.int_attribute("axis", -1) % rank != rank - 1:
            raise UnsupportedModelError(node.label, "only a Softmax over the last axis is supported")
        self.reals[node.output] = self.reals[data]
        self.after[node.output] = "softmax" if isinstance(node, qonnx.SoftmaxOp) else "log_softmax"

    # outputs ---------------------------------------------------------------------------------------------------

    def top_k(self, node: qonnx.NodeOp, data: SSAValue) -> None:
        """ArgMax, ArgMin and the indices of TopK, decided by exact comparisons of what the integers stand for."""
        real = self.reals[data]
        shape = lbir.shape_of(real.integers)
        size, axis = shape[-1], node.int_attribute("axis", -1 if isinstance(node, qonnx.TopKOp) else 0)
        if axis not in (-1, len(shape) - 1):
            raise UnsupportedModelError(node.label, f"{node.operator} along axis {axis} isn't supported, only the last")
        chain = real.chain()
        forms = [affine_values(chain, element) for element in range(lbir.size_of(real.integers))]
        first = forms[0]
        if any(form is None or first is None or form[0] != first[0] or form[0] == 0 for form in forms) or any(
            form != forms[index % size] for index, form in enumerate(forms)
        ):
            raise UnsupportedModelError(
                node.label,
                "its input has scales for each channel, or more than a scale and an offset",
                remedy="Quantise the scores with one scale, or export the model without this node.",
            )
        assert first is not None
        largest, last, count = node.operator != "ArgMin", bool(node.int_attribute("select_last_index", 0)), 1
        indices = node.results[0]
        if isinstance(node, qonnx.TopKOp):
            largest, last, indices = bool(node.int_attribute("largest", 1)), False, node.results[1]
            count = int(self.constant(node, 1).item()) if node.input(1) is not None else node.int_attribute("k")
            if list(node.results[0].uses):
                raise UnsupportedModelError(node.label, "its values are used; only its indices can be compiled")
        if first[0] < 0:
            largest = not largest
        zeros = [-form[1] / form[0] for form in forms[:size] if form is not None]
        margins = np.zeros((size, size), np.int64)
        for a in range(size):
            for b in range(a + 1, size):
                margin = zeros[a] - zeros[b] if largest else zeros[b] - zeros[a]
                bound = floor(margin) + 1 if last else ceil(margin)
                margins[a, b] = min(max(bound, -(1 << 60)), 1 << 60)
        result = self.add(lbir.TopKOp(real.integers, margins, largest, count, node.label))
        if not isinstance(node, qonnx.TopKOp) and not node.int_attribute("keepdims", 1):
            result = self.add(lbir.ReshapeOp(result, shape[:-1]))
        self.reals[indices] = Real(result, Fraction(0), (np.asarray(1, np.float32),))

    def output(self, name: str, value: SSAValue) -> tuple[lbir.PortAttr, SSAValue]:
        """The port of an output: integers, and the scale and zero point that lead back to the model's values."""
        real = self.reals.get(value)
        if real is None:
            raise UnsupportedModelError(
                name,
                "this output isn't computed from quantised values",
                remedy="Quantise the input in the model, or declare its type with --input-type.",
            )
        shape, chain = lbir.shape_of(real.integers), real.chain()
        elements = lbir.size_of(real.integers)
        forms = [affine_values(chain, element) for element in range(elements)]
        scales: list[Fraction] = []
        zeros: list[Fraction] = []
        for form in forms:
            if form is None or form[0] == 0:
                raise UnsupportedModelError(
                    name,
                    "between the last layer and this output stands more than a scale and an offset",
                    remedy="Put a quantiser behind the last activation.",
                )
            scales.append(form[0])
            zeros.append(-form[1] / form[0])
        integers = real.integers
        owner = integers.owner
        if (
            isinstance(owner, lbir.DenseOp)
            and not integers.uses
            and any(zeros)
            and all(zero.denominator == 1 for zero in zeros)
            and owner.bias.get_shape() == (elements,)
        ):
            # offsets on the accumulator's grid are its bias
            bias = lbir.integers(owner.bias) - np.array([int(zero) for zero in zeros], np.int64)
            integers = self.add(lbir.DenseOp(owner.input, lbir.integers(owner.weights), bias, owner.label))
            owner.detach()
            owner.erase()
            zeros = [Fraction(0)] * elements
        axis = 0
        if len(set(scales)) > 1 or len(set(zeros)) > 1:
            long = [i for i, size in enumerate(shape) if size > 1]
            if len(long) != 1:
                raise UnsupportedModelError(name, "an output with several axes has scales for each channel")
            axis = long[0] - (1 if shape[0] == 1 else 0)
        else:
            scales, zeros = scales[:1], zeros[:1]
        element = lbir.range_of(integers)
        port = lbir.PortAttr.of(
            name,
            element,
            [float(each) for each in scales],
            [float(each) for each in zeros],
            axis=axis,
            after=self.after.get(value, ""),
        )
        return port, integers


_HANDLERS: dict[str, Callable[[_Converter, qonnx.NodeOp, SSAValue], None]] = {
    "Quant": _Converter.quant,
    "IntQuant": _Converter.quant,
    "BipolarQuant": _Converter.quant,
    "MatMul": _Converter.linear,
    "Gemm": _Converter.linear,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Min", "Max"), _Converter.arithmetic),
    "Clip": _Converter.clip,
    "Relu": _Converter.relu,
    **dict.fromkeys(("Neg", "Abs", "Sigmoid", "Tanh", "Exp"), _Converter.function),
    "BatchNormalization": _Converter.batch_normalization,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"), _Converter.moved),
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK"), _Converter.top_k),
    "Softmax": _Converter.softmax,
    "LogSoftmax": _Converter.softmax,
}


def _input_types(text: str | None, names: Sequence[str]) -> dict[str, tuple[lbir.IntType, np.float32, Fraction]]:
    """The declared types of inputs: range, scale and zero point by the input's name."""
    declared: dict[str, tuple[lbir.IntType, np.float32, Fraction]] = {}
    for entry in (text or "").split(";"):
        if not entry:
            continue
        name, _, rest = entry.rpartition("=")
        targets = [name] if name else list(names)
        kind, *numbers = rest.split(":")
        unsigned, digits = kind.upper().startswith("U"), kind.upper().removeprefix("U").removeprefix("INT")
        try:
            scale = np.float32(numbers[0]) if numbers else np.float32(1)
            zero = Fraction(numbers[1]) if len(numbers) > 1 else Fraction(0)
            if kind.upper() in ("BIPOLAR", "BINARY"):
                element = lbir.IntType(0, 1)
                if kind.upper() == "BIPOLAR":
                    scale, zero = scale * np.float32(2), Fraction(1, 2)
            elif kind.upper() == "TERNARY":
                element = lbir.IntType(-1, 1)
            elif digits.isdigit() and 1 <= int(digits) <= 32 and "INT" in kind.upper():
                low, high = qonnx.integer_range(int(digits), signed=not unsigned, narrow=False)
                element = lbir.IntType(low, high)
            else:
                raise ValueError
            if not (scale > 0 and np.isfinite(scale)) or len(numbers) > 2 or zero.denominator > 2:
                raise ValueError
        except (ValueError, VerifyException, ZeroDivisionError) as error:
            raise OptionError(
                f"--input-type {entry}: not a type",
                remedy="Write [TENSOR=]TYPE[:SCALE[:ZERO_POINT]], as in UINT8:0.00390625",
            ) from error
        for target in targets:
            if target not in names:
                raise OptionError(
                    f"--input-type {entry}: the model has no input {target}",
                    remedy=f"Its inputs are: {', '.join(names)}",
                )
            declared[target] = (element, scale, zero)
    return declared
