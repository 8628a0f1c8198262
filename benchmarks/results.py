"""The file of results: one entry a case and design, `{"case": {"design": {…}}}`."""

import json
import os
from pathlib import Path
from typing import Any, TypeAlias

import click

Row: TypeAlias = dict[str, Any]
Results: TypeAlias = dict[str, dict[str, Row]]


def load_results(path: Path) -> Results:
    """The results of a file, none where there is no file."""
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise click.ClickException(f"{path} holds no results: {error}") from error


def store_row(path: Path, case: str, design: str, row: Row) -> None:
    """Adds or replaces one entry; a reader never sees half of a file."""
    results = load_results(path)
    results.setdefault(case, {})[design] = row
    lines = [
        f" {json.dumps(name)}: {{\n"
        + ",\n".join(f"  {json.dumps(each)}: {json.dumps(entry)}" for each, entry in rows.items())
        + "\n }"
        for name, rows in results.items()
    ]
    new = path.with_name(path.name + ".new")
    new.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    os.replace(new, path)
