"""Strategies and passes of other packages: found by entry points, used, proved or refuted, and refused by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import c4ml_xdsl as c4ml
from c4ml_xdsl.errors import C4mlError, OptionError, StrategyError, VerificationError
from c4ml_xdsl.strategies import OWN_STRATEGIES, Goal, known_strategies, load_strategy
from c4ml_xdsl.tools.c4ml import main
from tests.extensions.installed import install

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "own_strategy"
MODEL = REPOSITORY / "tests" / "models" / "c4ml_lhcjets_bw2"

BROKEN = """
[project]
name = "broken-strategies"
version = "1"
[project.entry-points."c4ml_xdsl.strategies"]
refuses = "broken:refuses"
swaps = "broken:swaps"
raises = "broken:raises"
invalid = "broken:invalid"
other-results = "broken:other_results"
no-function = "broken:no_function"
missing = "not_installed_anywhere:build"
twice = "broken:refuses"
direct = "broken:raises"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: the example, and one of broken strategies; another one has a strategy of the same name."""
    folder, projects = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("projects")
    install(EXAMPLE, folder)
    (projects / "pyproject.toml").write_text(BROKEN)
    install(projects, folder)
    lines = (
        '[project]\nname = "rival"\nversion = "1"\n[project.entry-points."c4ml_xdsl.strategies"]\ntwice = "other:f"\n'
    )
    (projects / "pyproject.toml").write_text(lines)
    install(projects, folder)
    (folder / "broken.py").write_text((Path(__file__).parent / "broken.py").read_text())
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages on Python's path."""
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("target", ["xilinx", "generic"])
def test_a_strategy_of_another_package_is_compiled_and_proved(target: str) -> None:
    circuit = c4ml.compile(MODEL / "model.onnx", strategy="common-pairs", target=target, verify=False)
    report = circuit.report
    assert {layer["strategy"] for layer in report["layers"]} == {"common-pairs"}
    assert report["options"]["strategy"] == "common-pairs"
    assert report["proved"]["proved"] == report["proved"]["modules"]
    with np.load(MODEL / "golden.npz") as golden:
        np.testing.assert_array_equal(np.asarray(circuit(golden["x"])).reshape(golden["y"].shape), golden["y"])


@pytest.mark.usefixtures("installed")
def test_command_line_takes_it(tmp_path: Path) -> None:
    arguments = [str(MODEL / "model.onnx"), "-o", str(tmp_path / "out"), "--no-verify"]
    done = CliRunner().invoke(main, ["compile", *arguments, "--strategy", "common-pairs"])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {layer["strategy"] for layer in report["layers"]} == {"common-pairs"}
    done = CliRunner().invoke(main, ["compile", *arguments, "--strategy", "common-pair"])
    assert done.exit_code == 2
    assert "common-pairs" in done.output
    assert "compressor" in done.output


@pytest.mark.usefixtures("installed")
def test_a_layer_that_is_refused_is_built_directly_and_larger() -> None:
    circuit = c4ml.compile(MODEL / "model.onnx", strategy="refuses", verify=False)
    assert {layer["strategy"] for layer in circuit.report["layers"]} == {"direct"}
    direct = c4ml.compile(MODEL / "model.onnx", strategy="direct", verify=False)
    assert circuit.verilog == direct.verilog
    shared = c4ml.compile(MODEL / "model.onnx", strategy="common-pairs", verify=False)
    assert shared.report["totals"]["lut"] < direct.report["totals"]["lut"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("strategy", "error", "message"),
    [
        ("swaps", VerificationError, "the circuit isn't what the model computes: .* instead of "),
        ("raises", StrategyError, "strategy raises, layer .*: ZeroDivisionError: by nothing"),
        ("invalid", StrategyError, "strategy invalid, layer .*: what it leaves isn't valid"),
        ("other-results", StrategyError, "strategy other-results, layer .*: the layer's arguments or results"),
        (
            "no-function",
            StrategyError,
            r"no-function of broken-strategies \(broken:no_function\) is no function but int",
        ),
        ("missing", StrategyError, "missing of broken-strategies .* can't be loaded: ModuleNotFoundError"),
        ("twice", StrategyError, r"several packages have a strategy twice: broken-strategies \(.*rival"),
        ("nowhere", OptionError, "Choose one of auto, direct, .*common-pairs.*swaps"),
    ],
)
def test_what_is_wrong_with_a_strategy_is_said(strategy: str, error: type[C4mlError], message: str) -> None:
    """Each by its own error, and a circuit that isn't the model's is refuted even without the comparison of vectors."""
    with pytest.raises(error, match=f"(?s){message}"):
        c4ml.compile(MODEL / "model.onnx", strategy=strategy, verify=False)


@pytest.mark.usefixtures("installed")
def test_names_of_ours_come_first() -> None:
    known = known_strategies()
    assert known[: len(OWN_STRATEGIES)] == OWN_STRATEGIES
    assert len(set(known)) == len(known)
    assert load_strategy("direct").__module__ == "c4ml_xdsl.transforms.neuron_expand_sums"
    with pytest.raises(OptionError, match="choice of several passes"):
        load_strategy("auto")
    assert Goal().target == "xilinx"


def _environment(site: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(site)])}


def test_filecheck_tests_of_the_example_pass(site: Path) -> None:
    """Its strategy and its pass in `c4ml-opt`, which finds both."""
    folder = EXAMPLE / "filecheck"
    done = subprocess.run(
        [sys.executable, "-c", "from lit.main import main; main()", "-v", str(folder)],
        capture_output=True, text=True, check=False, env=_environment(site),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]


def test_the_version_is_told_without_looking_for_packages(site: Path) -> None:
    code = (
        "import sys; from c4ml_xdsl.tools.c4ml import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        "assert not {'xdsl', 'own_strategy', 'broken'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=_environment(site)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("c4ml")
