"""
The `qonnx` dialect: an ONNX or QONNX model, one operation per node, names kept.

Nothing is decided at this level. Values are float tensors as in the file, quantisers are operations
(`qonnx.Quant`, `qonnx.BipolarQuant`, `qonnx.QuantizeLinear`, …), and every node carries its ONNX attributes as
properties under their ONNX names. An operation's mnemonic is the operator's own name, so `qonnx.Gemm` is ONNX's
`Gemm`. Operators that the dialect doesn't know become `qonnx.unknown`.

What the operators mean is defined by the [ONNX operator schemas](https://onnx.ai/onnx/operators/) of the opset that the
graph names, and by the [QONNX operator definitions](https://github.com/fastmachinelearning/qonnx/tree/main/docs).

A small network:

```mlir
qonnx.graph @net opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x1xf32>) {
  %w = qonnx.initializer "w" dense<[[0.5, -1.0]]> : tensor<1x2xf32>
  %y = qonnx.Gemm "Gemm_0" (%x, %w) {transB = 1} : (tensor<1x2xf32>, tensor<1x2xf32>) -> ("y": tensor<1x1xf32>)
  qonnx.return %y : tensor<1x1xf32>
}
```

Element types follow MLIR's custom:
ONNX's signed integers are `i8` … `i64`, unsigned ones `ui8` … `ui64`, booleans `i1`.
A value about which the file says nothing has the type `!qonnx.unknown` until `qonnx-infer-shapes` has run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import (
    ArrayAttr,
    BytesAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    FunctionType,
    IntegerAttr,
    IntegerType,
    NoneType,
    Signedness,
    StringAttr,
    SymbolNameConstraint,
    TensorType,
    UnitAttr,
    UnrankedTensorType,
    f32,
    i64,
)
from xdsl.ir import (
    Attribute,
    AttributeInvT,
    Dialect,
    ParametrizedAttribute,
    Region,
    SSAValue,
    TypeAttribute,
)
from xdsl.irdl import (
    AttrConstraint,
    IRDLOperation,
    OptionalDef,
    VerificationContext,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, IsTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

AnyArray: TypeAlias = NDArray[Any]
DenseAttr: TypeAlias = DenseIntOrFPElementsAttr[Any]
AttributeValue: TypeAlias = int | float | str | tuple[int, ...] | tuple[float, ...] | AnyArray
"""What an ONNX attribute is in Python."""

MAXIMUM_BIT_WIDTH = 32
"""The widest quantiser that the dialect accepts: float32 execution can't tell more integers apart."""

LATEST_OPSET = 21
"""The opset whose meaning a graph has that names none."""


# Tensor types and dense constants --------------------------------------------------------------------------------


_ELEMENT_TYPES: tuple[tuple[np.dtype[Any], IntegerType | Float16Type | Float32Type | Float64Type], ...] = (
    (np.dtype(np.float32), f32),
    (np.dtype(np.int64), i64),
    (np.dtype(np.int32), IntegerType(32)),
    (np.dtype(np.int16), IntegerType(16)),
    (np.dtype(np.int8), IntegerType(8)),
    (np.dtype(np.uint8), IntegerType(8, Signedness.UNSIGNED)),
    (np.dtype(np.uint16), IntegerType(16, Signedness.UNSIGNED)),
    (np.dtype(np.uint32), IntegerType(32, Signedness.UNSIGNED)),
    (np.dtype(np.uint64), IntegerType(64, Signedness.UNSIGNED)),
    (np.dtype(np.bool_), IntegerType(1)),
    (np.dtype(np.float64), Float64Type()),
    (np.dtype(np.float16), Float16Type()),
)
_FROM_DTYPE = dict(_ELEMENT_TYPES)
_TO_DTYPE: dict[Attribute, np.dtype[Any]] = {element: dtype for dtype, element in _ELEMENT_TYPES}
_TO_DTYPE.update(
    {
        IntegerType(4): np.dtype(np.int8),
        IntegerType(4, Signedness.UNSIGNED): np.dtype(np.uint8),
    }
)


def element_type_of(dtype: np.dtype[Any]) -> IntegerType | Float16Type | Float32Type | Float64Type:
    """
    The element type that stands for a numpy type.

    Raises ValueError for types that have none (complex, object, text).
    """
    element_type = _FROM_DTYPE.get(dtype)
    if element_type is None:
        raise ValueError(f"no element type stands for numpy's {dtype}")
    return element_type


def dtype_of(element_type: Attribute) -> np.dtype[Any]:
    """
    The numpy type that holds values of an element type; four-bit integers are held in eight bits.

    Raises ValueError for element types that numpy can't hold.
    """
    dtype = _TO_DTYPE.get(element_type)
    if dtype is None:
        raise ValueError(f"numpy has no type for elements of type {element_type}")
    return dtype


def dense_from_array(array: AnyArray, element_type: IntegerType | None = None) -> DenseAttr:
    """
    The dense attribute that holds an array; its bytes are copied at once, not element by element.

    `element_type` overrides the element type of an integer array (for four-bit integers).
    """
    chosen = element_type_of(array.dtype) if element_type is None else element_type
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype == np.bool_:
        # A true `i1` is all ones, as xDSL has it when it parses one.
        little_endian = -little_endian.astype(np.int8)
    return DenseIntOrFPElementsAttr(
        TensorType(chosen, array.shape), BytesAttr(np.ascontiguousarray(little_endian).tobytes())
    )


