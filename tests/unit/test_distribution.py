"""The contents of the wheel and the source archive, without the compiled parts; `tests.distribution.run` has all."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.distribution.contents import REPOSITORY, sdist_names, wheel_names, wrong_in_sdist, wrong_in_wheel

SCRIPT = """
import sys
from scikit_build_core.build import build_sdist, build_wheel
build_sdist(sys.argv[1])
build_wheel(sys.argv[1], {"wheel.cmake": "false", "wheel.py-api": "py3"})
"""


def test_contents(tmp_path: Path) -> None:
    pytest.importorskip("scikit_build_core")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (sdist,), (wheel,) = list(tmp_path.glob("*.tar.gz")), list(tmp_path.glob("*.whl"))
    assert wrong_in_sdist(sdist_names(sdist)) == []
    names = wheel_names(wheel)
    assert wrong_in_wheel(names, extensions=False) == []
    with zipfile.ZipFile(wheel) as archive:
        scripts = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert "c4ml = c4ml_xdsl.tools.entry:main" in scripts
    assert wrong_in_wheel([*names, "tests/x.py"], extensions=False) == ["outside the package: tests/x.py"]
    assert "missing: c4ml_xdsl/circuits/adder_graph/search.hpp" in wrong_in_sdist(["README.md"])
