"""What can be done with a folder that `c4ml compile` wrote."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException

from c4ml_xdsl.circuit import Circuit, NumpySimulator, build_simulator, load_circuit_folder
from c4ml_xdsl.dialects import hardware_context
from c4ml_xdsl.errors import InputDataError, SimulatorUnavailableError, VerificationError
from c4ml_xdsl.layer_outputs import LayerOutput
from c4ml_xdsl.ports import Interface, Port
from c4ml_xdsl.text_files import read_text
from c4ml_xdsl.verification import check_rtl
from c4ml_xdsl.waveforms import RecordedDesign, instances_of


def simulator_of_folder(folder: Path, top: str, ports: list[Port], interface: Interface) -> NumpySimulator:
    """A numpy simulator of the folder's `hw.mlir`; raises InputDataError where it can't be read."""
    path = folder / "hw.mlir"
    try:
        module: ModuleOp = Parser(hardware_context(), read_text(path), str(path)).parse_module()
        module.verify()
    except (OSError, ValueError, ParseError, VerifyException) as error:
        first = str(error).splitlines()[0] if str(error) else "damaged"
        raise InputDataError(f"{path} can't be read: {first}", remedy="Compile the model again.") from error
    return NumpySimulator(module, top, ports, interface.latency)


def recorded_design(folder: Path, with_module: bool) -> RecordedDesign:
    """
    A folder's design, for a run with waveforms; with the module that the numpy simulator runs if it is asked for.

    Raises InputDataError where the folder is none or damaged. The layers of folders that older versions wrote aren't
    known.
    """
    sources, port_map, ports = load_circuit_folder(folder)
    top, interface = port_map["top"], Interface.from_json(port_map)
    instances = instances_of(sources, top)
    try:
        report = json.loads(read_text(folder / "report.json"))
        layers = [
            LayerOutput.from_json(name, layer["output"], instances[name], layer.get("stages", [0, 0])[1])
            for layer in report["layers"]
            if "output" in layer and (name := layer["name"]) in instances
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputDataError(f"{folder} holds no report: {error}", remedy="Compile the model again.") from error
    module = simulator_of_folder(folder, top, ports, interface).module if with_module else None
    return RecordedDesign(top, ports, interface, layers, sources, module)


def verify_model(
    circuit: Circuit, folder: Path | None, simulators: Sequence[str], vectors: int
) -> list[dict[str, Any]]:
    """
    Compares the RTL with the circuit, in each simulator; that of a folder where one is given.

    Without simulators those that are installed are taken; raises SimulatorUnavailableError where there is none.
    """
    sources, top, ports, interface = circuit.sources, circuit.top, circuit.ports, circuit.interface
    if folder is not None:
        sources, port_map, ports = load_circuit_folder(folder)
        top, interface = port_map["top"], Interface.from_json(port_map)
        if [port.to_json() for port in ports] != [port.to_json() for port in circuit.ports]:
            raise VerificationError(
                f"{folder}: ports.json isn't what the model compiles to: it was compiled from another model, or by "
                "another version. Compile again, or name its own model"
            )
    names = list(simulators) or [
        name for name, tool in (("verilator", "verilator"), ("icarus", "iverilog")) if shutil.which(tool)
    ]
    if not names:
        raise SimulatorUnavailableError(
            "no RTL simulator is installed", remedy="Install one: apt-get install verilator g++, or iverilog."
        )
    entries: list[dict[str, Any]] = []
    for name in names:
        simulator = build_simulator(name, sources, top, ports, interface)
        entries.append(check_rtl(circuit, simulator, name, vectors if name == "verilator" else 64))
    return entries
