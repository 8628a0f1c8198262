"""The page of a dialect, from its IRDL definitions and docstrings, in the manner of MLIR's."""

import inspect
from collections.abc import Sequence
from importlib import import_module

from xdsl.dialects.hw import HW
from xdsl.dialects.seq import Seq
from xdsl.ir import Attribute, Dialect, Operation, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import IRDLOperation, OpDef, OperandDef, ResultDef

from c4ml_xdsl.dialects import get_all_dialects, qonnx

from .constraints import arity_text, attribute_name, constraint_text, trait_text
from .markdown import block, code, docstring, join, split_example, table
from .used import used_names

UPSTREAM: dict[str, Dialect] = {"hw": HW, "seq": Seq}
"""The dialects of xDSL that designs are made of, beside `builtin`."""


def dialect_names() -> list[str]:
    """All dialects that have a page, ours first, in the order of the data flow."""
    return [*get_all_dialects(), *UPSTREAM]


def definitions(name: str) -> tuple[list[type[Operation]], list[type[Attribute]]]:
    """The operations and attributes that a dialect's page shows: all of ours, of upstream's those that are used."""
    if name not in UPSTREAM:
        dialect = get_all_dialects()[name]()
        return list(dialect.operations), list(dialect.attributes)
    dialect, used = UPSTREAM[name], used_names(name)
    return (
        [each for each in dialect.operations if each.__name__ in used],
        [each for each in dialect.attributes if each.__name__ in used],
    )


def dialect_page(name: str) -> str:
    """What a dialect is, then its types and attributes, then its operations."""
    operations, attributes = definitions(name)
    types = [each for each in attributes if issubclass(each, TypeAttribute)]
    others = [each for each in attributes if not issubclass(each, TypeAttribute)]
    return join(
        _summary(name),
        _section("Types", types),
        _section("Attributes", others),
        "## Operations",
        *(_operation(each) for each in operations),
    )


def _summary(name: str) -> str:
    if name in UPSTREAM:
        return (
            f"The dialect is xDSL's, which follows CIRCT's of the same name. These are the definitions of it that a "
            f"design is made of; {code(f'xdsl.dialects.{name}')} has all."
        )
    return inspect.cleandoc(import_module(f"c4ml_xdsl.dialects.{name}").__doc__ or "")


def _section(title: str, attributes: Sequence[type[Attribute]]) -> str:
    return join(f"## {title}", *(_attribute(each) for each in attributes)) if attributes else ""


def _attribute(attribute: type[Attribute]) -> str:
    parameters = ""
    if issubclass(attribute, ParametrizedAttribute):
        definition = attribute.get_irdl_definition()
        rows = [(code(name), constraint_text(each.constr)) for name, each in definition.parameters]
        parameters = table(("parameter", "constraint"), rows)
    heading, described = f"### {attribute_name(attribute)}", f"Class: {code(attribute.__name__)}."
    return join(_target(f"type-{attribute.name}"), heading, docstring(attribute), described, parameters)


def _target(name: str) -> str:
    """An anchor that doesn't depend on the words of a heading."""
    return f"({name})="


def _operation(operation: type[Operation]) -> str:
    assert issubclass(operation, IRDLOperation)
    definition = operation.get_irdl_definition()
    described, example = split_example(docstring(operation))
    return join(
        _target(operation.name),
        f"### {code(operation.name)}",
        described or _undescribed(operation),
        f"Syntax:\n\n{block('text', syntax(operation, definition))}",
        f"Example:\n\n{block('mlir', example)}" if example else "",
        f"Class: {code(operation.__name__)}. {_traits(definition)}",
        _values("operand", definition.operands),
        _values("result", definition.results),
        _properties(operation, definition),
        _regions(definition),
    )


def _undescribed(operation: type[Operation]) -> str:
    base = operation.__base__
    assert base is not None
    own = operation.__module__.startswith("c4ml_xdsl")
    return f"A {code(base.__name__)}." if own else f"As {code(operation.__module__)} defines it."


def syntax(operation: type[Operation], definition: OpDef) -> str:
    """The assembly format; of an operator of ONNX what all of these share, with its own inputs and attributes."""
    if issubclass(operation, qonnx.NodeOp):
        results = ", ".join(_numbered("%y", operation.OUTPUT_ARITY)) or "%y…"
        inputs = ", ".join(_numbered("%x", operation.INPUT_ARITY)) or "%x…"
        required = ", ".join(f"{each} = …" for each in sorted(qonnx.required_attributes(operation)))
        given = f"{{{required}}} " if required else ""
        return f'{results} = {operation.name} "node" ({inputs}) {given}: (types of inputs) -> ("tensor": type, …)'
    if definition.assembly_format is not None:
        return f"{operation.name} {definition.assembly_format}"
    return f"{operation.name} … (printed and parsed by code of its own)"


def _numbered(prefix: str, arity: qonnx.Arity) -> list[str]:
    """Names of values: those that may be left out in brackets, an ellipsis where there may be any number."""
    names = [f"{prefix}{index}" for index in range(arity.minimum)]
    if arity.maximum is None:
        return [*names, f"{prefix}…"]
    return [*names, *(f"[{prefix}{index}]" for index in range(arity.minimum, arity.maximum))]


def _traits(definition: OpDef) -> str:
    names = sorted(trait_text(each) for each in definition.traits.traits)
    return f"Traits: {', '.join(names)}." if names else ""


def _values(kind: str, values: Sequence[tuple[str, OperandDef]] | Sequence[tuple[str, ResultDef]]) -> str:
    rows = [(code(name), constraint_text(each.constr), arity_text(each)) for name, each in values]
    return table((kind, "constraint", ""), rows)


def _properties(operation: type[Operation], definition: OpDef) -> str:
    defaults = qonnx.attribute_table(operation) if issubclass(operation, qonnx.NodeOp) else {}
    rows: list[tuple[str, str, str]] = []
    for name, each in {**definition.properties, **definition.attributes}.items():
        notes = [arity_text(each)] if arity_text(each) else []
        if name in defaults:
            onnx = defaults[name]
            if onnx.default is not None:
                notes.append(f"default {code(str(onnx.default))}")
            if onnx.choices:
                notes.append("one of " + ", ".join(code(str(choice)) for choice in onnx.choices))
            if onnx.minimum is not None:
                notes.append(f"at least {onnx.minimum}")
        rows.append((code(name), constraint_text(each.constr), "; ".join(notes)))
    return table(("property", "constraint", ""), rows)


def _regions(definition: OpDef) -> str:
    rows = [(code(name), "one block" if "Single" in type(each).__name__ else "") for name, each in definition.regions]
    return table(("region", "constraint"), rows)
