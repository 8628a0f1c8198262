"""The pass `comb-simplify`."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import Pure

from c4ml_xdsl.dialects import comb


@dataclass(frozen=True)
class CombSimplify(ModulePass):
    """
    Folds constants, merges equal operations and removes unused ones, in one walk forwards and one backwards.

    Before:
    ```mlir
    hw.module @m(in %a: i2, out o: i2, out p: i2) {
      %0 = hw.constant 1 : i2
      %1 = comb.add %0, %0 : i2
      %2 = comb.add %a, %1 : i2
      %3 = hw.constant -2 : i2
      %4 = comb.add %a, %3 : i2
      %5 = comb.xor %a, %4 : i2
      hw.output %2, %4 : i2, i2
    }
    ```
    After `comb-simplify`:
    ```mlir
    hw.module @m(in %a: i2, out o: i2, out p: i2) {
      %0 = hw.constant -2 : i2
      %1 = comb.add %a, %0 : i2
      hw.output %1, %1 : i2, i2
    }
    ```
    """

    name = "comb-simplify"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for module in op.body.block.ops:
            if isinstance(module, hw.HWModuleOp):
                _merge(module)
                _remove_unused(module)


def _merge(module: hw.HWModuleOp) -> None:
    """Gives each value one operation, where operands and properties are all that matters."""
    known: dict[tuple[object, ...], SSAValue] = {}
    replaced: dict[SSAValue, SSAValue] = {}
    constants: set[SSAValue] = set()
    for operation in list(module.body.block.ops):
        operands = operation.operands
        if replaced and any(operand in replaced for operand in operands):
            operation.operands = [replaced.get(operand, operand) for operand in operands]
            operands = operation.operands
        if not operation.has_trait(Pure):
            continue
        if operands and isinstance(operation, comb.Foldable) and all(operand in constants for operand in operands):
            operation = _folded(operation)
        result = operation.results[0]
        key = (operation.name, result.type, operands if operation.operands else (), *operation.properties.values())
        found = known.setdefault(key, result)
        if found is not result:
            if found.name_hint is None:
                found.name_hint = result.name_hint
            replaced[result] = found
        elif isinstance(operation, hw.ConstantOp):
            constants.add(result)


def _folded(operation: Operation) -> Operation:
    """The constant that stands in for an operation of constants."""
    assert isinstance(operation, comb.Foldable)
    values = operation.fold()
    assert values is not None
    (value,) = values
    assert isinstance(value, IntegerAttr)
    properties: dict[str, Attribute] = {"value": value}
    constant = hw.ConstantOp.create(properties=properties, result_types=[operation.results[0].type])
    block = operation.parent_block()
    assert block is not None
    block.insert_op_before(constant, operation)
    constant.result.name_hint = operation.results[0].name_hint
    operation.results[0].replace_all_uses_with(constant.result)
    operation.detach()
    operation.erase()
    return constant


def _remove_unused(module: hw.HWModuleOp) -> None:
    for operation in reversed(list(module.body.block.ops)):
        if operation.results and operation.has_trait(Pure) and operation.results[0].first_use is None:
            operation.detach()
            operation.erase()