def array_from_dense(attribute: DenseAttr) -> AnyArray:
    """The array that a dense attribute holds; it shares the attribute's memory and can't be written."""
    dtype = dtype_of(attribute.get_element_type())
    shape = attribute.get_shape()
    if dtype == np.bool_:
        return np.frombuffer(attribute.data.data, np.int8).reshape(shape) != 0
    return np.frombuffer(attribute.data.data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


def static_shape(value: SSAValue) -> tuple[int, ...] | None:
    """The shape of a value whose tensor type is ranked and has no dynamic dimension, else None."""
    value_type = value.type
    if not isinstance(value_type, TensorType):
        return None
    shape = value_type.get_shape()
    return None if any(dimension < 0 for dimension in shape) else shape


@irdl_attr_definition
class UnknownType(ParametrizedAttribute, TypeAttribute):
    """The type of a tensor about which the model file says nothing; `qonnx-infer-shapes` replaces it."""

    name = "qonnx.unknown"


UNKNOWN_TYPE = UnknownType()


def is_tensor_type(attribute: Attribute) -> bool:
    """Whether a type may be that of a value in a `qonnx.graph`."""
    return isinstance(attribute, TensorType | UnrankedTensorType | UnknownType | NoneType)


# Attributes of operators -----------------------------------------------------------------------------------------


class AttributeKind(Enum):
    """The kinds of ONNX attributes that the dialect's operators have; the value is what a message calls them."""

    INT = "an integer"
    FLOAT = "a number"
    STRING = "a string"
    INTS = "a list of integers"
    FLOATS = "a list of numbers"
    TENSOR = "a tensor"


_PROPERTY_CLASSES: dict[AttributeKind, type[Attribute]] = {
    AttributeKind.INT: IntegerAttr,
    AttributeKind.FLOAT: FloatAttr,
    AttributeKind.STRING: StringAttr,
    AttributeKind.INTS: DenseArrayBase,
    AttributeKind.FLOATS: DenseArrayBase,
    AttributeKind.TENSOR: DenseIntOrFPElementsAttr,
}


@dataclass(frozen=True)
class OnnxAttribute(AttrConstraint[AttributeInvT], Generic[AttributeInvT]):
    """
    One attribute of an operator: its kind, default and allowed values.

    It is the constraint on the property of the same name, so the operator table and the verifier are the same thing.
    """

    kind: AttributeKind
    default: int | float | str | tuple[int, ...] | tuple[float, ...] | None = None
    choices: tuple[int, ...] | tuple[str, ...] = ()
    minimum: int | None = None

    def verify(self, attr: Attribute, constraint_context: VerificationContext) -> None:
        if not isinstance(attr, _PROPERTY_CLASSES[self.kind]):
            raise VerifyException(f"must be {self.kind.value}, not {attr}")
        value = _value_of(attr)
        if self.kind in (AttributeKind.INTS, AttributeKind.FLOATS):
            element_type = cast(DenseArrayBase[Any], attr).elt_type
            if element_type != (i64 if self.kind is AttributeKind.INTS else f32):
                raise VerifyException(f"must be {self.kind.value}, not one of {element_type}")
        if self.choices and (value.upper() if isinstance(value, str) else value) not in self.choices:
            raise VerifyException(f"must be one of {', '.join(map(str, self.choices))}, not {value}")
        if self.minimum is not None:
            numbers = cast(tuple[int, ...], value if isinstance(value, tuple) else (value,))
            if any(number < self.minimum for number in numbers):
                raise VerifyException(f"must not be below {self.minimum}, but is {value}")

    def get_bases(self) -> set[type[Attribute]]:
        return {_PROPERTY_CLASSES[self.kind]}

    def mapping_type_vars(self, type_var_mapping: Mapping[Any, Any]) -> "OnnxAttribute[AttributeInvT]":
        return self

    def to_property(self, value: AttributeValue) -> Attribute:
        """
        The property that holds a Python value.

        Raises VerifyException when the value is of the wrong kind or not allowed.
        """
        attribute = _property_of(self.kind, value)
        self.verify(attribute, VerificationContext())
        return attribute


def _value_of(attribute: Attribute) -> AttributeValue:
    """The Python value of a property of an operator."""
    if isinstance(attribute, IntegerAttr | FloatAttr):
        return attribute.value.data
    if isinstance(attribute, StringAttr):
        return attribute.data
    if isinstance(attribute, DenseArrayBase):
        return cast(tuple[int, ...] | tuple[float, ...], cast(DenseArrayBase[Any], attribute).get_values())
    return array_from_dense(cast(DenseAttr, attribute))


def _property_of(kind: AttributeKind, value: AttributeValue) -> Attribute:
    """The property of a kind that holds a Python value; a value that doesn't fit raises VerifyException."""
    match kind, value:
        case AttributeKind.INT, int():
            return IntegerAttr(value, i64)
        case AttributeKind.FLOAT, int() | float():
            return FloatAttr(float(value), f32)
        case AttributeKind.STRING, str():
            return StringAttr(value)
        case AttributeKind.INTS, tuple() if all(isinstance(number, int) for number in value):
            return DenseArrayBase.from_list(i64, cast(tuple[int, ...], value))
        case AttributeKind.FLOATS, tuple():
            return DenseArrayBase.from_list(f32, [float(number) for number in value])
        case AttributeKind.TENSOR, np.ndarray():
            return dense_from_array(value)
        case _:
            raise VerifyException(f"must be {kind.value}, not {value!r}")


def _integer(
    default: int | None = None, *, choices: tuple[int, ...] = (), minimum: int | None = None
) -> IntegerAttr | None:
    return opt_prop_def(OnnxAttribute[IntegerAttr](AttributeKind.INT, default, choices, minimum))


def _flag(default: int = 0) -> IntegerAttr | None:
    return _integer(default, choices=(0, 1))


def _required_flag() -> IntegerAttr:
    return prop_def(OnnxAttribute[IntegerAttr](AttributeKind.INT, None, (0, 1)))


def _required_integer(*, minimum: int | None = None) -> IntegerAttr:
    return prop_def(OnnxAttribute[IntegerAttr](AttributeKind.INT, None, (), minimum))


def _number(default: float | None = None) -> FloatAttr | None:
    return opt_prop_def(OnnxAttribute[FloatAttr](AttributeKind.FLOAT, default))


def _string(default: str | None = None, *, choices: tuple[str, ...] = ()) -> StringAttr | None:
    return opt_prop_def(OnnxAttribute[StringAttr](AttributeKind.STRING, default, choices))


def _integers(default: tuple[int, ...] | None = None, *, minimum: int | None = None) -> DenseArrayBase | None:
    return opt_prop_def(OnnxAttribute[DenseArrayBase](AttributeKind.INTS, default, (), minimum))


def _required_integers(*, minimum: int | None = None) -> DenseArrayBase:
    return prop_def(OnnxAttribute[DenseArrayBase](AttributeKind.INTS, None, (), minimum))


def _numbers() -> DenseArrayBase | None:
    return opt_prop_def(OnnxAttribute[DenseArrayBase](AttributeKind.FLOATS))


def _tensor() -> DenseAttr | None:
    return opt_prop_def(OnnxAttribute[DenseAttr](AttributeKind.TENSOR))


# The graph -------------------------------------------------------------------------------------------------------


@irdl_op_definition
class GraphOp(IRDLOperation):
    """
    A model: its inputs and outputs with the model's names for them, and its nodes in an order that can be run.

    `opset` is the version of ONNX's default operator set that gives the nodes their meaning.
    """

    name = "qonnx.graph"

    sym_name = prop_def(SymbolNameConstraint())
    function_type = prop_def(FunctionType)
    input_names = prop_def(ArrayAttr[StringAttr])
    output_names = prop_def(ArrayAttr[StringAttr])
    opset = opt_prop_def(IntegerAttr)
    body = region_def("single_block")

    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface())

    def __init__(
        self,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        function_type: FunctionType,
        body: Region,
        *,
        opset: int | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "function_type": function_type,
                "input_names": ArrayAttr(StringAttr(each) for each in input_names),
                "output_names": ArrayAttr(StringAttr(each) for each in output_names),
                "opset": None if opset is None else IntegerAttr(opset, i64),
            },
            regions=[body],
        )

    @property
    def inputs(self) -> dict[str, SSAValue]:
        """The graph's inputs by their names in the model, in order."""
        return {name.data: argument for name, argument in zip(self.input_names, self.body.block.args, strict=True)}

    @property
    def outputs(self) -> dict[str, SSAValue]:
        """The graph's outputs by their names in the model, in order."""
        return dict(zip((name.data for name in self.output_names), self.return_op.operands, strict=True))

    @property
    def return_op(self) -> "ReturnOp":
        """The terminator."""
        last = self.body.block.last_op
        if not isinstance(last, ReturnOp):
            raise VerifyException("the body of a qonnx.graph must end in qonnx.return")
        return last

    @property
    def opset_version(self) -> int:
        """The version of the default operator set; the latest one that the dialect knows where none is given."""
        return LATEST_OPSET if self.opset is None else self.opset.value.data

    def update_function_type(self) -> None:
        """Makes the function type agree with the body, after a pass has changed types."""
        self.function_type = FunctionType.from_lists(
            [argument.type for argument in self.body.block.args], self.return_op.operand_types
        )

    def verify_(self) -> None:
        if self.function_type.inputs.data != tuple(self.body.block.arg_types):
            raise VerifyException("the block's arguments must have the types that the function type gives")
        for what, names, types in (
            ("input", self.input_names, self.function_type.inputs),
            ("output", self.output_names, self.function_type.outputs),
        ):
            if len(names) != len(types):
                raise VerifyException(f"{len(types)} {what}s have {len(names)} names")
            if len({name.data for name in names}) != len(names):
                raise VerifyException(f"two {what}s have the same name")
            for each in types:
                if not is_tensor_type(each):
                    raise VerifyException(f"an {what} has the type {each}, which isn't a tensor")
        if self.function_type.outputs.data != tuple(self.return_op.operand_types):
            raise VerifyException("qonnx.return must return the types that the function type gives")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        if self.opset is not None:
            printer.print_string(f" opset {self.opset.value.data}")
        printer.print_string(" ")
        with printer.in_parens():
            printer.print_list(
                zip(self.input_names, self.body.block.args, strict=True),
                lambda each: _print_input(printer, each[0], each[1]),
            )
        printer.print_string(" -> ")
        with printer.in_parens():
            printer.print_list(
                zip(self.output_names, self.function_type.outputs, strict=True),
                lambda each: _print_named_type(printer, each[0].data, each[1]),
            )
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)

    @classmethod
    def parse(cls, parser: Parser) -> "GraphOp":
        name = parser.parse_symbol_name().data
        opset = parser.parse_integer() if parser.parse_optional_keyword("opset") else None
        inputs = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: _parse_input(parser))
        parser.parse_punctuation("->")
        outputs = parser.parse_comma_separated_list(parser.Delimiter.PAREN, lambda: _parse_named_type(parser))
        attributes = parser.parse_optional_attr_dict_with_keyword()
        body = parser.parse_region([argument for _, argument in inputs])
        graph = GraphOp(
            name,
            [each for each, _ in inputs],
            [each for each, _ in outputs],
            FunctionType.from_lists([argument.type for _, argument in inputs], [each for _, each in outputs]),
            body,
            opset=opset,
        )
        if attributes is not None:
            graph.attributes |= attributes.data
        return graph


