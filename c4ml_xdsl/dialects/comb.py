"""
The `comb` dialect as CIRCT defines it, with what upstream xDSL's version lacks.

Operations keep upstream's syntax. Added are purity, so that unused operations can be removed, folders, strict verifiers
of `extract`, `replicate` and `parity`, and `comb.truth_table`.

See https://circt.llvm.org/docs/Dialects/Comb/.
"""

from collections.abc import Sequence
from typing import ClassVar, cast

from xdsl.dialects import comb as upstream
from xdsl.dialects.builtin import I32, I64, DenseArrayBase, IntegerAttr, IntegerType, UnitAttr, i1, i64
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    VarConstraint,
    base,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import ConstantLike, Pure
from xdsl.utils.exceptions import VerifyException

MAXIMUM_TABLE_INPUTS = 16
PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")


def width_of(value: SSAValue) -> int:
    """The bits of an integer value."""
    return cast(IntegerType, value.type).width.data


def signed(value: int, width: int) -> int:
    """The bits of `value`, read in two's complement of `width` bits."""
    return value - (1 << width) if value >> (width - 1) & 1 else value


def _parse_operands(parser: Parser, count: int) -> list[UnresolvedOperand]:
    operands = [parser.parse_unresolved_operand()]
    for _ in range(count - 1):
        parser.parse_punctuation(",")
        operands.append(parser.parse_unresolved_operand())
    return operands


def _two_state(given: bool) -> dict[str, Attribute]:
    return {"twoState": UnitAttr()} if given else {}


class Foldable(HasFolderInterface):
    """Base of the operations that become a constant when all operands are: `compute` works on unsigned integers."""

    def compute(self, operands: Sequence[int]) -> int:
        """The unsigned value of the result, which is then cut to the result's width."""
        raise NotImplementedError

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        operation = cast(Operation, self)
        constants: list[int] = []
        for operand in operation.operands:
            trait = operand.owner.get_trait(ConstantLike) if isinstance(operand.owner, Operation) else None
            value = trait.get_constant_value(operand) if trait is not None else None
            if not isinstance(value, IntegerAttr):
                return None
            constants.append(value.value.data & ((1 << width_of(operand)) - 1))
        result = operation.results[0]
        value_type = cast(IntegerType, result.type)
        return (IntegerAttr(self.compute(constants), value_type, truncate_bits=True),)


@irdl_op_definition
class AddOp(upstream.VariadicCombOperation, Foldable):
    """
    The sum of all operands, modulo 2^width.

    ```mlir
    %y = comb.add %a, %b, %a : i4
    ```
    """

    name = "comb.add"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        return sum(operands)


@irdl_op_definition
class MulOp(upstream.VariadicCombOperation, Foldable):
    """
    The product of all operands, modulo 2^width.

    ```mlir
    %y = comb.mul %a, %b : i4
    ```
    """

    name = "comb.mul"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        product = 1
        for operand in operands:
            product *= operand
        return product


@irdl_op_definition
class SubOp(upstream.BinCombOperation, Foldable):
    """
    The difference, modulo 2^width.

    ```mlir
    %y = comb.sub %a, %b : i4
    ```
    """

    name = "comb.sub"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        return operands[0] - operands[1]


@irdl_op_definition
class AndOp(upstream.VariadicCombOperation, Foldable):
    """
    Bitwise and.

    ```mlir
    %y = comb.and %a, %b : i4
    ```
    """

    name = "comb.and"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        value = -1
        for operand in operands:
            value &= operand
        return value


@irdl_op_definition
class OrOp(upstream.VariadicCombOperation, Foldable):
    """
    Bitwise or.

    ```mlir
    %y = comb.or %a, %b : i4
    ```
    """

    name = "comb.or"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        value = 0
        for operand in operands:
            value |= operand
        return value


@irdl_op_definition
class XorOp(upstream.VariadicCombOperation, Foldable):
    """
    Bitwise exclusive or.

    ```mlir
    %y = comb.xor %a, %b : i4
    ```
    """

    name = "comb.xor"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        value = 0
        for operand in operands:
            value ^= operand
        return value


@irdl_op_definition
class ShlOp(upstream.BinCombOperation, Foldable):
    """
    Shift to the left.

    ```mlir
    %y = comb.shl %a, %b : i4
    ```
    """

    name = "comb.shl"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        return operands[0] << operands[1] if operands[1] < width_of(self.lhs) else 0


@irdl_op_definition
class ShrUOp(upstream.BinCombOperation, Foldable):
    """
    Logical shift to the right.

    ```mlir
    %y = comb.shru %a, %b : i4
    ```
    """

    name = "comb.shru"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        return operands[0] >> min(operands[1], width_of(self.lhs))


