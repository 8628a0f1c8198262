"""What would be another thing on another platform: encodings and ends of lines that aren't said."""

import ast
from collections.abc import Iterator
from pathlib import Path

import c4ml_xdsl
from c4ml_xdsl.text_files import read_text, write_text

PACKAGE = Path(c4ml_xdsl.__file__).parent
POSIX_ONLY = {"fcntl", "grp", "pwd", "pty", "resource", "termios"}


def left_to_the_platform(tree: ast.Module) -> Iterator[str]:
    """Text files opened or processes read without an encoding, and modules that Windows hasn't got."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{node.lineno}: {each.name}" for each in node.names if each.name in POSIX_ONLY)
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {each.arg: each.value for each in node.keywords}
        if name in ("read_text", "write_text") and isinstance(node.func, ast.Attribute) and "encoding" not in keywords:
            yield f"{node.lineno}: {name}"
        if name == "write_text" and isinstance(node.func, ast.Attribute) and "newline" not in keywords:
            yield f"{node.lineno}: {name} without newline"
        if name == "open" and not (isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "archive"):
            mode = next((each.value for each in node.args if isinstance(each, ast.Constant)), "r")
            if "b" not in str(mode) and "encoding" not in keywords:
                yield f"{node.lineno}: open"
        if {"text", "universal_newlines"} & set(keywords):
            yield f"{node.lineno}: {name}(text=...)"


def test_nothing_is_left_to_the_platform() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{each}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for each in left_to_the_platform(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
    assert list(left_to_the_platform(ast.parse("path.write_text(x)\nopen(y)\nimport fcntl")))


def test_text_files_have_line_feeds(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "α → β\n")
    assert (tmp_path / "x").read_bytes() == "α → β\n".encode()
    assert read_text(tmp_path / "x") == "α → β\n"