def _print_input(printer: Printer, name: StringAttr, argument: SSAValue) -> None:
    printer.print_ssa_value(argument)
    printer.print_string(" ")
    _print_named_type(printer, name.data, argument.type)


def _parse_input(parser: Parser) -> tuple[str, Parser.Argument]:
    argument = parser.parse_argument(expect_type=False)
    name, argument_type = _parse_named_type(parser)
    return name, argument.resolve(argument_type)


def _print_named_type(printer: Printer, name: str, value_type: Attribute) -> None:
    printer.print_string_literal(name)
    printer.print_string(": ")
    printer.print_attribute(value_type)


def _parse_named_type(parser: Parser) -> tuple[str, Attribute]:
    name = parser.parse_str_literal()
    parser.parse_punctuation(":")
    return name, parser.parse_type()


@irdl_op_definition
class ReturnOp(IRDLOperation):
    """The end of a graph: its outputs in order."""

    name = "qonnx.return"

    values = var_operand_def()

    traits = traits_def(IsTerminator(), HasParent(GraphOp))
    assembly_format = "($values^ `:` type($values))? attr-dict"

    def __init__(self, values: Sequence[SSAValue]):
        super().__init__(operands=[values])


# Constants -------------------------------------------------------------------------------------------------------


def _print_dense(printer: Printer, label: str, attribute: DenseAttr) -> None:
    printer.print_string(f" {label}(")
    printer.print_attribute(attribute)
    printer.print_string(")")


def _parse_dense(parser: Parser, label: str) -> DenseAttr:
    parser.parse_keyword(label)
    with parser.in_parens():
        return _parse_dense_attribute(parser)


def _parse_dense_attribute(parser: Parser) -> DenseAttr:
    attribute = parser.parse_attribute()
    if not isinstance(attribute, DenseIntOrFPElementsAttr):
        parser.raise_error("expected a dense attribute")
    return cast(DenseAttr, attribute)


@irdl_op_definition
class InitializerOp(IRDLOperation):
    """A constant tensor of the model, with the model's name for it."""

    name = "qonnx.initializer"

    value = prop_def(DenseIntOrFPElementsAttr)
    tensor_name = opt_prop_def(StringAttr)
    output = result_def()

    traits = traits_def(Pure())

    def __init__(self, value: DenseAttr | AnyArray, tensor_name: str | None = None):
        dense = dense_from_array(value) if isinstance(value, np.ndarray) else value
        super().__init__(
            properties={"value": dense, "tensor_name": None if tensor_name is None else StringAttr(tensor_name)},
            result_types=[dense.type],
        )

    @property
    def array(self) -> AnyArray:
        """The constant as a read-only array."""
        return array_from_dense(cast(DenseAttr, self.value))

    def verify_(self) -> None:
        dense = cast(DenseAttr, self.value)
        if self.output.type != dense.type:
            raise VerifyException(f"a constant of type {dense.type} can't have a result of type {self.output.type}")

    def print(self, printer: Printer) -> None:
        if self.tensor_name is not None:
            printer.print_string(" ")
            printer.print_string_literal(self.tensor_name.data)
        printer.print_string(" ")
        printer.print_attribute(self.value)
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> "InitializerOp":
        tensor_name = parser.parse_optional_str_literal()
        initializer = InitializerOp(_parse_dense_attribute(parser), tensor_name)
        initializer.attributes |= parser.parse_optional_attr_dict()
        return initializer


@irdl_op_definition
class NoneOp(IRDLOperation):
    """Stands for an optional input that a node leaves out before one that it has."""

    name = "qonnx.none"

    output = result_def(NoneType)

    traits = traits_def(Pure())
    assembly_format = "attr-dict"

    def __init__(self):
        super().__init__(result_types=[NoneType()])


@irdl_op_definition
class QuantizedConstantOp(IRDLOperation):
    """
    A constant tensor that a quantiser of the model has produced, kept as integer codes.

    Its value is `(codes - zero_point) * scale`, each operation in float32. `scale` and `zero_point` are float32 and
    broadcast against the codes as numpy does it. Codes of a signed quantiser of one bit (and of a BipolarQuant) are
    -1 and 1. `narrow` takes away the lowest code of a signed range and the highest one of an unsigned range.
    """

    name = "qonnx.quantized_constant"

    codes = prop_def(DenseIntOrFPElementsAttr)
    scale = prop_def(DenseIntOrFPElementsAttr)
    zero_point = prop_def(DenseIntOrFPElementsAttr)
    bits = prop_def(IntegerAttr)
    signed = opt_prop_def(UnitAttr)
    narrow = opt_prop_def(UnitAttr)
    node_name = opt_prop_def(StringAttr)
    tensor_name = opt_prop_def(StringAttr)
    output = result_def(TensorType)

    traits = traits_def(Pure())

    def __init__(
        self,
        codes: DenseAttr | AnyArray,
        scale: DenseAttr | AnyArray,
        zero_point: DenseAttr | AnyArray,
        *,
        bits: int,
        signed: bool,
        narrow: bool,
        node_name: str | None = None,
        tensor_name: str | None = None,
    ):
        codes = dense_from_array(codes) if isinstance(codes, np.ndarray) else codes
        scale = dense_from_array(scale) if isinstance(scale, np.ndarray) else scale
        zero_point = dense_from_array(zero_point) if isinstance(zero_point, np.ndarray) else zero_point
        super().__init__(
            properties={
                "codes": codes,
                "scale": scale,
                "zero_point": zero_point,
                "bits": IntegerAttr(bits, i64),
                "signed": UnitAttr() if signed else None,
                "narrow": UnitAttr() if narrow else None,
                "node_name": None if node_name is None else StringAttr(node_name),
                "tensor_name": None if tensor_name is None else StringAttr(tensor_name),
            },
            result_types=[TensorType(f32, codes.get_shape())],
        )

    @property
    def code_array(self) -> NDArray[np.int64]:
        """The integer codes."""
        return array_from_dense(cast(DenseAttr, self.codes)).astype(np.int64)

    @property
    def scale_array(self) -> NDArray[np.float32]:
        """The scale, float32, broadcastable against the codes."""
        return array_from_dense(cast(DenseAttr, self.scale))

    @property
    def zero_point_array(self) -> NDArray[np.float32]:
        """The zero point, float32, broadcastable against the codes."""
        return array_from_dense(cast(DenseAttr, self.zero_point))

    @property
    def array(self) -> NDArray[np.float32]:
        """The value as the model has it, in float32."""
        return (self.code_array.astype(np.float32) - self.zero_point_array) * self.scale_array

    @property
    def bit_width(self) -> int:
        """The number of bits of a code."""
        return self.bits.value.data

    @property
    def code_range(self) -> tuple[int, int]:
        """The lowest and highest code that the quantiser can produce, whatever codes there are."""
        return integer_range(self.bit_width, signed=self.signed is not None, narrow=self.narrow is not None)

    def verify_(self) -> None:
        codes, scale, zero_point = (cast(DenseAttr, each) for each in (self.codes, self.scale, self.zero_point))
        if not isinstance(codes.get_element_type(), IntegerType):
            raise VerifyException("codes must be integers")
        if self.output.type != TensorType(f32, codes.get_shape()):
            raise VerifyException("the result must be a float32 tensor of the codes' shape")
        for what, each in (("scale", scale), ("zero_point", zero_point)):
            if each.get_element_type() != f32:
                raise VerifyException(f"{what} must be float32")
            try:
                broadcast = np.broadcast_shapes(codes.get_shape(), each.get_shape())
            except ValueError:
                broadcast = None
            if broadcast != codes.get_shape():
                raise VerifyException(f"{what} doesn't broadcast against the codes")
        if not 1 <= self.bit_width <= MAXIMUM_BIT_WIDTH:
            raise VerifyException(f"bits must be between 1 and {MAXIMUM_BIT_WIDTH}")
        low, high = self.code_range
        array = self.code_array
        if array.size and (array.min() < low or array.max() > high):
            raise VerifyException(f"codes from {array.min()} to {array.max()} leave the range from {low} to {high}")

    def print(self, printer: Printer) -> None:
        if self.tensor_name is not None:
            printer.print_string(" ")
            printer.print_string_literal(self.tensor_name.data)
        if self.node_name is not None:
            printer.print_string(" from ")
            printer.print_string_literal(self.node_name.data)
        printer.print_string(f" bits {self.bit_width}")
        if self.signed is not None:
            printer.print_string(" signed")
        if self.narrow is not None:
            printer.print_string(" narrow")
        _print_dense(printer, "codes", cast(DenseAttr, self.codes))
        _print_dense(printer, "scale", cast(DenseAttr, self.scale))
        _print_dense(printer, "zero_point", cast(DenseAttr, self.zero_point))
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.output.type)

    @classmethod
    def parse(cls, parser: Parser) -> "QuantizedConstantOp":
        tensor_name = parser.parse_optional_str_literal()
        node_name = parser.parse_str_literal() if parser.parse_optional_keyword("from") else None
        parser.parse_keyword("bits")
        bits = parser.parse_integer()
        signed = parser.parse_optional_keyword("signed") is not None
        narrow = parser.parse_optional_keyword("narrow") is not None
        codes = _parse_dense(parser, "codes")
        scale = _parse_dense(parser, "scale")
        zero_point = _parse_dense(parser, "zero_point")
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        result_type = parser.parse_type()
        constant = QuantizedConstantOp(
            codes,
            scale,
            zero_point,
            bits=bits,
            signed=signed,
            narrow=narrow,
            node_name=node_name,
            tensor_name=tensor_name,
        )
        if constant.output.type != result_type:
            parser.raise_error("the result must be a float32 tensor of the codes' shape")
        constant.attributes |= attributes
        return constant


