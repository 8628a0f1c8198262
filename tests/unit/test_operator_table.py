"""The docs' table of operators is what the code says."""

from pathlib import Path

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.tools.operator_table import table

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_operator_table_is_up_to_date() -> None:
    text = table()
    assert (DOCS / "operators.md").read_text() == text
    assert all(f"| `{name}` |" in text for name in qonnx.OPERATORS)
