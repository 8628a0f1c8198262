"""
The `neuron` dialect: one layer, unrolled into scalar values of exact range.

A `neuron.layer` takes one scalar an input element and yields one an output element. A `neuron.sum` is an exact linear
form; passes choose how it is built and rewrite it into rows of few shifted operands, one adder each. Tables,
thresholds and requantisations keep their meaning down to here, so circuit optimisation can use it.
"""

import math
from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, SymbolNameConstraint, i64
from xdsl.ir import Attribute, Dialect, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, IsTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from c4ml_xdsl.dialects.lbir import IntType, NumbersAttr, product_range, range_of
from c4ml_xdsl.numerics.rounding import RoundingMode


@irdl_op_definition
class LayerOp(IRDLOperation):
    """
    A layer: `description` says in words what it computes, for the comments of the Verilog.

    `operand_sizes` says how many of the arguments belong to each operand of a call, where it has several.

    ```mlir
    neuron.layer @fc "dense 2 -> 1" {
    ^bb0(%p: !lbir.int<0, 1>, %q: !lbir.int<0, 1>):
      %s = neuron.sum %p, %q times [1, -1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<-1, 1>
      neuron.yield %s : !lbir.int<-1, 1>
    }
    ```
    """

    name = "neuron.layer"

    sym_name = prop_def(SymbolNameConstraint())
    description = opt_prop_def(StringAttr)
    operand_sizes = opt_prop_def(NumbersAttr)
    body = region_def("single_block")

    traits = traits_def(IsolatedFromAbove(), SymbolOpInterface())

    def __init__(
        self, name: str, body: Region, description: str | None = None, operand_sizes: Sequence[int] | None = None
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "description": None if description is None else StringAttr(description),
                "operand_sizes": None if operand_sizes is None else NumbersAttr.of(operand_sizes),
            },
            regions=[body],
        )

    @property
    def yielded(self) -> tuple[SSAValue, ...]:
        """The layer's results."""
        last = self.body.block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException("the body of a neuron.layer must end in neuron.yield")
        return tuple(last.operands)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many arguments each operand of a call gives."""
        return (len(self.body.block.args),) if self.operand_sizes is None else self.operand_sizes.data

    def verify_(self) -> None:
        for value in (*self.body.block.args, *self.yielded):
            range_of(value)
        if sum(self.sizes) != len(self.body.block.args):
            raise VerifyException(f"{len(self.body.block.args)} arguments don't make operands of {self.sizes}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        if self.description is not None:
            printer.print_string(" ")
            printer.print_string_literal(self.description.data)
        if self.operand_sizes is not None:
            printer.print_string(" operands ")
            self.operand_sizes.print_parameter(printer)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body)

    @classmethod
    def parse(cls, parser: Parser) -> "LayerOp":
        name = parser.parse_symbol_name()
        description = parser.parse_optional_str_literal()
        properties: dict[str, Attribute] = {"sym_name": name}
        if description is not None:
            properties["description"] = StringAttr(description)
        if parser.parse_optional_keyword("operands") is not None:
            properties["operand_sizes"] = NumbersAttr(NumbersAttr.parse_parameter(parser))
        found = parser.parse_optional_attr_dict_with_keyword()
        attributes: Mapping[str, Attribute] = {} if found is None else found.data
        return cls.create(properties=properties, attributes=attributes, regions=[parser.parse_region()])


@irdl_op_definition
class YieldOp(IRDLOperation):
    """
    The layer's results, in the order of the output tensor's elements.

    ```mlir
    neuron.layer @identity {
    ^bb0(%p: !lbir.int<0, 1>):
      neuron.yield %p : !lbir.int<0, 1>
    }
    ```
    """

    name = "neuron.yield"

    values = var_operand_def(IntType)

    traits = traits_def(IsTerminator(), HasParent(LayerOp))
    assembly_format = "$values attr-dict `:` type($values)"

    def __init__(self, values: Sequence[SSAValue]):
        super().__init__(operands=[values])


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """
    An integer.

    ```mlir
    %y = neuron.constant 5 : !lbir.int<5, 5>
    ```
    """

    name = "neuron.constant"

    value = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$value attr-dict `:` type($result)"

    @classmethod
    def of(cls, value: int) -> "ConstantOp":
        """A constant, which is the whole range of its type."""
        return cls.create(properties={"value": IntegerAttr(value, i64)}, result_types=[IntType(value, value)])

    def verify_(self) -> None:
        element = range_of(self.result)
        if not element.low <= self.value.value.data <= element.high:
            raise VerifyException("the constant leaves its range")


@irdl_op_definition
class SumOp(IRDLOperation):
    """
    An exact linear form: the sum of coefficient * operand, and a constant.

    It is a row, which is one adder, when it has at most three operands and powers of two as coefficients. The result's
    range must lie within what the operands' ranges allow.

    ```mlir
    %y = neuron.sum %a, %b times [3, -4] plus 1 : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<-35, 22>
    ```
    """

    name = "neuron.sum"

    terms = var_operand_def(IntType)
    coefficients = prop_def(NumbersAttr)
    constant = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$terms `times` $coefficients `plus` $constant attr-dict `:` type($terms) `->` type($result)"

    @staticmethod
    def of(terms: Sequence[SSAValue], coefficients: Sequence[int], constant: int, result_type: IntType) -> "SumOp":
        """A sum; the caller gives the exact range."""
        return SumOp.create(
            operands=terms,
            result_types=[result_type],
            properties={"coefficients": NumbersAttr.of(coefficients), "constant": IntegerAttr(constant, i64)},
        )

    @property
    def is_row(self) -> bool:
        """Whether this is one adder."""
        return len(self.terms) <= 3 and all(abs(c) & (abs(c) - 1) == 0 for c in self.coefficients.data)

    def verify_(self) -> None:
        coefficients = self.coefficients.data
        if len(coefficients) != len(self.terms):
            raise VerifyException(f"{len(self.terms)} terms have {len(coefficients)} coefficients")
        if not all(coefficients):
            raise VerifyException("a coefficient is 0")
        low, high = interval(self.terms, coefficients, self.constant.value.data)
        element = range_of(self.result)
        if element.low < low or element.high > high:
            raise VerifyException(f"the range {element} is wider than what the terms allow, {low} to {high}")


def interval(terms: Sequence[SSAValue], coefficients: Sequence[int], constant: int) -> tuple[int, int]:
    """What the ranges of the terms allow a sum to be, the terms taken as independent."""
    low = high = constant
    for term, coefficient in zip(terms, coefficients, strict=True):
        element = range_of(term)
        ends = coefficient * element.low, coefficient * element.high
        low, high = low + min(ends), high + max(ends)
    return low, high


@irdl_op_definition
class RequantizeOp(IRDLOperation):
    """
    clip(round((x + offset) / 2^shift)) to the result's range.

    ```mlir
    %y = neuron.requantize %a offset 2 shift 1 round "half_even" : !lbir.int<-8, 7> -> !lbir.int<0, 3>
    ```
    """

    name = "neuron.requantize"

    input = operand_def(IntType)
    offset = prop_def(IntegerAttr[I64])
    shift = prop_def(IntegerAttr[I64])
    rounding = prop_def(StringAttr)
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = (
        "$input `offset` $offset `shift` $shift `round` $rounding attr-dict `:` type($input) `->` type($result)"
    )

    def verify_(self) -> None:
        if self.rounding.data not in set(RoundingMode):
            raise VerifyException(f"unknown rounding {self.rounding.data}")
        if not 0 <= self.shift.value.data <= 60:
            raise VerifyException("the shift must be between 0 and 60")


@irdl_op_definition
class ThresholdOp(IRDLOperation):
    """
    base + #{k : x >= t_k}, or base - #{…} with `falling`; the thresholds are sorted.

    ```mlir
    %y = neuron.threshold %a, [-3, 0, 5] base 1 falling 0 : !lbir.int<-8, 7> -> !lbir.int<1, 4>
    ```
    """

    name = "neuron.threshold"

    input = operand_def(IntType)
    thresholds = prop_def(NumbersAttr)
    base = prop_def(IntegerAttr[I64])
    falling = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = (
        "$input `,` $thresholds `base` $base `falling` $falling attr-dict `:` type($input) `->` type($result)"
    )

    def verify_(self) -> None:
        values = self.thresholds.data
        if list(values) != sorted(values):
            raise VerifyException("the thresholds aren't sorted")


@irdl_op_definition
class TableOp(IRDLOperation):
    """
    table[x - lo], lo being the lowest integer of x.

    ```mlir
    %y = neuron.table %b, [1, 0, 0, 1] : !lbir.int<0, 3> -> !lbir.int<0, 1>
    ```
    """

    name = "neuron.table"

    input = operand_def(IntType)
    table = prop_def(NumbersAttr)
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$input `,` $table attr-dict `:` type($input) `->` type($result)"

    def verify_(self) -> None:
        element, values = range_of(self.input), self.table.data
        if len(values) != element.high - element.low + 1:
            raise VerifyException(f"the table must have a value for each integer of {element}")
        if min(values) < range_of(self.result).low or max(values) > range_of(self.result).high:
            raise VerifyException("a table's value leaves the result's range")


@irdl_op_definition
class LookupOp(IRDLOperation):
    """
    A function of several values by its results: one for each combination of what the operands can be.

    They are in the order of the operands' integers, from the lowest ones on, the last operand's first.

    ```mlir
    %y = neuron.lookup %b, %c in [0, 1, 1, 2, 2, 2, 2, 3] : !lbir.int<0, 3>, !lbir.int<0, 1> -> !lbir.int<0, 3>
    ```
    """

    name = "neuron.lookup"

    terms = var_operand_def(IntType)
    entries = prop_def(NumbersAttr)
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$terms `in` $entries attr-dict `:` type($terms) `->` type($result)"

    @staticmethod
    def of(terms: Sequence[SSAValue], entries: Sequence[int], result_type: IntType) -> "LookupOp":
        """A look-up; the caller gives a range that holds the entries."""
        properties = {"entries": NumbersAttr.of(entries)}
        return LookupOp.create(operands=terms, result_types=[result_type], properties=properties)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The lowest and the highest integer of each operand."""
        return tuple((element.low, element.high) for element in map(range_of, self.terms))

    def verify_(self) -> None:
        count = math.prod(high - low + 1 for low, high in self.ranges)
        values = self.entries.data
        if len(values) != count:
            raise VerifyException(f"{count} combinations have {len(values)} entries")
        if min(values) < range_of(self.result).low or max(values) > range_of(self.result).high:
            raise VerifyException("an entry leaves the result's range")


