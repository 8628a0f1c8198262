"""Builds `comb` operations quickly: types and constants are interned, extensions built once a value and width."""

from collections.abc import Sequence
from functools import lru_cache

from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, IntegerType, i1, i32, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.dialects.lbir import IntType


@lru_cache(maxsize=1 << 12)
def bits(width: int) -> IntegerType:
    """An interned integer type."""
    return IntegerType(width)


@lru_cache(maxsize=1 << 12)
def _number(value: int, integer_type: IntegerType) -> IntegerAttr[IntegerType]:
    return IntegerAttr(value, integer_type)


class CombBuilder:
    """Appends operations to a block; integers are in two's complement, in the fewest bits that hold their range."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._constants: dict[tuple[int, int], SSAValue] = {}
        self._extracted: dict[tuple[SSAValue, int, int], SSAValue] = {}
        self._extended: dict[tuple[SSAValue, int, int, bool], SSAValue] = {}

    def finish(self, block: Block) -> None:
        """Puts everything into the block."""
        block.add_ops(self.operations)

    def append(self, operation: Operation) -> SSAValue:
        """Adds an operation of one result."""
        self.operations.append(operation)
        return operation.results[0]

    def constant(self, value: int, width: int) -> SSAValue:
        """A constant, cut to `width` bits."""
        value = comb.signed(value & ((1 << width) - 1), width)
        found = self._constants.get((value, width))
        if found is None:
            integer_type = bits(width)
            properties: dict[str, Attribute] = {"value": IntegerAttr(value, integer_type, truncate_bits=True)}
            found = self.append(hw.ConstantOp.create(properties=properties, result_types=[integer_type]))
            self._constants[value, width] = found
        return found

    def extract(self, value: SSAValue, low: int, width: int) -> SSAValue:
        """`width` bits from bit `low` on."""
        if low == 0 and width == comb.width_of(value):
            return value
        found = self._extracted.get((value, low, width))
        if found is None:
            found = self.append(
                comb.ExtractOp.create(
                    operands=[value], properties={"lowBit": _number(low, i32)}, result_types=[bits(width)]
                )
            )
            self._extracted[value, low, width] = found
        return found

    def concat(self, values: Sequence[SSAValue]) -> SSAValue:
        """All values side by side, the first in the most significant bits."""
        if len(values) == 1:
            return values[0]
        width = sum(comb.width_of(value) for value in values)
        return self.append(comb.ConcatOp.create(operands=values, result_types=[bits(width)]))

    def replicate(self, value: SSAValue, times: int) -> SSAValue:
        """A value several times side by side."""
        if times == 1:
            return value
        width = times * comb.width_of(value)
        return self.append(comb.ReplicateOp.create(operands=[value], result_types=[bits(width)]))

    def fit(self, value: SSAValue, is_signed: bool, width: int, shift: int = 0) -> SSAValue:
        """`value << shift`, extended or cut to `width` bits."""
        own = comb.width_of(value)
        if own == width and shift == 0:
            return value
        key = (value, shift, width, is_signed)
        found = self._extended.get(key)
        if found is not None:
            return found
        if shift >= width:
            return self.constant(0, width)
        parts: list[SSAValue] = []
        extra = width - shift - own
        if extra > 0:
            parts.append(
                self.replicate(self.extract(value, own - 1, 1), extra) if is_signed else self.constant(0, extra)
            )
        parts.append(value if extra >= 0 else self.extract(value, 0, width - shift))
        if shift:
            parts.append(self.constant(0, shift))
        found = self.concat(parts)
        self._extended[key] = found
        return found

    def add(self, values: Sequence[SSAValue]) -> SSAValue:
        """The sum of values of the same width."""
        if len(values) == 1:
            return values[0]
        return self.append(comb.AddOp.create(operands=values, result_types=[values[0].type]))

    def sub(self, left: SSAValue, right: SSAValue) -> SSAValue:
        """A difference."""
        return self.append(comb.SubOp.create(operands=[left, right], result_types=[left.type]))

    def multiply(self, left: SSAValue, right: SSAValue) -> SSAValue:
        """A product, cut to the factors' width."""
        return self.append(comb.MulOp.create(operands=[left, right], result_types=[left.type]))

    def logic(self, kind: type[comb.AndOp] | type[comb.OrOp] | type[comb.XorOp], *values: SSAValue) -> SSAValue:
        """A bitwise operation."""
        return self.append(kind.create(operands=values, result_types=[values[0].type]))

    def invert(self, value: SSAValue) -> SSAValue:
        """All bits inverted."""
        return self.logic(comb.XorOp, value, self.constant(-1, comb.width_of(value)))

    def compare(self, predicate: str, left: SSAValue, right: SSAValue) -> SSAValue:
        """A comparison by its CIRCT name."""
        index = comb.PREDICATES.index(predicate)
        return self.append(
            comb.ICmpOp.create(operands=[left, right], properties={"predicate": _number(index, i64)}, result_types=[i1])
        )

    def mux(self, condition: SSAValue, true_value: SSAValue, false_value: SSAValue) -> SSAValue:
        """A choice; none where both are the same."""
        if true_value is false_value:
            return true_value
        return self.append(
            comb.MuxOp.create(operands=[condition, true_value, false_value], result_types=[true_value.type])
        )

    def greater(self, value: SSAValue, element: IntType, bound: SSAValue) -> SSAValue:
        """Whether a value of a range is above a bound of the same width."""
        return self.compare("sgt" if element.signed else "ugt", value, bound)
