"""The pass `hw-insert-registers`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from xdsl.context import Context
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr, i1
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from c4ml_xdsl.control_ports import CLOCK, IN_VALID, OUT_VALID, RESET
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.stages import STAGE, STAGES, latency_of, stages_of
from c4ml_xdsl.transforms.comb_builder import CombBuilder, bits
from c4ml_xdsl.transforms.hw_schedule_stages import top_of


@dataclass(frozen=True)
class HwInsertRegisters(ModulePass):
    """
    Puts registers where a value is read in a later stage than it is made in, as `hw-schedule-stages` said.

    A bit has one register a stage up to its last reader, whoever else reads it. Modules with registers get the port
    `clk`. With `valid` the top module has `rst`, `in_valid` and `out_valid`, which is `in_valid` as many cycles later
    as the outputs are, and low after a reset until then.

    Before:
    ```mlir
    hw.module @m(in %a: i4, in %b: i4, in %c: i4, out o: i4) attributes {c4ml.stages = #lbir.numbers[0, 1]} {
      %0 = comb.add %a, %b {c4ml.stage = 0 : i64} : i4
      %1 = comb.add %0, %c {c4ml.stage = 1 : i64} : i4
      hw.output %1 : i4
    }
    ```
    After `hw-insert-registers`:
    ```mlir
    hw.module @m(in %clk: !seq.clock, in %a: i4, in %b: i4, in %c: i4, out o: i4) attributes {c4ml.stages = #lbir.numbers[0, 1]} {
      %0 = comb.add %a, %b : i4
      %t_s1 = seq.compreg %0, %clk : i4
      %c_s1 = seq.compreg %c, %clk : i4
      %1 = comb.add %t_s1, %c_s1 : i4
      hw.output %1 : i4
    }
    ```
    """  # noqa: E501

    name = "hw-insert-registers"

    valid: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        top = top_of(op)
        modules = [each for each in op.body.block.ops if isinstance(each, hw.HWModuleOp)]
        kernels = {each.sym_name.data: stages_of(each) for each in modules}
        clocked: set[str] = set()
        for module in sorted(modules, key=lambda each: each is top):  # the top's instances need to know theirs
            if STAGES not in module.attributes:
                if module is top:
                    raise PassFailedException(f"{module.sym_name.data} has no stages: run hw-schedule-stages first")
                continue
            pipeline = _Pipeline(module, kernels, clocked)
            if pipeline.run(needs_clock=module is top and latency_of(top) > 0):
                clocked.add(module.sym_name.data)
        if self.valid:
            _add_valid(top)


WIRES = (comb.ExtractOp, comb.ConcatOp, comb.ReplicateOp, hw.ConstantOp)
"""What takes no time, and is repeated in each stage that reads it."""


class _Pipeline:
    """The registers of one module."""

    def __init__(self, module: hw.HWModuleOp, kernels: dict[str, tuple[int, int]], clocked: set[str]):
        self.module, self.kernels, self.clocked = module, kernels, clocked
        self.first, self.last = stages_of(module)
        self.builder = CombBuilder()
        self.clock: SSAValue | None = None
        self.made: dict[SSAValue, int] = {}
        """The stage in which a value that is no wire is made."""
        self.needed: dict[SSAValue, list[int]] = {}
        """The last stage in which each bit of such a value is read."""
        self.registers: dict[tuple[SSAValue, int], list[tuple[int, int, SSAValue]]] = {}
        """A value's registers in a stage: lowest bit, width and the register, of bits that are next to each other."""
        self.moved: dict[tuple[SSAValue, int], SSAValue] = {}

    def run(self, needs_clock: bool) -> bool:
        """Inserts the registers; whether the module has a clock now, which it may need without registers too."""
        block = self.module.body.block
        operations = list(block.ops)
        for argument in block.args:
            self.made[argument] = self.first
        for operation in operations:
            if not isinstance(operation, WIRES):
                for result in operation.results:
                    self.made[result] = self.stages(operation)[1]
        for operation in operations:
            if not isinstance(operation, WIRES):
                stage = self.stages(operation)[0]
                for operand in operation.operands:
                    self.need(operand, 0, comb.width_of(operand), stage)
        instances = [each for each in operations if isinstance(each, hw.InstanceOp)]
        has_clock = (
            needs_clock
            or any(max(last) > self.made[value] for value, last in self.needed.items())
            or any(each.module_name.string_value() in self.clocked for each in instances)
        )
        if has_clock:
            self.clock = block.insert_arg(seq.ClockType(), 0)
            self.clock.name_hint = CLOCK
            _insert_port(self.module, 0, CLOCK, seq.ClockType(), hw.Direction.INPUT)
        for operation in operations:
            operation.detach()
        for operation in operations:
            if not isinstance(operation, WIRES):
                stage = self.stages(operation)[0]
                operation.operands = [self.at(operand, stage) for operand in operation.operands]
                if isinstance(operation, hw.InstanceOp):
                    operation = self.instance(operation)
            operation.attributes.pop(STAGE, None)
            self.builder.operations.append(operation)
        self.builder.finish(block)
        for operation in reversed(list(block.ops)):
            if isinstance(operation, WIRES) and operation.results[0].first_use is None:
                operation.detach()
                operation.erase()
        return has_clock

    def stages(self, operation: Operation) -> tuple[int, int]:
        """The stages in which an operation reads and in which its results are made."""
        if isinstance(operation, hw.OutputOp):
            return self.last, self.last
        if isinstance(operation, hw.InstanceOp):
            return self.kernels[operation.module_name.string_value()]
        stage = operation.attributes.get(STAGE)
        if not isinstance(stage, IntegerAttr):
            name = self.module.sym_name.data
            raise PassFailedException(f"{name}: {operation.name} has no stage: run hw-schedule-stages first")
        return stage.value.data, stage.value.data

    def need(self, value: SSAValue, low: int, width: int, stage: int) -> None:
        """Bits of a value are read in a stage."""
        match value.owner:
            case hw.ConstantOp():
                pass
            case comb.ExtractOp(input=source, low_bit=low_bit):
                self.need(source, low + low_bit.value.data, width, stage)
            case comb.ConcatOp(inputs=parts):
                for part, least, count in _parts(parts, low, width):
                    self.need(part, least, count, stage)
            case comb.ReplicateOp(input=source):
                self.need(source, 0, comb.width_of(source), stage)
            case _:
                known = self.needed.get(value)
                if known is None:
                    known = self.needed[value] = [self.made[value]] * comb.width_of(value)
                if stage < self.made[value]:
                    raise PassFailedException(
                        f"{self.module.sym_name.data}: a value of stage {self.made[value]} is read in stage {stage}"
                    )
                for place in range(low, low + width):
                    known[place] = max(known[place], stage)

    def at(self, value: SSAValue, stage: int) -> SSAValue:
        """A value as it is in a stage, all its bits."""
        if isinstance(value.owner, hw.ConstantOp) or self.made.get(value) == stage:
            return value
        found = self.moved.get((value, stage))
        if found is None:
            owner = value.owner
            if isinstance(owner, WIRES) and not self.moves(value, stage):
                found = value
            else:
                found = self.part(value, 0, comb.width_of(value), stage)
                if isinstance(owner, WIRES) and value.name_hint is not None and found.name_hint is None:
                    found.name_hint = f"{value.name_hint}_s{stage}"
            self.moved[value, stage] = found
        return found

    def moves(self, value: SSAValue, stage: int) -> bool:
        """Whether what a wire is made of comes of registers in a stage."""
        if isinstance(value.owner, WIRES):
            return any(self.moves(operand, stage) for operand in value.owner.operands)
        return self.made[value] != stage

    def part(self, value: SSAValue, low: int, width: int, stage: int) -> SSAValue:
        """Bits of a value as they are in a stage."""
        builder = self.builder
        match value.owner:
            case hw.ConstantOp() as constant:
                return builder.constant(constant.value.value.data >> low, width)
            case comb.ExtractOp(input=source, low_bit=low_bit):
                return self.part(source, low + low_bit.value.data, width, stage)
            case comb.ConcatOp(inputs=parts):
                pieces = [
                    self.at(part, stage) if count == comb.width_of(part) else self.part(part, least, count, stage)
                    for part, least, count in _parts(parts, low, width)
                ]
                return builder.concat(pieces[::-1])
            case comb.ReplicateOp(input=source):
                times = comb.width_of(value) // comb.width_of(source)
                return builder.extract(builder.replicate(self.at(source, stage), times), low, width)
            case _:
                if self.made[value] == stage:
                    return builder.extract(value, low, width)
                for start, count, register in self.registers_of(value, stage):
                    if start <= low and low + width <= start + count:
                        return builder.extract(register, low - start, width)
                raise AssertionError("bits that aren't kept")

    def registers_of(self, value: SSAValue, stage: int) -> list[tuple[int, int, SSAValue]]:
        """The registers that hold in a stage what is read of a value in it or later."""
        found = self.registers.get((value, stage))
        if found is None:
            found = list[tuple[int, int, SSAValue]]()
            assert self.clock is not None
            alive = [last >= stage for last in self.needed[value]]
            places = groupby(range(len(alive)), key=alive.__getitem__)
            runs: list[list[int]] = [list(run) for kept, run in places if kept]
            for run in runs:
                before = self.part(value, run[0], len(run), stage - 1)
                register = seq.CompRegOp(before, self.clock)
                register.data.name_hint = f"{_base_name(value, run[0], len(run))}_s{stage}"
                self.builder.operations.append(register)
                found.append((run[0], len(run), register.data))
            self.registers[value, stage] = found
        return found

    def instance(self, operation: hw.InstanceOp) -> Operation:
        """The instance, with the clock if its module has one."""
        if operation.module_name.string_value() not in self.clocked:
            return operation
        assert self.clock is not None
        names = [each.data for each in operation.arg_names]
        new = hw.InstanceOp(
            operation.instance_name.data,
            operation.module_name,
            list(zip((CLOCK, *names), (self.clock, *operation.operands), strict=True)),
            [
                (name.data, bits(comb.width_of(result)))
                for name, result in zip(operation.result_names, operation.results, strict=True)
            ],
        )
        for old, result in zip(operation.results, new.results, strict=True):
            result.name_hint = old.name_hint
            self.made[result] = self.made[old]
            if old in self.needed:
                self.needed[result] = self.needed[old]
            old.replace_all_uses_with(result)
        operation.erase()
        return new


