"""
The `lbir` dialect: the Low-Bitwidth Intermediate Representation, a network of integer tensors.

Every tensor's element type `!lbir.int<lo, hi>` is the exact range of its integers. Scales and zero points live on the
network's ports alone (`lbir.port`); inside there are integers only. `lbir.activate` holds, between
`convert-qonnx-to-lbir` and `lbir-fold-thresholds`, the real-valued elementwise chain between an accumulator and the
next quantiser; folding turns it into `lbir.requantize`, `lbir.threshold` or `lbir.table`.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    SymbolNameConstraint,
    TensorType,
    f64,
    i64,
)
from xdsl.ir import Attribute, Data, Dialect, ParametrizedAttribute, Region, SSAValue, TypeAttribute
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from c4ml_xdsl.dialects.qonnx import DenseAttr, array_from_dense, dense_from_array
from c4ml_xdsl.numerics.chain import INTEGRAL, Step
from c4ml_xdsl.numerics.rounding import RoundingMode

Integers: TypeAlias = NDArray[np.int64]


@irdl_attr_definition
class IntType(ParametrizedAttribute, TypeAttribute):
    """An integer of the exact range [lo, hi]: `!lbir.int<-8, 7>`. Its bits are the fewest that hold the range."""

    name = "lbir.int"

    low_attr: IntAttr
    high_attr: IntAttr

    def __init__(self, low: int, high: int):
        super().__init__(IntAttr(int(low)), IntAttr(int(high)))

    @property
    def low(self) -> int:
        """The lowest integer."""
        return self.low_attr.data

    @property
    def high(self) -> int:
        """The highest integer."""
        return self.high_attr.data

    @property
    def signed(self) -> bool:
        """Whether a negative integer is in the range, so that it is held in two's complement."""
        return self.low < 0

    @property
    def bits(self) -> int:
        """The width in hardware, at least 1."""
        if self.signed:
            return max((-self.low - 1).bit_length(), max(self.high, 0).bit_length()) + 1
        return max(1, self.high.bit_length())

    def verify(self) -> None:
        if self.low > self.high:
            raise VerifyException(f"the range from {self.low} to {self.high} is empty")
        if self.bits > 62:
            raise VerifyException(f"the range from {self.low} to {self.high} needs more than 62 bits")

    def print_parameters(self, printer: Printer) -> None:
        printer.print_string(f"<{self.low}, {self.high}>")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            low = parser.parse_integer()
            parser.parse_punctuation(",")
            return [IntAttr(low), IntAttr(parser.parse_integer())]


def tensor_of(shape: Sequence[int], low: int, high: int) -> "TensorType[IntType]":
    """The type of an integer tensor."""
    return TensorType(IntType(low, high), list(shape))


def range_of(value: SSAValue) -> IntType:
    """The element type of an integer tensor or scalar."""
    value_type = value.type
    element = (
        cast("TensorType[Attribute]", value_type).element_type if isinstance(value_type, TensorType) else value_type
    )
    if not isinstance(element, IntType):
        raise VerifyException(f"expected integers with a range, got {value_type}")
    return element


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor."""
    return cast("TensorType[Attribute]", value.type).get_shape()


def size_of(value: SSAValue) -> int:
    """The number of a tensor's elements."""
    return math.prod(shape_of(value))


def permuted_positions(shape: Sequence[int], order: Sequence[int]) -> list[int]:
    """The position in the source of each element of a transposed tensor."""
    return np.arange(math.prod(shape)).reshape(shape).transpose(list(order)).reshape(-1).tolist()


def integers(attribute: Attribute) -> Integers:
    """The int64 array that a dense attribute holds."""
    return array_from_dense(cast(DenseAttr, attribute)).astype(np.int64)


