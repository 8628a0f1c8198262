"""How long the MNIST networks take to simulate at each level, and how long the command line takes to start."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import c4ml_xdsl
from benchmarks.cases import models_folder, network_model
from benchmarks.errors import BenchmarkError
from benchmarks.results import Results, Row
from benchmarks.scale_models import dense_model
from benchmarks.table import NONE, Table

NETWORKS = ("cnn/c4ml_cnn_mnist10k_bw2_p50", "cnn/c4ml_cnn_mnist10k_bw4_p50")
HW_INPUTS, RTL_INPUTS = 1000, 100
START = {"start: --version": ("--version",), "start: check": ("check",)}
"""Command lines whose time is that of starting; `check` gets a small model."""


def simulation_names() -> list[str]:
    """The rows, in the order of the table."""
    return [f"simulate: {name.split('/')[1]}" for name in NETWORKS] + list(START)


def measure_simulation(name: str) -> Row:
    """One row by its name; raises BenchmarkError where a level isn't exact."""
    if name in START:
        return _start(START[name])
    network = next(each for each in NETWORKS if name.endswith(each.split("/")[1]))
    circuit = c4ml_xdsl.compile(network_model(network), effort="fast", verify=False)
    folder = models_folder()
    assert folder is not None
    with np.load(folder / network / "golden.npz") as archive:
        x: NDArray[np.float32] = archive["x"]
        y: NDArray[np.float64] = archive["y"]
        labels: NDArray[np.int64] = archive["labels"]
    inputs = mixtures(x, HW_INPUTS)
    start = time.perf_counter()
    results: NDArray[np.float64] = np.asarray(circuit(inputs), np.float64)
    hw_seconds = time.perf_counter() - start
    _compare("hw", results[: len(x)].reshape(y.shape), y)
    given = inputs[:RTL_INPUTS]
    with tempfile.TemporaryDirectory(prefix="c4ml_cache_") as cache:
        os.environ["C4ML_CACHE"] = cache
        start = time.perf_counter()
        circuit.simulator("verilator")
        build_seconds = time.perf_counter() - start
        start = time.perf_counter()
        rtl = np.asarray(circuit(given, simulator="verilator"), np.float64)
        run_seconds = time.perf_counter() - start
    _compare("RTL", rtl.reshape(len(given), -1), results[:RTL_INPUTS].reshape(len(given), -1))
    right = np.count_nonzero(results[: len(x)].reshape(len(x), -1).argmax(axis=1) == labels)
    return {
        "hw": {"inputs": HW_INPUTS, "seconds": round(hw_seconds, 2)},
        "verilator": {
            "inputs": RTL_INPUTS,
            "build_seconds": round(build_seconds, 1),
            "run_seconds": round(run_seconds, 3),
        },
        "accuracy": round(right / len(x), 4),
        "seconds": round(hw_seconds + build_seconds + run_seconds, 1),
    }


def mixtures(x: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Samples, and mixtures of two of them pixel by pixel, so many in all."""
    generator = np.random.default_rng(0)
    found = [x]
    while sum(map(len, found)) < count:
        a, b = generator.permutation(len(x)), generator.permutation(len(x))
        found.append(np.where(generator.random(x.shape) < 0.5, x[a], x[b]))
    return np.concatenate(found)[:count]


def _compare(level: str, got: NDArray[np.float64], want: NDArray[np.float64]) -> None:
    if not np.allclose(got, want, rtol=1e-6, atol=1e-6):
        wrong = int(np.any(~np.isclose(got, want, rtol=1e-6, atol=1e-6), axis=1).sum())
        raise BenchmarkError(f"{level} is wrong for {wrong} of {len(want)} inputs")


def _start(arguments: tuple[str, ...]) -> Row:
    """The fastest of five starts, in seconds."""
    command = [sys.executable, "-c", "from c4ml_xdsl.tools.c4ml import main; main()", *arguments]
    seconds: list[float] = []
    with tempfile.TemporaryDirectory(prefix="c4ml_start_") as folder:
        if "check" in arguments:
            (Path(folder) / "small.onnx").write_bytes(dense_model(16))
            command.append(str(Path(folder) / "small.onnx"))
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
    return {"seconds": round(min(seconds), 3)}


def simulation_table(results: Results) -> Table:
    """The rows of a file of results."""
    found: list[list[str]] = []
    for name in simulation_names():
        row = results.get("scale", {}).get(name)
        if row is None or "error" in row:
            continue
        cells = [NONE] * 4
        if "hw" in row:
            hw, rtl = row["hw"], row["verilator"]
            cells = [
                f"{hw['inputs']} inputs in {hw['seconds']} s", f"{rtl['build_seconds']} s",
                f"{rtl['inputs']} inputs in {rtl['run_seconds']} s", str(row["accuracy"]),
            ]  # fmt: skip
        found.append([name, str(row["seconds"]), *cells])
    columns = ["what", "s", "hw level", "Verilator, build", "Verilator, run", "accuracy on the golden inputs"]
    return Table("Simulating and starting", columns, found)
