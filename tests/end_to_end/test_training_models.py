"""The models that the training examples gave: exact, and as accurate as the docs say. Needs no torch."""

import sys
from pathlib import Path

import numpy as np
import pytest

import c4ml_xdsl as c4ml

REPOSITORY = Path(__file__).parents[2]
TRAINING = REPOSITORY / "examples" / "training"


@pytest.mark.parametrize("name", ["jets", "digits_cnn"])
def test_docs_say_how_accurate_the_stored_outputs_are(name: str) -> None:
    with np.load(TRAINING / "models" / name / "golden.npz") as golden:
        accuracy = np.mean(golden["y"].argmax(axis=1) == golden["labels"])
    lines = (REPOSITORY / "docs" / "training.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith("| stored samples"))
    assert row.split("|")[2 if name == "jets" else 3].strip().startswith(f"{accuracy:.2%}")


def test_trained_cnn_is_exact_and_proved() -> None:
    """Scales are powers of two, so even the reference's floats are exact: equal, not close. A notebook has the jets."""
    folder = TRAINING / "models" / "digits_cnn"
    circuit = c4ml.compile(folder / "model.onnx", minimize="delay", effort="fast", verify=False)
    proved = circuit.report["proved"]
    assert proved["proved"] == proved["modules"], proved["reasons"]
    with np.load(folder / "golden.npz") as golden:
        np.testing.assert_array_equal(np.asarray(circuit(golden["x"])), golden["y"])


def test_synthetic_jets_are_those_that_the_model_is_stored_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same jets, but for what the last bit of a logarithm may round otherwise."""
    monkeypatch.syspath_prepend(str(TRAINING))
    monkeypatch.delitem(sys.modules, "jets_data", raising=False)
    import jets_data  # pyright: ignore[reportMissingImports]

    x, labels = jets_data.synthetic(60_000)
    with np.load(TRAINING / "models" / "jets" / "golden.npz") as golden:
        assert np.mean(x[: len(golden["x"])] != golden["x"]) < 1e-3
        np.testing.assert_array_equal(labels[: len(golden["labels"])], golden["labels"])
