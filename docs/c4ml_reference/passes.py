"""The page of the passes: what each does, its options, IR before and after, and where it stands in the pipeline."""

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from xdsl.passes import ModulePass

from c4ml_xdsl.compiler import CompileOptions
from c4ml_xdsl.strategies import OWN_STRATEGIES
from c4ml_xdsl.transforms import get_all_passes

from .markdown import code, docstring, join, table

OUTSIDE: Mapping[str, str] = {
    "neuron-build-sums": "in place of `neuron-share-sums` with a strategy of another package.",
    "lower-truth-tables": "none; it runs on a copy, for `hw.mlir`.",
    "convert-qonnx-to-hw": "it is the pipeline itself, without the registers.",
}
"""Where a pass runs that isn't in the pipeline of any options of ours."""


def passes_page() -> str:
    """A table of all passes in order, and then each of them."""
    passes = {name: load() for name, load in get_all_passes().items()}
    rows = [(f"[{code(name)}](#{name})", _first_sentence(each)) for name, each in passes.items()]
    return join(table(("pass", "does"), rows), *(_pass(name, each) for name, each in passes.items()))


def _pass(name: str, each: type[ModulePass]) -> str:
    return join(
        f"({name})=",
        f"## {code(name)}",
        docstring(each),
        f"Place in the default pipeline: {position(name)}",
        join("Options:", _options(each)) if dataclasses.fields(each) else "",
    )


def _first_sentence(each: type[ModulePass]) -> str:
    paragraph = " ".join(docstring(each).split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".")


def _names(options: CompileOptions) -> list[str]:
    pipeline = options.pipeline()
    return [each.name for each in (*pipeline.to_lbir(), *pipeline.to_hw(), *options.stages())]


def position(name: str) -> str:
    """Where a pass stands in the default pipeline, in words."""
    plain, clocked = _names(CompileOptions()), _names(CompileOptions(clock_ns=3.0))
    if name in plain:
        place = f"{plain.index(name) + 1} of {len(plain)}"
        strategies = [each for each in OWN_STRATEGIES if name in _names(CompileOptions(strategy=each))]
        if len(strategies) == len(OWN_STRATEGIES):
            return f"{place}."
        return f"{place}, with the strategies {', '.join(map(code, strategies))}."
    if name in clocked:
        when = "registers" if name in _names(CompileOptions(register_inputs=True)) else "a clock or a latency"
        return f"only with {when}, behind {code(clocked[clocked.index(name) - 1])}."
    return OUTSIDE[name]


def _options(each: type[ModulePass]) -> str:
    hints, notes = typing.get_type_hints(each), _notes(each)
    rows = [
        (code(field.name.replace("_", "-")), *_type_text(hints[field.name]), _default(field), notes.get(field.name, ""))
        for field in dataclasses.fields(each)
    ]
    return table(("option", "type", "choices", "default", ""), rows)


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    return "none" if field.default is None else code(str(field.default).lower())


def _type_text(hint: Any) -> tuple[str, str]:
    """A type's name and its choices."""
    if typing.get_origin(hint) is Literal:
        return "name", ", ".join(code(str(choice)) for choice in typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (inner,) = (each for each in typing.get_args(hint) if each is not type(None))
        return _type_text(inner)
    return {str: "text", int: "integer", float: "number", bool: "flag"}[hint], ""


def _notes(each: type[ModulePass]) -> dict[str, str]:
    """The strings below the fields, which is how the code documents them."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
    assert isinstance(definition, ast.ClassDef)
    notes: dict[str, str] = {}
    for before, after in zip(definition.body, definition.body[1:], strict=False):
        match before, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                notes[name] = inspect.cleandoc(text)
            case _:
                pass
    return notes
