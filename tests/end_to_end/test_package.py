"""Packages: their test benches pass and find faults, their wrappers stream, their files are what tools read."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import Circuit, load_circuit_folder
from c4ml_xdsl.errors import OptionError
from c4ml_xdsl.packaging.benches import bench_files
from c4ml_xdsl.packaging.design import PackagedDesign
from c4ml_xdsl.ports import Interface
from tests.streams.networks import two_by_three, wide
from tests.streams.run import stream

DESIGNS: dict[str, dict[str, Any]] = {
    "combinational": {},
    "pipelined": {"clock_ns": 2.5},
    "valid": {"latency": 4, "valid": True, "register_inputs": True},
}
"""How the small network with all kinds of ports is compiled."""

needs_icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
needs_verilator = pytest.mark.skipif(
    not (shutil.which("verilator") and shutil.which("g++")), reason="needs Verilator and g++"
)
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


@pytest.fixture(scope="module")
def circuits() -> dict[str, Circuit]:
    return {name: c4ml.compile(two_by_three(), effort="fast", **options) for name, options in DESIGNS.items()}


@pytest.fixture(scope="module")
def packages(circuits: dict[str, Circuit], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    for name, circuit in circuits.items():
        circuit.package(folder / name)
    return {name: folder / name for name in circuits}


@pytest.fixture(params=DESIGNS)
def package(request: pytest.FixtureRequest, packages: dict[str, Path], tmp_path: Path) -> Path:
    """A copy, which may be changed."""
    shutil.copytree(packages[request.param], tmp_path / request.param)
    return tmp_path / request.param


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def icarus(folder: Path) -> tuple[int, str]:
    """The status and the text of the test bench in Icarus."""
    (bench,) = (folder / "tb").glob("*_tb.v")
    build = ["iverilog", "-g2005", "-s", bench.stem, "-o", "bench.vvp", bench, *sorted((folder / "rtl").glob("*.v"))]
    subprocess.run(build, cwd=folder, check=True)
    done = subprocess.run(["vvp", "-N", "bench.vvp"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def change(file: Path, old: str, new: str, count: int = 1) -> None:
    text, changes = re.subn(old, new, file.read_text(), count=count, flags=re.MULTILINE)
    assert changes, f"{old} isn't in {file.name}"
    file.write_text(text)


@needs_icarus
@needs_make
def test_the_bench_passes_in_icarus(package: Path) -> None:
    done = make(package, "SIM=icarus")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(
        r"PASS: \w+: \d+ answers to 64 samples(, with gaps and a reset)?, all as expected", done.stdout.splitlines()[-1]
    )


@needs_verilator
@needs_make
def test_the_bench_in_verilator(packages: dict[str, Path], tmp_path: Path) -> None:
    """It passes for each kind of design, and a bit that differs gives a failure status."""
    kept = tmp_path / "objects"  # of Verilator's own sources, which are built once
    kept.mkdir()
    for name, package in packages.items():
        build = tmp_path / name / "build" / "verilator"
        shutil.copytree(package, tmp_path / name)
        shutil.copytree(kept, build)
        done = make(tmp_path / name, "SIM=verilator")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "answers to 64 samples" in done.stdout
        for each in build.glob("verilated*.o"):
            shutil.copy(each, kept)
            os.utime(kept / each.name, (time.time() + 3600,) * 2)  # newer than any makefile that they depend on
    folder = tmp_path / "combinational"
    golden = folder / "tb" / "golden_sign.hex"
    golden.write_text(golden.read_text().translate(str.maketrans("0123456789abcdef", "1032547698badcfe")))
    done = subprocess.run(["build/verilator/bench"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "MISMATCH tensor" in done.stdout
    assert "FAIL: two_by_three:" in done.stdout


def outputs_of(layer: Path) -> list[tuple[str, int]]:
    """A module's outputs and their widths."""
    found = re.findall(r"^  output wire (?:\[(\d+):0\] )?(\w+)", layer.read_text(), re.MULTILINE)
    return [(name, int(last or 0) + 1) for last, name in found]