def integer_range(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """
    The integers that a quantiser of so many bits can produce, as qonnx defines them.

    A signed quantiser of one bit gives -1 and 1 (qonnx's exception for bipolar values).
    """
    if signed:
        if bits == 1:
            return -1, 1
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


# Nodes -----------------------------------------------------------------------------------------------------------


class Arity(NamedTuple):
    """How many inputs or outputs an operator has; `maximum` None means any number."""

    minimum: int
    maximum: int | None

    def allows(self, count: int) -> bool:
        """Whether a node may have so many."""
        return self.minimum <= count and (self.maximum is None or count <= self.maximum)

    def __str__(self) -> str:
        if self.maximum is None:
            return f"at least {self.minimum}"
        return str(self.minimum) if self.minimum == self.maximum else f"{self.minimum} to {self.maximum}"


class NodeOp(IRDLOperation):
    """
    A node of the model.

    Subclasses give the operator's arity and, as properties, its attributes. A property that a node doesn't have takes
    the default of the ONNX schema: `attribute` and its typed variants return it.
    """

    INPUT_ARITY: ClassVar[Arity] = Arity(1, 1)
    OUTPUT_ARITY: ClassVar[Arity] = Arity(1, 1)

    inputs = var_operand_def()
    outputs = var_result_def()
    node_name = opt_prop_def(StringAttr)
    output_names = opt_prop_def(ArrayAttr[StringAttr])

    traits = traits_def(Pure())

    def __init__(
        self,
        inputs: Sequence[SSAValue],
        output_types: Sequence[Attribute],
        attributes: Mapping[str, AttributeValue] | None = None,
        *,
        node_name: str | None = None,
        output_names: Sequence[str] | None = None,
    ):
        table = attribute_table(type(self))
        properties: dict[str, Attribute | None] = {}
        for name, value in (attributes or {}).items():
            if name not in table:
                raise VerifyException(f"{self.operator} has no attribute {name}")
            properties[name] = table[name].to_property(value)
        properties["node_name"] = None if node_name is None else StringAttr(node_name)
        if output_names is not None:
            properties["output_names"] = ArrayAttr(StringAttr(each) for each in output_names)
        super().__init__(operands=[inputs], result_types=[output_types], properties=properties)

    @property
    def operator(self) -> str:
        """The operator's name in ONNX or QONNX."""
        return self.name.removeprefix("qonnx.")

    @property
    def label(self) -> str:
        """What a message calls this node: its name, else its first output tensor, else its operator."""
        if self.node_name is not None and self.node_name.data:
            return self.node_name.data
        if self.output_names is not None:
            for each in self.output_names:
                if each.data:
                    return each.data
        return self.operator

    @property
    def output(self) -> SSAValue:
        """The first (mostly the only) output."""
        return self.results[0]

    @property
    def opset_version(self) -> int:
        """The version of the default operator set that gives this node its meaning."""
        parent = self.parent_op()
        return parent.opset_version if isinstance(parent, GraphOp) else LATEST_OPSET

    def input(self, index: int) -> SSAValue | None:
        """The input at a position, None where the node leaves it out."""
        if index >= len(self.operands) or isinstance(self.operands[index].type, NoneType):
            return None
        return self.operands[index]

    def attribute(self, name: str, default: AttributeValue | None = None) -> AttributeValue | None:
        """
        The value of an ONNX attribute: what the node says, else `default`, else the schema's default, else None.

        Raises KeyError when the operator has no such attribute.
        """
        given = self.properties.get(name)
        if given is not None:
            return _value_of(given)
        table = attribute_table(type(self))
        return table[name].default if default is None else default

    def int_attribute(self, name: str, default: int | None = None) -> int:
        """An integer attribute; raises KeyError when it has neither value nor default."""
        value = self.attribute(name, default)
        if not isinstance(value, int):
            raise KeyError(f"{self.operator} has no integer {name}")
        return value

    def float_attribute(self, name: str, default: float | None = None) -> float:
        """A float32 attribute as a Python float; raises KeyError when it has neither value nor default."""
        value = self.attribute(name, default)
        if not isinstance(value, int | float):
            raise KeyError(f"{self.operator} has no number {name}")
        return float(value)

    def str_attribute(self, name: str, default: str | None = None) -> str:
        """A string attribute; raises KeyError when it has neither value nor default."""
        value = self.attribute(name, default)
        if not isinstance(value, str):
            raise KeyError(f"{self.operator} has no string {name}")
        return value

    def ints_attribute(self, name: str) -> tuple[int, ...] | None:
        """A list of integers, None where the node and the schema give none."""
        value = self.attribute(name)
        return cast(tuple[int, ...], value) if isinstance(value, tuple) else None

    def floats_attribute(self, name: str) -> tuple[float, ...] | None:
        """A list of numbers, None where the node and the schema give none."""
        value = self.attribute(name)
        return cast(tuple[float, ...], value) if isinstance(value, tuple) else None

    def array_attribute(self, name: str) -> AnyArray | None:
        """A tensor attribute as a read-only array, None where the node has none."""
        value = self.attribute(name)
        return value if isinstance(value, np.ndarray) else None

    def verify_(self) -> None:
        if not self.INPUT_ARITY.allows(len(self.operands)):
            raise VerifyException(f"{self.operator} takes {self.INPUT_ARITY} inputs, not {len(self.operands)}")
        if not self.OUTPUT_ARITY.allows(len(self.results)):
            raise VerifyException(f"{self.operator} gives {self.OUTPUT_ARITY} outputs, not {len(self.results)}")
        for each in (*self.operand_types, *self.result_types):
            if not is_tensor_type(each):
                raise VerifyException(f"{self.operator} works on tensors, not on {each}")
        if self.output_names is not None and len(self.output_names) != len(self.results):
            raise VerifyException(f"{len(self.results)} outputs have {len(self.output_names)} names")

    def print(self, printer: Printer) -> None:
        if self.node_name is not None:
            printer.print_string(" ")
            printer.print_string_literal(self.node_name.data)
        printer.print_string(" ")
        printer.print_operands(self.operands)
        self.print_attributes(printer)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" : ")
        with printer.in_parens():
            printer.print_list(self.operand_types, printer.print_attribute)
        printer.print_string(" -> ")
        if self.output_names is not None:
            with printer.in_parens():
                printer.print_list(
                    zip(self.output_names, self.result_types, strict=True),
                    lambda each: _print_named_type(printer, each[0].data, each[1]),
                )
        elif len(self.results) == 1:
            printer.print_attribute(self.result_types[0])
        else:
            with printer.in_parens():
                printer.print_list(self.result_types, printer.print_attribute)

    def print_attributes(self, printer: Printer) -> None:
        """Prints the node's ONNX attributes, numbers and lists without their types, in the schema's order."""
        given = [name for name in attribute_table(type(self)) if name in self.properties]
        if not given:
            return
        printer.print_string(" ")
        with printer.in_braces():
            printer.print_list(given, lambda name: _print_attribute(printer, name, self.properties[name]))

    @classmethod
    def parse_attributes(cls, parser: Parser) -> dict[str, Attribute]:
        """Parses what `print_attributes` prints."""
        table = attribute_table(cls)
        entries = parser.parse_optional_comma_separated_list(
            parser.Delimiter.BRACES, lambda: _parse_attribute(parser, cls, table)
        )
        return dict(entries or ())

    @classmethod
    def parse(cls, parser: Parser) -> "NodeOp":
        node_name = parser.parse_optional_str_literal()
        operands = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
        properties = cls.parse_attributes(parser)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        parser.parse_punctuation(":")
        position = parser.pos
        operand_types = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
        parser.parse_punctuation("->")
        output_names: list[str | None] = []
        result_types: list[Attribute] = []

        def parse_result() -> None:
            name = parser.parse_optional_str_literal()
            if name is not None:
                parser.parse_punctuation(":")
            output_names.append(name)
            result_types.append(parser.parse_type())

        if parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, parse_result) is None:
            parse_result()
        if node_name is not None:
            properties["node_name"] = StringAttr(node_name)
        if result_types and all(name is not None for name in output_names):
            properties["output_names"] = ArrayAttr(StringAttr(name) for name in output_names if name is not None)
        return cls.create(
            operands=parser.resolve_operands(operands, operand_types, position),
            result_types=result_types,
            properties=properties,
            attributes={} if attributes is None else dict(attributes.data),
        )