@irdl_op_definition
class PopcountOp(IRDLOperation):
    """
    The number of ones among up to six operands of 0 and 1, and a constant; an inverted one counts where it is 0.

    An operand counts as often as its weight says. The result's range is from the constant to the largest count. It is
    built as truth tables of all operands, one for each bit of the result.

    ```mlir
    %y = neuron.popcount %c, %c inverted [0, 1] times [1, 2] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 3>
    ```
    """  # noqa: E501

    name = "neuron.popcount"

    terms = var_operand_def(IntType)
    inverted = prop_def(NumbersAttr)
    weights = prop_def(NumbersAttr)
    constant = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = (
        "$terms `inverted` $inverted `times` $weights `plus` $constant attr-dict `:` type($terms) `->` type($result)"
    )

    @staticmethod
    def of(
        terms: Sequence[SSAValue], inverted: Sequence[bool], weights: Sequence[int] | None = None, constant: int = 0
    ) -> "PopcountOp":
        """A count of values of 0 and 1; the weights are 1 unless they are given."""
        weights = [1] * len(terms) if weights is None else weights
        return PopcountOp.create(
            operands=terms,
            result_types=[IntType(constant, constant + sum(weights))],
            properties={
                "inverted": NumbersAttr.of([int(each) for each in inverted]),
                "weights": NumbersAttr.of(weights),
                "constant": IntegerAttr(constant, i64),
            },
        )

    def verify_(self) -> None:
        if not 1 <= len(self.terms) <= 6:
            raise VerifyException("a counter has from 1 to 6 operands")
        if len(self.inverted.data) != len(self.terms) or any(each not in (0, 1) for each in self.inverted.data):
            raise VerifyException("there must be a 0 or a 1 for each operand, whether it is inverted")
        if len(self.weights.data) != len(self.terms) or min(self.weights.data) < 1 or self.constant.value.data < 0:
            raise VerifyException("there must be a positive weight for each operand, and no negative constant")
        _verify_single_bits(self.terms)
        element, low = range_of(self.result), self.constant.value.data
        if (element.low, element.high) != (low, low + sum(self.weights.data)):
            raise VerifyException(f"the result's range must be {low} to {low + sum(self.weights.data)}")


