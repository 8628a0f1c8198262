"""Real models with golden vectors, where they are at hand: exact at lbir, hw and in Verilator."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import c4ml_xdsl as c4ml
from c4ml_xdsl import errors as c4ml_errors
from c4ml_xdsl.interpreters import lbir
from c4ml_xdsl.verification import vectors_for

NAMES = [
    *(f"brevitas/mlp_w4a4_{kind}" for kind in ("pot", "pot_floor", "fp", "fp_perch", "bn_fp", "asym_zp")),
    *(f"brevitas/{name}" for name in ("c4ml_lhcjets_bw2", "c4ml_lhcjets_bw4", "bnn_w1a1_bn", "tnn_ternary_bn")),
    "brevitas/mlp_sigmoid_tanh",
    *(f"digits/digits_{name}" for name in ("mlp_w4a4_pot", "mlp_w4a4_fp_bn", "mlp_w2a2_pot", "bnn")),
    *(f"brevitas/cnn{name}" for name in ("1d_pot", "_dwsep_perch_fp", "_resadd_truncavg_pot")),
    "digits/digits_cnn_w4a4_pot",
    *(f"real/{name}" for name in ("fpga4hep_jets_w2a2", "fpga4hep_jets_w4a4", "zoo_TFC_2W2A")),
]


@pytest.mark.parametrize("file", ["model.onnx", "model_torchscript.onnx"])
@pytest.mark.parametrize("name", NAMES)
def test_model_is_exact(models: Path, name: str, file: str) -> None:
    folder = models / name
    if not (folder / file).exists():
        pytest.skip(f"{name} has no {file}")
    with np.load(folder / "golden.npz") as archive:
        x, y = archive["x"], archive["y"]
    circuit = c4ml.compile(folder / file, effort="fast")
    input_port, output_port = circuit.ports
    integers = {input_port.tensor: input_port.integers(x)}
    reached = lbir.run(circuit.lbir, integers)[output_port.tensor].reshape(len(x), -1)
    np.testing.assert_allclose(output_port.values(reached).reshape(y.shape), y, rtol=1e-5, atol=2e-6)
    np.testing.assert_array_equal(circuit.simulator("numpy").run(integers)[output_port.tensor], reached)
    if shutil.which("verilator") is None or file != "model.onnx":
        return
    vectors = vectors_for(circuit.ports, 500)
    both = {input_port.tensor: np.concatenate([integers[input_port.tensor], vectors[input_port.tensor]])}
    want = circuit.simulator("numpy").run(both)
    np.testing.assert_array_equal(
        circuit.simulator("verilator").run(both)[output_port.tensor], want[output_port.tensor]
    )


@pytest.mark.parametrize("name", ["dense_auto_po2", "dense_binary"])
def test_bad_model_is_refused(models: Path, name: str) -> None:
    with pytest.raises(c4ml_errors.UnsupportedModelError) as caught:
        c4ml.compile(models / "bad" / name / "model.onnx")
    assert caught.value.remedy
