"""QKeras models, compiled from their own files: equal to what QKeras itself computed."""

from pathlib import Path

import numpy as np
import pytest

import c4ml_xdsl as c4ml

pytest.importorskip("h5py")
FOLDER = Path(__file__).parent.parent / "models" / "qkeras"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))


@pytest.mark.parametrize("name", NAMES)
def test_qkeras_model_is_exact(name: str) -> None:
    file = next(FOLDER / f"{name}{end}" for end in (".keras", ".h5", ".json") if (FOLDER / f"{name}{end}").exists())
    weights = FOLDER / f"{name}.weights.h5" if file.suffix == ".json" else None
    circuit = c4ml.compile(file, weights=weights, vectors=64, effort="fast")
    with np.load(FOLDER / f"{name}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    inputs = [port for port in circuit.ports if port.direction == "input"]
    outputs = [port for port in circuit.ports if port.direction == "output"]
    x = {port.tensor: arrays[key] for port, key in zip(inputs, keys(arrays, "x"), strict=True)}
    got = circuit(x)
    found = got if isinstance(got, dict) else {outputs[0].tensor: got}
    for port, key in zip(outputs, keys(arrays, "y"), strict=True):
        want = arrays[key]
        # accumulators with real scales are float32 in QKeras
        np.testing.assert_allclose(found[port.tensor].reshape(want.shape), want, rtol=2e-6, atol=1e-6)


def keys(arrays: dict[str, np.ndarray], letter: str) -> list[str]:
    """The arrays of inputs or outputs, in order."""
    return sorted(key for key in arrays if key.startswith(letter))
