"""The code's docstrings are Markdown; autodoc and sphinx-click read reStructuredText."""

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx


def as_restructured_text(lines: list[str]) -> Iterator[str]:
    """
    A docstring's lines in reStructuredText: fenced blocks as blocks of code, single backticks as double ones.

    Outside of code, what reStructuredText would take for markup is escaped.
    """
    fenced = False
    for line in lines:
        fence = re.fullmatch(r"(\s*)```(\w*)", line)
        if fence is not None:
            fenced = not fenced
            yield from (("", f"{fence[1]}.. code-block:: {fence[2]}", "") if fenced else ("",))
        elif fenced:
            yield f"   {line}" if line else line
        else:
            yield "".join(_inline(part) for part in re.split(r"(`[^`]+`)", line))


def _inline(part: str) -> str:
    return f"`{part}`" if part.startswith("`") else re.sub(r"([*|_])", r"\\\1", part)


def process_docstring(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Autodoc's hook."""
    lines[:] = as_restructured_text(lines)


def process_help(_app: Sphinx, _context: Any, lines: list[str]) -> None:
    """sphinx-click's hook for what a command says of itself."""
    lines[:] = as_restructured_text(lines)
