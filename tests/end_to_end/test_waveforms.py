"""Recorded runs: what stands in the waveform is what the run gave and what the trace says of each layer."""

import json
import shutil
import subprocess
from bisect import bisect_right
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.errors import OptionError, SimulatorUnavailableError

vcd_reader = pytest.importorskip("vcd.reader")
MODELS = Path(__file__).parent.parent / "models"
TOOLS = {"icarus": "iverilog", "verilator": "verilator"}


def compiled(name: str, **options: Any) -> tuple[Circuit, np.ndarray]:
    with np.load(MODELS / name / "golden.npz") as archive:
        return c4ml.compile(MODELS / name / "model.onnx", effort="fast", verify=False, **options), archive["x"][:6]


CASES = {
    "combinational": ("mlp_w4a4_asym_zp", {}),
    "pipelined": ("cnn1d_pot", {"clock_ns": 3.0, "valid": True}),
    "bipolar": ("bnn_w1a1_bn", {"latency": 2}),
}


@pytest.fixture(scope="module")
def circuits() -> dict[str, tuple[Circuit, np.ndarray]]:
    return {case: compiled(name, **options) for case, (name, options) in CASES.items()}


class Waveform:
    """The changes of each signal of a VCD file, by its path."""

    def __init__(self, path: Path):
        self.changes: dict[str, tuple[list[int], list[int | str]]] = {}
        scope: list[str] = []
        signals: dict[str, list[str]] = {}
        time = 0
        with path.open("rb") as file:
            for token in vcd_reader.tokenize(file):
                match token.kind.name:
                    case "SCOPE":
                        scope.append(token.data.ident)
                    case "UPSCOPE":
                        scope.pop()
                    case "VAR":
                        name = ".".join([*scope, token.data.reference.split("[")[0]])
                        signals.setdefault(token.data.id_code, []).append(name)
                        self.changes[name] = [], []
                    case "CHANGE_TIME":
                        time = token.data
                    case "CHANGE_SCALAR" | "CHANGE_VECTOR":
                        value = token.data.value
                        for name in signals[token.data.id_code]:
                            self.changes[name][0].append(time)
                            self.changes[name][1].append(
                                int(value, 2) if set(str(value)) <= {"0", "1"} and isinstance(value, str) else value
                            )

    def at(self, path: str, time: int) -> int | str:
        times, values = self.changes[path]
        return values[bisect_right(times, time) - 1]


def check(path: Path, listed: Path, circuit: Circuit, x: np.ndarray) -> None:
    """Every element of every tensor that the list tells of, in every sample."""
    wave, signals, trace = Waveform(path), json.loads(listed.read_text()), circuit.trace(x)
    period, first = signals["period_ns"], signals["reset_cycles"]
    found = 0
    for group in signals["groups"]:
        if group["kind"] == "control":
            continue
        tensor = group["tensor"]
        integers = trace.hw[tensor] if group["kind"] != "input" else trace.lbir[tensor]
        integers = integers.reshape(len(x), *integers.shape[1:])
        for signal in group["signals"]:
            for index, high, low in signal["elements"]:
                for sample in range(len(x)):
                    end = (first + sample + group["cycles"] + 1) * period - 1
                    value = wave.at(signal["path"], end)
                    assert isinstance(value, int), (signal["path"], end, value)
                    bits = value >> low & (1 << high - low + 1) - 1
                    got = bits - (1 << high - low + 1) if signal["signed"] and bits >> high - low else bits
                    assert got == integers[sample][tuple(index)], (tensor, signal["path"], index, sample)
                    found += 1
    assert found >= len(x) * sum(trace.hw[name][0].size for name in trace.hw)
    if circuit.interface.clock:
        times, values = wave.changes[f"TOP.{circuit.top}.clk"]
        rises = [time for time, value in zip(times, values, strict=True) if value == 1]
        assert rises[:3] == [period, 2 * period, 3 * period]


@pytest.mark.parametrize(
    ("case", "simulator"),
    [(case, simulator) for case in CASES for simulator in ("numpy", "icarus")] + [("pipelined", "verilator")],
)
def test_vcd(circuits: dict[str, tuple[Circuit, np.ndarray]], case: str, simulator: str, tmp_path: Path) -> None:
    if simulator in TOOLS and shutil.which(TOOLS[simulator]) is None:
        pytest.skip(f"{simulator} isn't installed")
    circuit, x = circuits[case]
    results = circuit(x, simulator=simulator, waveform=tmp_path / "run.vcd")  # type: ignore[arg-type]
    np.testing.assert_array_equal(results, circuit(x))
    check(tmp_path / "run.vcd", tmp_path / "run.signals.json", circuit, x)
    saved = (tmp_path / "run.gtkw").read_text()
    assert '[dumpfile] "run.vcd"' in saved
    for layer in circuit.report["layers"]:
        assert f"-{layer['name']}" in saved
    if simulator == "icarus":
        once = (tmp_path / "run.vcd").read_bytes()
        circuit(x, simulator="icarus", waveform=tmp_path / "run.vcd")
        assert (tmp_path / "run.vcd").read_bytes() == once


@pytest.mark.parametrize(("case", "simulator"), [("pipelined", "icarus"), ("combinational", "verilator")])
def test_fst(circuits: dict[str, tuple[Circuit, np.ndarray]], case: str, simulator: str, tmp_path: Path) -> None:
    if shutil.which(TOOLS[simulator]) is None:
        pytest.skip(f"{simulator} isn't installed")
    circuit, x = circuits[case]
    try:
        results = circuit(x, simulator=simulator, waveform=tmp_path / "run.fst")  # type: ignore[arg-type]
    except SimulatorUnavailableError as error:
        pytest.skip(str(error))
    np.testing.assert_array_equal(results, circuit(x))
    assert (tmp_path / "run.fst").stat().st_size > 100
    assert json.loads((tmp_path / "run.signals.json").read_text())["waveform"] == "run.fst"
    if shutil.which("fst2vcd") is None:
        pytest.skip("the rest needs fst2vcd, which comes with gtkwave")
    with (tmp_path / "run.vcd").open("wb") as file:
        subprocess.run(["fst2vcd", str(tmp_path / "run.fst")], stdout=file, check=True)
    check(tmp_path / "run.vcd", tmp_path / "run.signals.json", circuit, x)


def test_what_can_not_be_recorded(circuits: dict[str, tuple[Circuit, np.ndarray]], tmp_path: Path) -> None:
    circuit, x = circuits["bipolar"]
    for name, message in (
        ("run.fst", "the numpy simulator writes no FST"),
        ("run.wave", "neither .vcd nor .fst"),
        ("no/folder/run.vcd", "there is no folder"),
    ):
        with pytest.raises(OptionError, match=message):
            circuit(x, waveform=tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_pyvcd(
    circuits: dict[str, tuple[Circuit, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "vcd", None)
    circuit, x = circuits["bipolar"]
    with pytest.raises(SimulatorUnavailableError, match=r"pip install pyvcd"):
        circuit(x, waveform=tmp_path / "run.vcd")