@irdl_op_definition
class ShrSOp(upstream.BinCombOperation, Foldable):
    """
    Arithmetic shift to the right.

    ```mlir
    %y = comb.shrs %a, %b : i4
    ```
    """

    name = "comb.shrs"

    traits = traits_def(Pure())

    def compute(self, operands: Sequence[int]) -> int:
        return signed(operands[0], width_of(self.lhs)) >> min(operands[1], width_of(self.lhs))


@irdl_op_definition
class ICmpOp(upstream.TwoStateOperation, Foldable):
    """
    A comparison: eq, ne, slt, sle, sgt, sge, ult, ule, ugt, uge, which are the predicates 0 to 9.

    ```mlir
    %y = comb.icmp sge %a, %b : i4
    ```
    """

    name = "comb.icmp"

    T: ClassVar = VarConstraint("T", base(IntegerType))

    predicate = prop_def(IntegerAttr[I64])
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(i1)

    traits = traits_def(Pure())

    @property
    def mnemonic(self) -> str:
        """The predicate's name."""
        return PREDICATES[self.predicate.value.data]

    def print(self, printer: Printer) -> None:
        self.print_optional_two_state_keyword(printer)
        printer.print_string(f" {self.mnemonic} ")
        printer.print_list(self.operands, printer.print_operand)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.lhs.type)

    @classmethod
    def parse(cls, parser: Parser) -> "ICmpOp":
        two_state = cls.parse_optional_two_state_keyword(parser)
        mnemonic = parser.parse_identifier()
        if mnemonic not in PREDICATES:
            parser.raise_error(f"unknown comparison {mnemonic}")
        operands = _parse_operands(parser, 2)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        operand_type = parser.parse_type()
        predicate = IntegerAttr(PREDICATES.index(mnemonic), i64)
        return cls.create(
            operands=[parser.resolve_operand(operand, operand_type) for operand in operands],
            result_types=[i1],
            properties={"predicate": predicate} | _two_state(two_state),
            attributes=attributes,
        )

    def compute(self, operands: Sequence[int]) -> int:
        left, right = operands
        predicate = self.mnemonic
        if predicate[0] == "s":
            width = width_of(self.lhs)
            left, right = signed(left, width), signed(right, width)
        match predicate.removeprefix("s").removeprefix("u"):
            case "eq":
                return left == right
            case "ne":
                return left != right
            case "lt":
                return left < right
            case "le":
                return left <= right
            case "gt":
                return left > right
            case _:
                return left >= right


@irdl_op_definition
class ParityOp(upstream.TwoStateOperation, Foldable):
    """
    The exclusive or of all bits.

    ```mlir
    %y = comb.parity %a : i4
    ```
    """

    name = "comb.parity"

    input = operand_def(IntegerType)
    result = result_def(i1)

    traits = traits_def(Pure())

    def print(self, printer: Printer) -> None:
        self.print_optional_two_state_keyword(printer)
        printer.print_string(" ")
        printer.print_operand(self.input)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.input.type)

    @classmethod
    def parse(cls, parser: Parser) -> "ParityOp":
        two_state = cls.parse_optional_two_state_keyword(parser)
        operand = parser.parse_unresolved_operand()
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        operands = [parser.resolve_operand(operand, parser.parse_type())]
        return cls.create(operands=operands, result_types=[i1], properties=_two_state(two_state), attributes=attributes)

    def compute(self, operands: Sequence[int]) -> int:
        return operands[0].bit_count() & 1


@irdl_op_definition
class ExtractOp(IRDLOperation, Foldable):
    """
    The bits from `low_bit` on, as many as the result has.

    ```mlir
    %y = comb.extract %a from 1 : (i4) -> i2
    ```
    """

    name = "comb.extract"

    input = operand_def(IntegerType)
    low_bit = prop_def(IntegerAttr[I32], prop_name="lowBit")
    result = result_def(IntegerType)

    assembly_format = "$input `from` $lowBit attr-dict `:` functional-type($input, $result)"
    traits = traits_def(Pure())

    def verify_(self) -> None:
        if self.low_bit.value.data < 0 or self.low_bit.value.data + width_of(self.result) > width_of(self.input):
            raise VerifyException(
                f"{width_of(self.result)} bits from {self.low_bit.value.data} on leave the {width_of(self.input)} bits"
            )

    def compute(self, operands: Sequence[int]) -> int:
        return operands[0] >> self.low_bit.value.data


