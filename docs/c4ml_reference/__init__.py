"""
A Sphinx extension that writes the reference from the code, while the site is built.

Each directive stands for a text in Markdown, which a function of this package makes; Sphinx reads it as if it stood in
the page. Nothing is written to the sources.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .dialects import dialect_page
from .docstrings import process_docstring, process_help
from .mlir_lexer import MlirLexer
from .optimizer import optimizer_page
from .passes import passes_page
from .schemas import schema_page


class Generated(SphinxDirective):
    """A text in place of the directive."""

    has_content = False

    def text(self) -> str:
        """The Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Reads it, headings included."""
        return self.parse_text_to_nodes(self.text(), allow_section_headings=True)


def _directive(page: Callable[..., str], arguments: int) -> type[Generated]:
    class Page(Generated):
        required_arguments: ClassVar[int] = arguments

        def text(self) -> str:
            return page(*self.arguments)

    return Page


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry point."""
    app.add_directive("c4ml-dialect", _directive(dialect_page, 1))
    app.add_directive("c4ml-schema", _directive(schema_page, 1))
    app.add_directive("c4ml-passes", _directive(passes_page, 0))
    app.add_directive("c4ml-opt", _directive(optimizer_page, 0))
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("sphinx-click-process-description", process_help)
    app.add_lexer("mlir", MlirLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
