"""`circuit.trace(x)`: every tensor of each level, and the name of the first that differs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.reference import Reference

MODELS = Path(__file__).parent.parent / "models"
CNN = MODELS / "cnn_resadd_truncavg_pot" / "model.onnx"


def golden(model: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(model.parent / "golden.npz") as archive:
        return archive["x"][:16], archive["y"][:16]


@pytest.fixture(scope="module", params=[{}, {"clock_ns": 3.0, "valid": True}], ids=["combinational", "pipelined"])
def circuit(request: pytest.FixtureRequest) -> Circuit:
    return c4ml.compile(CNN, effort="fast", verify=bool(request.param), **request.param)


def test_levels_share_names_and_values(circuit: Circuit) -> None:
    """A tensor has the same value in each level, and the outputs are those of a call."""
    x, y = golden(CNN)
    trace = circuit.trace(x)
    assert trace.first_difference() is None
    assert trace.first_difference("model", "hw") is None
    # a Conv, the quantiser behind it, both branches of a sum, a pool that truncates, and the output
    for tensor in ("conv2d", "_symbolic_2", "_symbolic_4", "_symbolic_5", "add", "_symbolic_7", "linear"):
        np.testing.assert_allclose(trace.values(tensor), trace.model[tensor], rtol=1e-6)
    for tensor in ("_symbolic_2", "_symbolic_6", "linear"):
        np.testing.assert_array_equal(trace.lbir[tensor], trace.hw[tensor])
    assert trace.model["conv2d"].shape == trace.lbir["conv2d"].shape == (len(x), 4, 8, 8)
    assert trace.instances["node_Conv_85"].shape == (len(x), 64, 4)
    assert set(trace["_symbolic_2"]) == {"model", "lbir", "hw"}
    assert set(trace["relu"]) == {"model"}
    np.testing.assert_allclose(trace.model["linear"].reshape(y.shape), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(trace.values("linear", "hw").reshape(y.shape), y, rtol=1e-5, atol=1e-6)
    assert "conv2d" in str(trace)
    single = circuit.trace(x[3].reshape(1, 8, 8))
    for tensor, values in single.lbir.items():
        np.testing.assert_array_equal(values[0], trace.lbir[tensor][3])
    with pytest.raises(KeyError):
        trace["no tensor"]
    with pytest.raises(InputDataError, match="no levels in order"):
        trace.first_difference("hw", "lbir")


@pytest.mark.parametrize("name", ["bnn_w1a1_bn", "mlp_w4a4_asym_zp", "cnn_dwsep_perch_fp", "tnn_ternary_bn"])
def test_all_that_the_levels_share_is_equal(name: str) -> None:
    """Zero points, scales of channels, bipolar values."""
    x, _ = golden(MODELS / name / "model.onnx")
    circuit = c4ml.compile(MODELS / name / "model.onnx", effort="fast", verify=False)
    trace = circuit.trace(x)
    assert trace.first_difference() is None
    assert trace.first_difference("model", "hw") is None
    assert len(trace.forms) >= len(trace.hw) > 1
    assert set(trace.hw) <= set(trace.lbir)


def broken_hw(circuit: Circuit, module: str) -> ModuleOp:
    design = circuit.hw.clone()
    chosen = next(e for e in design.body.block.ops if isinstance(e, hw.HWModuleOp) and e.sym_name.data == module)
    constant = next(each for each in chosen.body.block.ops if each.name == "comb.xor")
    constant.results[0].replace_all_uses_with(constant.operands[0])
    return design


def test_the_first_tensor_that_differs_is_named() -> None:
    """A fault in one layer of either level, by its tensor, the sample and the element."""
    x, _ = golden(CNN)
    circuit = c4ml.compile(CNN, effort="fast", verify=False)
    fields: dict[str, Any] = {name: getattr(circuit, name) for name in ("top", "ports", "report", "tensors")}
    wrong = Circuit(circuit.lbir, broken_hw(circuit, "node_Conv_86"), reference=circuit.reference, **fields)
    found = wrong.trace(x).first_difference()
    assert found is not None
    assert (found.tensor, found.before, found.after) == ("_symbolic_5", "lbir", "hw")
    assert found.got[found.index] != found.want[found.index]
    assert str(found).startswith("_symbolic_5: hw differs from lbir in ")

    network = circuit.lbir.clone()
    second = [each for each in network_of(network).body.block.ops if isinstance(each, lbir.ConvOp)][1]
    second.properties["bias"] = lbir.dense(lbir.integers(second.bias) + 1)
    found = Circuit(network, circuit.hw, reference=circuit.reference, **fields).trace(x).first_difference()
    assert found is not None
    assert (found.tensor, found.before, found.after) == ("conv2d_1", "model", "lbir")
    assert found.wrong == len(x)


def test_the_model_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    """A compile without a check keeps no model; a file that has changed since is refused."""
    x, _ = golden(CNN)
    (tmp_path / "model.onnx").write_bytes(CNN.read_bytes())
    circuit = c4ml.compile(tmp_path / "model.onnx", effort="fast", verify=False)
    assert isinstance(circuit.reference, Reference)
    assert "module" not in vars(circuit.reference)
    assert circuit.trace(x).model
    circuit.reference.__dict__.pop("module")
    (tmp_path / "model.onnx").write_bytes(b"another")
    with pytest.raises(InputDataError, match="has changed since"):
        circuit.trace(x)
    circuit.reference = None
    trace = circuit.trace(x)
    assert trace.model == {}
    assert trace.first_difference() is None
    assert "_symbolic_2" in trace.hw
