"""The example of the README, and the cells of chisel4ml's talk."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
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


def test_cells_of_the_talk() -> None:
    use_verilator = shutil.which("verilator") is not None
    lbir_model = qonnx_to_lbir(onnx.load(EXAMPLE / "digits.onnx"))
    accelerators = generate.accelerators(lbir_model, minimize="delay")
    circuit = generate.circuit(accelerators, lbir_model, use_verilator=use_verilator, gen_timeout_sec=9000, server=None)
    result = circuit(np.zeros(64))
    assert isinstance(result, np.ndarray)
    assert result.shape == (10,)
    assert circuit.integers(np.zeros(64)).shape == (1, 10)
    with pytest.raises(OptionError, match="aren't those of this model"):
        generate.circuit(accelerators[1:], lbir_model)