@irdl_op_definition
class BitOp(IRDLOperation):
    """
    One bit of an integer in two's complement, 0 being the lowest.

    ```mlir
    %y = neuron.bit 1 of %b : !lbir.int<0, 3> -> !lbir.int<0, 1>
    ```
    """

    name = "neuron.bit"

    input = operand_def(IntType)
    position = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$position `of` $input attr-dict `:` type($input) `->` type($result)"

    @staticmethod
    def of(value: SSAValue, position: int) -> "BitOp":
        """A bit of a value."""
        properties = {"position": IntegerAttr(position, i64)}
        return BitOp.create(operands=[value], result_types=[IntType(0, 1)], properties=properties)

    def verify_(self) -> None:
        if not 0 <= self.position.value.data < range_of(self.input).bits:
            raise VerifyException(f"there is no bit {self.position.value.data}")
        if range_of(self.result) != IntType(0, 1):
            raise VerifyException("a bit's range must be 0 to 1")


@irdl_op_definition
class CompareOp(IRDLOperation):
    """
    Whether the sum of coefficient * operand is at least a constant; operands are 0 or 1, coefficients powers of two.

    It is built as the carry out of one addition, of as many words as there are operands of the same coefficient.

    ```mlir
    %y = neuron.compare %c, %c times [1, -2] least 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 1>
    ```
    """

    name = "neuron.compare"

    terms = var_operand_def(IntType)
    coefficients = prop_def(NumbersAttr)
    least = prop_def(IntegerAttr[I64])
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$terms `times` $coefficients `least` $least attr-dict `:` type($terms) `->` type($result)"

    @staticmethod
    def of(terms: Sequence[SSAValue], coefficients: Sequence[int], least: int) -> "CompareOp":
        """A comparison."""
        return CompareOp.create(
            operands=terms,
            result_types=[IntType(0, 1)],
            properties={"coefficients": NumbersAttr.of(coefficients), "least": IntegerAttr(least, i64)},
        )

    def verify_(self) -> None:
        coefficients = self.coefficients.data
        if len(coefficients) != len(self.terms):
            raise VerifyException(f"{len(self.terms)} terms have {len(coefficients)} coefficients")
        if any(each == 0 or abs(each) & (abs(each) - 1) for each in coefficients):
            raise VerifyException("a coefficient is no power of two")
        _verify_single_bits(self.terms)
        if range_of(self.result) != IntType(0, 1):
            raise VerifyException("a comparison's range must be 0 to 1")


