"""The notebooks of the examples execute, on the stored models, and print what they are stored with."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.extensions.installed import install

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = EXAMPLES / "notebooks"

KEY_RESULTS = {
    "from_training_to_silicon.ipynb": (
        "takes the stored model",
        "proved for all inputs: 5 of 5 modules",
        "RTL in Verilator   accuracy",
        "rtl/main_graph.v",
    ),
    "own_pass_and_strategy.ipynb": (
        "c4ml_xdsl.strategies: common-pairs = own_strategy.common_pairs:build",
        "node_linear: proved",
        ": refuted ",
        "its FileCheck test passes",
        "proved 5 of 5 modules",
        "what it leaves isn't valid",
        "the circuit isn't what the model computes",
    ),
}
"""What each notebook must show, whatever else it prints."""


def _printed(cell: nbformat.NotebookNode) -> str:
    """All that a code cell printed; a result that wasn't printed would be an output of another kind."""
    assert all(output.output_type == "stream" and output.name == "stdout" for output in cell.outputs), cell.outputs
    return "".join(output.text for output in cell.outputs)


@pytest.mark.skipif(shutil.which("verilator") is None, reason="Verilator is not installed")
@pytest.mark.parametrize("name", KEY_RESULTS)
def test_notebook_executes_as_it_is_stored(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = install(EXAMPLES / "own_strategy", tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLES.parent), str(site)]))
    monkeypatch.setenv("C4ML_TRAIN", "0")
    stored = nbformat.read(NOTEBOOKS / name, as_version=4)
    executed = nbformat.read(NOTEBOOKS / name, as_version=4)
    client = NotebookClient(executed, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.execute()  # raises where a cell fails
    printed = ""
    for before, after in zip(stored.cells, executed.cells, strict=True):
        if before.cell_type == "code":
            assert _printed(after) == _printed(before), before.source
            printed += _printed(after)
    for result in KEY_RESULTS[name]:
        assert result in printed


@pytest.mark.parametrize("name", KEY_RESULTS)
def test_notebook_is_stored_clean(name: str) -> None:
    """Executed in order, without what says where or when."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(cell.metadata for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    text = (NOTEBOOKS / name).read_text()
    assert str(Path.home()) not in text
    assert "/tmp/" not in text
