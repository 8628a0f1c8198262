"""
A Sphinx extension that writes the reference from the code, while the site is built.

A page has an empty block `{c4ml-dialect} lbir` where the text of a function of this package comes in; Sphinx reads the
page with that text in it. Nothing is written to the sources.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from .dialects import dialect_page
from .docstrings import process_docstring, process_help
from .mlir_lexer import MlirLexer
from .optimizer import optimizer_page
from .passes import passes_page
from .schemas import schema_page

PLACE = re.compile(r"^```\{c4ml-(?P<page>[\w-]+)\}(?: (?P<argument>\w+))?\n```$", re.MULTILINE)
"""Where a text comes in."""

PAGES: Mapping[str, Callable[..., str]] = {
    "dialect": dialect_page,
    "schema": schema_page,
    "passes": passes_page,
    "opt": optimizer_page,
}
"""What writes a text, by its name in a page; those that are told something have it as their only argument."""


def fill(text: str) -> str:
    """A page with the texts that it asks for; raises ExtensionError where it asks for one that there isn't."""

    def written(place: re.Match[str]) -> str:
        page, argument = place["page"], place["argument"]
        if page not in PAGES:
            raise ExtensionError(f"there is no text c4ml-{page}")
        return PAGES[page]() if argument is None else PAGES[page](argument)

    return PLACE.sub(written, text)


def _read(_app: Sphinx, _name: str, content: list[str]) -> None:
    content[0] = fill(content[0])


def _outdated(
    _app: Sphinx, env: BuildEnvironment, _added: set[str], _changed: set[str], _removed: set[str]
) -> Sequence[str]:
    """The pages that come of the code, which may have changed while their sources haven't."""
    written = re.compile(r"\{c4ml-|\{eval-rst\}")
    return [name for name in sorted(env.found_docs) if written.search(Path(env.doc2path(name)).read_text("utf-8"))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry point."""
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _outdated)
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("sphinx-click-process-description", process_help)
    app.add_lexer("mlir", MlirLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
