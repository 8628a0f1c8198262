"""Text files that are the same bytes on every platform: UTF-8, and lines that end in a line feed alone."""

from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Writes a file; raises OSError."""
    path.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: Path) -> str:
    """Reads a file; raises OSError, and ValueError for what isn't UTF-8."""
    return path.read_text(encoding="utf-8")
