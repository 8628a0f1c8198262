"""The pass `lower-truth-tables`."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp, i1
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.transforms.comb_builder import bits


@dataclass(frozen=True)
class LowerTruthTables(ModulePass):
    """
    Makes a look-up in a constant array of each truth table, for tools that don't know `comb.truth_table`.

    Before:
    ```mlir
    hw.module @m(in %a: i1, out o: i1) {
      %y = comb.truth_table %a -> [true, false]
      hw.output %y : i1
    }
    ```
    After `lower-truth-tables`:
    ```mlir
    hw.module @m(in %a: i1, out o: i1) {
      %0 = hw.constant false
      %1 = hw.constant true
      %2 = hw.array_create %0, %1 : i1
      %y = hw.array_get %2[%a] : !hw.array<2xi1>, i1
      hw.output %y : i1
    }
    ```
    """

    name = "lower-truth-tables"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for module in list(op.body.block.ops):
            if isinstance(module, hw.HWModuleOp):
                lowered = lower_truth_tables(module)
                op.body.block.insert_op_before(lowered, module)
                module.detach()
                module.erase()


def has_truth_tables(module: hw.HWModuleOp) -> bool:
    """Whether there is anything to lower."""
    return any(isinstance(operation, comb.TruthTableOp) for operation in module.body.block.ops)


def lower_truth_tables(module: hw.HWModuleOp) -> hw.HWModuleOp:
    """A copy of the module without truth tables."""
    copy = module.clone()
    block = copy.body.block
    old = list(block.ops)
    if not has_truth_tables(copy):
        return copy
    constants: dict[bool, SSAValue] = {}
    new: list[Operation] = []
    for operation in old:
        operation.detach()
    for value in (False, True):
        constant = hw.ConstantOp(int(value), 1, truncate_bits=True)
        constants[value] = constant.result
        new.append(constant)
    for operation in old:
        if not isinstance(operation, comb.TruthTableOp):
            new.append(operation)
            continue
        index: SSAValue = operation.inputs[0]
        if len(operation.inputs) > 1:
            joined = comb.ConcatOp.create(operands=operation.inputs, result_types=[bits(len(operation.inputs))])
            new.append(joined)
            index = joined.result
        # the first operand of an array has the highest index
        entries = [constants[entry] for entry in reversed(operation.entries)]
        array = hw.ArrayCreateOp.create(operands=entries, result_types=[hw.ArrayType(i1, len(entries))])
        look_up = hw.ArrayGetOp.create(operands=[array.result, index], result_types=[i1])
        look_up.result.name_hint = operation.result.name_hint
        new += [array, look_up]
        operation.result.replace_all_uses_with(look_up.result)
        operation.erase()
    block.add_ops(new)
    return copy