def _print_attribute(printer: Printer, name: str, attribute: Attribute) -> None:
    printer.print_string(f"{name} = ")
    match attribute:
        case IntegerAttr():
            printer.print_int(attribute.value.data)
        case FloatAttr():
            printer.print_float(attribute.value.data, f32)
        case DenseArrayBase():
            values = cast(tuple[int, ...] | tuple[float, ...], cast(DenseArrayBase[Any], attribute).get_values())
            with printer.in_square_brackets():
                printer.print_list(
                    values,
                    lambda value: (
                        printer.print_int(value) if isinstance(value, int) else printer.print_float(value, f32)
                    ),
                )
        case _:
            printer.print_attribute(attribute)


def _parse_attribute(
    parser: Parser, node: type[NodeOp], table: Mapping[str, OnnxAttribute[Any]]
) -> tuple[str, Attribute]:
    position = parser.pos
    name = parser.parse_identifier()
    if name not in table:
        parser.raise_error(f"{node.name} has no attribute {name}", position)
    parser.parse_punctuation("=")
    match table[name].kind:
        case AttributeKind.INT:
            return name, IntegerAttr(parser.parse_integer(), i64)
        case AttributeKind.FLOAT:
            return name, FloatAttr(_parse_float(parser), f32)
        case AttributeKind.STRING:
            return name, StringAttr(parser.parse_str_literal())
        case AttributeKind.INTS:
            integers = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
            return name, DenseArrayBase.from_list(i64, integers)
        case AttributeKind.FLOATS:
            numbers = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: _parse_float(parser))
            return name, DenseArrayBase.from_list(f32, numbers)
        case AttributeKind.TENSOR:
            return name, _parse_dense_attribute(parser)


def _parse_float(parser: Parser) -> float:
    # A hexadecimal literal is a float32's bit pattern, as MLIR has it for numbers that have no short decimal form.
    position = parser.pos
    number = parser.parse_number()
    if isinstance(number, int) and parser.lexer.input.content[position:].lstrip().startswith("0x"):
        return float(np.array(number, np.uint32).view(np.float32))
    return float(number)


@cache
def attribute_table(node: type[NodeOp]) -> dict[str, OnnxAttribute[Any]]:
    """The attributes that an operator has, by name, in the order in which its class lists them."""
    properties = node.get_irdl_definition().properties
    return {
        name: cast(OnnxAttribute[Any], properties[name].constr)
        for each in reversed(node.__mro__)
        for name in each.__dict__
        if name in properties and isinstance(properties[name].constr, OnnxAttribute)
    }


def required_attributes(node: type[NodeOp]) -> tuple[str, ...]:
    """The attributes that a node of an operator must have."""
    properties = node.get_irdl_definition().properties
    return tuple(name for name in attribute_table(node) if not isinstance(properties[name], OptionalDef))


class ElementwiseOp(NodeOp):
    """A node that applies one function of one variable to each element."""


class BroadcastOp(NodeOp):
    """A node that applies a function to the elements of its inputs, broadcast against each other as numpy does it."""

    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)


# Quantisers and the other operators of QONNX and FINN


ROUNDING_MODES = (
    "ROUND",
    "HALF_EVEN",
    "CEIL",
    "FLOOR",
    "UP",
    "DOWN",
    "HALF_UP",
    "HALF_DOWN",
    "ROUND_TO_ZERO",
)
"""The rounding modes of QONNX in capitals (files may spell them in any case), and Brevitas's ROUND_TO_ZERO = DOWN."""


@irdl_op_definition
class QuantOp(NodeOp):
    """QONNX's Quant(x, scale, zero_point, bit_width): clips x/scale + zero_point, rounds it, and scales it back."""

    name = "qonnx.Quant"
    INPUT_ARITY: ClassVar[Arity] = Arity(4, 4)
    signed = _required_flag()
    narrow = _required_flag()
    rounding_mode = _string("ROUND", choices=ROUNDING_MODES)


@irdl_op_definition
class IntQuantOp(NodeOp):
    """The name that newer versions of QONNX have for Quant."""

    name = "qonnx.IntQuant"
    INPUT_ARITY: ClassVar[Arity] = Arity(4, 4)
    signed = _required_flag()
    narrow = _required_flag()
    rounding_mode = _string("ROUND", choices=ROUNDING_MODES)


@irdl_op_definition
class BipolarQuantOp(NodeOp):
    """QONNX's BipolarQuant(x, scale): scale where x >= 0, else -scale."""

    name = "qonnx.BipolarQuant"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)


@irdl_op_definition
class TruncOp(NodeOp):
    """
    QONNX's Trunc: drops low bits of a quantised value.

    Version 1 has the inputs (x, scale, zero_point, input_bit_width, output_bit_width) and scales back by `scale`;
    version 2 has (x, scale, zero_point, input_bit_width, output_scale, output_bit_width), clips, and scales back by
    `output_scale`.
    """

    name = "qonnx.Trunc"
    INPUT_ARITY: ClassVar[Arity] = Arity(5, 6)
    rounding_mode = _string("FLOOR", choices=ROUNDING_MODES)
    signed = _flag(1)
    narrow = _flag()


@irdl_op_definition
class MultiThresholdOp(NodeOp):
    """out_scale * (how many thresholds of its channel an element reaches) + out_bias."""

    name = "qonnx.MultiThreshold"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)
    out_dtype = _string("")
    out_scale = _number(1.0)
    out_bias = _number(0.0)
    data_layout = _string("", choices=("", "NC", "NWC", "NCW", "NHWC", "NCHW"))


@irdl_op_definition
class XnorPopcountMatMulOp(NodeOp):
    """The number of agreeing elements of rows and columns of matrices of 0 and 1."""

    name = "qonnx.XnorPopcountMatMul"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)


@irdl_op_definition
class Im2ColOp(NodeOp):
    """The patches of an NHWC image that a convolution sees, as
    rows in the order (kernel row, kernel column, channel)."""

    name = "qonnx.Im2Col"
    stride = _required_integers(minimum=1)
    kernel_size = _required_integers(minimum=1)
    input_shape = _string("")
    pad_amount = _integers((0, 0, 0, 0), minimum=0)
    pad_value = _integer(0)
    depthwise = _flag()
    dilations = _integers((1, 1), minimum=1)


