"""The notebooks of the examples execute on the stored models, without torch, and are stored executed."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.extensions.installed import install

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = EXAMPLES / "notebooks"

KEY_RESULTS = {
    "from_training_to_silicon.ipynb": (
        "takes the stored model",
        "[-1.5   -2.     0.875  2.25  -3.75 ]",
        "QONNX reference    accuracy  78.60%",
        "lbir               accuracy  78.60%  differs from QONNX reference in 0 samples",
        "hw                 accuracy  78.60%  differs from lbir in 0 samples",
        "RTL in Verilator   accuracy  78.60%  differs from hw in 0 samples",
        "proved for all inputs: 5 of 5 modules",
        "'name': 'out_valid'",
    ),
    "own_pass_and_strategy.ipynb": (
        "xdsl.universe: own-strategy = own_strategy.universe:UNIVERSE",
        "c4ml_xdsl.strategies: common-pairs = own_strategy.common_pairs:build",
        "%0 = comb.and %c, %b : i1",
        "node_linear_1: proved",
        "node_linear_3: refuted node_linear_3, output ",
        "its FileCheck test passes",
        "proved 5 of 5 modules",
        "what it leaves isn't valid",
        "the circuit isn't what the model computes: node_linear, output ",
    ),
}
"""What each notebook must show, whatever else it prints."""


def _printed(notebook: Any) -> str:
    """All that a notebook printed; other outputs are none of a notebook that went well."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(output.output_type == "stream" and output.name == "stdout" for output in outputs)
    return "".join(output.text for output in outputs)


@pytest.mark.skipif(shutil.which("verilator") is None, reason="Verilator is not installed")
@pytest.mark.parametrize("name", KEY_RESULTS)
def test_notebook_executes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = install(EXAMPLES / "own_strategy", tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLES.parent), str(site)]))
    monkeypatch.setenv("C4ML_TRAIN", "0")
    specification = importlib.util.spec_from_file_location("execute_notebooks", NOTEBOOKS / "execute.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    printed = _printed(module.execute(NOTEBOOKS / name))
    for result in KEY_RESULTS[name]:
        assert result in printed


@pytest.mark.parametrize("name", KEY_RESULTS)
def test_notebook_is_stored_executed(name: str) -> None:
    """In order, with its key results, and without what says where or when."""
    notebook: Any = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(cell.metadata for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    printed = _printed(notebook)
    for result in KEY_RESULTS[name]:
        assert result in printed
    for path in (str(Path.home()), str(EXAMPLES.parent), "/tmp/"):
        assert path not in (NOTEBOOKS / name).read_text()
