"""The pages of report.json and ports.json, from their JSON schemas."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import c4ml_xdsl
from c4ml_xdsl.text_files import read_text

from .markdown import code, join, table

SCHEMAS: Mapping[str, str] = {"report": "report_schema.json", "ports": "ports_schema.json"}
"""The schemas by the name of the file that they describe, without its ending."""


def load_schema(name: str) -> dict[str, Any]:
    """A schema as the package has it."""
    return json.loads(read_text(Path(c4ml_xdsl.__file__).parent / SCHEMAS[name]))


def schema_page(name: str) -> str:
    """A section for the file's object and for each object within it, by their paths."""
    schema = load_schema(name)
    return join(
        schema["description"],
        f"The schema is {code(schema['$id'])}; {code('c4ml report --schema')} prints that of the report."
        if name == "report"
        else f"The schema is {code(schema['$id'])}.",
        *(_object(title, each) for title, each in _objects(f"{name}.json", schema)),
    )


def _objects(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a schema that have named entries, each with the way to it; shared definitions come last."""
    if "properties" in schema:
        yield path, schema
        for name, each in schema["properties"].items():
            yield from _objects(f"{path.removesuffix('.json')}.{name}", each)
    if isinstance(schema.get("items"), dict):
        yield from _objects(f"{path}[]", schema["items"])
    for name, each in schema.get("$defs", {}).items():
        yield from _objects(name, each)


def _object(path: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        (code(name), type_text(each), each.get("description", ""), "" if name in required else "optional")
        for name, each in schema["properties"].items()
    ]
    top = path.endswith(".json")
    described = "" if top else schema.get("description", "")
    return join("## The file" if top else f"## {code(path)}", described, table(("entry", "type", "meaning", ""), rows))


def type_text(schema: dict[str, Any]) -> str:
    """The type of an entry in words, with its values and bounds."""
    if "$ref" in schema:
        return f"object {code(schema['$ref'].rsplit('/', 1)[1])}"
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "enum" in schema:
        return "one of " + ", ".join(code(json.dumps(each)) for each in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(type_text(each) for each in schema[key])
    given = schema.get("type", "any")
    names: list[str] = [given] if isinstance(given, str) else list(given)
    if "array" in names and "items" in schema:
        names[names.index("array")] = f"array of {type_text(schema['items'])}"
    text = " or ".join(names)
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "≥"), ("maximum", "≤")) if key in schema]
    return f"{text} ({', '.join(bounds)})" if bounds else text