def dense(array: NDArray[Any]) -> DenseAttr:
    """A dense attribute of the narrowest integer type that holds an array."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for dtype in (np.int8, np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dense_from_array(array.astype(dtype))
    return dense_from_array(array.astype(np.int64))


@irdl_attr_definition
class NumbersAttr(Data[tuple[int, ...]]):
    """A list of integers: `[1, -2]`."""

    name = "lbir.numbers"

    @classmethod
    def of(cls, values: Sequence[int]) -> "NumbersAttr":
        """The list of some integers."""
        return cls(tuple(values))

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[int, ...]:
        return tuple(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))

    def print_parameter(self, printer: Printer) -> None:
        printer.print_string(f"[{', '.join(map(str, self.data))}]")


@irdl_attr_definition
class PortAttr(ParametrizedAttribute):
    """
    What an input or output of the network means: value = (integer - zero_point) * scale.

    `name` is the model's tensor; `scale` and `zero_point` have one number, or one for each entry of `axis` (of the
    model's shape without the batch axis). `minimum` and `maximum` bound the integers, `rounding` is qonnx's name for
    how an input's values are rounded, `after` what the model does behind an output ("" for nothing), along
    `after_axis`.
    """

    name = "lbir.port"

    tensor: StringAttr
    bits: IntAttr
    minimum: IntAttr
    maximum: IntAttr
    scale: DenseArrayBase
    zero_point: DenseArrayBase
    axis: IntAttr
    rounding: StringAttr
    after: StringAttr
    after_axis: IntAttr

    @property
    def scales(self) -> tuple[float, ...]:
        """The scales as Python floats."""
        return cast("DenseArrayBase[IntegerType]", self.scale).get_values()

    @property
    def zero_points(self) -> tuple[float, ...]:
        """The zero points as Python floats."""
        return cast("DenseArrayBase[IntegerType]", self.zero_point).get_values()

    @classmethod
    def of(
        cls,
        tensor: str,
        element: IntType,
        scales: Sequence[float],
        zero_points: Sequence[float],
        *,
        bits: int | None = None,
        axis: int = 0,
        rounding: str = "ROUND",
        after: str = "",
        after_axis: int = 0,
    ) -> "PortAttr":
        """A port for integers of a range; `bits` where the port is wider than the range needs."""
        return cls(
            StringAttr(tensor),
            IntAttr(element.bits if bits is None else bits),
            IntAttr(element.low),
            IntAttr(element.high),
            DenseArrayBase.from_list(f64, list(scales)),
            DenseArrayBase.from_list(f64, list(zero_points)),
            IntAttr(axis),
            StringAttr(rounding),
            StringAttr(after),
            IntAttr(after_axis),
        )

    @property
    def signed(self) -> bool:
        """Whether the integers are in two's complement."""
        return self.minimum.data < 0

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string_literal(self.tensor.data)
            printer.print_string(f" bits {self.bits.data} range [{self.minimum.data}, {self.maximum.data}] scale ")
            printer.print_attribute(self.scale)
            printer.print_string(" zero_point ")
            printer.print_attribute(self.zero_point)
            printer.print_string(f" axis {self.axis.data} rounding ")
            printer.print_string_literal(self.rounding.data)
            printer.print_string(" after ")
            printer.print_string_literal(self.after.data)
            if self.after.data:
                printer.print_string(f" along {self.after_axis.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            tensor = parser.parse_str_literal()
            parser.parse_keyword("bits")
            bits = parser.parse_integer()
            parser.parse_keyword("range")
            low, high = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
            parser.parse_keyword("scale")
            scale = parser.parse_attribute()
            parser.parse_keyword("zero_point")
            zero_point = parser.parse_attribute()
            parser.parse_keyword("axis")
            axis = parser.parse_integer()
            parser.parse_keyword("rounding")
            rounding = parser.parse_str_literal()
            parser.parse_keyword("after")
            after = parser.parse_str_literal()
            after_axis = parser.parse_integer() if parser.parse_optional_keyword("along") is not None else 0
        return [
            StringAttr(tensor),
            IntAttr(bits),
            IntAttr(low),
            IntAttr(high),
            scale,
            zero_point,
            IntAttr(axis),
            StringAttr(rounding),
            StringAttr(after),
            IntAttr(after_axis),
        ]

    def verify(self) -> None:
        if any(scale == 0 or not math.isfinite(scale) for scale in self.scales):
            raise VerifyException("a port's scale must be finite and not 0")


class LayerOp(IRDLOperation):
    """Base of the operations that are one layer: they keep the name of the model node that they come from."""

    node = opt_prop_def(StringAttr)

    traits = traits_def(Pure())

    @property
    def label(self) -> str:
        """The name of the model's node, else the operation's."""
        return self.node.data if self.node is not None else self.name


@irdl_op_definition
class NetworkOp(IRDLOperation):
    """
    A network: its body ends in `lbir.output`, its ports say what the integers mean.

    ```mlir
    lbir.network @net inputs [#lbir.port<"x" bits 4 range [-8, 7] scale array<f64: 5.000000e-01> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 4 range [-8, 7] scale array<f64: 5.000000e-01> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">] {
    ^bb0(%p: tensor<1x2x!lbir.int<-8, 7>>):
      lbir.output %p : tensor<1x2x!lbir.int<-8, 7>>
    }
    ```
    """  # noqa: E501

    name = "lbir.network"

    sym_name = prop_def(SymbolNameConstraint())
    inputs = prop_def(ArrayAttr[PortAttr])
    outputs = prop_def(ArrayAttr[PortAttr])
    body = region_def("single_block")

    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface())

    def __init__(self, name: str, inputs: Sequence[PortAttr], outputs: Sequence[PortAttr], body: Region):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "inputs": ArrayAttr(inputs),
                "outputs": ArrayAttr(outputs),
            },
            regions=[body],
        )

    @property
    def output_op(self) -> "OutputOp":
        """The terminator."""
        last = self.body.block.last_op
        if not isinstance(last, OutputOp):
            raise VerifyException("the body of an lbir.network must end in lbir.output")
        return last

    def verify_(self) -> None:
        if len(self.inputs) != len(self.body.block.args):
            raise VerifyException(f"{len(self.body.block.args)} inputs have {len(self.inputs)} ports")
        if len(self.outputs) != len(self.output_op.operands):
            raise VerifyException(f"{len(self.output_op.operands)} outputs have {len(self.outputs)} ports")
        for port, value in zip(
            (*self.inputs, *self.outputs), (*self.body.block.args, *self.output_op.operands), strict=True
        ):
            element = range_of(value)
            if element.low < port.minimum.data or element.high > port.maximum.data:
                raise VerifyException(f"port {port.tensor.data}: the range of {element} leaves the port's")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(" inputs ")
        printer.print_attribute(self.inputs)
        printer.print_string(" outputs ")
        printer.print_attribute(self.outputs)
        printer.print_string(" ")
        printer.print_region(self.body)

    @classmethod
    def parse(cls, parser: Parser) -> "NetworkOp":
        name = parser.parse_symbol_name()
        parser.parse_keyword("inputs")
        inputs = parser.parse_attribute()
        parser.parse_keyword("outputs")
        outputs = parser.parse_attribute()
        return cls.create(
            properties={"sym_name": name, "inputs": inputs, "outputs": outputs}, regions=[parser.parse_region()]
        )


@irdl_op_definition
class OutputOp(IRDLOperation):
    """
    The network's results.

    ```mlir
    lbir.network @net inputs [#lbir.port<"x" bits 1 range [0, 1] scale array<f64: 1.000000e+00> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 1 range [0, 1] scale array<f64: 1.000000e+00> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">] {
    ^bb0(%p: tensor<1x!lbir.int<0, 1>>):
      lbir.output %p : tensor<1x!lbir.int<0, 1>>
    }
    ```
    """  # noqa: E501

    name = "lbir.output"

    values = var_operand_def()

    traits = traits_def(IsTerminator())
    assembly_format = "$values attr-dict `:` type($values)"

    def __init__(self, values: Sequence[SSAValue]):
        super().__init__(operands=[values])


