"""The pass `comb-narrow-adders`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from c4ml_xdsl.dialects import comb
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, IntegerType, ModuleOp, i32
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass


@dataclass(frozen=True)
class CombNarrowAdders(ModulePass):
    """
    Takes the lowest bits out of adders where only one operand has any: they come out as they went in.

    The rows of an unrolled network add shifted values, `x + (y << 3)`, so this is common. Nothing is carried out of
    bits that are added to zeros; the operand that has them must not be subtracted.

    Before:
    ```mlir
    hw.module @m(in %x: i6, in %y: i3, out s: i6) {
      %0 = hw.constant 0 : i3
      %1 = comb.concat %y, %0 : i3, i3
      %s = comb.add %x, %1 : i6
      hw.output %s : i6
    }
    ```
    After `comb-narrow-adders`:
    ```mlir
    hw.module @m(in %x: i6, in %y: i3, out s: i6) {
      %0 = comb.extract %x from 0 : (i6) -> i3
      %1 = comb.extract %x from 3 : (i6) -> i3
      %2 = comb.add %1, %y : i3
      %s = comb.concat %2, %0 : i3, i3
      hw.output %s : i6
    }
    ```
    """

    name = "comb-narrow-adders"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for module in op.body.block.ops:
            if isinstance(module, hw.HWModuleOp):
                for operation in list(module.body.block.ops):
                    # what a row is merged from is seen with the row's last operation, which stands behind it
                    if isinstance(operation, comb.AddOp | comb.SubOp) and not is_merged(operation):
                        narrow(operation)
                remove_unused(module)


def narrow(operation: comb.AddOp | comb.SubOp) -> None:
    """Makes a row, whose last operation is given, as narrow as it can be."""
    added, subtracted = row_of(operation)
    width = comb.width_of(operation.result)
    zeros = sorted((trailing_zeros(value), index) for index, value in enumerate([*added, *subtracted]))
    cut, lowest = min(zeros[1][0], width - 1), zeros[0][1]
    if cut == 0 or lowest >= len(added):
        return
    block = operation.parent_block()
    assert block is not None

    def append(created: Operation) -> SSAValue:
        block.insert_op_before(created, operation)
        return created.results[0]

    low = append(extract(added[lowest], 0, cut))
    high = [upper(value, cut, append) for value in added]
    row = append(comb.AddOp(high)) if len(high) > 1 else high[0]
    for value in subtracted:
        row = append(comb.SubOp(row, upper(value, cut, append)))
    whole = append(concat([row, low]))
    whole.name_hint = operation.result.name_hint
    operation.result.replace_all_uses_with(whole)


def is_merged(operation: comb.AddOp | comb.SubOp) -> bool:
    """Whether a subtraction, which alone reads it, takes something from it: both are one row of adders."""
    result = operation.result
    if not result.has_one_use():
        return False
    use = next(iter(result.uses))
    return isinstance(use.operation, comb.SubOp) and use.index == 0


def row_of(operation: comb.AddOp | comb.SubOp) -> tuple[list[SSAValue], list[SSAValue]]:
    """What a row adds and what it subtracts."""
    if isinstance(operation, comb.AddOp):
        return [*operation.operands], []
    first = operation.lhs.owner
    if isinstance(first, comb.AddOp | comb.SubOp) and is_merged(first):
        added, subtracted = row_of(first)
        return added, [*subtracted, operation.rhs]
    return [operation.lhs], [operation.rhs]


def trailing_zeros(value: SSAValue) -> int:
    """How many of a value's lowest bits are known to be 0."""
    owner = value.owner
    if isinstance(owner, hw.ConstantOp):
        number = owner.value.value.data
        return (number & -number).bit_length() - 1 if number else comb.width_of(value)
    found = 0
    if isinstance(owner, comb.ConcatOp):
        for part in reversed(owner.operands):
            zeros = trailing_zeros(part)
            found += zeros
            if zeros < comb.width_of(part):
                break
    return found


def upper(value: SSAValue, cut: int, append: Callable[[Operation], SSAValue]) -> SSAValue:
    """A value without its lowest bits; of a concatenation the parts that are left."""
    owner = value.owner
    if isinstance(owner, comb.ConcatOp):
        parts = [*owner.operands]
        while parts and comb.width_of(parts[-1]) <= cut:
            cut -= comb.width_of(parts.pop())
        if cut == 0:
            return parts[0] if len(parts) == 1 else append(concat(parts))
        cut = comb.width_of(value) - sum(map(comb.width_of, parts)) + cut
    return append(extract(value, cut, comb.width_of(value) - cut))


def extract(value: SSAValue, low: int, width: int) -> comb.ExtractOp:
    """So many bits from a position on."""
    return comb.ExtractOp.create(
        operands=[value], result_types=[IntegerType(width)], properties={"lowBit": IntegerAttr(low, i32)}
    )


def concat(parts: Sequence[SSAValue]) -> comb.ConcatOp:
    """Values beside each other, the first one on top."""
    return comb.ConcatOp.create(operands=parts, result_types=[IntegerType(sum(map(comb.width_of, parts)))])


def remove_unused(module: hw.HWModuleOp) -> None:
    """Removes the rows that were replaced, and what only they read."""
    for operation in reversed(list(module.body.block.ops)):
        if not isinstance(operation, hw.OutputOp | hw.InstanceOp) and not any(r.first_use for r in operation.results):
            operation.detach()
            operation.erase()
