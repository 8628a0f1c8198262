"""Single faults in `hw` modules, as a wrong lowering or a wrong circuit would have them."""

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, IntegerType, ModuleOp, i32, i64
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import comb

Mutation = Callable[[Operation, np.random.Generator], bool]
"""Changes an operation in place; False where it can't."""


def _replace(operation: Operation, new: Sequence[Operation]) -> bool:
    """Puts operations, the last of which reads the result, between an operation and its readers."""
    block, result = operation.parent_block(), operation.results[0]
    assert block is not None
    uses = list(result.uses)
    if not uses:
        return False
    block.insert_ops_after(list(new), operation)
    for use in uses:
        if use.operation not in new:
            use.operation.operands[use.index] = new[-1].results[0]
    return True


def _extract(value: SSAValue, low: int, width: int) -> Operation:
    return comb.ExtractOp.create(
        operands=[value], properties={"lowBit": IntegerAttr(low, i32)}, result_types=[IntegerType(width)]
    )


def constant_bit(operation: Operation, random: np.random.Generator) -> bool:
    """Flips a bit of a constant: of a bias, a threshold, a rounding constant."""
    if not isinstance(operation, hw.ConstantOp):
        return False
    width = comb.width_of(operation.result)
    value = operation.value.value.data ^ 1 << int(random.integers(width))
    operation.properties["value"] = IntegerAttr(value, IntegerType(width), truncate_bits=True)
    return True


def shift(operation: Operation, random: np.random.Generator) -> bool:
    """Doubles or halves what is added: a coefficient's shift that is off by one."""
    width = comb.width_of(operation.results[0]) if operation.results else 0
    if not isinstance(operation, comb.ConcatOp) or width < 2:
        return False
    zero = hw.ConstantOp(0, 1, truncate_bits=True)
    left = bool(random.integers(2))
    part = _extract(operation.result, 0 if left else 1, width - 1)
    parts = [part.results[0], zero.result] if left else [zero.result, part.results[0]]
    joined = comb.ConcatOp.create(operands=parts, result_types=[IntegerType(width)])
    return _replace(operation, [zero, part, joined])


def operand(operation: Operation, random: np.random.Generator) -> bool:
    """Reads another value of the same width."""
    block = operation.parent_block()
    assert block is not None
    if not operation.operands:
        return False
    index = int(random.integers(len(operation.operands)))
    wanted = operation.operands[index]
    values: list[SSAValue] = list(block.args)
    for each in block.ops:
        if each is operation:
            break
        values.extend(each.results)
    others = [value for value in values if value is not wanted and value.type == wanted.type]
    if not others:
        return False
    operation.operands[index] = others[int(random.integers(len(others)))]
    return True


def swap(operation: Operation, random: np.random.Generator) -> bool:
    """Swaps two operands, where their order matters."""
    if not isinstance(operation, comb.SubOp | comb.ICmpOp | comb.MuxOp | comb.ConcatOp):
        return False
    first = int(isinstance(operation, comb.MuxOp))
    if len(operation.operands) < first + 2:
        return False
    a, b = operation.operands[first], operation.operands[first + 1]
    operation.operands[first], operation.operands[first + 1] = b, a
    return a is not b


def low_bit(operation: Operation, random: np.random.Generator) -> bool:
    """An extract that starts one bit off."""
    if not isinstance(operation, comb.ExtractOp):
        return False
    low = operation.low_bit.value.data + int(random.choice([-1, 1]))
    if low < 0 or low + comb.width_of(operation.result) > comb.width_of(operation.input):
        return False
    operation.properties["lowBit"] = IntegerAttr(low, i32)
    return True


def table_entry(operation: Operation, random: np.random.Generator) -> bool:
    """Flips an entry of a truth table."""
    if not isinstance(operation, comb.TruthTableOp):
        return False
    entries = [int(each) for each in operation.entries]
    entries[int(random.integers(len(entries)))] ^= 1
    operation.properties["lookupTable"] = comb.TruthTableOp.of(list(operation.inputs), entries).table
    return True


def sign(operation: Operation, random: np.random.Generator) -> bool:
    """Subtracts what is added, or adds what is subtracted."""
    if not isinstance(operation, comb.AddOp | comb.SubOp) or len(operation.operands) != 2:
        return False
    kind = comb.SubOp if isinstance(operation, comb.AddOp) else comb.AddOp
    new = kind.create(operands=list(operation.operands), result_types=[operation.result.type])
    return _replace(operation, [new])


def carry(operation: Operation, random: np.random.Generator) -> bool:
    """An adder one bit narrower than it has to be, and extended again."""
    width = comb.width_of(operation.results[0]) if operation.results else 0
    if not isinstance(operation, comb.AddOp | comb.SubOp) or width < 3:
        return False
    part = _extract(operation.results[0], 0, width - 1)
    top = _extract(part.results[0], width - 2, 1) if random.integers(2) else hw.ConstantOp(0, 1, truncate_bits=True)
    joined = comb.ConcatOp.create(operands=[top.results[0], part.results[0]], result_types=[IntegerType(width)])
    return _replace(operation, [part, top, joined])


def predicate(operation: Operation, random: np.random.Generator) -> bool:
    """Another comparison."""
    if not isinstance(operation, comb.ICmpOp):
        return False
    other = (operation.predicate.value.data + int(random.integers(1, len(comb.PREDICATES)))) % len(comb.PREDICATES)
    operation.properties["predicate"] = IntegerAttr(other, i64)
    return True


MUTATIONS: tuple[Mutation, ...] = (
    constant_bit,
    shift,
    operand,
    swap,
    low_bit,
    table_entry,
    sign,
    carry,
    predicate,
)


def mutate(design: ModuleOp, random: np.random.Generator) -> str:
    """Plants one fault; the mutation's name."""
    modules = [each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp)]
    while True:
        mutation = MUTATIONS[int(random.integers(len(MUTATIONS)))]
        # the top is mutated too, but has little to mutate
        module = modules[int(random.integers(len(modules)))]
        operations = list(module.body.block.ops)
        for position in random.permutation(len(operations)).tolist():
            if mutation(operations[position], random):
                return mutation.__name__
