"""Which definitions of upstream's dialects the compiler's own code names."""

import ast
from functools import cache
from pathlib import Path

import c4ml_xdsl
from c4ml_xdsl.text_files import read_text

PACKAGE = Path(c4ml_xdsl.__file__).parent


@cache
def used_names(dialect: str) -> frozenset[str]:
    """The names that the package takes from a dialect's module: `hw.ConstantOp` in the code is `ConstantOp` here."""
    names: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        names.update(
            node.attr
            for node in ast.walk(ast.parse(read_text(path)))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == dialect
        )
    return frozenset(names)