@irdl_op_definition
class ConcatOp(IRDLOperation, Foldable):
    """
    All operands side by side, the first one in the most significant bits.

    ```mlir
    %y = comb.concat %c, %a : i1, i4
    ```
    """

    name = "comb.concat"

    inputs = var_operand_def(IntegerType)
    result = result_def(IntegerType)

    traits = traits_def(Pure())

    def verify_(self) -> None:
        total = sum(width_of(operand) for operand in self.inputs)
        if total != width_of(self.result):
            raise VerifyException(f"{total} bits are put together to {width_of(self.result)}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.inputs, printer.print_operand)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_list(self.inputs.types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> "ConcatOp":
        operands = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        values = parser.resolve_operands(operands, types, parser.pos)
        result = IntegerType(sum(width_of(value) for value in values))
        return cls.create(operands=values, result_types=[result], attributes=attributes)

    def compute(self, operands: Sequence[int]) -> int:
        value = 0
        for bits, operand in zip(operands, self.inputs, strict=True):
            value = value << width_of(operand) | bits
        return value


@irdl_op_definition
class ReplicateOp(IRDLOperation, Foldable):
    """
    The operand several times side by side.

    ```mlir
    %y = comb.replicate %c : (i1) -> i3
    ```
    """

    name = "comb.replicate"

    input = operand_def(IntegerType)
    result = result_def(IntegerType)

    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` functional-type($input, $result)"

    def verify_(self) -> None:
        if width_of(self.result) % width_of(self.input):
            raise VerifyException(f"{width_of(self.result)} bits are no multiple of {width_of(self.input)}")

    def compute(self, operands: Sequence[int]) -> int:
        width, value = width_of(self.input), 0
        for _ in range(width_of(self.result) // width):
            value = value << width | operands[0]
        return value


@irdl_op_definition
class MuxOp(upstream.TwoStateOperation, Foldable):
    """
    The second operand where the condition is 1, else the third.

    ```mlir
    %y = comb.mux %c, %a, %b : i4
    ```
    """

    name = "comb.mux"

    T: ClassVar = VarConstraint("T", base(IntegerType))

    cond = operand_def(i1)
    true_value = operand_def(T)
    false_value = operand_def(T)
    result = result_def(T)

    traits = traits_def(Pure())

    def print(self, printer: Printer) -> None:
        self.print_optional_two_state_keyword(printer)
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_operand)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> "MuxOp":
        two_state = cls.parse_optional_two_state_keyword(parser)
        condition, *values = _parse_operands(parser, 3)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        value_type = parser.parse_type()
        operands = [parser.resolve_operand(value, value_type) for value in values]
        return cls.create(
            operands=[parser.resolve_operand(condition, i1), *operands],
            result_types=[value_type],
            properties=_two_state(two_state),
            attributes=attributes,
        )

    def compute(self, operands: Sequence[int]) -> int:
        return operands[1] if operands[0] else operands[2]


@irdl_op_definition
class TruthTableOp(IRDLOperation, Foldable):
    """
    One bit as a function of others, as CIRCT's `comb.truth_table`: the first input is the index's most significant bit.

    ```mlir
    %y = comb.truth_table %c, %d -> [false, true, true, false]
    ```
    """

    name = "comb.truth_table"

    inputs = var_operand_def(i1)
    table = prop_def(DenseArrayBase, prop_name="lookupTable")
    result = result_def(i1)

    traits = traits_def(Pure())

    @property
    def entries(self) -> tuple[bool, ...]:
        """The result for each index."""
        return tuple(bool(each) for each in cast("DenseArrayBase[IntegerType]", self.table).get_values())

    @classmethod
    def of(cls, inputs: Sequence[SSAValue], entries: Sequence[int]) -> "TruthTableOp":
        """A table of 0 and 1."""
        table = DenseArrayBase.from_list(i1, [int(each) for each in entries])
        return cls.create(operands=inputs, properties={"lookupTable": table}, result_types=[i1])

    def verify_(self) -> None:
        if len(self.inputs) > MAXIMUM_TABLE_INPUTS:
            raise VerifyException(f"a truth table has at most {MAXIMUM_TABLE_INPUTS} inputs, got {len(self.inputs)}")
        if len(self.entries) != 1 << len(self.inputs):
            raise VerifyException(f"{len(self.inputs)} inputs need {1 << len(self.inputs)} entries")

    def compute(self, operands: Sequence[int]) -> int:
        index = 0
        for operand in operands:
            index = index << 1 | operand
        return self.entries[index]

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.inputs, printer.print_operand)
        printer.print_string(" -> [" + ", ".join("true" if each else "false" for each in self.entries) + "]")
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> "TruthTableOp":
        operands = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_unresolved_operand)
        parser.parse_punctuation("->")
        entries = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_boolean)
        attributes = parser.parse_optional_attr_dict()
        operation = cls.of([parser.resolve_operand(operand, i1) for operand in operands], entries)
        operation.attributes.update(attributes)
        return operation


Comb = Dialect(
    "comb",
    [
        AddOp,
        MulOp,
        upstream.DivUOp,
        upstream.DivSOp,
        upstream.ModUOp,
        upstream.ModSOp,
        ShlOp,
        ShrUOp,
        ShrSOp,
        SubOp,
        AndOp,
        OrOp,
        XorOp,
        ICmpOp,
        ParityOp,
        ExtractOp,
        ConcatOp,
        ReplicateOp,
        MuxOp,
        TruthTableOp,
    ],
)
