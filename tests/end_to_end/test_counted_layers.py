"""Binary and ternary layers by the strategy `compressor`, through Icarus Verilog."""

import shutil

import numpy as np
import pytest

import c4ml_xdsl
from benchmarks.cases import sign_model


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog isn't installed")
@pytest.mark.parametrize("minimize", ["area", "balanced", "delay"])
@pytest.mark.parametrize("weights", [(-1, 1), (-1, 0, 1)])
def test_a_layer_of_signs(minimize: str, weights: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    matrix = random.choice(weights, (40, 7)).astype(np.int64)
    circuit = c4ml_xdsl.compile(sign_model(matrix), strategy="compressor", minimize=minimize)
    assert [layer["strategy"] for layer in circuit.report["layers"]] == ["compressor"]
    assert circuit.report["proved"]["proved"] == circuit.report["proved"]["modules"]
    x = random.choice([-1.0, 1.0], (200, 40))
    wanted = np.where(x @ matrix >= 0, 1.0, -1.0)
    assert np.array_equal(np.asarray(circuit(x, simulator="icarus")).reshape(200, 7), wanted)