@needs_icarus
def test_a_bit_that_is_wrong_in_any_layer_is_found(package: Path) -> None:
    """The lowest bit of a layer's first and last element, and one in the middle."""
    tensors = {port.tensor for port in load_circuit_folder(package)[2] if port.direction == "output"}
    (bench,) = (package / "tb").glob("*_tb.v")
    top = bench.stem.removesuffix("_tb")
    layers = [file for file in sorted((package / "rtl").glob("*.v")) if file.stem != top]
    assert len(layers) >= 3
    for layer in layers:
        correct = layer.read_text()
        ((name, width),) = outputs_of(layer)
        for bit in {0, width // 2}:
            change(layer, rf"^  assign {name} = (.*);$", rf"  assign {name} = {{\1}} ^ ({width}'d1 << {bit});")
            status, text = icarus(package)
            layer.write_text(correct)
            assert status != 0, (layer.name, bit)
            assert text.splitlines()[-1].startswith("FAIL: ") or "$stop" in text, (layer.name, bit)
            named = re.findall(
                r"^MISMATCH tensor (.*), sample (\d+), element (\d+): -?\d+ instead of -?\d+", text, re.M
            )
            assert named, (layer.name, bit)
            assert {tensor for tensor, _, _ in named} <= tensors
            assert all(int(sample) < 64 for _, sample, _ in named)
    assert icarus(package)[0] == 0


@needs_icarus
@pytest.mark.parametrize(
    ("package", "old", "new"),
    [
        ("valid", r"rst \? 1'd0 : (\w+);", r"\1;"),  # a reset that doesn't reach a register
        ("valid", r"assign out_valid = \w+;", "assign out_valid = in_valid;"),
        ("valid", r"^(    \w+_s2)( <= .*)$", r"\1\2 /* */"),
        ("pipelined", r"posedge clk", "negedge clk"),  # half a cycle early
    ],
    indirect=["package"],
    ids=["reset", "out_valid", "none", "edge"],
)
def test_faults_of_the_pipeline_are_found(package: Path, old: str, new: str) -> None:
    (bench,) = (package / "tb").glob("*_tb.v")
    change(package / "rtl" / f"{bench.stem.removesuffix('_tb')}.v", old, new)
    status, text = icarus(package)
    assert (status == 0) == ("/*" in new), text


@needs_icarus
def test_missing_vectors_are_no_success(packages: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "package"
    shutil.copytree(packages["combinational"], folder)
    lines = (folder / "tb" / "golden_left.hex").read_text().splitlines()
    (folder / "tb" / "golden_left.hex").write_text("\n".join(lines[:-1]) + "\n")
    status, text = icarus(folder)
    assert status != 0
    assert "can't be read" in text


@needs_icarus
def test_cocotb(packages: dict[str, Path], tmp_path: Path) -> None:
    """The bench on the same vectors, without and with a fault."""
    pytest.importorskip("cocotb", reason="needs cocotb")
    folder = tmp_path / "package"
    shutil.copytree(packages["valid"], folder)
    (bench,) = (path for path in (folder / "tb").glob("test_*.py") if not path.stem.endswith("_axis"))
    done = subprocess.run([sys.executable, bench], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    top = bench.stem.removeprefix("test_")
    change(folder / "rtl" / f"{top}.v", r"rst \? 1'd0 : (\w+);", r"\1;")
    done = subprocess.run([sys.executable, bench], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "out_valid isn't 0" in done.stdout + done.stderr


@needs_icarus
@pytest.mark.parametrize("width", [8, 32, 64, 512])
def test_streams_with_random_stalls(circuits: dict[str, Circuit], width: int, tmp_path: Path) -> None:
    """Few frames here; python -m tests.streams.run streams 10000 through each width and more designs."""
    pytest.importorskip("cocotb", reason="needs cocotb")
    circuits["pipelined"].package(tmp_path / "package", axis_width=width)
    result = stream(tmp_path / "package", 25)
    assert result.passed, result.log
    assert result.frames == 25


@needs_icarus
@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("two_by_three_axis_sum_raw.v", r"assign room = .*;", "assign room = 1'b1;", "random_stalls"),
        ("two_by_three_axis_left.v", r"wrong_r <= skipping \|\| !due;", "wrong_r <= 1'b0;", "wrong_lengths"),
        ("two_by_three_axis.v", r"wire enter = .*;", "wire enter = take && !wrong && !answered;", "full_rate"),
    ],
    ids=["overflow", "wrong frame", "rate"],
)
def test_faults_of_wrappers_are_found(
    circuits: dict[str, Circuit], file: str, old: str, new: str, message: str, tmp_path: Path
) -> None:
    pytest.importorskip("cocotb", reason="needs cocotb")
    circuits["pipelined"].package(tmp_path / "package", axis_width=64)
    change(tmp_path / "package" / "wrappers" / file, old, new)
    result = stream(tmp_path / "package", 25)
    assert not result.passed
    assert re.search(rf"{message} +FAIL", result.log), result.log


@needs_icarus
def test_streams_without_tlast(circuits: dict[str, Circuit], tmp_path: Path) -> None:
    """With CHECK_TLAST = 0 frames are counted, whatever TLAST is."""
    pytest.importorskip("cocotb", reason="needs cocotb")
    circuits["combinational"].package(tmp_path / "package", axis_width=16)
    wrapper = tmp_path / "package" / "wrappers" / "two_by_three_axis.v"
    change(wrapper, "parameter CHECK_TLAST = 1", "parameter CHECK_TLAST = 0")
    change(wrapper, r"\.tlast\(s_axis_\w+\)", ".tlast(1'b0)", count=2)
    assert re.search(r"random_stalls +PASS", stream(tmp_path / "package", 25).log)


@needs_icarus
@pytest.mark.parametrize("registers", [(0, 0), (1, 0), (1, 1)])
@pytest.mark.parametrize("name", ["combinational", "pipelined"])
def test_the_valid_wrapper(
    circuits: dict[str, Circuit], packages: dict[str, Path], name: str, registers: tuple[int, int], tmp_path: Path
) -> None:
    """It is a design with valid, whose bench it passes: bubbles, a reset, and its registers in the latency."""
    circuit, folder = circuits[name], tmp_path / "package"
    shutil.copytree(packages[name], folder)
    wrapper = folder / "wrappers" / "two_by_three_valid.v"
    for which, value in zip(("INPUTS", "OUTPUTS"), registers, strict=True):
        change(wrapper, f"parameter REGISTER_{which} = 0", f"parameter REGISTER_{which} = {value}")
    wrapper.rename(folder / "rtl" / wrapper.name)
    interface = Interface(circuit.interface.latency + sum(registers), clock=True, valid=True)
    design = PackagedDesign(wrapper.stem, circuit.ports, interface, [wrapper.name], circuit.golden_vectors(), {})
    shutil.rmtree(folder / "tb")
    for file, text in bench_files(design).items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)
    status, text = icarus(folder)
    assert status == 0, text


@needs_make
@pytest.mark.skipif(not (shutil.which("iverilog") or shutil.which("verilator")), reason="needs Icarus or Verilator")
def test_linters_have_nothing_to_say(package: Path) -> None:
    """Verilator's and Icarus's warnings on circuit, bench and wrappers."""
    done = make(package, "-s", "lint")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "arning" not in done.stdout


SYNTHESISE = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


@pytest.mark.parametrize("package", ["combinational", "valid"], indirect=True)
def test_yosys_has_no_warnings(package: Path) -> None:
    """On the circuit between its wrappers; what abc says of its own commands isn't of our making."""
    pytest.importorskip("pyosys")
    files = [str(file) for name in ("rtl", "wrappers") for file in sorted((package / name).glob("*.v"))]
    (wrapper,) = (package / "scripts").glob("*_axis.xdc")
    commands = [f"read_verilog {' '.join(files)}", f"synth -top {wrapper.stem}", "check -assert"]
    done = subprocess.run(
        [sys.executable, "-c", SYNTHESISE, *commands], capture_output=True, text=True, cwd=package, check=False
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in (done.stdout + done.stderr).splitlines() if "Warning:" in line]
    assert [line for line in said if not line.startswith("ABC:")] == []


def test_golden_vectors_are_the_models(circuits: dict[str, Circuit]) -> None:
    """64 of the inputs that the compile compared, extremes first; without a comparison few of the integer network."""
    for circuit in circuits.values():
        golden = circuit.golden_vectors()
        assert (golden.reference, golden.samples) == ("qonnx", 64)
        inputs = [port for port in circuit.ports if port.direction == "input"]
        for port in inputs:
            rows = golden.integers[port.name]
            assert np.all(rows[0] == port.minimum)
            assert np.all(rows[1] == port.maximum)
            assert {*rows[2].tolist(), *rows[3].tolist()} == {port.minimum, port.maximum}
    circuit = c4ml.compile(two_by_three(), effort="fast", verify=False)
    golden = circuit.golden_vectors()
    assert (golden.reference, golden.samples) == ("lbir", 16)
    known = circuits["combinational"].golden_vectors()
    for name, rows in golden.integers.items():
        assert rows.shape == (16, known.integers[name].shape[1])


@needs_icarus
def test_wide_ports_and_no_verification(tmp_path: Path) -> None:
    """Ports of thousands of bits, vectors of the integer network."""
    circuit = c4ml.compile(wide(), effort="fast", verify=False, latency=2)
    assert max(port.width for port in circuit.ports) == 3 * 16 * 16 * 8
    circuit.package(tmp_path / "out")
    status, text = icarus(tmp_path / "out")
    assert status == 0, text
    (bench,) = (tmp_path / "out" / "tb").glob("*_tb.v")
    assert "the integer network (lbir)" in bench.read_text()


def test_the_core_file_names_files_that_are_there(package: Path) -> None:
    (path,) = package.glob("*.core")
    assert path.read_text().startswith("CAPI=2:\n")
    core = yaml.safe_load(path.read_text())
    files = [
        next(iter(entry)) if isinstance(entry, dict) else entry
        for fileset in core["filesets"].values()
        for entry in fileset["files"]
    ]
    assert all((package / file).is_file() for file in files)
    assert {f"rtl/{file.name}" for file in (package / "rtl").iterdir()} <= set(files)
    for target in core["targets"].values():
        assert set(target["filesets"]) <= set(core["filesets"])
        assert any((package / folder / f"{target['toplevel']}.v").is_file() for folder in ("rtl", "wrappers", "tb"))


@needs_icarus
@pytest.mark.skipif(not shutil.which("fusesoc"), reason="needs FuseSoC")
def test_fusesoc_runs_the_bench(package: Path, tmp_path: Path) -> None:
    (core,) = package.glob("*.core")
    command = ["fusesoc", "--cores-root", package, "run", "--target", "sim", f"c4ml:generated:{core.stem}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answers to 64 samples" in done.stdout + done.stderr


def test_the_readme_says_where_bits_and_values_are(circuits: dict[str, Circuit], packages: dict[str, Path]) -> None:
    """Every row of the worked example is what the port map says of the golden vector."""
    for name, circuit in circuits.items():
        text = (packages[name] / "README.md").read_text()
        line = int(re.search(r"line (\d+) of each file", text)[1])  # type: ignore[index]
        for port in circuit.ports:
            word = int((packages[name] / "tb" / f"golden_{port.name}.hex").read_text().split()[line - 1], 16)
            section = text.split(f"`{port.name}` (`tb/golden_{port.name}.hex`)")[1]
            rows = re.findall(r"^\| (\d+) \| ([\d:]+) \| ([01]+) \| (-?\d+) \| .* = (\S+) \|$", section, re.M)
            shown = rows[: min(4, port.elements)]
            assert [int(row[0]) for row in shown] == [*range(min(4, port.elements))]
            integers = np.array([[int(row[3]) for row in shown] + [0] * (port.elements - len(shown))])
            values = port.batch(np.asarray(port.values(integers)))[0] if not port.after else None
            for index, (_, bits, digits, integer, value) in enumerate(shown):
                high, low = (int(each) for each in (bits.split(":") * 2)[:2])
                assert word >> low & ((1 << high - low + 1) - 1) == int(digits, 2) == int(integer) % (1 << port.bits)
                if values is not None:
                    assert float(value) == values[index]


@pytest.mark.parametrize("width", [0, 12, -8, 1 << 20])
def test_widths_that_no_beat_has_are_refused(circuits: dict[str, Circuit], width: int, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"axis_width={width}"):
        circuits["combinational"].package(tmp_path / "out", axis_width=width)
    assert not (tmp_path / "out").exists()


@needs_icarus
@pytest.mark.parametrize(
    ("top", "left", "raw"),
    [
        ("left", "circuit", "given_left"),
        ("top", 'a"b\\c%d`d é|', "clk"),
        ("x_axis", "flying", "tb"),
        ("long", "x" * 300, "x" * 120),
    ],
    ids=["modules", "text", "wrappers", "long"],
)
def test_any_names_do(top: str, left: str, raw: str, tmp_path: Path) -> None:
    """Whatever tensors are called, files have names of their own, and tools read them."""
    circuit = c4ml.compile(two_by_three(left, raw), effort="fast", verify=False, top=top)
    circuit.package(tmp_path)
    files = [file for folder in ("rtl", "wrappers", "tb") for file in sorted((tmp_path / folder).glob("*.v"))]
    assert len({file.name for file in files}) == len(files)
    command = ["iverilog", "-g2005", "-Wall", "-o", tmp_path / "bench.vvp", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(["vvp", "-N", "bench.vvp"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"PASS: {circuit.top}: ")
    for file in (tmp_path / "tb").glob("*.py"):
        compile(file.read_text(), file.name, "exec")
    yaml.safe_load((tmp_path / f"{circuit.top}.core").read_text())