@irdl_op_definition
class DenseOp(LayerOp):
    """
    A dense layer along the last axis: result = weights · x + bias, with weights of shape (outputs, inputs).

    The result's range must contain every sum that inputs in range can give.

    ```mlir
    %y = lbir.dense %x weights dense<[[1, -1]]> : tensor<1x2xi8> bias dense<3> : tensor<1xi8> node "fc" : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x1x!lbir.int<-4, 10>>
    ```
    """  # noqa: E501

    name = "lbir.dense"

    input = operand_def(TensorType)
    weights = prop_def(DenseIntOrFPElementsAttr)
    bias = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `weights` $weights `bias` $bias (`node` $node^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(self, x: SSAValue, weights: Integers, bias: Integers, node: str | None = None):
        low, high = dense_ranges(weights, bias, range_of(x))
        super().__init__(
            operands=[x],
            properties={
                "weights": dense(weights),
                "bias": dense(bias),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[tensor_of((*shape_of(x)[:-1], len(weights)), int(low.min()), int(high.max()))],
        )

    def channel_ranges(self) -> tuple[Integers, Integers]:
        """The lowest and highest sum of each output."""
        return dense_ranges(integers(self.weights), integers(self.bias), range_of(self.input))

    def verify_(self) -> None:
        weights = integers(self.weights)
        if weights.ndim != 2 or integers(self.bias).shape != weights.shape[:1]:
            raise VerifyException("weights must have the shape (outputs, inputs) and bias the shape (outputs)")
        if shape_of(self.input)[-1:] != weights.shape[1:]:
            raise VerifyException(f"{weights.shape[1]} inputs a neuron don't fit the tensor {self.input.type}")
        if shape_of(self.result) != (*shape_of(self.input)[:-1], len(weights)):
            raise VerifyException(f"the result must have {len(weights)} elements in its last axis")
        low, high = self.channel_ranges()
        element = range_of(self.result)
        if int(low.min()) < element.low or int(high.max()) > element.high:
            raise VerifyException(f"sums from {low.min()} to {high.max()} leave the result's range {element}")


def dense_ranges(weights: Integers, bias: Integers, element: IntType) -> tuple[Integers, Integers]:
    """
    The exact lowest and highest of weights · x + bias for x in a range, computed without overflow.

    Raises VerifyException where a sum needs more than 62 bits.
    """
    largest = max(abs(element.low), abs(element.high), 1)
    total = int(np.abs(weights).sum(axis=1).max(initial=0)) * largest + int(np.abs(bias).max(initial=0))
    if total >= 1 << 61:
        raise VerifyException("the sums need more than 62 bits")
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    return (
        positive * element.low + negative * element.high + bias,
        positive * element.high + negative * element.low + bias,
    )


def affine_ranges(
    coefficients: Sequence[Integers], elements: Sequence[IntType], constant: Integers
) -> tuple[Integers, Integers]:
    """
    The lowest and highest of constant + sum of coefficient * x, for x in their ranges, computed without overflow.

    Raises VerifyException where a sum needs more than 62 bits.
    """
    total = int(np.abs(constant).max(initial=0))
    for coefficient, element in zip(coefficients, elements, strict=True):
        total += int(np.abs(coefficient).max(initial=0)) * max(abs(element.low), abs(element.high), 1)
    if total >= 1 << 61:
        raise VerifyException("the sums need more than 62 bits")
    low = high = constant
    for coefficient, element in zip(coefficients, elements, strict=True):
        ends = coefficient * element.low, coefficient * element.high
        low, high = low + np.minimum(*ends), high + np.maximum(*ends)
    return low, high


@irdl_attr_definition
class StepAttr(ParametrizedAttribute):
    """
    One step of an elementwise chain, as `numerics.chain.Step` defines it.

    The constant broadcasts against the tensor; for count it has one more axis. `other` holds the steps of a second
    chain on the same integers.
    """

    name = "lbir.step"

    operation: StringAttr
    constant: Attribute
    mode: StringAttr
    other: ArrayAttr[Attribute]

    @classmethod
    def from_step(cls, step: Step) -> "StepAttr":
        """The attribute for a step; a constant that is the same for all elements is stored once."""
        constant = np.zeros(0) if step.constant is None else step.constant
        if step.operation != "count" and constant.size and np.all(constant == constant.reshape(-1)[0]):
            constant = constant.reshape(-1)[:1]
        return cls(
            StringAttr(step.operation),
            dense_from_array(np.ascontiguousarray(constant)),
            StringAttr("" if step.mode is None else step.mode.value),
            ArrayAttr([cls.from_step(each) for each in step.other or ()]),
        )

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(self.operation.data)
            if self.mode.data:
                printer.print_string(f" {self.mode.data}")
            if array_from_dense(cast(DenseAttr, self.constant)).size:
                printer.print_string(" ")
                printer.print_attribute(self.constant)
            if self.other.data:
                printer.print_string(" of ")
                printer.print_attribute(self.other)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            operation = parser.parse_identifier()
            mode = parser.parse_identifier() if operation == "round" else ""
            other: Attribute = ArrayAttr([])
            constant: Attribute | None = None
            if parser.parse_optional_keyword("of") is not None:
                other = parser.parse_attribute()
            else:
                constant = parser.parse_optional_attribute()
        return [
            StringAttr(operation),
            dense_from_array(np.zeros(0)) if constant is None else constant,
            StringAttr(mode),
            other,
        ]

    def to_step(self) -> Step:
        """The step; its constant has the attribute's shape."""
        array = array_from_dense(cast(DenseAttr, self.constant))
        return Step(
            self.operation.data,
            array if array.size else None,
            RoundingMode(self.mode.data) if self.mode.data else None,
            tuple(cast(StepAttr, each).to_step() for each in self.other) or None,
        )


def step_shapes(steps: Sequence[Step]) -> list[tuple[int, ...]]:
    """The shapes that the constants of steps broadcast over."""
    shapes: list[tuple[int, ...]] = []
    for step in steps:
        if step.constant is not None:
            shapes.append(step.constant.shape[:-1] if step.operation == "count" else step.constant.shape)
        shapes.extend(step_shapes(step.other or ()))
    return shapes


def flattened(steps: Sequence[Step], shape: tuple[int, ...]) -> list[Step]:
    """Steps with constants of one value for each element of a shape that all of them broadcast to."""

    def flat(step: Step) -> Step:
        constant = step.constant
        if constant is not None:
            wanted = (*shape, constant.shape[-1]) if step.operation == "count" else shape
            rows = math.prod(shape)
            constant = np.broadcast_to(constant, wanted).reshape(
                (rows, constant.shape[-1]) if step.operation == "count" else (rows,)
            )
        other = None if step.other is None else tuple(flat(each) for each in step.other)
        return Step(step.operation, constant, step.mode, other)

    return [flat(step) for step in steps]


def broadcasts_to(shape: Sequence[int], target: Sequence[int]) -> bool:
    """Whether arrays of one shape may stand for arrays of another, as numpy broadcasts."""
    padded = (1,) * (len(target) - len(shape)) + tuple(shape)
    return len(padded) == len(target) and all(mine in (1, theirs) for mine, theirs in zip(padded, target, strict=True))


@irdl_op_definition
class ActivateOp(LayerOp):
    """
    The elementwise chain of real numbers between integers and a quantiser, exact.

    It is what the model says, step by step; `lbir-fold-thresholds` makes a circuit's operation of it. Constants
    broadcast against the tensor: one for all, one a channel or one an element.

    ```mlir
    %y = lbir.activate %x steps [#lbir.step<mul dense<5.000000e-01> : tensor<1xf64>>, #lbir.step<round half_even>] : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 4>>
    ```
    """  # noqa: E501

    name = "lbir.activate"

    input = operand_def(TensorType)
    steps = prop_def(ArrayAttr[StepAttr])
    result = result_def(TensorType)

    assembly_format = "$input `steps` $steps (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def __init__(self, x: SSAValue, steps: Sequence[Step], low: int, high: int, node: str | None = None):
        super().__init__(
            operands=[x],
            properties={
                "steps": ArrayAttr([StepAttr.from_step(step) for step in steps]),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[tensor_of(shape_of(x), low, high)],
        )

    def chain(self) -> list[Step]:
        """The steps as the model has them."""
        return [step.to_step() for step in self.steps]

    def verify_(self) -> None:
        if shape_of(self.input) != shape_of(self.result):
            raise VerifyException("an activation keeps the shape")
        if not self.steps.data or self.steps.data[-1].operation.data not in INTEGRAL:
            raise VerifyException(f"a chain must end in one of {', '.join(INTEGRAL)}")
        for shape in step_shapes(self.chain()):
            if not broadcasts_to(shape, shape_of(self.input)):
                raise VerifyException(f"a constant of the shape {shape} doesn't broadcast against {self.input.type}")


def _verify_elementwise(operation: LayerOp, what: str, *parameters: tuple[str, tuple[int, ...]]) -> None:
    """An elementwise operation keeps the shape, and its parameters broadcast against it."""
    shape = shape_of(operation.operands[0])
    if shape != shape_of(operation.results[0]):
        raise VerifyException(f"{what} keeps the shape")
    for name, each in parameters:
        if not broadcasts_to(each, shape):
            raise VerifyException(f"{name} of the shape {each} don't broadcast against the shape {shape}")


@irdl_op_definition
class RequantizeOp(LayerOp):
    """
    result = clip(round((x + offset) / 2^shift), lo, hi), with offsets that broadcast against the tensor.

    ```mlir
    %y = lbir.requantize %x offset dense<0> : tensor<1xi8> shift 1 round "floor" node "act" : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 3>>
    ```
    """  # noqa: E501

    name = "lbir.requantize"

    input = operand_def(TensorType)
    offset = prop_def(DenseIntOrFPElementsAttr)
    shift = prop_def(IntegerAttr[I64])
    rounding = prop_def(StringAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `offset` $offset `shift` $shift `round` $rounding (`node` $node^)? attr-dict "
        "`:` type($input) `->` type($result)"
    )

    def verify_(self) -> None:
        if not 0 <= self.shift.value.data <= 60:
            raise VerifyException("the shift must be between 0 and 60")
        if self.rounding.data not in set(RoundingMode):
            raise VerifyException(f"unknown rounding {self.rounding.data}")
        _verify_elementwise(self, "a requantisation", ("offsets", integers(self.offset).shape))


@irdl_op_definition
class ThresholdOp(LayerOp):
    """
    Counts the thresholds that x has reached: base + #{k : x >= t_k}, or base - #{…} where `ascending` is 0.

    `base` and `ascending` broadcast against the tensor; `thresholds` has one more axis, along which it is sorted.

    ```mlir
    %y = lbir.threshold %x, dense<[[[1, 2], [3, 4]]]> : tensor<1x2x2xi8> base dense<0> : tensor<1x2xi8> ascending dense<1> : tensor<1x2xi8> : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 2>>
    ```
    """  # noqa: E501

    name = "lbir.threshold"

    input = operand_def(TensorType)
    thresholds = prop_def(DenseIntOrFPElementsAttr)
    base = prop_def(DenseIntOrFPElementsAttr)
    ascending = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `,` $thresholds `base` $base `ascending` $ascending (`node` $node^)? attr-dict "
        "`:` type($input) `->` type($result)"
    )

    def verify_(self) -> None:
        thresholds = integers(self.thresholds)
        _verify_elementwise(self, "a threshold", ("thresholds", thresholds.shape[:-1]))
        for name, attribute in (("base", self.base), ("ascending", self.ascending)):
            if integers(attribute).shape != thresholds.shape[:-1]:
                raise VerifyException(f"{name} must have the shape {thresholds.shape[:-1]}")
        if np.any(np.diff(thresholds, axis=-1) < 0):
            raise VerifyException("a row of thresholds isn't sorted")


@irdl_op_definition
class TableOp(LayerOp):
    """
    result = table[…, x - lo], lo being the lowest integer of x; the table's other axes broadcast against the tensor.

    ```mlir
    %y = lbir.table %x, dense<[[[0, 1, 4, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 9]]]> : tensor<1x2x8xi8> : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 9>>
    ```
    """  # noqa: E501

    name = "lbir.table"

    input = operand_def(TensorType)
    table = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = "$input `,` $table (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def __init__(self, x: SSAValue, table: Integers, node: str | None = None):
        super().__init__(
            operands=[x],
            properties={"table": dense(table), "node": None if node is None else StringAttr(node)},
            result_types=[tensor_of(shape_of(x), int(table.min()), int(table.max()))],
        )

    def verify_(self) -> None:
        table, element = integers(self.table), range_of(self.input)
        _verify_elementwise(self, "a table", ("tables", table.shape[:-1]))
        if table.shape[-1] != element.high - element.low + 1:
            raise VerifyException(f"the table must have a value for each integer of {element}")
        if table.min() < range_of(self.result).low or table.max() > range_of(self.result).high:
            raise VerifyException("a table's value leaves the result's range")


@irdl_op_definition
class ConvOp(LayerOp):
    """
    A convolution in any number of dimensions, without padding (`lbir.pad` does that), as ONNX's Conv defines it.

    `input` is (1, channels, *space), `weights` (outputs, channels / groups, *kernel) and `bias` (outputs).

    ```mlir
    %y = lbir.conv %image weights dense<[[[1, -1]]]> : tensor<1x1x2xi8> bias dense<0> : tensor<1xi8> strides [1] dilations [1] groups 1 : tensor<1x1x4x!lbir.int<0, 7>> -> tensor<1x1x3x!lbir.int<-7, 7>>
    ```
    """  # noqa: E501

    name = "lbir.conv"

    input = operand_def(TensorType)
    weights = prop_def(DenseIntOrFPElementsAttr)
    bias = prop_def(DenseIntOrFPElementsAttr)
    strides = prop_def(NumbersAttr)
    dilations = prop_def(NumbersAttr)
    groups = prop_def(IntegerAttr[I64])
    result = result_def(TensorType)

    assembly_format = (
        "$input `weights` $weights `bias` $bias `strides` $strides `dilations` $dilations `groups` $groups "
        "(`node` $node^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        x: SSAValue,
        weights: Integers,
        bias: Integers,
        strides: Sequence[int],
        dilations: Sequence[int],
        groups: int,
        node: str | None = None,
    ):
        low, high = dense_ranges(weights.reshape(len(weights), -1), bias, range_of(x))
        if shape_of(x)[0] != 1:
            raise VerifyException(f"convolutions of a batch of {shape_of(x)[0]} aren't supported")
        space = windows_shape(shape_of(x)[2:], weights.shape[2:], strides, dilations)
        super().__init__(
            operands=[x],
            properties={
                "weights": dense(weights),
                "bias": dense(bias),
                "strides": NumbersAttr.of(strides),
                "dilations": NumbersAttr.of(dilations),
                "groups": IntegerAttr(groups, i64),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[tensor_of((shape_of(x)[0], len(weights), *space), int(low.min()), int(high.max()))],
        )

    def channel_ranges(self) -> tuple[Integers, Integers]:
        """The lowest and highest sum of each output channel."""
        weights = integers(self.weights)
        return dense_ranges(weights.reshape(len(weights), -1), integers(self.bias), range_of(self.input))

    def verify_(self) -> None:
        weights, groups = integers(self.weights), self.groups.value.data
        shape = shape_of(self.input)
        if weights.ndim != len(shape) or weights.ndim < 3 or integers(self.bias).shape != weights.shape[:1]:
            raise VerifyException("weights must be (outputs, channels / groups, *kernel) and bias (outputs)")
        if groups < 1 or shape[1] != weights.shape[1] * groups or len(weights) % groups:
            raise VerifyException(f"{groups} groups don't fit {shape[1]} channels and the weights {weights.shape}")
        space = windows_shape(shape[2:], weights.shape[2:], self.strides.data, self.dilations.data)
        if shape_of(self.result) != (shape[0], len(weights), *space):
            raise VerifyException(f"the result must have the shape {(shape[0], len(weights), *space)}")
        low, high = self.channel_ranges()
        element = range_of(self.result)
        if int(low.min()) < element.low or int(high.max()) > element.high:
            raise VerifyException(f"sums from {low.min()} to {high.max()} leave the result's range {element}")


def windows_shape(
    space: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[int, ...]:
    """How many windows fit along each axis; raises VerifyException where none does."""
    if not len(space) == len(kernel) == len(strides) == len(dilations):
        raise VerifyException("kernel, strides and dilations must have one number for each spatial axis")
    if min((*kernel, *strides, *dilations), default=1) < 1:
        raise VerifyException("kernel, strides and dilations must be positive")
    result = tuple(
        (size - (width - 1) * dilation - 1) // stride + 1
        for size, width, stride, dilation in zip(space, kernel, strides, dilations, strict=True)
    )
    if min(result, default=1) < 1:
        raise VerifyException(f"a kernel of {tuple(kernel)} doesn't fit the space {tuple(space)}")
    return result


def windows_of(
    array: NDArray[Any], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> NDArray[Any]:
    """Views of all windows over the last axes of an array: (…, *positions, *kernel)."""
    rank = len(kernel)
    axes = tuple(range(array.ndim - rank, array.ndim))
    spans = tuple((width - 1) * dilation + 1 for width, dilation in zip(kernel, dilations, strict=True))
    views = np.lib.stride_tricks.sliding_window_view(array, spans, axes)
    steps = (*(slice(None, None, stride) for stride in strides), *(slice(None, None, each) for each in dilations))
    return views[(..., *steps)]


def patches(
    array: NDArray[Any], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> NDArray[Any]:
    """The windows of an array (samples, channels, *space) as rows: (samples, windows, channels * kernel)."""
    rank = len(kernel)
    views = windows_of(array, kernel, strides, dilations)
    rows = np.moveaxis(views, 1, 1 + rank)
    return rows.reshape(len(array), math.prod(rows.shape[1 : 1 + rank]), -1)


@irdl_op_definition
class MaxPoolOp(LayerOp):
    """
    The largest integer of each window, channel by channel, without padding: the input is (1, channels, *space).

    ```mlir
    %y = lbir.max_pool %image kernel [2] strides [2] dilations [1] : tensor<1x1x4x!lbir.int<0, 7>> -> tensor<1x1x2x!lbir.int<0, 7>>
    ```
    """  # noqa: E501

    name = "lbir.max_pool"

    input = operand_def(TensorType)
    kernel = prop_def(NumbersAttr)
    strides = prop_def(NumbersAttr)
    dilations = prop_def(NumbersAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `kernel` $kernel `strides` $strides `dilations` $dilations (`node` $node^)? attr-dict "
        "`:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        x: SSAValue,
        kernel: Sequence[int],
        strides: Sequence[int],
        dilations: Sequence[int],
        node: str | None = None,
    ):
        if shape_of(x)[0] != 1:
            raise VerifyException(f"windows of a batch of {shape_of(x)[0]} aren't supported")
        space = windows_shape(shape_of(x)[2:], kernel, strides, dilations)
        super().__init__(
            operands=[x],
            properties={
                "kernel": NumbersAttr.of(kernel),
                "strides": NumbersAttr.of(strides),
                "dilations": NumbersAttr.of(dilations),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[TensorType(range_of(x), [*shape_of(x)[:2], *space])],
        )

    def verify_(self) -> None:
        shape = shape_of(self.input)
        space = windows_shape(shape[2:], self.kernel.data, self.strides.data, self.dilations.data)
        if shape_of(self.result) != (*shape[:2], *space):
            raise VerifyException(f"the result must have the shape {(*shape[:2], *space)}")


@irdl_op_definition
class AddOp(LayerOp):
    """
    An exact linear form of tensors, element by element: the sum of coefficient * operand, and a constant.

    Operands, coefficients and constant broadcast. A single operand is scaled channel by channel so.

    ```mlir
    %y = lbir.add %x, %w times [dense<1> : tensor<1xi8>, dense<[[2, -2]]> : tensor<1x2xi8>] plus dense<0> : tensor<1xi8> : tensor<1x2x!lbir.int<0, 7>>, tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<-14, 21>>
    ```
    """  # noqa: E501

    name = "lbir.add"

    inputs = var_operand_def(TensorType)
    coefficients = prop_def(ArrayAttr[DenseIntOrFPElementsAttr])
    constant = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$inputs `times` $coefficients `plus` $constant (`node` $node^)? attr-dict `:` type($inputs) `->` type($result)"
    )

    def __init__(
        self, xs: Sequence[SSAValue], coefficients: Sequence[Integers], constant: Integers, node: str | None = None
    ):
        low, high = affine_ranges(coefficients, [range_of(x) for x in xs], constant)
        shape = np.broadcast_shapes(*(shape_of(x) for x in xs), low.shape)
        super().__init__(
            operands=[xs],
            properties={
                "coefficients": ArrayAttr([dense(each) for each in coefficients]),
                "constant": dense(constant),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[tensor_of(shape, int(low.min()), int(high.max()))],
        )

    def channel_ranges(self) -> tuple[Integers, Integers]:
        """The lowest and highest sums, as arrays that broadcast against the result."""
        factors = [integers(each) for each in self.coefficients]
        return affine_ranges(factors, [range_of(x) for x in self.inputs], integers(self.constant))

    def verify_(self) -> None:
        if len(self.coefficients) != len(self.inputs) or not self.inputs:
            raise VerifyException("an addition needs a coefficient for each operand")
        shape = shape_of(self.result)
        shapes = [shape_of(x) for x in self.inputs]
        if np.broadcast_shapes(*shapes, *(integers(each).shape for each in self.coefficients)) != shape:
            raise VerifyException("the operands and coefficients must broadcast to the result's shape")
        if not broadcasts_to(integers(self.constant).shape, shape):
            raise VerifyException("the constant must broadcast to the result's shape")
        low, high = self.channel_ranges()
        element = range_of(self.result)
        if int(low.min()) < element.low or int(high.max()) > element.high:
            raise VerifyException(f"sums from {low.min()} to {high.max()} leave the result's range {element}")


def value_ranges(value: SSAValue) -> tuple[Integers, Integers]:
    """The lowest and highest integer of a tensor's elements, in arrays of its rank that broadcast against it."""
    rank, owner = len(shape_of(value)), value.owner
    match owner:
        case DenseOp():
            low, high = owner.channel_ranges()
            shape = (*(1,) * (rank - 1), -1)
        case ConvOp():
            low, high = owner.channel_ranges()
            shape = (1, -1, *(1,) * (rank - 2))
        case AddOp():
            low, high = owner.channel_ranges()
            shape = (1,) * (rank - low.ndim) + low.shape
        case _:
            element = range_of(value)
            low, high = np.array(element.low, np.int64), np.array(element.high, np.int64)
            shape = (1,) * rank
    return low.reshape(shape), high.reshape(shape)


def function_ranges(value: SSAValue, shape: tuple[int, ...]) -> tuple[Integers, Integers]:
    """The lowest and highest integer that each function of a shape can meet in a tensor, flattened."""
    low, high = value_ranges(value)
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    lowest, highest = low.min(axis=axes, keepdims=True), high.max(axis=axes, keepdims=True)
    return np.broadcast_to(lowest, shape).reshape(-1), np.broadcast_to(highest, shape).reshape(-1)


@irdl_op_definition
class MultiplyOp(LayerOp):
    """
    The product of two tensors, element by element; their shapes broadcast.

    ```mlir
    %y = lbir.multiply %x, %w : tensor<1x2x!lbir.int<0, 7>>, tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 49>>
    ```
    """

    name = "lbir.multiply"

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)

    assembly_format = "$lhs `,` $rhs (`node` $node^)? attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue, node: str | None = None):
        low, high = product_range(range_of(lhs), range_of(rhs))
        super().__init__(
            operands=[lhs, rhs],
            properties={"node": None if node is None else StringAttr(node)},
            result_types=[tensor_of(np.broadcast_shapes(shape_of(lhs), shape_of(rhs)), low, high)],
        )

    def verify_(self) -> None:
        if np.broadcast_shapes(shape_of(self.lhs), shape_of(self.rhs)) != shape_of(self.result):
            raise VerifyException("the operands must broadcast to the result's shape")


def product_range(a: IntType, b: IntType) -> tuple[int, int]:
    """The lowest and highest product of integers of two ranges."""
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(ends), max(ends)


@irdl_op_definition
class MaximumOp(LayerOp):
    """
    The larger of two tensors, element by element; their shapes broadcast.

    ```mlir
    %y = lbir.maximum %x, %w : tensor<1x2x!lbir.int<0, 7>>, tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 7>>
    ```
    """

    name = "lbir.maximum"

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)

    assembly_format = "$lhs `,` $rhs (`node` $node^)? attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue, node: str | None = None):
        a, b = range_of(lhs), range_of(rhs)
        super().__init__(
            operands=[lhs, rhs],
            properties={"node": None if node is None else StringAttr(node)},
            result_types=[
                tensor_of(np.broadcast_shapes(shape_of(lhs), shape_of(rhs)), max(a.low, b.low), max(a.high, b.high))
            ],
        )

    def verify_(self) -> None:
        if np.broadcast_shapes(shape_of(self.lhs), shape_of(self.rhs)) != shape_of(self.result):
            raise VerifyException("the operands must broadcast to the result's shape")


@irdl_op_definition
class TopKOp(LayerOp):
    """
    The indices of the first k elements along the last axis, in order: the largest first, or the smallest.

    `margins` of shape (n, n) decides for a < b: a comes before b where x_a - x_b >= margins[a][b], for the smallest
    where x_b - x_a is. So offsets of single elements and the order of equal ones are in the margins.

    ```mlir
    %y = lbir.top_k %x, dense<[[0, 0], [1, 0]]> : tensor<2x2xi8> order "largest" node "argmax" : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x1x!lbir.int<0, 1>>
    ```
    """  # noqa: E501

    name = "lbir.top_k"

    input = operand_def(TensorType)
    margins = prop_def(DenseIntOrFPElementsAttr)
    order = prop_def(StringAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `,` $margins `order` $order (`node` $node^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(self, x: SSAValue, margins: Integers, largest: bool, count: int, node: str | None = None):
        super().__init__(
            operands=[x],
            properties={
                "margins": dense(margins),
                "order": StringAttr("largest" if largest else "smallest"),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[tensor_of((*shape_of(x)[:-1], count), 0, shape_of(x)[-1] - 1)],
        )

    def verify_(self) -> None:
        size = shape_of(self.input)[-1]
        if integers(self.margins).shape != (size, size):
            raise VerifyException(f"the margins must have the shape ({size}, {size})")
        if self.order.data not in ("largest", "smallest"):
            raise VerifyException("the order must be largest or smallest")
        if shape_of(self.result)[:-1] != shape_of(self.input)[:-1] or not 1 <= shape_of(self.result)[-1] <= size:
            raise VerifyException(f"the result must have 1 to {size} elements in its last axis")
        if range_of(self.result) != IntType(0, size - 1):
            raise VerifyException(f"indices go from 0 to {size - 1}")


@irdl_op_definition
class ReshapeOp(LayerOp):
    """
    The same elements in the same order, in another shape.

    ```mlir
    %y = lbir.reshape %x : tensor<1x2x!lbir.int<0, 7>> -> tensor<2x1x!lbir.int<0, 7>>
    ```
    """

    name = "lbir.reshape"

    input = operand_def(TensorType)
    result = result_def(TensorType)

    assembly_format = "$input (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def __init__(self, x: SSAValue, shape: Sequence[int]):
        super().__init__(operands=[x], result_types=[TensorType(range_of(x), list(shape))])

    def verify_(self) -> None:
        if size_of(self.input) != size_of(self.result) or range_of(self.input) != range_of(self.result):
            raise VerifyException("a reshape keeps the elements and their range")


@irdl_op_definition
class TransposeOp(LayerOp):
    """
    The axes in another order, as numpy's transpose.

    ```mlir
    %y = lbir.transpose %x by [1, 0] : tensor<1x2x!lbir.int<0, 7>> -> tensor<2x1x!lbir.int<0, 7>>
    ```
    """

    name = "lbir.transpose"

    input = operand_def(TensorType)
    permutation = prop_def(NumbersAttr)
    result = result_def(TensorType)

    assembly_format = "$input `by` $permutation (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def __init__(self, x: SSAValue, permutation: Sequence[int]):
        shape = shape_of(x)
        super().__init__(
            operands=[x],
            properties={"permutation": NumbersAttr.of(permutation)},
            result_types=[TensorType(range_of(x), [shape[axis] for axis in permutation])],
        )

    @property
    def order(self) -> tuple[int, ...]:
        """The source's axis for each axis of the result."""
        return self.permutation.data

    def verify_(self) -> None:
        order = self.order
        shape = shape_of(self.input)
        if sorted(order) != list(range(len(shape))) or shape_of(self.result) != tuple(shape[axis] for axis in order):
            raise VerifyException("the permutation doesn't fit the shapes")


@irdl_op_definition
class ConcatOp(LayerOp):
    """
    Tensors side by side along an axis.

    ```mlir
    %y = lbir.concat %x, %w axis 1 : tensor<1x2x!lbir.int<0, 7>>, tensor<1x2x!lbir.int<0, 7>> -> tensor<1x4x!lbir.int<0, 7>>
    ```
    """  # noqa: E501

    name = "lbir.concat"

    inputs = var_operand_def(TensorType)
    axis = prop_def(IntegerAttr[I64])
    result = result_def(TensorType)

    assembly_format = "$inputs `axis` $axis (`node` $node^)? attr-dict `:` type($inputs) `->` type($result)"

    def __init__(self, xs: Sequence[SSAValue], axis: int, node: str | None = None):
        elements = [range_of(x) for x in xs]
        shape = list(shape_of(xs[0]))
        shape[axis] = sum(shape_of(x)[axis] for x in xs)
        super().__init__(
            operands=[xs],
            properties={"axis": IntegerAttr(axis, i64), "node": None if node is None else StringAttr(node)},
            result_types=[tensor_of(shape, min(e.low for e in elements), max(e.high for e in elements))],
        )

    def verify_(self) -> None:
        axis, shape = self.axis.value.data, list(shape_of(self.result))
        if not self.inputs or not 0 <= axis < len(shape):
            raise VerifyException("the axis isn't one of the result's")
        if sum(shape_of(x)[axis] for x in self.inputs) != shape[axis]:
            raise VerifyException(f"the operands' sizes along axis {axis} don't add up")
        for x in self.inputs:
            shape[axis] = shape_of(x)[axis]
            if tuple(shape) != shape_of(x):
                raise VerifyException("the operands' shapes differ outside of the axis")


@irdl_op_definition
class PadOp(LayerOp):
    """
    Integers around a tensor: `low` many before and `high` many after it along each axis; `value` broadcasts.

    ```mlir
    %y = lbir.pad %x value dense<0> : tensor<1xi8> low [0, 1] high [0, 2] : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x5x!lbir.int<0, 7>>
    ```
    """  # noqa: E501

    name = "lbir.pad"

    input = operand_def(TensorType)
    value = prop_def(DenseIntOrFPElementsAttr)
    low = prop_def(NumbersAttr)
    high = prop_def(NumbersAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `value` $value `low` $low `high` $high (`node` $node^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(self, x: SSAValue, value: Integers, low: Sequence[int], high: Sequence[int], node: str | None = None):
        element = range_of(x)
        shape = [a + size + b for a, size, b in zip(low, shape_of(x), high, strict=True)]
        super().__init__(
            operands=[x],
            properties={
                "value": dense(value),
                "low": NumbersAttr.of(low),
                "high": NumbersAttr.of(high),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[tensor_of(shape, min(element.low, int(value.min())), max(element.high, int(value.max())))],
        )

    def verify_(self) -> None:
        shape = shape_of(self.input)
        if not len(shape) == len(self.low.data) == len(self.high.data) or min((*self.low.data, *self.high.data)) < 0:
            raise VerifyException("low and high must have one number, not below 0, for each axis")
        padded = tuple(a + size + b for a, size, b in zip(self.low.data, shape, self.high.data, strict=True))
        if shape_of(self.result) != padded:
            raise VerifyException(f"the result must have the shape {padded}")
        value, element = integers(self.value), range_of(self.result)
        if not broadcasts_to(value.shape, padded) or value.min() < element.low or value.max() > element.high:
            raise VerifyException("the padded value must broadcast to the result and lie in its range")


@irdl_op_definition
class GatherOp(LayerOp):
    """
    Slices of a tensor along an axis by their numbers, in any order and any number of times.

    ```mlir
    %y = lbir.gather %x axis 1 indices [1, 0, 1] : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x3x!lbir.int<0, 7>>
    ```
    """

    name = "lbir.gather"

    input = operand_def(TensorType)
    axis = prop_def(IntegerAttr[I64])
    indices = prop_def(NumbersAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `axis` $axis `indices` $indices (`node` $node^)? attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(self, x: SSAValue, axis: int, indices: Sequence[int], node: str | None = None):
        shape = list(shape_of(x))
        shape[axis] = len(indices)
        super().__init__(
            operands=[x],
            properties={
                "axis": IntegerAttr(axis, i64),
                "indices": NumbersAttr.of(indices),
                "node": None if node is None else StringAttr(node),
            },
            result_types=[TensorType(range_of(x), shape)],
        )

    def verify_(self) -> None:
        axis, shape = self.axis.value.data, list(shape_of(self.input))
        if not 0 <= axis < len(shape) or not all(0 <= each < shape[axis] for each in self.indices.data):
            raise VerifyException("an index leaves the axis")
        shape[axis] = len(self.indices.data)
        if shape_of(self.result) != tuple(shape):
            raise VerifyException(f"the result must have the shape {tuple(shape)}")


@irdl_op_definition
class BroadcastOp(LayerOp):
    """
    A tensor repeated along axes of size 1, as numpy broadcasts.

    ```mlir
    %y = lbir.broadcast %scalar : tensor<1x1x!lbir.int<0, 7>> -> tensor<1x3x!lbir.int<0, 7>>
    ```
    """

    name = "lbir.broadcast"

    input = operand_def(TensorType)
    result = result_def(TensorType)

    assembly_format = "$input (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def __init__(self, x: SSAValue, shape: Sequence[int]):
        super().__init__(operands=[x], result_types=[TensorType(range_of(x), list(shape))])

    def verify_(self) -> None:
        if not broadcasts_to(shape_of(self.input), shape_of(self.result)):
            raise VerifyException("the operand doesn't broadcast to the result's shape")


@irdl_op_definition
class PatchesOp(LayerOp):
    """
    The windows of a convolution or pooling as rows (im2col): (1, channels, *space) becomes (1, windows, elements).

    The elements of a window are in the order of its weights: channel first, then the kernel's axes.

    ```mlir
    %y = lbir.patches %image kernel [2] strides [1] dilations [1] : tensor<1x1x4x!lbir.int<0, 7>> -> tensor<1x3x2x!lbir.int<0, 7>>
    ```
    """  # noqa: E501

    name = "lbir.patches"

    input = operand_def(TensorType)
    kernel = prop_def(NumbersAttr)
    strides = prop_def(NumbersAttr)
    dilations = prop_def(NumbersAttr)
    result = result_def(TensorType)

    assembly_format = (
        "$input `kernel` $kernel `strides` $strides `dilations` $dilations (`node` $node^)? attr-dict "
        "`:` type($input) `->` type($result)"
    )

    def __init__(self, x: SSAValue, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]):
        shape = shape_of(x)
        space = windows_shape(shape[2:], kernel, strides, dilations)
        rows = (shape[0], math.prod(space), shape[1] * math.prod(kernel))
        super().__init__(
            operands=[x],
            properties={
                "kernel": NumbersAttr.of(kernel),
                "strides": NumbersAttr.of(strides),
                "dilations": NumbersAttr.of(dilations),
            },
            result_types=[TensorType(range_of(x), list(rows))],
        )

    def verify_(self) -> None:
        shape = shape_of(self.input)
        space = windows_shape(shape[2:], self.kernel.data, self.strides.data, self.dilations.data)
        rows = (shape[0], math.prod(space), shape[1] * math.prod(self.kernel.data))
        if shape_of(self.result) != rows:
            raise VerifyException(f"the result must have the shape {rows}")


@irdl_op_definition
class CallOp(LayerOp):
    """
    A layer that has been unrolled: calls a `neuron.layer` on the last axis of its operands, once a row.

    `axes` says, for comparisons and proofs, how the tensor that the model's node gives is transposed to the rows of
    this one, and `operations` which of the network's operations the layer stands for, by their positions before
    unrolling.

    ```mlir
    %y = lbir.call @fc(%x) node "act" : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x1x!lbir.int<0, 3>>
    ```
    """

    name = "lbir.call"

    layer = prop_def(SymbolNameConstraint())
    axes = opt_prop_def(NumbersAttr)
    operations = opt_prop_def(NumbersAttr)
    inputs = var_operand_def(TensorType)
    result = result_def(TensorType)

    assembly_format = (
        "$layer `(` $inputs `)` (`axes` $axes^)? (`node` $node^)? (`operations` $operations^)? attr-dict "
        "`:` type($inputs) `->` type($result)"
    )

    def __init__(
        self,
        layer: str,
        xs: Sequence[SSAValue],
        result_type: Attribute,
        node: str | None,
        axes: Sequence[int] | None = None,
        operations: Sequence[int] | None = None,
    ):
        super().__init__(
            operands=[xs],
            result_types=[result_type],
            properties={
                "layer": StringAttr(layer),
                "axes": None if axes is None else NumbersAttr.of(axes),
                "operations": None if operations is None else NumbersAttr.of(operations),
                "node": None if node is None else StringAttr(node),
            },
        )

    @property
    def rows(self) -> int:
        """How many instances the call is."""
        return math.prod(shape_of(self.result)[:-1])

    def verify_(self) -> None:
        lead = shape_of(self.result)[:-1]
        if not self.inputs or any(shape_of(x)[:-1] != lead for x in self.inputs):
            raise VerifyException("a call's operands and result must have the same rows")


Lbir = Dialect(
    "lbir",
    [
        NetworkOp,
        OutputOp,
        DenseOp,
        ConvOp,
        MaxPoolOp,
        AddOp,
        MultiplyOp,
        MaximumOp,
        ActivateOp,
        RequantizeOp,
        ThresholdOp,
        TableOp,
        TopKOp,
        ReshapeOp,
        TransposeOp,
        ConcatOp,
        PadOp,
        GatherOp,
        BroadcastOp,
        PatchesOp,
        CallOp,
    ],
    [IntType, NumbersAttr, PortAttr, StepAttr],
)
