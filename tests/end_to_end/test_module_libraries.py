"""Large designs in Verilator are built module by module, and what didn't change isn't built again."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import c4ml_xdsl as c4ml
from c4ml_xdsl.simulators import verilated, verilator
from c4ml_xdsl.simulators.verilator import VerilatorSimulator
from c4ml_xdsl.verification import vectors_for

pytestmark = pytest.mark.skipif(not (shutil.which("verilator") and shutil.which("g++")), reason="needs Verilator")

MODEL = Path(__file__).parent.parent / "models" / "cnn_resadd_truncavg_pot" / "model.onnx"


def test_modules_are_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C4ML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(verilator, "HIERARCHICAL_BYTES", 0)
    circuit = c4ml.compile(MODEL, verify=False, effort="fast")
    vectors = vectors_for(circuit.ports, 40)
    want = circuit.simulator("numpy").run(vectors)

    def run(sources: dict[str, str]) -> tuple[bool, set[str]]:
        """Whether the RTL gives what hw does, and the cache's entries."""
        got = VerilatorSimulator(sources, circuit.top, circuit.ports).run(vectors)
        equal = all(np.array_equal(got[name].reshape(each.shape), each) for name, each in want.items())
        return equal, {path.name for path in (tmp_path / "cache" / "verilator").iterdir()}

    equal, first = run(circuit.sources)
    assert equal
    assert len(first) == len(circuit.sources)  # a library for each module but the top, and Verilator's own sources

    with monkeypatch.context() as patched:
        built: list[Path] = []
        original = verilated.compile_objects
        patched.setattr(
            verilated, "compile_objects", lambda folder, sources: built.append(folder) or original(folder, sources)
        )
        assert run(circuit.sources) == (True, first)
        assert built == []

    # one module changed: it alone is built again, and all its instances are wrong
    name = next(name for name in circuit.sources if " + " in circuit.sources[name])
    broken = {**circuit.sources, name: circuit.sources[name].replace(" + ", " - ", 1)}
    equal, second = run(broken)
    assert not equal
    assert len(second - first) == 1


def test_what_was_not_used_for_longest_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C4ML_CACHE", str(tmp_path))
    monkeypatch.setattr(verilated, "MOST_CACHED", 2)
    kept = tmp_path / "benchmark-peers"  # what else is in the cache folder
    kept.mkdir()
    os.utime(kept, (0, 0))
    text = "module m (input wire [1:0] x, output wire y);\n  assign y = {};\nendmodule\n"
    libraries = [verilated.library("m", text.format(each)) for each in ("x[0]", "x[1]", "&x")]
    verilated.forget_old_libraries()
    assert [each.archive.exists() for each in libraries] == [False, True, True]
    assert kept.is_dir()
    again = verilated.library("m", text.format("x[1]"))
    assert again == libraries[1]


def test_instances_count_for_what_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on the Verilog with each instance counted: libraries are made beyond it, and not before."""
    circuit = c4ml.compile(MODEL, verify=False, effort="fast")
    top = circuit.sources[f"{circuit.top}.v"]
    instances = {name: top.count(f"  {Path(name).stem} {Path(name).stem}_inst") for name in circuit.sources}
    assert max(instances.values()) > 10
    size = len(top) + sum(len(text) * instances[name] for name, text in circuit.sources.items())

    class MadeError(Exception):
        pass

    def library(name: str, text: str) -> None:
        raise MadeError(name)

    monkeypatch.setattr(verilator, "library", library)
    monkeypatch.setattr(verilator, "HIERARCHICAL_BYTES", size)
    VerilatorSimulator(circuit.sources, circuit.top, circuit.ports)
    monkeypatch.setattr(verilator, "HIERARCHICAL_BYTES", size - 1)
    with pytest.raises(MadeError):
        VerilatorSimulator(circuit.sources, circuit.top, circuit.ports)