def _base_name(value: SSAValue, low: int, width: int) -> str:
    """What a value is called, with the bits of it that are meant, where that aren't all."""
    name = value.name_hint or "t"
    return name if width == comb.width_of(value) else f"{name}_b{low}"


def _parts(parts: Sequence[SSAValue], low: int, width: int) -> list[tuple[SSAValue, int, int]]:
    """What bits of a concatenation are of: the part, the lowest bit of it and how many, upwards."""
    found: list[tuple[SSAValue, int, int]] = []
    start = 0
    for part in reversed(parts):
        own = comb.width_of(part)
        first, end = max(low, start), min(low + width, start + own)
        if first < end:
            found.append((part, first - start, end - first))
        start += own
    return found


def _insert_port(module: hw.HWModuleOp, index: int, name: str, port_type: Attribute, direction: hw.Direction) -> None:
    ports = list(module.module_type.ports.data)
    ports.insert(
        index,
        hw.ModulePort(StringAttr(name), port_type, hw.DirectionAttr(direction)),  # pyright: ignore[reportArgumentType]
    )
    module.properties["module_type"] = hw.ModuleType(ArrayAttr(ports))


def _add_valid(top: hw.HWModuleOp) -> None:
    """A shift register beside the top module's pipeline that says which of its outputs count."""
    block = top.body.block
    position = 1 if block.args and isinstance(block.args[0].type, seq.ClockType) else 0
    arguments: dict[str, SSAValue] = {}
    for offset, name in enumerate((RESET, IN_VALID)):
        arguments[name] = block.insert_arg(i1, position + offset)
        arguments[name].name_hint = name
        _insert_port(top, position + offset, name, i1, hw.Direction.INPUT)
    inputs = sum(port.dir.data.is_input_like() for port in top.module_type.ports.data)
    _insert_port(top, inputs, OUT_VALID, i1, hw.Direction.OUTPUT)
    output = block.last_op
    assert output is not None
    valid = arguments[IN_VALID]
    new: list[Operation] = []
    if latency_of(top):
        low = hw.ConstantOp(0, 1, truncate_bits=True)
        new.append(low)
        for stage in range(1, latency_of(top) + 1):
            register = seq.CompRegOp(valid, block.args[0], (arguments[RESET], low.result))
            valid = register.data
            valid.name_hint = f"valid_s{stage}"
            new.append(register)
    block.insert_ops_before(new, output)
    output.operands = [valid, *output.operands]
