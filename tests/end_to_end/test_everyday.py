"""What every command has: quiet and JSON modes, logs, progress, completion, the nearest name; doctor and view."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

import c4ml_xdsl as c4ml
from c4ml_xdsl.compiler import check_model
from c4ml_xdsl.errors import OptionError
from c4ml_xdsl.tools import doctor
from c4ml_xdsl.tools.c4ml import main
from c4ml_xdsl.tools.c4ml_opt import C4mlOptMain
from c4ml_xdsl.tools.progress import PhaseBar, phase_bar

MODELS = Path(__file__).parent.parent / "models"
MODEL = MODELS / "cnn1d_pot" / "model.onnx"


def run(*arguments: object, status: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from c4ml_xdsl.tools.entry import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_quiet_logs_json_and_waveforms(tmp_path: Path) -> None:
    """Nothing is printed when nothing is wanted; each phase is logged when that is; what reports has JSON."""
    pytest.importorskip("vcd")
    out, dump = tmp_path / "out", tmp_path / "ir"
    done = run(
        "compile", MODEL, "-o", out, "--effort", "fast", "-q", "--log-level", "debug", "--dump-ir", dump,
        "--latency", 2, "--valid",
    )  # fmt: skip
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert any(line.startswith("INFO neuron-share-sums: ") for line in lines)
    assert any(line.startswith("DEBUG after hw-insert-registers: ") and " seq" in line for line in lines)
    names = [path.name for path in sorted(dump.iterdir())]
    assert names[0] == "01-import.mlir"
    assert [name[:2] for name in names] == [f"{number:02}" for number in range(1, len(names) + 1)]
    assert names[-2:] == [f"{len(names) - 1}-hw-schedule-stages.mlir", f"{len(names)}-hw-insert-registers.mlir"]
    verilog = tmp_path / "final.v"
    C4mlOptMain([str(dump / names[-1]), "-t", "verilog", "-o", str(verilog)]).run()
    assert verilog.read_text().replace("\n", "") == "".join(
        (out / "rtl" / f"{name}.v").read_text() for name in modules(verilog)
    ).replace("\n", "")
    C4mlOptMain([str(out / "lbir.mlir"), "-o", str(tmp_path / "again.mlir")]).run()

    with np.load(MODEL.parent / "golden.npz") as archive:
        np.save(tmp_path / "x.npy", archive["x"][:3])
    files = ("-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    done = run("simulate", out, *files, "--waveform", tmp_path / "run.vcd", "--json")
    assert json.loads(done.stdout)["waveform"] == str(tmp_path / "run.vcd")
    groups = json.loads((tmp_path / "run.signals.json").read_text())["groups"]
    circuit = c4ml.compile(MODEL, effort="fast", verify=False, latency=2, valid=True)
    assert [group["tensor"] for group in groups if group["kind"] == "layer"] == list(circuit.trace(np.load(
        tmp_path / "x.npy")).hw)  # fmt: skip
    assert run("check", MODEL, "-q").stdout == ""
    assert "neither .vcd nor .fst" in run("simulate", out, *files, "--waveform", "run.wav", status=1).stderr


def modules(verilog: Path) -> list[str]:
    return [line.split()[1] for line in verilog.read_text().splitlines() if line.startswith("module ")]


def test_progress_is_for_terminals() -> None:
    """The phase and the time left, of the prediction; nothing where standard error is no terminal."""
    with phase_bar(True) as bar:
        assert bar is None
    bar = PhaseBar()
    prediction = check_model(MODELS / "cnn_dwsep_perch_fp" / "model.onnx", effort="max").prediction
    assert prediction is not None
    phases = prediction.phases(verify=False)
    assert abs(sum(phases.values()) / prediction.seconds - 1) < 0.1
    bar.expect(phases)
    bar("neuron-share-sums")
    console = Console(width=100, force_terminal=True)
    with console.capture() as capture:
        console.print(bar.render())
    assert "neuron-share-sums" in capture.get()
    assert "left" in capture.get()
    bar("convert-neuron-to-hw")
    assert bar.completed() >= phases["neuron-share-sums"]
    told: list[str] = []
    expected: dict[str, float] = {}
    report = c4ml.compile(MODEL, effort="fast", progress=told.append, expect=expected.update).report
    assert list(dict.fromkeys(told)) == list(report["seconds"])
    assert set(expected) <= {*report["seconds"], "neuron-tabulate", "neuron-compress-sums", "neuron-share-sums"}


def test_completion(tmp_path: Path) -> None:
    """The script of each shell, and what is completed: commands, options, their values and files."""
    for shell in ("bash", "zsh", "fish"):
        assert "_C4ML_COMPLETE" in run("completion", shell).stdout

    def completed(*words: str) -> str:
        environment = {"_C4ML_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("c4ml", *words))}
        return run(**environment, COMP_CWORD=str(len(words))).stdout

    assert "plain,doctor" in completed("doc")
    assert "plain,--dump-ir" in completed("compile", "--dump")
    assert completed("compile", "--effort", "ma").split() == ["plain,max"]
    assert completed("compile", "mod").startswith("file,")
    assert completed("simulate", "out", "--waveform", "ru").startswith("file,")


def test_the_nearest_name_is_suggested(tmp_path: Path) -> None:
    for arguments, meant in (
        (["compile", str(MODEL), "-o", "x", "--minimize", "dely"], "Did you mean 'delay'?"),
        (["compile", str(MODEL), "-o", "x", "--effrt", "fast"], "--effort"),
        (["compil"], "compile"),
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert meant in result.output
    with pytest.raises(OptionError, match="Did you mean balanced"):
        c4ml.compile(MODEL, minimize="balancd")
    with pytest.raises(OptionError, match="Did you mean minimize"):
        c4ml.compile(MODEL, minimise="area")
    circuit = c4ml.compile(MODEL, effort="fast", verify=False)
    with pytest.raises(OptionError, match="Did you mean verilator"):
        circuit(np.zeros((1, circuit.ports[0].elements)), simulator="verilater")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="Did you mean comb-simplify"):
        C4mlOptMain([str(MODEL), "-p", "comb-simplfy", "-o", str(tmp_path / "x")]).run()


@pytest.mark.parametrize("command", [True, False])
def test_a_package_takes_the_place_of_nothing_else(
    command: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user may have in a folder stays there; an older package, an empty folder and a new one are written."""
    model = tmp_path / "models" / "model.onnx"
    model.parent.mkdir()
    model.write_bytes((MODELS / "bnn_w1a1_bn" / "model.onnx").read_bytes())
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("thesis")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    circuit = c4ml.compile(model, effort="fast", verify=False)

    def package(folder: Path) -> str:
        """What is said against a folder; nothing where it is written."""
        if command:
            arguments = ["compile", str(model), "-o", str(folder), "--effort", "fast", "--no-verify", "--quiet"]
            result = CliRunner().invoke(main, arguments)
            return "" if result.exit_code == 0 else result.output
        try:
            circuit.package(folder)
        except OptionError as error:
            return str(error)
        return ""

    assert "holds files that no compile wrote (thesis.txt)" in package(precious)
    assert (precious / "thesis.txt").read_text() == "thesis"
    assert "is the current folder" in package(Path("."))
    assert "is the current folder, or one that it lies in" in package(tmp_path)
    assert "is a file" in package(precious / "thesis.txt")
    assert package(model.parent)
    assert model.exists()
    (work / "out").mkdir()
    assert package(Path("out")) == ""
    (work / "out" / "obj_dir").mkdir()
    assert package(Path("out")) == ""
    assert not (work / "out" / "obj_dir").exists()
    if command:
        (work / "out" / "model.onnx").write_bytes(model.read_bytes())
        model = work / "out" / "model.onnx"
        assert "holds model.onnx" in package(Path("out"))
        assert model.exists()


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is told with its version, what is missing with how to get it; a broken core is an error."""
    found = {each["name"]: each for each in json.loads(run("doctor", "--json").stdout)["findings"]}
    assert {"Python", "xdsl", "Verilator", "Icarus Verilog", "yosys", "Vivado", "GTKWave", "cocotb"} <= set(found)
    assert found["numpy"]["version"] == np.__version__
    assert found["c4ml_xdsl.circuits.adder_graph._search"]["found"]
    monkeypatch.setenv("PATH", "")
    result = CliRunner().invoke(main, ["doctor"], terminal_width=200)
    assert result.exit_code == 0
    assert "apt-get install verilator" in result.output
    monkeypatch.setattr(doctor, "EXTENSIONS", ("c4ml_xdsl.circuits.adder_graph._search_", *doctor.EXTENSIONS))
    monkeypatch.setattr(doctor, "PURPOSES", {"_search_": "the search", **doctor.PURPOSES})
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "_search_ is missing or broken" in result.output


def test_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is served until the command is interrupted; without netron it says what to install."""
    monkeypatch.setitem(sys.modules, "netron", None)
    result = CliRunner().invoke(main, ["view", str(MODEL), "--no-browser"])
    assert result.exit_code == 1
    assert "pip install netron" in result.output
    monkeypatch.undo()
    assert CliRunner().invoke(main, ["view", "missing.onnx"]).exit_code == 1
    pytest.importorskip("netron")
    if sys.platform == "win32":
        pytest.skip("signals can't be sent to a process there")
    command = [sys.executable, "-u", "-c", "from c4ml_xdsl.tools.entry import main; main()"]
    process = subprocess.Popen(
        [*command, "view", str(MODEL), "--no-browser"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().split(" shown at ")[1].split()[0]
    with urllib.request.urlopen(address, timeout=10) as page:
        assert page.status == 200
    start = time.monotonic()
    process.terminate()
    assert process.wait(10) == 130
    assert time.monotonic() - start < 5
    process.communicate()
