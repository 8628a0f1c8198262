"""
Builds the wheel and the source archive, installs the wheel in an environment of its own and works with it there.

Run as `python -m tests.distribution.run`; it takes a few minutes, as packages are fetched and C++ is compiled. The
wheel is built from the source archive, so that this has all it takes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.distribution.contents import REPOSITORY, sdist_names, wheel_names, wrong_in_sdist, wrong_in_wheel

MODEL = REPOSITORY / "tests" / "models" / "cnn1d_pot"
SCRIPT = """
import numpy as np
import c4ml_xdsl as c4ml
with np.load("golden.npz") as archive:
    x, y = archive["x"], archive["y"]
circuit = c4ml.compile("model.onnx", effort="fast")
np.testing.assert_allclose(np.reshape(circuit(x), y.shape), y, rtol=1e-5, atol=1e-6)
assert circuit.trace(x).first_difference() is None
print(c4ml.__file__)
"""


def run(command: Sequence[str | Path], folder: Path) -> str:
    """What a command prints; ends the program where it fails. Nothing of the checkout is on its path."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    print("$", *command, flush=True)
    done = subprocess.run(
        [str(each) for each in command], cwd=folder, env=environment, stdout=subprocess.PIPE, encoding="utf-8",
        check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{command[0]} failed with the status {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def main() -> None:
    """Exits with a message where something is wrong."""
    with tempfile.TemporaryDirectory(prefix="distribution_") as scratch:
        folder = Path(scratch)
        run([sys.executable, "-m", "build", "--outdir", folder / "dist", REPOSITORY], folder)
        (wheel,), (sdist,) = (list((folder / "dist").glob(f"*.{kind}")) for kind in ("whl", "tar.gz"))
        if wrong := [*wrong_in_wheel(wheel_names(wheel), True), *wrong_in_sdist(sdist_names(sdist))]:
            sys.exit("\n".join(wrong))
        venv.create(folder / "environment", with_pip=True)
        scripts = folder / "environment" / ("Scripts" if sys.platform == "win32" else "bin")
        constraints = REPOSITORY / "constraints.txt"
        run([scripts / "python", "-m", "pip", "install", "-q", "-c", constraints, wheel], folder)
        for name in ("model.onnx", "golden.npz"):
            shutil.copy(MODEL / name, folder)
        where = run([scripts / "python", "-c", SCRIPT], folder)
        assert str(folder) in where, where
        run([scripts / "c4ml", "compile", "model.onnx", "-o", "out", "--effort", "fast", "--latency", "2"], folder)
        run([scripts / "c4ml", "report", "out", "--json"], folder)
        run([scripts / "c4ml", "doctor"], folder)
        run([scripts / "c4ml-opt", "model.onnx", "-p", "convert-qonnx-to-hw{effort=fast}", "-t", "verilog"], folder)
        print(f"{wheel.name} and {sdist.name} are complete and work")


if __name__ == "__main__":
    main()
