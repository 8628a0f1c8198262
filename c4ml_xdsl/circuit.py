"""A compiled network: call it, look at it, write it to a folder."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.control_ports import IN_VALID, RESET
from c4ml_xdsl.errors import InputDataError, OptionError, unknown_choice
from c4ml_xdsl.garbage_collection import without_garbage_collection
from c4ml_xdsl.interpreters.hw import CHUNK, HwInterpreter, Value, pack, unpack
from c4ml_xdsl.leftovers import ScratchFolder
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.output_folder import check_output_folder
from c4ml_xdsl.packaging.beats import DEFAULT_AXIS_WIDTH, check_axis_width
from c4ml_xdsl.packaging.golden import GoldenVectors
from c4ml_xdsl.ports import COMBINATIONAL, Interface, Port
from c4ml_xdsl.targets.hw_mlir import HwMlirTarget
from c4ml_xdsl.targets.verilog import print_module
from c4ml_xdsl.text_files import read_text, write_text

if TYPE_CHECKING:
    from c4ml_xdsl.reference import Reference
    from c4ml_xdsl.simulators.recordings import WaveformFormat
    from c4ml_xdsl.trace import Trace

SimulatorName: TypeAlias = Literal["numpy", "verilator", "icarus"]
Result: TypeAlias = NDArray[np.float64] | dict[str, NDArray[np.float64]]


class Simulator(Protocol):
    """Runs a design on integers (samples, elements) by tensor name."""

    def run(self, inputs: Mapping[str, Integers]) -> dict[str, Integers]:
        """The outputs of a batch."""
        ...


class NumpySimulator:
    """The `hw` interpreter as a simulator: nothing but numpy is needed."""

    def __init__(self, module: ModuleOp, top: str, ports: list[Port], latency: int = 0):
        """A design whose outputs answer the inputs of `latency` cycles before."""
        self.module, self.interpreter = module, HwInterpreter(module)
        self.top, self.ports, self.latency = top, ports, latency

    def run(self, inputs: Mapping[str, Integers]) -> dict[str, Integers]:
        """The outputs of a batch, computed in chunks."""
        ins = [port for port in self.ports if port.direction == "input"]
        outs = [port for port in self.ports if port.direction == "output"]
        samples = len(inputs[ins[0].tensor])
        collected: dict[str, list[Integers]] = {port.tensor: [] for port in outs}
        for start in range(0, samples, CHUNK):
            stream = {port.tensor: inputs[port.tensor][start : start + CHUNK] for port in ins}
            results = self.interpreter.run(self.top, given_stream(stream, ins, self.latency))
            for port in outs:
                answers = unpack(results[port.name], port.elements, port.bits, port.signed)
                collected[port.tensor].append(answers[self.latency :])
        return {
            port.tensor: np.concatenate(collected[port.tensor])
            if collected[port.tensor]
            else np.zeros((0, port.elements), np.int64)
            for port in outs
        }


def given_stream(inputs: Mapping[str, Integers], ports: Sequence[Port], latency: int) -> dict[str, Value]:
    """Samples as what the input ports have in one cycle after the other, the last one until it is answered."""
    given: dict[str, Value] = {}
    cycles = 0
    for port in ports:
        stream = inputs[port.tensor]
        stream = np.concatenate([stream, np.repeat(stream[-1:], latency, axis=0)])
        given[port.name] = pack(stream, port.bits)
        cycles = len(stream)
    given[RESET], given[IN_VALID] = np.zeros(cycles, np.int64), np.ones(cycles, np.int64)
    return given


def build_simulator(
    name: str,
    sources: Mapping[str, str],
    top: str,
    ports: list[Port],
    interface: Interface = COMBINATIONAL,
    waveform: "WaveformFormat | None" = None,
) -> Simulator:
    """An RTL simulator by name, which records a waveform if it is told to; raises OptionError for unknown names."""
    if name == "verilator":
        from c4ml_xdsl.simulators.verilator import VerilatorSimulator

        return VerilatorSimulator(sources, top, ports, interface, waveform)
    if name == "icarus":
        from c4ml_xdsl.simulators.icarus import IcarusSimulator

        return IcarusSimulator(sources, top, ports, interface, waveform)
    raise unknown_choice("simulator", name, ("numpy", "verilator", "icarus"))


def arrays_of(ports: Sequence[Port], x: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Values by the tensors of the input ports; raises InputDataError for others."""
    ins = [port for port in ports if port.direction == "input"]
    given = dict(x) if isinstance(x, Mapping) else {ins[0].tensor: x}
    missing = [port.tensor for port in ins if port.tensor not in given]
    unknown = [name for name in given if name not in {port.tensor for port in ins}]
    if missing or unknown or (len(ins) > 1 and not isinstance(x, Mapping)):
        raise InputDataError(
            f"the inputs {', '.join(missing or unknown)} are {'missing' if missing else 'unknown'}",
            remedy=f"Give a dict with: {', '.join(port.tensor for port in ins)}",
        )
    return {port.tensor: np.asarray(given[port.tensor]) for port in ins}


