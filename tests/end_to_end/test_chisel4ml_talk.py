"""The cells of chisel4ml's talk run, with the import lines changed and the server's lines removed."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c4ml_xdsl.chisel4ml import generate

CREATE = """
from chisel4ml.transform import qonnx_to_lbir
from chisel4ml import generate

lbir_model = qonnx_to_lbir(qonnx_model)
accelerators = generate.accelerators(
    lbir_model,
    minimize="delay",
)
c4ml_server, c4ml_subp = create_server("/c4ml/chisel4ml.jar")
circuit = generate.circuit(
    accelerators,
    lbir_model,
    use_verilator=True,
    gen_timeout_sec=9000,
    server=c4ml_server,
)
"""
SIMULATE = """
import numpy as np
res = circuit(np.zeros(16))
print(res)
"""
"""The cells as they stand in the talk."""

MODEL = Path(__file__).parents[1] / "models" / "c4ml_lhcjets_bw2"


def _ours(cell: str) -> str:
    """A cell with the import lines changed and the server's lines removed, and nothing else."""
    lines = [line for line in cell.splitlines() if "server" not in line]
    return "\n".join(line.replace("from chisel4ml", "from c4ml_xdsl.chisel4ml") for line in lines)


@pytest.mark.skipif(shutil.which("verilator") is None, reason="Verilator is not installed")
def test_cells_of_the_talk_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for shared adders is cut short, which the cells can't say."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    monkeypatch.setitem(generate.circuit.__kwdefaults__, "effort", "fast")
    names: dict[str, Any] = {"qonnx_model": cleanup_model(ModelWrapper(str(MODEL / "model.onnx")))}
    exec(_ours(CREATE), names)
    exec(_ours(SIMULATE), names)
    result, circuit = names["res"], names["circuit"]
    assert result.shape == (5,)
    assert capsys.readouterr().out == f"{result}\n"
    assert circuit.simulator == "verilator"
    with np.load(MODEL / "golden.npz") as golden:
        np.testing.assert_array_equal(circuit(golden["x"]).reshape(golden["y"].shape), golden["y"])
        at_zero = golden["y"][np.all(golden["x"].reshape(len(golden["x"]), -1) == 0, axis=1)]
    for each in at_zero:
        np.testing.assert_array_equal(result, each.reshape(-1))
