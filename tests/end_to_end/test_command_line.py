"""The command lines: what they write, and how they refuse."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import c4ml_xdsl
from c4ml_xdsl import compiler
from c4ml_xdsl.compiler import check_model
from c4ml_xdsl.errors import OptionError

MODELS = Path(__file__).parent.parent / "models"
MODEL = MODELS / "digits_mlp_w2a2_pot" / "model.onnx"


def c4ml(*arguments: object, seed: str = "0") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from c4ml_xdsl.tools.c4ml import main; main()", *map(str, arguments)]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "out"
    done = c4ml("compile", MODEL, "-o", path, "--effort", "fast")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return path


def test_compile_writes_the_contract(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "Makefile", "README.md", "hw.mlir", "lbir.mlir", "main_graph.core", "ports.json", "report.html",
        "report.json", "rtl", "scripts", "tb", "wrappers",
    ]  # fmt: skip
    ports = json.loads((folder / "ports.json").read_text())
    assert (ports["clock"], ports["latency_cycles"], ports["initiation_interval"]) == (None, 0, 1)
    for port in ports["ports"]:
        assert {"name", "direction", "tensor", "shape", "bits", "signed", "scale", "zero_point"} <= set(port)
    report = json.loads((folder / "report.json").read_text())
    assert [entry["level"] for entry in report["verified"]] == ["lbir", "hw"]
    assert report["totals"]["lut"] > 0
    for search in (layer["search"] for layer in report["layers"] if "shared" in layer["strategy"]):
        assert 0 < search["sites"] <= search["halfway"] <= search["greedy"]
    assert any(layer["search"]["sites"] < layer["search"]["greedy"] for layer in report["layers"])


def test_bytes_do_not_depend_on_the_hash_seed(folder: Path, tmp_path: Path) -> None:
    assert c4ml("compile", MODEL, "-o", tmp_path / "again", "--effort", "fast", seed="4711").returncode == 0
    for file in (path for path in folder.rglob("*") if path.is_file() and path.name != "report.json"):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(folder)).read_bytes()
    first, second = (json.loads((each / "report.json").read_text()) for each in (folder, tmp_path / "again"))
    del first["seconds"], second["seconds"]
    assert first == second


@pytest.mark.parametrize("simulator", ["numpy", "verilator", "icarus"])
def test_simulate(folder: Path, tmp_path: Path, simulator: str) -> None:
    if simulator != "numpy" and shutil.which({"icarus": "iverilog"}.get(simulator, simulator)) is None:
        pytest.skip(f"{simulator} isn't installed")
    with np.load(MODEL.parent / "golden.npz") as archive:
        x, y = archive["x"][:20], archive["y"][:20]
    np.save(tmp_path / "x.npy", x)
    done = c4ml("simulate", folder, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy", "--simulator", simulator)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy").reshape(y.shape), y, rtol=1e-6)


def test_verify_passes_and_names_a_broken_output(folder: Path, tmp_path: Path) -> None:
    """A circuit made wrong on purpose is caught in the RTL, by the name of the output."""
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog isn't installed")
    copy = tmp_path / "broken"
    shutil.copytree(folder, copy)
    assert c4ml("verify", MODEL, copy, "--simulator", "icarus", "--effort", "fast").returncode == 0
    broken = 0
    for file in sorted((copy / "rtl").glob("*.v")):
        lines = file.read_text().splitlines()
        for index, line in enumerate(lines):
            if re.search(r"\bacc\d+ = .* \+ ", line):
                lines[index] = line.replace(" + ", " - ", 1)
                broken += 1
                break
        file.write_text("\n".join(lines) + "\n")
    assert broken
    done = c4ml("verify", MODEL, copy, "--simulator", "icarus", "--effort", "fast")
    output = next(p for p in json.loads((copy / "ports.json").read_text())["ports"] if p["direction"] == "output")
    assert done.returncode == 3
    assert output["tensor"] in done.stderr
    assert "RTL in icarus differs from hw" in done.stderr
    given = re.search(r"first in sample \d+(?:, element .+)?: (\S+) instead of (\S+)", done.stderr)
    assert given is not None
    assert given[1] != given[2]


def test_report_and_check(folder: Path) -> None:
    assert "total" in c4ml("report", folder).stdout
    assert json.loads(c4ml("report", folder, "--json").stdout)["top"]
    checked = json.loads(c4ml("check", MODEL, "--json").stdout)
    assert checked["supported"]
    quantiser = checked["nodes"][0]
    assert (quantiser["operator"], quantiser["support"]) == ("Quant", "supported")
    assert quantiser["high"] - quantiser["low"] < 1 << quantiser["bits"]
    assert checked["layers"][0]["operation"] == "dense"
    assert "writes about" in c4ml("check", MODEL).stdout


@pytest.mark.parametrize("name", ["cnn_dwsep_perch_fp", "mlp_w4a4_bn_fp", "c4ml_lhcjets_bw2"])
def test_what_check_predicts_is_near(name: str) -> None:
    """Size within a factor of two, from the network alone."""
    model = MODELS / name / "model.onnx"
    prediction = check_model(model).prediction
    assert prediction is not None
    report = c4ml_xdsl.compile(model, verify=False, effort="fast").report
    assert 0.5 < prediction.lut / report["totals"]["lut"] < 2
    assert 0.5 < prediction.verilog_lines / report["verilog_lines"] < 2


def test_check_says_why_a_model_is_refused(tmp_path: Path) -> None:
    onnx.save(float_weights(), tmp_path / "float.onnx")
    done = c4ml("check", tmp_path / "float.onnx", "--json")
    assert done.returncode == 1
    assert "float_layer" in done.stderr
    found = json.loads(done.stdout)
    assert not found["supported"]
    assert found["refused"]["node"] == "float_layer"
    assert found["refused"]["remedy"]
    assert [node["support"] for node in found["nodes"]] == ["supported", "refused"]


def test_a_design_that_no_device_holds_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "LARGEST_DEVICE", 1000)
    with pytest.raises(OptionError, match=r"predicted to take \d+ LUTs.*the limit is 1000"):
        c4ml_xdsl.compile(MODEL, verify=False, effort="fast")
    assert c4ml_xdsl.compile(MODEL, verify=False, effort="fast", max_luts=1 << 20)


def float_weights() -> onnx.ModelProto:
    quantiser = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node(
            "Quant", ["x", "s", "z", "b"], ["q"], "quantise", domain="qonnx.custom_op.general", **quantiser
        ),
        helper.make_node("MatMul", ["q", "w"], ["y"], "float_layer"),
    ]
    constants = [
        helper.make_tensor("s", TensorProto.FLOAT, [], [0.5]),
        helper.make_tensor("z", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("b", TensorProto.FLOAT, [], [4.0]),
        helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [0.123, 0.456]),
    ]
    return _model(nodes, constants)


def unknown_operator() -> onnx.ModelProto:
    return _model([helper.make_node("Frobnicate", ["x"], ["y"], "strange")], [])


def external_data() -> onnx.ModelProto:
    model = float_weights()
    tensor = model.graph.initializer[-1]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return model


def _model(nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (float_weights().SerializeToString(), "float_layer"),
        (unknown_operator().SerializeToString(), "strange"),
        (external_data().SerializeToString(), "w"),
        (MODEL.read_bytes()[:700], "model.onnx"),
        (bytes(range(256)) * 40, "model.onnx"),
        (b"", "model.onnx"),
    ],
    ids=["float weights", "unknown operator", "external data", "truncated", "random", "empty"],
)
def test_bad_models_are_refused(tmp_path: Path, content: bytes, named: str) -> None:
    """One short message that names what is at fault, exit status 1, nothing written."""
    (tmp_path / "model.onnx").write_bytes(content)
    done = c4ml("compile", tmp_path / "model.onnx", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx"]


def test_a_refused_compile_leaves_an_existing_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    assert c4ml("compile", tmp_path / "model.onnx", "-o", tmp_path / "out").returncode == 1
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["compile", MODEL], 2),
        (["compile", MODEL, "-o", "x", "--target", "abacus"], 2),
        (["frobnicate"], 2),
        (["compile", "missing.onnx", "-o", "x"], 1),
        (["compile", MODEL, "-o", "x", "--effort", "fast", "--clock-ns", "0.2"], 1),
        (["compile", MODEL, "-o", "x", "--input-type", "INT0"], 1),
        (["compile", MODEL, "-o", "x", "--max-luts", "3"], 1),
        (["compile", MODEL, "-o", "x", "--axis-width", "12"], 1),
        (["report", MODEL.parent, "--vivado", "missing"], 1),
        (["report", "missing"], 1),
    ],
)
def test_exit_statuses(arguments: list[object], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = c4ml(*arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert not list(tmp_path.iterdir())


def test_wrong_input_shape(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 3)))
    done = c4ml("simulate", folder, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert done.returncode == 1
    assert "one sample of the shape" in done.stderr
    assert not (tmp_path / "y.npy").exists()


def test_registers_on_the_command_line(tmp_path: Path) -> None:
    """A clock, what its registers cost, the folder simulated; and clocks that can't be met."""
    out = tmp_path / "out"
    done = c4ml("compile", MODEL, "-o", out, "--effort", "fast", "--clock-ns", 3, "--valid", "--register-inputs")
    assert done.returncode == 0, done.stderr
    report, ports = (json.loads((out / name).read_text()) for name in ("report.json", "ports.json"))
    assert f"{report['latency_cycles']} cycles" in done.stdout
    assert ports["clock"] == "clk"
    assert [entry["name"] for entry in ports["ports"]][:3] == ["rst", "in_valid", "out_valid"]
    assert report["totals"]["delay_ns"] <= 3
    with np.load(MODEL.parent / "golden.npz") as archive:
        x, y = archive["x"], archive["y"]
    np.save(tmp_path / "x.npy", x)
    done = c4ml("simulate", out, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy").reshape(y.shape), y, rtol=1e-5, atol=1e-6)
    assert c4ml("report", out).returncode == 0
    for options, message in (
        (("--clock-ns", 0.5), "more than the clock of 0.5 ns"),
        (("--clock-ns", 3, "--latency", 2), "both clock_ns and latency"),
        (("--latency", 0, "--register-inputs"), "0 cycles are too few"),
    ):
        done = c4ml("compile", MODEL, "-o", tmp_path / "none", "--effort", "fast", *options)
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.splitlines()) <= 6
        assert not (tmp_path / "none").exists()
