"""The `hw` interpreter's run as a VCD file: ports and named values of all instances, cycle by cycle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, OpResult, SSAValue

from c4ml_xdsl.circuit import given_stream
from c4ml_xdsl.control_ports import CLOCK, IN_VALID, RESET
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.errors import OptionError, SimulatorUnavailableError
from c4ml_xdsl.interpreters.hw import HwInterpreter, Instance, Packed, Value, unpack
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import Interface, Port
from c4ml_xdsl.simulators.recordings import HALF_PERIOD, SCOPE, Timeline

Numbers = NDArray[np.object_]


@dataclass(frozen=True)
class _Recorded:
    """A signal and its number in each cycle."""

    scope: Instance
    name: str
    width: int
    numbers: Numbers


class NumpyRecording:
    """A simulator that records what the interpreter computes; registers start with arbitrary bits there."""

    def __init__(self, module: ModuleOp, top: str, ports: Sequence[Port], interface: Interface, path: Path):
        """Raises SimulatorUnavailableError where pyvcd isn't installed."""
        try:
            import vcd  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ImportError as error:
            raise SimulatorUnavailableError(
                "pyvcd, which writes the numpy simulator's waveforms, isn't installed",
                remedy="Install it (pip install pyvcd), or simulate with icarus or verilator.",
            ) from error
        self.interpreter, self.top, self.ports = HwInterpreter(module), top, ports
        self.interface, self.path, self.timeline = interface, path, Timeline(interface)

    def run(self, inputs: Mapping[str, Integers]) -> dict[str, Integers]:
        """The outputs of a batch; writes the waveform. Raises OptionError where it can't."""
        ins = [port for port in self.ports if port.direction == "input"]
        outs = [port for port in self.ports if port.direction == "output"]
        reset, samples = self.timeline.reset_cycles, len(inputs[ins[0].tensor])
        if not samples:
            raise OptionError("a waveform of no samples", remedy="Give one sample at least.")
        # in the cycle of the reset the inputs don't count: they have the first sample already
        stream = {name: np.concatenate([array[:1]] * reset + [array]) for name, array in inputs.items()}
        given = given_stream(stream, ins, self.interface.latency)
        cycles = samples + reset + self.interface.latency
        resetting = (np.arange(cycles) < reset).astype(np.int64)
        given[RESET], given[IN_VALID] = resetting, 1 - resetting
        signals: list[_Recorded] = []
        clocked: list[Instance] = []
        names = self._names()

        def observe(instances: Sequence[Instance], value: SSAValue, result: Value) -> None:
            places: list[tuple[Instance, str]] = [(each, names[value]) for each in instances if value in names]
            if isinstance(value.type, seq.ClockType):
                clocked.extend(instances)
                return
            if isinstance(value.owner, hw.InstanceOp):
                port = value.owner.result_names.data[cast("OpResult[Attribute]", value).index].data
                places += [((*each, value.owner.instance_name.data), port) for each in instances]
            if places:
                batches = np.split(numbers_of(result), len(instances)) * (len(places) // len(instances))
                width = comb.width_of(value)
                signals.extend(_Recorded(*place, width, batch) for place, batch in zip(places, batches, strict=True))

        results = self.interpreter.run(self.top, given, observe)
        for name, value in results.items():
            signals.append(_Recorded((), name, self._widths()[name], numbers_of(value)))
        try:
            with self.path.open("w", encoding="ascii", newline="\n") as file:
                self._write(file, signals, clocked, cycles)
        except OSError as error:
            raise OptionError(f"{self.path} can't be written: {error.strerror}") from error
        late = reset + self.interface.latency
        return {port.tensor: unpack(results[port.name], port.elements, port.bits, port.signed)[late:] for port in outs}

    def _names(self) -> dict[SSAValue, str]:
        """The ports and wires of all modules that have a name."""
        names: dict[SSAValue, str] = {}
        for module in self.interpreter.modules.values():
            ports = [each.port_name.data for each in module.module_type.ports.data if each.dir.data.is_input_like()]
            names.update(zip(module.body.block.args, ports, strict=True))
            for operation in module.body.block.ops:
                names.update((each, each.name_hint) for each in operation.results if each.name_hint is not None)
        return names

    def _widths(self) -> dict[str, int]:
        """The widths of the top module's outputs."""
        top = self.interpreter.modules[self.top]
        outputs = [each.port_name.data for each in top.module_type.ports.data if not each.dir.data.is_input_like()]
        last = top.body.block.last_op
        assert last is not None
        return {name: comb.width_of(value) for name, value in zip(outputs, last.operands, strict=True)}

    def _write(self, file: IO[str], signals: Sequence[_Recorded], clocked: Sequence[Instance], cycles: int) -> None:
        """Declares all signals and writes their changes, period by period."""
        from vcd import VCDWriter

        period = self.timeline.period
        changes: list[list[tuple[Any, int]]] = [[] for _ in range(cycles)]
        taken: set[tuple[Instance, str]] = set()
        with VCDWriter(file, timescale="1 ns", version="c4ml-xdsl") as writer:
            # the module of a scope is declared before those within it, so that a viewer's tree has the same order
            clocks = [
                writer.register_var((SCOPE, self.top, *scope), CLOCK, "wire", size=1, init=0) for scope in clocked
            ]
            for signal in sorted(signals, key=lambda each: len(each.scope)):
                scope, name, count = signal.scope, signal.name, 0
                while (scope, name) in taken:  # as the Verilog printer does it
                    count += 1
                    name = f"{signal.name}_{count}"
                taken.add((scope, name))
                first = int(signal.numbers[0])
                place = (SCOPE, self.top, *scope)
                variable = writer.register_var(place, name, "wire", size=signal.width, init=first)
                for cycle in np.flatnonzero(signal.numbers[1:] != signal.numbers[:-1]).tolist():
                    changes[cycle + 1].append((variable, int(signal.numbers[cycle + 1])))
            for cycle, changed in enumerate(changes):
                for clock in clocks if cycle else ():
                    writer.change(clock, cycle * period, 1)
                for variable, number in changed:
                    writer.change(variable, cycle * period, number)
                for clock in clocks if cycle else ():
                    writer.change(clock, cycle * period + HALF_PERIOD, 0)
            writer.close(cycles * period)


def numbers_of(value: Value) -> Numbers:
    """A value's unsigned integers, of any width."""
    if not isinstance(value, Packed):
        return value.astype(object)
    total: Numbers = np.zeros(len(value.parts[0][1]), object)
    for start, (_, part) in zip(value.starts, value.parts, strict=True):
        total = total + (part.astype(object) << start)
    return total
