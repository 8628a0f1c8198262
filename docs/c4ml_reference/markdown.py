"""Pieces of Markdown that all generated pages are made of."""

import inspect
import re
import textwrap
from collections.abc import Sequence


def code(text: str) -> str:
    """Text as code within a line."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def block(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, without a last column that has neither head nor cells; none where it would have no rows."""
    if not rows:
        return ""
    if not head[-1] and not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    lines = [head, ["---"] * len(head), *([_cell(each) for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def join(*parts: str) -> str:
    """Parts with an empty line between them, without those that are empty."""
    return "\n\n".join(part for part in parts if part.strip())


def docstring(thing: object) -> str:
    """The docstring of a class, not of those that it comes of, as Markdown."""
    own = getattr(thing, "__dict__", {}).get("__doc__")
    if not own or _is_signature(thing, own):
        return ""
    return closed(inspect.cleandoc(own))


def _is_signature(thing: object, text: str) -> bool:
    """Whether it is the text that `dataclass` gives a class without a docstring."""
    return text.startswith(f"{getattr(thing, '__name__', '')}(")


def closed(text: str) -> str:
    """Markdown with each fence at the start of its line and an empty line in front, as it may stand under a label."""
    text = re.sub(r"(?m)^([ ]+)(```\w+\n.*?^\1```)", lambda found: textwrap.dedent(found[0]), text, flags=re.DOTALL)
    text = re.sub(r"(?m)^```$", "```\n", text)
    return re.sub(r"(?m)(?<=[^\n])\n(```\w+)$", r"\n\n\1", text)


def split_example(text: str) -> tuple[str, str]:
    """A docstring without its last block of IR, and that block."""
    found = list(re.finditer(r"```mlir\n(.*?)```\n?", text, re.DOTALL))
    if not found:
        return text, ""
    last = found[-1]
    return text[: last.start()] + text[last.end() :], last[1]
