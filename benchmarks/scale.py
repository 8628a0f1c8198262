"""
How compiling grows with the network: time and memory past start-up, phase by phase, each row in a process of its own.

Models that grow are dense layers by width and convolutional networks by image size; two MNIST networks are real ones.
Figures are for one machine; what is compared are ratios within one run: per multiplication, and by phase.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import c4ml_xdsl
from benchmarks.cases import network_model
from benchmarks.results import Results, Row
from benchmarks.scale_models import dense_model, image_model
from benchmarks.table import Table
from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.circuits.adder_graph.budget import Effort
from c4ml_xdsl.compiler import check_model
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import network_of

EFFORTS: tuple[Effort, ...] = ("fast", "normal")

PARTS = {
    "parse": ("import", "qonnx-infer-shapes", "qonnx-fold-constants", "convert-qonnx-to-lbir", "lbir-fold-thresholds",
              "lbir-infer-ranges"),
    "solve": ("neuron-infer-ranges", "neuron-drop-unread", "neuron-fold-offsets", "neuron-tabulate",
              "neuron-compress-sums", "neuron-share-sums"),
    "build": ("lbir-unroll-neurons", "neuron-expand-sums", "convert-neuron-to-hw", "comb-simplify",
              "hw-legalize-names"),
    "estimate": ("estimate",),
    "prove": ("prove",),
    "print": ("verilog",),
    "check": ("verify",),
}  # fmt: skip
"""The phases of the report that each part of the table adds up."""


@dataclass(frozen=True)
class ScaleCase:
    """A model at an effort; `vectors` are those of the compile's own check, none for 0."""

    series: str
    size: int
    effort: Effort
    load: Callable[[], bytes]
    vectors: int = 0

    @property
    def name(self) -> str:
        """Series, size and effort."""
        return "-".join([self.series, *([str(self.size)] if self.size else []), self.effort])


def scale_cases() -> list[ScaleCase]:
    """Every case, in the order of the table."""
    cases: list[ScaleCase] = []
    for effort in EFFORTS:
        cases += [ScaleCase("dense", n, effort, lambda n=n: dense_model(n)) for n in (32, 64, 128, 256, 512)]
        cases += [
            ScaleCase("image", n, effort, lambda n=n: image_model(n, (3, 6, 6))) for n in (8, 12, 16, 24, 32, 48, 64)
        ]
    for effort in EFFORTS:
        for bits in (2, 4):
            name = f"cnn/c4ml_cnn_mnist10k_bw{bits}_p50"
            cases.append(ScaleCase(f"mnist_bw{bits}", 0, effort, lambda n=name: network_model(n), 256))
    for effort in EFFORTS:
        cases.append(ScaleCase("wide", 32, effort, lambda: image_model(32, (3, 20, 20)), 64))
    return cases


def measure_scale(case: ScaleCase) -> Row:
    """The entry of one case: compiles it, after a small model that loads what is loaded once."""
    model = case.load()
    c4ml_xdsl.compile(dense_model(4), effort="fast")
    before = _peak_megabytes()
    prediction = check_model(model, effort=case.effort).prediction
    assert prediction is not None
    start = time.perf_counter()
    circuit = c4ml_xdsl.compile(model, effort=case.effort, verify=case.vectors > 0, vectors=max(case.vectors, 1))
    seconds = time.perf_counter() - start
    report = circuit.report
    phases = report["seconds"]
    parts = {part: round(sum(phases.get(name, 0.0) for name in names), 3) for part, names in PARTS.items()}
    return {
        "macs": multiplications(circuit),
        "seconds": round(seconds, 3),
        "megabytes": round(_peak_megabytes() - before, 1),
        "parts": {**parts, "rest": round(seconds - sum(parts.values()), 3)},
        "lut": report["totals"]["lut"],
        "verilog_bytes": sum(map(len, circuit.sources.values())),
        "proved": f"{report['proved']['proved']} of {report['proved']['modules']}",
        "vectors": case.vectors,
        "predicted": {"seconds": prediction.seconds, "megabytes": prediction.megabytes, "lut": prediction.lut},
    }


def multiplications(circuit: Circuit) -> int:
    """The multiplications of a network, those by 0 too: weights times positions."""
    total = 0
    for operation in network_of(circuit.lbir).body.block.ops:
        if isinstance(operation, lbir.DenseOp | lbir.ConvOp):
            weights = lbir.integers(operation.weights)
            total += lbir.size_of(operation.results[0]) // len(weights) * int(np.prod(weights.shape))
    return total


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def scale_table(results: Results) -> Table:
    """The rows of a file of results, in the order of the cases."""
    found: list[list[str]] = []
    for case in scale_cases():
        row = results.get("scale", {}).get(case.name)
        if row is None or "error" in row:
            continue
        macs, seconds = row["macs"], row["seconds"]
        found.append(
            [
                case.name, str(macs), f"{seconds:.2f}", f"{1e6 * seconds / macs:.1f}", f"{row['megabytes']:.0f}",
                f"{row['megabytes'] * 2**20 / macs:.0f}", str(row["lut"]), str(row["verilog_bytes"] // 1000),
                *(f"{100 * row['parts'][part] / seconds:.0f}" for part in PARTS), str(row["predicted"]["seconds"]),
                row["proved"],
            ]
        )  # fmt: skip
    columns = [
        "case",
        "MACs",
        "s",
        "µs/MAC",
        "MB",
        "bytes/MAC",
        "LUT",
        "Verilog, kB",
        *(f"{part}, %" for part in PARTS),
    ]
    return Table("Compiling, past start-up", [*columns, "predicted s", "proved"], found)
