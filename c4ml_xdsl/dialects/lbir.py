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
from c4ml_xdsl.numerics.chain import Step
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
    how an input's values are rounded, `after` what the model does behind an output ("" for nothing).
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


@irdl_attr_definition
class StepAttr(ParametrizedAttribute):
    """One step of an elementwise chain, as `numerics.chain.Step` defines it; the constant has the tensor's shape."""

    name = "lbir.step"

    operation: StringAttr
    constant: Attribute
    mode: StringAttr

    @classmethod
    def from_step(cls, step: Step) -> "StepAttr":
        """The attribute for a step; a constant that is the same for all elements is stored once."""
        constant = np.zeros(0) if step.constant is None else step.constant
        if constant.size and np.all(constant == constant[0]):
            constant = constant[:1]
        return cls(
            StringAttr(step.operation),
            dense_from_array(np.ascontiguousarray(constant)),
            StringAttr("" if step.mode is None else step.mode.value),
        )

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(self.operation.data)
            if self.mode.data:
                printer.print_string(f" {self.mode.data}")
            if array_from_dense(cast(DenseAttr, self.constant)).size:
                printer.print_string(" ")
                printer.print_attribute(self.constant)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            operation = parser.parse_identifier()
            mode = parser.parse_identifier() if operation == "round" else ""
            constant = parser.parse_optional_attribute()
        return [
            StringAttr(operation),
            dense_from_array(np.zeros(0)) if constant is None else constant,
            StringAttr(mode),
        ]

    def to_step(self, elements: int) -> Step:
        """The step, its constant spread over so many elements."""
        array = array_from_dense(cast(DenseAttr, self.constant))
        constant = np.broadcast_to(array, (elements,)) if array.size else None
        return Step(self.operation.data, constant, RoundingMode(self.mode.data) if self.mode.data else None)


@irdl_op_definition
class ActivateOp(LayerOp):
    """
    The elementwise chain of real numbers between integers and a quantiser, exact, one function for each element.

    It is what the model says, step by step; `lbir-fold-thresholds` makes a circuit's operation of it.

    ```mlir
    %y = lbir.activate %x steps [#lbir.step<mul dense<5.000000e-01> : tensor<1xf64>>, #lbir.step<round half_even>] : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 4>>
    ```
    """  # noqa: E501

    name = "lbir.activate"

    input = operand_def(TensorType)
    steps = prop_def(ArrayAttr[StepAttr])
    result = result_def(TensorType)

    assembly_format = "$input `steps` $steps (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def chain(self) -> list[Step]:
        """The steps with one constant an element."""
        return [step.to_step(size_of(self.input)) for step in self.steps]

    def verify_(self) -> None:
        if shape_of(self.input) != shape_of(self.result):
            raise VerifyException("an activation keeps the shape")
        if not self.steps.data or self.steps.data[-1].operation.data not in ("round", "step"):
            raise VerifyException("a chain must end in a rounding or a step")


@irdl_op_definition
class RequantizeOp(LayerOp):
    """
    result = clip(round((x + offset) / 2^shift), lo, hi), with one offset an element or one for all.

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
        if shape_of(self.input) != shape_of(self.result):
            raise VerifyException("a requantisation keeps the shape")
        if not 0 <= self.shift.value.data <= 60:
            raise VerifyException("the shift must be between 0 and 60")
        if self.rounding.data not in set(RoundingMode):
            raise VerifyException(f"unknown rounding {self.rounding.data}")
        if integers(self.offset).size not in (1, size_of(self.input)):
            raise VerifyException("offset must have one integer, or one for each element")


@irdl_op_definition
class ThresholdOp(LayerOp):
    """
    Counts the thresholds that x has reached: base + #{k : x >= t_k}, or base - #{…} where `ascending` is 0.

    `thresholds` has the shape (elements, levels), each row sorted; `base` and `ascending` have the shape (elements).

    ```mlir
    %y = lbir.threshold %x, dense<[[1, 2], [3, 4]]> : tensor<2x2xi8> base dense<0> : tensor<2xi8> ascending dense<1> : tensor<2xi8> : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 2>>
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
        thresholds, size = integers(self.thresholds), size_of(self.input)
        if shape_of(self.input) != shape_of(self.result):
            raise VerifyException("thresholds keep the shape")
        if thresholds.ndim != 2 or len(thresholds) != size:
            raise VerifyException(f"thresholds must have one row for each of the {size} elements")
        if integers(self.base).shape != (size,) or integers(self.ascending).shape != (size,):
            raise VerifyException(f"base and ascending must have {size} entries")
        if np.any(np.diff(thresholds, axis=1) < 0):
            raise VerifyException("a row of thresholds isn't sorted")


@irdl_op_definition
class TableOp(LayerOp):
    """
    result = table[element][x - lo], lo being the lowest integer of x; `table` has the shape (elements, values).

    ```mlir
    %y = lbir.table %x, dense<[[0, 1, 4, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 9]]> : tensor<2x8xi8> : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x2x!lbir.int<0, 9>>
    ```
    """  # noqa: E501

    name = "lbir.table"

    input = operand_def(TensorType)
    table = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    assembly_format = "$input `,` $table (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def verify_(self) -> None:
        table, element = integers(self.table), range_of(self.input)
        if shape_of(self.input) != shape_of(self.result):
            raise VerifyException("a table keeps the shape")
        if table.shape != (size_of(self.input), element.high - element.low + 1):
            raise VerifyException(f"the table must have one row an element and one value for each integer of {element}")
        if table.size and (table.min() < range_of(self.result).low or table.max() > range_of(self.result).high):
            raise VerifyException("a table's value leaves the result's range")


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
class CallOp(LayerOp):
    """
    A layer that has been unrolled: calls a `neuron.layer` on all elements of its input, in order.

    ```mlir
    %y = lbir.call @fc %x node "act" : tensor<1x2x!lbir.int<0, 7>> -> tensor<1x1x!lbir.int<0, 3>>
    ```
    """

    name = "lbir.call"

    layer = prop_def(SymbolNameConstraint())
    input = operand_def(TensorType)
    result = result_def(TensorType)

    assembly_format = "$layer $input (`node` $node^)? attr-dict `:` type($input) `->` type($result)"

    def __init__(self, layer: str, x: SSAValue, result_type: Attribute, node: str | None):
        super().__init__(
            operands=[x],
            result_types=[result_type],
            properties={"layer": StringAttr(layer), "node": None if node is None else StringAttr(node)},
        )


Lbir = Dialect(
    "lbir",
    [
        NetworkOp,
        OutputOp,
        DenseOp,
        ActivateOp,
        RequantizeOp,
        ThresholdOp,
        TableOp,
        TopKOp,
        ReshapeOp,
        TransposeOp,
        CallOp,
    ],
    [IntType, NumbersAttr, PortAttr, StepAttr],
)
