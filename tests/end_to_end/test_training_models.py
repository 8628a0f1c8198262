"""The models that the training examples gave: exact, and as accurate as the docs say. Needs no torch."""

import sys
from pathlib import Path

import numpy as np
import pytest

import c4ml_xdsl as c4ml

REPOSITORY = Path(__file__).parents[2]
TRAINING = REPOSITORY / "examples" / "training"


@pytest.mark.parametrize("name", ["jets", "digits_cnn"])
def test_trained_model_is_exact_and_as_accurate_as_documented(name: str) -> None:
    """Scales are powers of two, so even the reference's floats are exact: equal, not close."""
    folder = TRAINING / "models" / name
    circuit = c4ml.compile(folder / "model.onnx", minimize="delay", effort="fast", vectors=64)
    proved = circuit.report["proved"]
    assert proved["proved"] == proved["modules"], proved["reasons"]
    with np.load(folder / "golden.npz") as golden:
        scores = np.asarray(circuit(golden["x"]))
        np.testing.assert_array_equal(scores, golden["y"])
        accuracy = np.mean(scores.argmax(axis=1) == golden["labels"])
    row = next(
        line for line in (REPOSITORY / "docs" / "training.md").read_text().splitlines() if f"`{name}.py`" in line
    )
    assert f"{accuracy:.2%}" in row


def test_synthetic_jets_are_those_that_the_model_is_stored_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same jets, but for what the last bit of a logarithm may round otherwise."""
    monkeypatch.syspath_prepend(str(TRAINING))
    monkeypatch.delitem(sys.modules, "jets_data", raising=False)
    import jets_data  # pyright: ignore[reportMissingImports]

    x, labels = jets_data.synthetic(60_000)
    with np.load(TRAINING / "models" / "jets" / "golden.npz") as golden:
        assert np.mean(x[: len(golden["x"])] != golden["x"]) < 1e-3
        np.testing.assert_array_equal(labels[: len(golden["labels"])], golden["labels"])
