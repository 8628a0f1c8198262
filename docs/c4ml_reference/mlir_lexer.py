"""Colours for blocks of MLIR, which Pygments has no lexer for."""

from typing import Any, ClassVar

from pygments.lexer import RegexLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text


class MlirLexer(RegexLexer):
    """Comments, strings, values, symbols, types, attributes, operations and numbers; the rest is text."""

    name = "MLIR"
    aliases = ("mlir",)
    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"//.*", Comment.Single),
            (r'"(\\.|[^"\\])*"', String.Double),
            (r"%[\w$.-]+(:\d+)?", Name.Variable),
            (r"@[\w$.-]+", Name.Function),
            (r"\^\w+", Name.Label),
            (r"[!#][A-Za-z_][\w.]*", Keyword.Type),
            (r"\b(u?i\d+|f\d+|bf16|index|tensor|array|dense)\b", Keyword.Type),
            (r"[A-Za-z_]\w*(\.\w+)+", Name.Builtin),
            (r"-?\d+(\.\d+)?([eE][+-]?\d+)?", Number),
            (r"->|=", Operator),
            (r"[A-Za-z_]\w*", Text),
            (r"[()\[\]{}<>,:]", Punctuation),
            (r"\s+|.", Text),
        ]
    }