@irdl_op_definition
class QuantAvgPool2dOp(NodeOp):
    """The sum of each window of integers, shifted right so that it fits `obits`."""

    name = "qonnx.QuantAvgPool2d"
    stride = _required_integer(minimum=1)
    kernel = _required_integer(minimum=1)
    ibits = _required_integer(minimum=1)
    obits = _required_integer(minimum=1)
    signed = _required_flag()
    data_layout = _string("NCHW", choices=("NCHW", "NHWC"))


@irdl_op_definition
class MaxPoolNHWCOp(NodeOp):
    """Maxima of windows of an NHWC image."""

    name = "qonnx.MaxPoolNHWC"
    kernel_shape = _required_integers(minimum=1)
    strides = _required_integers(minimum=1)
    pads = _integers((0, 0, 0, 0), minimum=0)
    ceil_mode = _flag()


@irdl_op_definition
class QuantizeLinearOp(NodeOp):
    """saturate(round half even(x / scale) + zero_point), in the zero point's integer type."""

    name = "qonnx.QuantizeLinear"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 3)
    axis = _integer(1)
    saturate = _flag(1)
    block_size = _integer(0)
    output_dtype = _integer(0)
    precision = _integer(0)


@irdl_op_definition
class DequantizeLinearOp(NodeOp):
    """(x - zero_point) * scale."""

    name = "qonnx.DequantizeLinear"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 3)
    axis = _integer(1)
    block_size = _integer(0)
    output_dtype = _integer(0)


# Linear algebra


@irdl_op_definition
class GemmOp(NodeOp):
    """alpha * A' B' + beta * C, where A' and B' may be transposed."""

    name = "qonnx.Gemm"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 3)
    alpha = _number(1.0)
    beta = _number(1.0)
    transA = _flag()
    transB = _flag()


@irdl_op_definition
class MatMulOp(NodeOp):
    """The matrix product with numpy's rules for more and fewer than two dimensions."""

    name = "qonnx.MatMul"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)


_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@irdl_op_definition
class ConvOp(NodeOp):
    """Convolution in any number of dimensions, channels first, grouped and dilated."""

    name = "qonnx.Conv"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 3)
    auto_pad = _string("NOTSET", choices=_AUTO_PADS)
    dilations = _integers(minimum=1)
    group = _integer(1, minimum=1)
    kernel_shape = _integers(minimum=1)
    pads = _integers(minimum=0)
    strides = _integers(minimum=1)


@irdl_op_definition
class BatchNormalizationOp(NodeOp):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias per channel, inputs (x, scale, bias, mean, variance)."""

    name = "qonnx.BatchNormalization"
    INPUT_ARITY: ClassVar[Arity] = Arity(5, 5)
    OUTPUT_ARITY: ClassVar[Arity] = Arity(1, 5)
    epsilon = _number(1e-5)
    momentum = _number(0.9)
    training_mode = _flag()
    spatial = _flag(1)


# Arithmetic on elements


@irdl_op_definition
class AddOp(BroadcastOp):
    """A + B."""

    name = "qonnx.Add"


@irdl_op_definition
class SubOp(BroadcastOp):
    """A - B."""

    name = "qonnx.Sub"


@irdl_op_definition
class MulOp(BroadcastOp):
    """A * B."""

    name = "qonnx.Mul"


@irdl_op_definition
class DivOp(BroadcastOp):
    """A / B; integers are divided towards zero."""

    name = "qonnx.Div"


@irdl_op_definition
class PowOp(BroadcastOp):
    """A to the power of B, in A's type."""

    name = "qonnx.Pow"


@irdl_op_definition
class ModOp(BroadcastOp):
    """The remainder with the divisor's sign, or with `fmod` the dividend's."""

    name = "qonnx.Mod"
    fmod = _flag()


@irdl_op_definition
class MinOp(BroadcastOp):
    """The least of the inputs."""

    name = "qonnx.Min"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, None)


@irdl_op_definition
class MaxOp(BroadcastOp):
    """The greatest of the inputs."""

    name = "qonnx.Max"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, None)


@irdl_op_definition
class SumOp(BroadcastOp):
    """The sum of the inputs."""

    name = "qonnx.Sum"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, None)


@irdl_op_definition
class MeanOp(BroadcastOp):
    """The mean of the inputs."""

    name = "qonnx.Mean"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, None)


@irdl_op_definition
class PReluOp(BroadcastOp):
    """x where x >= 0, else slope * x; the slope broadcasts to x."""

    name = "qonnx.PRelu"


@irdl_op_definition
class WhereOp(BroadcastOp):
    """The second input where the first one is true, else the third."""

    name = "qonnx.Where"
    INPUT_ARITY: ClassVar[Arity] = Arity(3, 3)


@irdl_op_definition
class EqualOp(BroadcastOp):
    """A = B."""

    name = "qonnx.Equal"


@irdl_op_definition
class GreaterOp(BroadcastOp):
    """A > B."""

    name = "qonnx.Greater"


@irdl_op_definition
class GreaterOrEqualOp(BroadcastOp):
    """A >= B."""

    name = "qonnx.GreaterOrEqual"


@irdl_op_definition
class LessOp(BroadcastOp):
    """A < B."""

    name = "qonnx.Less"


@irdl_op_definition
class LessOrEqualOp(BroadcastOp):
    """A <= B."""

    name = "qonnx.LessOrEqual"


@irdl_op_definition
class AndOp(BroadcastOp):
    """Both of two booleans."""

    name = "qonnx.And"


@irdl_op_definition
class OrOp(BroadcastOp):
    """Either of two booleans."""

    name = "qonnx.Or"


@irdl_op_definition
class XorOp(BroadcastOp):
    """One of two booleans but not both."""

    name = "qonnx.Xor"


# Functions of one element


@irdl_op_definition
class NotOp(ElementwiseOp):
    """The opposite of a boolean."""

    name = "qonnx.Not"


@irdl_op_definition
class NegOp(ElementwiseOp):
    """-x."""

    name = "qonnx.Neg"


@irdl_op_definition
class AbsOp(ElementwiseOp):
    """|x|."""

    name = "qonnx.Abs"


@irdl_op_definition
class ClipOp(NodeOp):
    """x kept between a minimum and a maximum: attributes before opset 11, inputs from then on."""

    name = "qonnx.Clip"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 3)
    min = _number()
    max = _number()


@irdl_op_definition
class ReluOp(ElementwiseOp):
    """max(x, 0)."""

    name = "qonnx.Relu"


@irdl_op_definition
class LeakyReluOp(ElementwiseOp):
    """x where x >= 0, else alpha * x."""

    name = "qonnx.LeakyRelu"
    alpha = _number(0.01)


@irdl_op_definition
class ThresholdedReluOp(ElementwiseOp):
    """x where x > alpha, else 0."""

    name = "qonnx.ThresholdedRelu"
    alpha = _number(1.0)


@irdl_op_definition
class SigmoidOp(ElementwiseOp):
    """1 / (1 + exp(-x))."""

    name = "qonnx.Sigmoid"


@irdl_op_definition
class HardSigmoidOp(ElementwiseOp):
    """max(0, min(1, alpha * x + beta))."""

    name = "qonnx.HardSigmoid"
    alpha = _number(0.2)
    beta = _number(0.5)


@irdl_op_definition
class HardSwishOp(ElementwiseOp):
    """x * max(0, min(1, x / 6 + 1/2))."""

    name = "qonnx.HardSwish"


@irdl_op_definition
class TanhOp(ElementwiseOp):
    """tanh(x)."""

    name = "qonnx.Tanh"


@irdl_op_definition
class SoftsignOp(ElementwiseOp):
    """x / (1 + |x|)."""

    name = "qonnx.Softsign"


@irdl_op_definition
class SoftplusOp(ElementwiseOp):
    """ln(1 + exp(x))."""

    name = "qonnx.Softplus"


@irdl_op_definition
class EluOp(ElementwiseOp):
    """x where x >= 0, else alpha * (exp(x) - 1)."""

    name = "qonnx.Elu"
    alpha = _number(1.0)


