"""The example of the README, and chisel4ml's names."""

import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from c4ml_xdsl.chisel4ml import generate
from c4ml_xdsl.chisel4ml.transform import qonnx_to_lbir
from c4ml_xdsl.errors import OptionError

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "digits"


def test_example_runs(tmp_path: Path) -> None:
    for name in ("digits.onnx", "digits.npz", "run.py"):
        shutil.copy(EXAMPLE / name, tmp_path / name)
    done = subprocess.run([sys.executable, tmp_path / "run.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "accuracy of the circuit: 349 of 360 images" in done.stdout
    assert (tmp_path / "build" / "rtl" / "digits.v").exists()
    if shutil.which("make") and shutil.which("iverilog"):
        done = subprocess.run(["make", "-C", tmp_path / "build"], capture_output=True, text=True, check=False)
        assert "samples, all as expected" in done.stdout


def test_accelerators_must_be_those_of_the_model() -> None:
    """A circuit of all of them: test_chisel4ml_talk."""
    lbir_model = qonnx_to_lbir(onnx.load(EXAMPLE / "digits.onnx"))
    accelerators = generate.accelerators(lbir_model, minimize="delay")
    with pytest.raises(OptionError, match="aren't those of this model"):
        generate.circuit(accelerators[1:], lbir_model, use_verilator=True, gen_timeout_sec=9000, server=None)
    accelerators[0].strategy = "direct"
    with pytest.raises(OptionError, match="layers with different choices"):
        generate.circuit(accelerators, lbir_model)