def integers_of(ports: Sequence[Port], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Integers]:
    """Values in the model's units as the ports' integers; raises InputDataError for what is none."""
    integers = {port.tensor: port.integers(arrays[port.tensor]) for port in ports if port.direction == "input"}
    if len({len(each) for each in integers.values()}) != 1:
        raise InputDataError("the inputs have different numbers of samples")
    return integers


def run_on_values(simulator: Simulator, ports: list[Port], x: ArrayLike | Mapping[str, ArrayLike]) -> Result:
    """Values in the model's units through a simulator; one sample without a batch axis gives one result without it."""
    outs = [port for port in ports if port.direction == "output"]
    arrays = arrays_of(ports, x)
    single = all(port.is_single(arrays[port.tensor]) for port in ports if port.direction == "input")
    results = simulator.run(integers_of(ports, arrays))
    values = {port.tensor: port.values(results[port.tensor]) for port in outs}
    if single:
        values = {name: value[0] for name, value in values.items()}
    return values if len(outs) > 1 else values[outs[0].tensor]


@dataclass
class Circuit:
    """
    A compiled network.

    `circuit(x)` takes and gives values in the model's units; `circuit.integers(x)` gives the ports' integers.
    """

    lbir: ModuleOp
    """The network of integer tensors, folded."""
    hw: ModuleOp
    """The design in the `hw`, `comb` and `seq` dialects."""
    top: str
    ports: list[Port]
    report: dict[str, Any]
    interface: Interface = COMBINATIONAL
    tensors: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The model's name for the output of each of its nodes, by what the node is called."""
    reference: "Reference | None" = field(default=None, repr=False)
    """The model itself, where it is at hand."""
    golden: GoldenVectors | None = None
    """What the compile compared with the QONNX model; None where it didn't."""
    _simulators: dict[str, Simulator] = field(default_factory=dict[str, Simulator], repr=False)

    def __call__(
        self,
        x: ArrayLike | Mapping[str, ArrayLike],
        simulator: SimulatorName = "numpy",
        waveform: str | os.PathLike[str] | None = None,
    ) -> Result:
        """
        The network's outputs for one sample or a batch, bit-exact. Several tensors are dicts by tensor name.

        `waveform` is a file for all signals, `.vcd` or, from icarus and verilator, `.fst`; lists of the signals, layer
        by layer, are written beside it.

        Raises InputDataError for data of another shape, SimulatorUnavailableError where the simulator isn't installed,
        OptionError for a waveform that can't be written.
        """
        if waveform is None:
            return run_on_values(self.simulator(simulator), self.ports, x)
        from c4ml_xdsl.layer_outputs import layer_outputs
        from c4ml_xdsl.waveforms import RecordedDesign, Recorder

        layers = layer_outputs(self.lbir, self.hw, self.top, self.tensors)
        design = RecordedDesign(self.top, self.ports, self.interface, layers, self.sources, self.hw)
        return run_on_values(Recorder(design, simulator, waveform), self.ports, x)

    def integers(self, x: ArrayLike, simulator: SimulatorName = "numpy") -> Integers:
        """The output port's integers (samples, elements) for values of a single input."""
        first = next(port for port in self.ports if port.direction == "input")
        results = self.simulator(simulator).run({first.tensor: first.integers(x)})
        return next(iter(results.values()))

    def trace(self, x: ArrayLike | Mapping[str, ArrayLike]) -> "Trace":
        """
        Every tensor of each level for one sample or a batch: `model` in its own units, `lbir` and `hw` as integers.

        All have an axis of samples in front. `print(circuit.trace(x))` is a table of them, `.first_difference()` names
        the first one that differs between two levels. Raises InputDataError for data of another shape.
        """
        from c4ml_xdsl.trace import trace

        arrays = arrays_of(self.ports, x)
        integers = integers_of(self.ports, arrays)
        ins = (port for port in self.ports if port.direction == "input")
        return trace(self, integers, {port.tensor: port.samples(arrays[port.tensor]) for port in ins})

    def simulator(self, name: str) -> Simulator:
        """A simulator of the design, built at its first use."""
        if name not in self._simulators:
            if name == "numpy":
                self._simulators[name] = NumpySimulator(self.hw, self.top, self.ports, self.interface.latency)
            else:
                self._simulators[name] = build_simulator(name, self.sources, self.top, self.ports, self.interface)
        return self._simulators[name]

    @cached_property
    def sources(self) -> dict[str, str]:
        """The Verilog by file name, one file a module."""
        return {
            f"{module.sym_name.data}.v": "".join(print_module(module))
            for module in self.hw.body.block.ops
            if isinstance(module, hw.HWModuleOp)
        }

    @property
    def verilog(self) -> str:
        """All Verilog in one text."""
        return "\n".join(self.sources.values())

    @property
    def ports_json(self) -> dict[str, Any]:
        """The port map, as ports.json holds it."""
        return self.interface.to_json(self.top, self.ports)

    def golden_vectors(self) -> GoldenVectors:
        """Inputs and expected outputs of test benches: the QONNX model's where the compile ran it, else lbir's."""
        if self.golden is None:
            from c4ml_xdsl.verification import unchecked_vectors

            self.golden = unchecked_vectors(self)
        return self.golden

    def package(self, folder: str | os.PathLike[str], axis_width: int = DEFAULT_AXIS_WIDTH) -> None:
        """
        Writes `rtl/*.v`, the port map, the report (JSON and HTML), the IR, and what is needed to use the Verilog.

        That is test benches (`tb`), an AXI-Stream wrapper whose beats have `axis_width` bits and a valid one
        (`wrappers`), `scripts` for synthesis, a FuseSoC core file, a `Makefile` and a `README.md`.

        A package that is there is replaced as a whole, once everything is written. Raises OptionError for folders that
        hold other things, where that can't be, or where `axis_width` is no multiple of 8.
        """
        from c4ml_xdsl.packaging.design import PackagedDesign
        from c4ml_xdsl.packaging.package import package_files
        from c4ml_xdsl.report_page import render

        check_axis_width(axis_width)
        design = PackagedDesign(
            self.top, self.ports, self.interface, list(self.sources), self.golden_vectors(), self.report, axis_width
        )
        target = Path(folder)
        check_output_folder(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with ScratchFolder(f".{target.name}.", target.parent) as scratch:
                new, old = Path(scratch) / "new", Path(scratch) / "old"
                (new / "rtl").mkdir(parents=True)
                for name, text in self.sources.items():
                    write_text(new / "rtl" / name, text)
                for name, text in package_files(design).items():
                    (new / name).parent.mkdir(exist_ok=True)
                    write_text(new / name, text)
                write_text(new / "ports.json", json.dumps(self.ports_json, indent=2) + "\n")
                write_text(new / "report.json", json.dumps(self.report, indent=2) + "\n")
                write_text(new / "report.html", render(self.report, self.ports_json))
                write_text(new / "lbir.mlir", f"{self.lbir!s}\n")
                with io.StringIO() as text, without_garbage_collection():
                    HwMlirTarget().emit(Context(), self.hw, text)
                    write_text(new / "hw.mlir", text.getvalue())
                try:
                    if target.exists():
                        target.rename(old)
                    new.rename(target)
                except BaseException:  # an interruption too leaves the one or the other
                    if old.exists() and not target.exists():
                        old.rename(target)
                    raise
        except OSError as error:
            raise OptionError(f"{target} can't be written: {error.strerror}") from error


def load_circuit_folder(folder: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, Any], list[Port]]:
    """Verilog by file name, the port map and the ports of a folder; raises InputDataError where it is none."""
    path = Path(folder)
    try:
        port_map = json.loads(read_text(path / "ports.json"))
        ports = [Port.from_json(entry) for entry in port_map["ports"] if entry["tensor"] is not None]
        sources = {file.name: read_text(file) for file in sorted((path / "rtl").glob("*.v"))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputDataError(
            f"{path} is no folder that c4ml compile wrote: {error}", remedy="Compile the model first."
        ) from error
    if not sources:
        raise InputDataError(f"{path / 'rtl'} holds no Verilog", remedy="Compile the model again.")
    return sources, port_map, ports