@irdl_op_definition
class CeluOp(ElementwiseOp):
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""

    name = "qonnx.Celu"
    alpha = _number(1.0)


@irdl_op_definition
class SeluOp(ElementwiseOp):
    """gamma * (x where x > 0, else alpha * (exp(x) - 1))."""

    name = "qonnx.Selu"
    alpha = _number(1.67326319217681884765625)
    gamma = _number(1.05070102214813232421875)


@irdl_op_definition
class GeluOp(ElementwiseOp):
    """x times the normal distribution's value at x, exactly or approximated by tanh."""

    name = "qonnx.Gelu"
    approximate = _string("none", choices=("NONE", "TANH"))


@irdl_op_definition
class ErfOp(ElementwiseOp):
    """The error function."""

    name = "qonnx.Erf"


@irdl_op_definition
class ExpOp(ElementwiseOp):
    """exp(x)."""

    name = "qonnx.Exp"


@irdl_op_definition
class LogOp(ElementwiseOp):
    """The natural logarithm."""

    name = "qonnx.Log"


@irdl_op_definition
class SqrtOp(ElementwiseOp):
    """The square root."""

    name = "qonnx.Sqrt"


@irdl_op_definition
class ReciprocalOp(ElementwiseOp):
    """1 / x."""

    name = "qonnx.Reciprocal"


@irdl_op_definition
class FloorOp(ElementwiseOp):
    """The greatest integer not above x."""

    name = "qonnx.Floor"


@irdl_op_definition
class CeilOp(ElementwiseOp):
    """The least integer not below x."""

    name = "qonnx.Ceil"


@irdl_op_definition
class RoundOp(ElementwiseOp):
    """The nearest integer, ties to the even one."""

    name = "qonnx.Round"


@irdl_op_definition
class SignOp(ElementwiseOp):
    """-1, 0 or 1."""

    name = "qonnx.Sign"


@irdl_op_definition
class IdentityOp(ElementwiseOp):
    """x."""

    name = "qonnx.Identity"


@irdl_op_definition
class DropoutOp(NodeOp):
    """x, as in inference; the second output, if any, is all true."""

    name = "qonnx.Dropout"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 3)
    OUTPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    ratio = _number(0.5)
    seed = _integer()


@irdl_op_definition
class CastOp(NodeOp):
    """x in another element type, given by ONNX's number for it."""

    name = "qonnx.Cast"
    to = _required_integer(minimum=1)
    saturate = _flag(1)


# Normalisation of scores, and their order


@irdl_op_definition
class SoftmaxOp(NodeOp):
    """exp(x) / sum(exp(x)) along an axis; before opset 13 over all axes from `axis` (default 1) on."""

    name = "qonnx.Softmax"
    axis = _integer()


@irdl_op_definition
class LogSoftmaxOp(NodeOp):
    """The logarithm of Softmax."""

    name = "qonnx.LogSoftmax"
    axis = _integer()


@irdl_op_definition
class TopKOp(NodeOp):
    """The k largest (or smallest) elements along an axis, and their indices; of equal ones the first comes first."""

    name = "qonnx.TopK"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    OUTPUT_ARITY: ClassVar[Arity] = Arity(2, 2)
    axis = _integer(-1)
    k = _integer(minimum=1)
    largest = _flag(1)
    sorted = _flag(1)


@irdl_op_definition
class ArgMaxOp(NodeOp):
    """The index of the greatest element along an axis; of equals the first, or the last with `select_last_index`."""

    name = "qonnx.ArgMax"
    axis = _integer(0)
    keepdims = _flag(1)
    select_last_index = _flag()


@irdl_op_definition
class ArgMinOp(NodeOp):
    """The index of the least element along an axis; of equals the first, or the last with `select_last_index`."""

    name = "qonnx.ArgMin"
    axis = _integer(0)
    keepdims = _flag(1)
    select_last_index = _flag()


# Pooling and reduction


@irdl_op_definition
class MaxPoolOp(NodeOp):
    """Maxima of windows, channels first; the second output (indices) isn't supported."""

    name = "qonnx.MaxPool"
    OUTPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    auto_pad = _string("NOTSET", choices=_AUTO_PADS)
    ceil_mode = _flag()
    dilations = _integers(minimum=1)
    kernel_shape = _required_integers(minimum=1)
    pads = _integers(minimum=0)
    storage_order = _flag()
    strides = _integers(minimum=1)


@irdl_op_definition
class AveragePoolOp(NodeOp):
    """Means of windows, channels first; padding counts only with `count_include_pad`."""

    name = "qonnx.AveragePool"
    auto_pad = _string("NOTSET", choices=_AUTO_PADS)
    ceil_mode = _flag()
    count_include_pad = _flag()
    dilations = _integers(minimum=1)
    kernel_shape = _required_integers(minimum=1)
    pads = _integers(minimum=0)
    strides = _integers(minimum=1)


@irdl_op_definition
class GlobalAveragePoolOp(NodeOp):
    """The mean of each channel."""

    name = "qonnx.GlobalAveragePool"


@irdl_op_definition
class GlobalMaxPoolOp(NodeOp):
    """The maximum of each channel."""

    name = "qonnx.GlobalMaxPool"


class ReduceOp(NodeOp):
    """A node that reduces axes (an attribute, or an input in later opsets; all axes where neither is given)."""

    INPUT_ARITY: ClassVar[Arity] = Arity(1, 2)


@irdl_op_definition
class ReduceMeanOp(ReduceOp):
    """The mean along axes."""

    name = "qonnx.ReduceMean"
    axes = _integers()
    keepdims = _flag(1)
    noop_with_empty_axes = _flag()


@irdl_op_definition
class ReduceSumOp(ReduceOp):
    """The sum along axes."""

    name = "qonnx.ReduceSum"
    axes = _integers()
    keepdims = _flag(1)
    noop_with_empty_axes = _flag()


@irdl_op_definition
class ReduceMaxOp(ReduceOp):
    """The maximum along axes."""

    name = "qonnx.ReduceMax"
    axes = _integers()
    keepdims = _flag(1)
    noop_with_empty_axes = _flag()


@irdl_op_definition
class ReduceMinOp(ReduceOp):
    """The minimum along axes."""

    name = "qonnx.ReduceMin"
    axes = _integers()
    keepdims = _flag(1)
    noop_with_empty_axes = _flag()


@irdl_op_definition
class ReduceProdOp(ReduceOp):
    """The product along axes."""

    name = "qonnx.ReduceProd"
    axes = _integers()
    keepdims = _flag(1)
    noop_with_empty_axes = _flag()


# Moving elements


@irdl_op_definition
class ConcatOp(NodeOp):
    """The inputs one after the other along an axis."""

    name = "qonnx.Concat"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, None)
    axis = _required_integer()


@irdl_op_definition
class SplitOp(NodeOp):
    """Pieces along an axis, of sizes given by `split` (an attribute, from opset 13 on an input) or equal."""

    name = "qonnx.Split"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    OUTPUT_ARITY: ClassVar[Arity] = Arity(1, None)
    axis = _integer(0)
    split = _integers(minimum=0)
    num_outputs = _integer(minimum=1)


@irdl_op_definition
class SliceOp(NodeOp):
    """Ranges along axes: (x, starts, ends, axes, steps), before opset 10 as attributes."""

    name = "qonnx.Slice"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 5)
    axes = _integers()
    starts = _integers()
    ends = _integers()


@irdl_op_definition
class GatherOp(NodeOp):
    """Slices along an axis, chosen by an array of indices."""

    name = "qonnx.Gather"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)
    axis = _integer(0)


@irdl_op_definition
class TransposeOp(NodeOp):
    """Axes in another order; reversed where no order is given."""

    name = "qonnx.Transpose"
    perm = _integers(minimum=0)


@irdl_op_definition
class ReshapeOp(NodeOp):
    """The same elements in another shape: -1 stands for what is left, 0 for the input's dimension."""

    name = "qonnx.Reshape"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    allowzero = _flag()
    shape = _integers()


@irdl_op_definition
class FlattenOp(NodeOp):
    """A matrix, with the axes before `axis` as rows."""

    name = "qonnx.Flatten"
    axis = _integer(1)


