"""Templates: what stands in them is escaped for the language of the file."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def printable(text: str) -> str:
    """Text on one line in ASCII, with escapes for what isn't: fit for a comment in any language."""
    return "".join(each if " " <= each <= "~" else each.encode("unicode_escape").decode() for each in text)


def verilog_string(text: str) -> str:
    """A string of Verilog, quoted."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def markdown_code(text: str) -> str:
    """Text as code that can stand in a table of Markdown."""
    return "`" + printable(text).replace("`", "'").replace("|", "/") + "`"


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # not needed before a package is written

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # no HTML
    )
    environment.filters.update(
        printable=printable, verilog_string=verilog_string, markdown_code=markdown_code, python_string=ascii
    )
    return environment


def render(template: str, **values: Any) -> str:
    """The text of a template of this package."""
    return _environment().get_template(f"{template}.j2").render(values)
