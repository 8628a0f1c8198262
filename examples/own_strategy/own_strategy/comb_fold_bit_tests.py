"""The pass `comb-fold-bit-tests`."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i1
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.dialects import comb


@dataclass(frozen=True)
class CombFoldBitTests(ModulePass):
    """
    A comparison of one bit with a constant is that bit or its inverse, and an inverse of an inverse is the bit.

    Roundings to even ask whether a bit is 0 and then use the answer inverted. Goes through each module once, forwards;
    what nobody reads any more is left to `comb-simplify`.

    Before:
    ```mlir
    hw.module @m(in %b: i1, in %c: i1, out y: i1) {
      %0 = hw.constant false
      %1 = comb.icmp eq %b, %0 : i1
      %2 = hw.constant true
      %3 = comb.xor %1, %2 : i1
      %4 = comb.and %c, %3 : i1
      hw.output %4 : i1
    }
    ```
    After `comb-fold-bit-tests,comb-simplify`:
    ```mlir
    hw.module @m(in %b: i1, in %c: i1, out y: i1) {
      %0 = comb.and %c, %b : i1
      hw.output %0 : i1
    }
    ```
    """

    name = "comb-fold-bit-tests"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for module in op.body.block.ops:
            if isinstance(module, hw.HWModuleOp):
                for operation in list(module.body.block.ops):
                    found = folded(operation)
                    if found is not None:
                        operation.results[0].replace_all_uses_with(found)


def folded(operation: Operation) -> SSAValue | None:
    """What an operation's result is equal to, which may be a new inverse; None where it stays."""
    match operation:
        case comb.ICmpOp() if comb.width_of(operation.lhs) == 1 and operation.mnemonic in ("eq", "ne"):
            for bit, other in ((operation.lhs, operation.rhs), (operation.rhs, operation.lhs)):
                wanted = constant_bit(other)
                if wanted is not None:
                    return bit if (operation.mnemonic == "eq") == wanted else inverse_before(operation, bit)
            return None
        case comb.XorOp():
            return inverted(inverted(operation.result))
        case _:
            return None


def constant_bit(value: SSAValue) -> bool | None:
    """The bit that a value always is."""
    owner = value.owner
    return bool(owner.value.value.data & 1) if isinstance(owner, hw.ConstantOp) else None


def inverted(value: SSAValue | None) -> SSAValue | None:
    """The bit whose inverse a value is."""
    if value is None or not isinstance(value.owner, comb.XorOp):
        return None
    operands = value.owner.operands
    if len(operands) != 2 or comb.width_of(value) != 1:
        return None
    bit, other = operands if constant_bit(operands[1]) is not None else reversed(operands)
    return bit if constant_bit(other) else None


def inverse_before(operation: Operation, bit: SSAValue) -> SSAValue:
    """The inverse of a bit, made in front of an operation."""
    block = operation.parent_block()
    assert block is not None
    one = hw.ConstantOp.create(properties={"value": IntegerAttr(1, i1)}, result_types=[i1])
    inverse = comb.XorOp([bit, one.result])
    block.insert_ops_before([one, inverse], operation)
    return inverse.result
