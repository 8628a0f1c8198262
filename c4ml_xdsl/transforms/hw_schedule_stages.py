"""The pass `hw-schedule-stages`."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.circuits.timing import stage_permille
from c4ml_xdsl.circuits.timing.schedule import ClockError, Schedule, fewest_registers, least_latency, shortest_clock
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.errors import OptionError
from c4ml_xdsl.stages import STAGE, STAGES, stages_of
from c4ml_xdsl.timing import DesignError, DesignTiming


@dataclass(frozen=True)
class HwScheduleStages(ModulePass):
    """
    Gives each operation its stage in a pipeline: the least latency for a clock, and then the fewest register bits.

    With `latency` instead of `clock-ns` the clock is the shortest for that many cycles; with neither there are only the
    registers at inputs and outputs that are asked for. The design is one top module and modules that it has instances
    of; all instances of a module are in the same stages, and so are all its inputs, and all its outputs.

    Raises OptionError where the clock can't be met, or the latency is less than the registers asked for.

    Before:
    ```mlir
    hw.module @m(in %a: i4, in %b: i4, in %c: i4, out o: i4) {
      %0 = comb.add %a, %b : i4
      %1 = comb.add %0, %c : i4
      hw.output %1 : i4
    }
    ```
    After `hw-schedule-stages{latency=1}`:
    ```mlir
    hw.module @m(in %a: i4, in %b: i4, in %c: i4, out o: i4) attributes {c4ml.stages = #lbir.numbers[0, 1]} {
      %0 = comb.add %a, %b {c4ml.stage = 0 : i64} : i4
      %1 = comb.add %0, %c {c4ml.stage = 1 : i64} : i4
      hw.output %1 : i4
    }
    ```
    """

    name = "hw-schedule-stages"

    clock_ns: float | None = None
    latency: int | None = None
    register_inputs: bool = False
    register_outputs: bool = False
    target: Target = "xilinx"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        top = top_of(op)
        try:
            design = DesignTiming(
                op.body.block.ops, top.sym_name.data, self.target, self.register_inputs, self.register_outputs
            )
        except DesignError as error:
            raise PassFailedException(str(error)) from error
        annotate(design, self.schedule(design).stages)

    def schedule(self, design: DesignTiming) -> Schedule:
        """The schedule of a design, with the options given."""
        timing = design.timing
        try:
            if self.latency is not None:
                clock, latency = shortest_clock(timing, self.latency), self.latency
            elif self.clock_ns is not None:
                clock = int(self.clock_ns * 1000)
                slowest = max(timing.alone(step) for step in range(timing.steps))
                # a step by itself is what the analysis says, several of them take longer
                clock = max(clock * 1000 // stage_permille(self.target), min(slowest, clock))
                latency = least_latency(timing, clock)
            else:
                clock, latency = 1 << 40, int(self.register_inputs) + int(self.register_outputs)
            return fewest_registers(timing, clock, latency)
        except ClockError as error:
            step = design.steps[error.step]
            raise OptionError(
                f"{step.module}: {_described(step.operation)} takes {error.delay / 1000} ns, more than the clock of "
                f"{self.clock_ns} ns",
                remedy=f"Allow {error.delay / 1000} ns, or quantise this layer to fewer bits.",
            ) from error
        except ValueError as error:
            raise OptionError(str(error), remedy="Allow more cycles, or leave out registers.") from error


def _described(operation: Operation | None) -> str:
    if operation is None:
        return "a port"
    hint = operation.results[0].name_hint
    return operation.name if hint is None else f"{operation.name} of {hint}"


def top_of(design: ModuleOp) -> hw.HWModuleOp:
    """The module that no other has an instance of; raises PassFailedException where there are several or none."""
    modules = [each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp)]
    used = {
        operation.module_name.string_value()
        for each in modules
        for operation in each.body.block.ops
        if isinstance(operation, hw.InstanceOp)
    }
    tops = [each for each in modules if each.sym_name.data not in used]
    if len(tops) != 1:
        names = ", ".join(each.sym_name.data for each in tops) or "none"
        raise PassFailedException(f"a design has one top module, which no other has an instance of; found: {names}")
    return tops[0]


def annotate(design: DesignTiming, stages: Sequence[int]) -> None:
    """Writes stages to operations and modules; those of modules without instances stay as they are."""
    for operation, step in design.step_of.items():
        operation.attributes[STAGE] = IntegerAttr(stages[step], i64)
    for name, outputs in design.outputs_of.items():
        inputs = stages[design.inputs_of[name]]
        design.modules[name].attributes[STAGES] = lbir.NumbersAttr((inputs, stages[outputs]))


def read_stages(design: DesignTiming) -> list[int]:
    """The stages of a design's steps, as they were written."""
    found: list[int] = []
    for index, step in enumerate(design.steps):
        first, last = stages_of(design.modules[step.module])
        if step.operation is not None:
            stage = step.operation.attributes[STAGE]
            assert isinstance(stage, IntegerAttr)
            found.append(stage.value.data)
        elif step.role == "inputs":
            # the top's inputs have a second step, behind their registers
            found.append(first + (index != design.inputs_of[step.module]))
        else:
            found.append(last)
    return found
