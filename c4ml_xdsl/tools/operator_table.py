"""
The table of operators for the docs, made from the code: `python -m c4ml_xdsl.tools.operator_table > docs/operators.md`.

Attributes come from the dialect, meanings from the docstrings of what converts an operator, and what is refused from
the refusals in that code.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.transforms.convert_qonnx_to_lbir import HANDLERS, elementwise
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.inputs import AFFINE, QUANTISERS
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.movement import MOVES

PACKAGE = "c4ml_xdsl.transforms.convert_qonnx_to_lbir"

HEAD = """# Operators

This table is generated from the code by `python -m c4ml_xdsl.tools.operator_table`; a test compares the two.

A value inside the circuit is a tensor of integers with an exact chain of real steps behind it: scales, offsets,
functions. **Functions** join the chain and are computed, together with the next quantiser, as one exact shift, row of
thresholds or table. Operators that add up or multiply need scaled integers in front of them, which is the case behind
every quantiser. Any operator on constants alone is evaluated at compile time in float32, and a node that no output
depends on is ignored.

In front of an input's quantiser may stand: {before}; constant ones become the port's scale and zero point.

| operator | attributes (default) | what it is in integers | refused, among others |
|---|---|---|---|
"""


def main() -> None:
    """Prints the table."""
    print(table(), end="")


def table() -> str:
    """The whole document."""
    before = sorted({each.name.removeprefix("qonnx.") for each in (*MOVES, *AFFINE, *QUANTISERS)} | {"Cast"})
    rows = [_row(name, operation) for name, operation in sorted(qonnx.OPERATORS.items())]
    return HEAD.format(before=", ".join(before)) + "".join(rows)


def _row(name: str, operation: type[qonnx.NodeOp]) -> str:
    handler = HANDLERS.get(name)
    if handler is None:
        meaning, refused = "only on constants", ["an activation as its input"]
    else:
        meaning, refused = _meaning(name, handler), list(dict.fromkeys(_refusals(handler, set())))
    cells = (f"`{name}`", _attributes(operation), meaning, "; ".join(refused))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _attributes(operation: type[qonnx.NodeOp]) -> str:
    entries: list[str] = []
    required = qonnx.required_attributes(operation)
    for name, attribute in qonnx.attribute_table(operation).items():
        text = f"`{name}`"
        if name in required:
            text += " (required)"
        elif attribute.default is not None:
            text += f" ({attribute.default})"
        if attribute.choices and attribute.choices != (0, 1):
            text += f" of {', '.join(map(str, attribute.choices))}"
        entries.append(text)
    return ", ".join(entries)


def _meaning(name: str, handler: Callable[..., Any]) -> str:
    """What the operator computes, from the dialect, and how that is done on integers, from what converts it."""
    what = " ".join((inspect.getdoc(qonnx.OPERATORS[name]) or "").split())
    special = elementwise.FUNCTIONS.get(name)
    if special is not None or name in elementwise.SIMPLE:
        how = (inspect.getdoc(special) if special is not None else None) or ""
        return f"{what} *A function.* {how}".strip()
    return f"{what} *In integers:* {' '.join((inspect.getdoc(handler) or '').split())}"


def _refusals(function: Callable[..., Any], seen: set[str]) -> Iterator[str]:
    """The reasons in a function's refusals and in those of the functions of this package that it calls."""
    name = function.__qualname__
    if name in seen:
        return
    seen.add(name)
    for call in _calls(function):
        target = call.func
        if isinstance(target, ast.Attribute) and target.attr == "refuse" and len(call.args) > 1:
            yield _text(call.args[1])
            continue
        called = _called(function, target)
        if called is not None:
            yield from _refusals(called, seen)


@cache
def _calls(function: Callable[..., Any]) -> tuple[ast.Call, ...]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(function: Callable[..., Any], target: ast.expr) -> Callable[..., Any] | None:
    """The function of this package that an expression names."""
    from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion

    found: Any = None
    if isinstance(target, ast.Name):
        found = inspect.getmodule(function).__dict__.get(target.id)
    elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in ("c", "self"):
        found = getattr(Conversion, target.attr, None)
    return found if inspect.isfunction(found) and found.__module__.startswith(PACKAGE) else None


def _text(expression: ast.expr) -> str:
    """A message as it reads in the code, with what it fills in as an ellipsis."""
    match expression:
        case ast.Constant():
            return str(expression.value)
        case ast.JoinedStr():
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in expression.values)
        case _:
            return "…"


if __name__ == "__main__":
    main()