@irdl_op_definition
class SqueezeOp(NodeOp):
    """Without axes of size one."""

    name = "qonnx.Squeeze"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    axes = _integers()


@irdl_op_definition
class UnsqueezeOp(NodeOp):
    """With more axes of size one."""

    name = "qonnx.Unsqueeze"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    axes = _integers()


@irdl_op_definition
class ExpandOp(NodeOp):
    """Broadcast to a shape."""

    name = "qonnx.Expand"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)


@irdl_op_definition
class TileOp(NodeOp):
    """Repeated along each axis."""

    name = "qonnx.Tile"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 2)


@irdl_op_definition
class PadOp(NodeOp):
    """With elements added at both ends of axes: (x, pads, value, axes), before opset 11 as attributes."""

    name = "qonnx.Pad"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 4)
    mode = _string("constant", choices=("CONSTANT", "REFLECT", "EDGE", "WRAP"))
    pads = _integers()
    value = _number(0.0)


@irdl_op_definition
class UpsampleOp(NodeOp):
    """Enlarged by scales (an input from opset 9 on)."""

    name = "qonnx.Upsample"
    INPUT_ARITY: ClassVar[Arity] = Arity(1, 2)
    mode = _string("nearest", choices=("NEAREST", "LINEAR"))
    scales = _numbers()


@irdl_op_definition
class ResizeOp(NodeOp):
    """Enlarged or reduced: (x, region, scales, sizes), in opset 10 (x, scales)."""

    name = "qonnx.Resize"
    INPUT_ARITY: ClassVar[Arity] = Arity(2, 4)
    antialias = _flag()
    axes = _integers()
    coordinate_transformation_mode = _string("half_pixel")
    cubic_coeff_a = _number(-0.75)
    exclude_outside = _flag()
    extrapolation_value = _number(0.0)
    keep_aspect_ratio_policy = _string("stretch")
    mode = _string("nearest", choices=("NEAREST", "LINEAR", "CUBIC"))
    nearest_mode = _string("round_prefer_floor", choices=("ROUND_PREFER_FLOOR", "ROUND_PREFER_CEIL", "FLOOR", "CEIL"))


@irdl_op_definition
class DepthToSpaceOp(NodeOp):
    """Blocks of channels moved into height and width."""

    name = "qonnx.DepthToSpace"
    blocksize = _required_integer(minimum=1)
    mode = _string("DCR", choices=("DCR", "CRD"))


@irdl_op_definition
class SpaceToDepthOp(NodeOp):
    """Blocks of height and width moved into channels."""

    name = "qonnx.SpaceToDepth"
    blocksize = _required_integer(minimum=1)


# Shapes and constants


@irdl_op_definition
class ShapeOp(NodeOp):
    """The input's shape, or the dimensions from `start` up to `end` of it."""

    name = "qonnx.Shape"
    start = _integer(0)
    end = _integer()


@irdl_op_definition
class SizeOp(NodeOp):
    """How many elements the input has."""

    name = "qonnx.Size"


@irdl_op_definition
class ConstantOp(NodeOp):
    """A constant that the model writes as a node: exactly one of the attributes is given."""

    name = "qonnx.Constant"
    INPUT_ARITY: ClassVar[Arity] = Arity(0, 0)
    value = _tensor()
    value_float = _number()
    value_floats = _numbers()
    value_int = _integer()
    value_ints = _integers()

    @property
    def array(self) -> AnyArray:
        """The constant as an array."""
        value, dtype = next(
            (self.attribute(name), dtype)
            for name, dtype in (
                ("value", None),
                ("value_float", np.float32),
                ("value_floats", np.float32),
                ("value_int", np.int64),
                ("value_ints", np.int64),
            )
            if name in self.properties
        )
        return value if isinstance(value, np.ndarray) else np.array(value, dtype)

    def verify_(self) -> None:
        super().verify_()
        given = [name for name in attribute_table(type(self)) if name in self.properties]
        if len(given) != 1:
            raise VerifyException(f"Constant must have exactly one value, not {len(given)}")


@irdl_op_definition
class ConstantOfShapeOp(NodeOp):
    """A tensor of the given shape, filled with one value (float32 zero by default)."""

    name = "qonnx.ConstantOfShape"
    value = _tensor()


@irdl_op_definition
class RangeOp(NodeOp):
    """The numbers from a start up to but without a limit."""

    name = "qonnx.Range"
    INPUT_ARITY: ClassVar[Arity] = Arity(3, 3)


@irdl_op_definition
class UnknownOp(NodeOp):
    """
    A node whose operator the dialect doesn't know.

    Its attributes are kept as text, one `name = value` each, for messages.
    """

    name = "qonnx.unknown"
    INPUT_ARITY: ClassVar[Arity] = Arity(0, None)
    OUTPUT_ARITY: ClassVar[Arity] = Arity(0, None)
    op_type = prop_def(OnnxAttribute[StringAttr](AttributeKind.STRING))
    domain = _string("")
    attributes_text = _string("")


NODE_OPERATIONS: tuple[type[NodeOp], ...] = (
    QuantOp,
    IntQuantOp,
    BipolarQuantOp,
    TruncOp,
    MultiThresholdOp,
    XnorPopcountMatMulOp,
    Im2ColOp,
    QuantAvgPool2dOp,
    MaxPoolNHWCOp,
    QuantizeLinearOp,
    DequantizeLinearOp,
    GemmOp,
    MatMulOp,
    ConvOp,
    BatchNormalizationOp,
    AddOp,
    SubOp,
    MulOp,
    DivOp,
    PowOp,
    ModOp,
    MinOp,
    MaxOp,
    SumOp,
    MeanOp,
    PReluOp,
    WhereOp,
    EqualOp,
    GreaterOp,
    GreaterOrEqualOp,
    LessOp,
    LessOrEqualOp,
    AndOp,
    OrOp,
    XorOp,
    NotOp,
    NegOp,
    AbsOp,
    ClipOp,
    ReluOp,
    LeakyReluOp,
    ThresholdedReluOp,
    SigmoidOp,
    HardSigmoidOp,
    HardSwishOp,
    TanhOp,
    SoftsignOp,
    SoftplusOp,
    EluOp,
    CeluOp,
    SeluOp,
    GeluOp,
    ErfOp,
    ExpOp,
    LogOp,
    SqrtOp,
    ReciprocalOp,
    FloorOp,
    CeilOp,
    RoundOp,
    SignOp,
    IdentityOp,
    DropoutOp,
    CastOp,
    SoftmaxOp,
    LogSoftmaxOp,
    TopKOp,
    ArgMaxOp,
    ArgMinOp,
    MaxPoolOp,
    AveragePoolOp,
    GlobalAveragePoolOp,
    GlobalMaxPoolOp,
    ReduceMeanOp,
    ReduceSumOp,
    ReduceMaxOp,
    ReduceMinOp,
    ReduceProdOp,
    ConcatOp,
    SplitOp,
    SliceOp,
    GatherOp,
    TransposeOp,
    ReshapeOp,
    FlattenOp,
    SqueezeOp,
    UnsqueezeOp,
    ExpandOp,
    TileOp,
    PadOp,
    UpsampleOp,
    ResizeOp,
    DepthToSpaceOp,
    SpaceToDepthOp,
    ShapeOp,
    SizeOp,
    ConstantOp,
    ConstantOfShapeOp,
    RangeOp,
)
"""The operators that the dialect knows."""

OPERATORS: dict[str, type[NodeOp]] = {node.name.removeprefix("qonnx."): node for node in NODE_OPERATIONS}
"""The operation for each operator, by the operator's name in ONNX or QONNX."""

CUSTOM_OPERATORS = (
    "Quant",
    "IntQuant",
    "BipolarQuant",
    "Trunc",
    "MultiThreshold",
    "XnorPopcountMatMul",
    "Im2Col",
    "QuantAvgPool2d",
    "MaxPoolNHWC",
)
"""The operators that QONNX, FINN and Brevitas define; the others are ONNX's own."""


Qonnx = Dialect(
    "qonnx",
    [GraphOp, ReturnOp, InitializerOp, NoneOp, QuantizedConstantOp, *NODE_OPERATIONS, UnknownOp],
    [UnknownType],
)