def _verify_single_bits(terms: Sequence[SSAValue]) -> None:
    """Raises VerifyException for a value that isn't 0 or 1."""
    for element in map(range_of, terms):
        if (element.low, element.high) != (0, 1):
            raise VerifyException(f"an operand of the range {element} isn't 0 or 1")


@irdl_op_definition
class MaxOp(IRDLOperation):
    """
    The largest of its operands.

    ```mlir
    %y = neuron.max %a, %b : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<0, 7>
    ```
    """

    name = "neuron.max"

    terms = var_operand_def(IntType)
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$terms attr-dict `:` type($terms) `->` type($result)"

    @staticmethod
    def of(terms: Sequence[SSAValue]) -> "MaxOp":
        """The largest of some values, which aren't none."""
        elements = [range_of(term) for term in terms]
        result_type = IntType(max(each.low for each in elements), max(each.high for each in elements))
        return MaxOp.create(operands=terms, result_types=[result_type])

    def verify_(self) -> None:
        if not self.terms:
            raise VerifyException("a maximum needs an operand")
        element = range_of(self.result)
        low, high = (max(each) for each in zip(*((range_of(t).low, range_of(t).high) for t in self.terms), strict=True))
        if element.low > low or element.high < high:
            raise VerifyException(f"the range {element} doesn't hold {low} to {high}")


@irdl_op_definition
class MultiplyOp(IRDLOperation):
    """
    The product of two values.

    ```mlir
    %y = neuron.multiply %a, %b : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<-24, 21>
    ```
    """

    name = "neuron.multiply"

    lhs = operand_def(IntType)
    rhs = operand_def(IntType)
    result = result_def(IntType)

    traits = traits_def(Pure())
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    @staticmethod
    def of(lhs: SSAValue, rhs: SSAValue) -> "MultiplyOp":
        """A product with its exact range."""
        return MultiplyOp.create(
            operands=[lhs, rhs], result_types=[IntType(*product_range(range_of(lhs), range_of(rhs)))]
        )

    def verify_(self) -> None:
        low, high = product_range(range_of(self.lhs), range_of(self.rhs))
        element = range_of(self.result)
        if element.low > low or element.high < high:
            raise VerifyException(f"the range {element} doesn't hold {low} to {high}")


Neuron = Dialect(
    "neuron",
    [
        LayerOp,
        YieldOp,
        ConstantOp,
        SumOp,
        RequantizeOp,
        ThresholdOp,
        TableOp,
        LookupOp,
        PopcountOp,
        BitOp,
        CompareOp,
        MaxOp,
        MultiplyOp,
    ],
)
