"""
Executes the notebooks of this folder and stores them with their outputs, and with nothing that says where or when.

    pip install '.[notebooks,test]' -e examples/own_strategy
    python examples/notebooks/execute.py

The stored models are taken, whether or not Brevitas is installed.
"""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> nbformat.NotebookNode:
    """The executed notebook; raises nbclient's CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    os.environ["C4ML_TRAIN"] = "0"
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, resources=where, record_timing=False).execute()
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata.clear()
        printed = "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")
        others = [output for output in cell.get("outputs", []) if output.output_type != "stream"]
        if cell.cell_type == "code":  # one output, however many pieces it came in
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)] * bool(printed) + others
    return notebook


def main() -> None:
    """Executes and stores all of them."""
    for path in sorted(HERE.glob("*.ipynb")):
        nbformat.write(execute(path), path)
        print(f"executed {path.name}")


if __name__ == "__main__":
    main()
