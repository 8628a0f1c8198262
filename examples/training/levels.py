"""Compares a classifier at every level, from the exported file to the Verilog. Needs no torch."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import SimulatorName
from c4ml_xdsl.frontend import import_model, load_model
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters import qonnx as qonnx_interpreter
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """What one level computes for some samples."""

    name: str
    scores: Scores
    """(samples, classes), in the model's units."""

    def accuracy(self, labels: NDArray[Any]) -> float:
        """The share of samples whose highest score is their label's; the first one counts where several are."""
        return float(np.mean(self.scores.argmax(axis=1) == labels))

    def differing(self, other: "Level") -> int:
        """The samples of which any score differs."""
        return int(np.sum(np.any(self.scores != other.scores, axis=1)))


def reference_level(model: Path, x: NDArray[np.float32]) -> Level:
    """The exported file itself, run operator by operator in floats."""
    module = import_model(load_model(model))
    for each in ConvertQonnxToHw().to_lbir()[:2]:  # shapes and constants only: still the model's own operators
        each.apply(Context(), module)
    (name,) = qonnx_interpreter.graph_of(module).inputs
    (scores,) = qonnx_interpreter.run(module, {name: x.astype(np.float64)}).values()
    return Level("QONNX reference", np.asarray(scores, np.float64).reshape(len(x), -1))


def circuit_levels(circuit: c4ml.Circuit, x: NDArray[np.float32], simulator: SimulatorName | None) -> list[Level]:
    """The levels behind it, each by its own interpreter; `simulator` runs the Verilog, None leaves that out."""
    source, sink = circuit.ports
    integers = {source.tensor: source.integers(x)}
    runs: dict[str, Mapping[str, Any]] = {
        "lbir": lbir_interpreter.run(circuit.lbir, integers),
        "hw": circuit.simulator("numpy").run(integers),
    }
    if simulator is not None:
        runs[f"RTL in {simulator.capitalize()}"] = circuit.simulator(simulator).run(integers)
    return [
        Level(name, sink.values(np.asarray(result[sink.tensor]).reshape(len(x), -1)).reshape(len(x), -1))
        for name, result in runs.items()
    ]


def compare(levels: list[Level], labels: NDArray[Any]) -> None:
    """
    Prints each level's accuracy and in how many samples it differs from the level before.

    Raises SystemExit where integer levels differ: those behind the first one of integers, `lbir`, are exact. Between
    the trained model, its export and `lbir` floats may decide a tie, which is counted.
    """
    exact = False
    for number, level in enumerate(levels):
        differing = level.differing(levels[number - 1]) if number else 0
        before = f"differs from {levels[number - 1].name} in {differing} samples" if number else ""
        print(f"{level.name:18} accuracy {level.accuracy(labels):7.2%}  {before}".rstrip())
        if exact and differing:
            raise SystemExit(f"error: {level.name} isn't what {levels[number - 1].name} computes")
        exact |= level.name == "lbir"


def installed_simulator() -> SimulatorName | None:
    """Verilator, else Icarus, else nothing."""
    for name, tool in (("verilator", "verilator"), ("icarus", "iverilog")):
        if shutil.which(tool) is not None:
            return name  # pyright: ignore[reportReturnType]
    return None


def summary(circuit: c4ml.Circuit) -> str:
    """Size, delay and proof of a circuit in a few lines."""
    report = circuit.report
    totals, proved = report["totals"], report["proved"]
    lines = [
        f"{layer['name']:18} {layer['op'].split(';')[0]:38} {layer['strategy']:14} "
        f"{layer['lut']:6} LUT {layer['delay_ns']:7.3f} ns"
        for layer in report["layers"]
    ]
    lines.append(f"{'total':72} {totals['lut']:6} LUT {totals['delay_ns']:7.3f} ns, {totals['ff']} registers")
    lines.append(f"latency {report['latency_cycles']} cycles, a new input every {report['initiation_interval']}")
    lines.append(f"proved for all inputs: {proved['proved']} of {proved['modules']} modules")
    return "\n".join(lines)
