"""Runs the FileCheck tests with lit."""

import subprocess
import sys
from pathlib import Path


def test_filecheck() -> None:
    folder = Path(__file__).parent / "filecheck"
    done = subprocess.run(
        [sys.executable, "-c", "from lit.main import main; main()", "-v", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]
