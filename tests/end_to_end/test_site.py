"""The site that Sphinx makes of the docs: it builds without a warning, and it has all that the code defines."""

import ast
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import pytest
from xdsl.ir import Operation

import c4ml_xdsl as c4ml
from c4ml_xdsl.dialects import get_all_dialects
from c4ml_xdsl.tools.c4ml import main
from c4ml_xdsl.transforms import get_all_passes

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")
pytest.importorskip("furo")
pytest.importorskip("sphinx_click")

REPOSITORY = Path(__file__).parent.parent.parent
MODEL = REPOSITORY / "tests" / "models" / "cnn1d_pot" / "model.onnx"


class Page(HTMLParser):
    """The anchors, links and text of a page."""

    def __init__(self, text: str):
        """Reads it."""
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps what can be linked to and what links."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        """Keeps the text."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """All text, as it is read."""
        return " ".join(" ".join(self.words).split())


def bare(text: str) -> str:
    """Text without spaces and marks of code."""
    return "".join(text.replace("`", "").split())


def environment(**more: str) -> dict[str, str]:
    """The variables of a process that finds the package and the extension."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "docs")]), **more}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """The pages of the site by their paths; a warning of the build is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-E", "-W", "-n", "--keep-going", "-q", "docs", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")
    }


def internal(links: list[str]) -> Iterator[tuple[str, str]]:
    """Path and anchor of the links that stay in the site."""
    for link in links:
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc:
            yield unquote(parts.path), unquote(parts.fragment)


def test_every_link_and_anchor_resolves(site: dict[str, Page]) -> None:
    followed = 0
    for name, page in site.items():
        for path, anchor in internal(page.links):
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if target in site and anchor:
                assert anchor in site[target].anchors, f"{name}: {path}#{anchor}"
                followed += 1
            elif target.endswith(".html"):
                assert target in site, f"{name}: {path}"
    assert followed > 1000


def test_every_page_of_the_docs_is_in_the_site(site: dict[str, Page]) -> None:
    sources = {path.relative_to(REPOSITORY / "docs").with_suffix(".html") for path in REPOSITORY.glob("docs/**/*.md")}
    assert {path.as_posix() for path in sources} <= set(site)


def designs() -> Iterator[Operation]:
    """The operations of a pipeline and of a circuit with truth tables for other tools."""
    circuit = c4ml.compile(MODEL, effort="fast", verify=False, clock_ns=5.0)
    lowered = circuit.hw.clone()
    get_all_passes()["lower-truth-tables"]()().apply(None, lowered)  # pyright: ignore[reportArgumentType]
    yield from circuit.hw.walk()
    yield from lowered.walk()


def test_every_operation_and_attribute_is_in_its_dialects_page(site: dict[str, Page]) -> None:
    for name, load in get_all_dialects().items():
        page, dialect = site[f"reference/dialects/{name}.html"], load()
        summary = sys.modules[f"c4ml_xdsl.dialects.{name}"].__doc__ or ""
        assert bare(summary.strip().split("\n\n")[0]) in bare(page.text), name
        for operation in dialect.operations:
            anchor = operation.name.lower().replace(".", "-").replace("_", "-")
            assert anchor in page.anchors, operation.name
            assert f"Class: {operation.__name__} ." in page.text
        for attribute in dialect.attributes:
            assert f"type-{attribute.name}".lower().replace(".", "-") in page.anchors, attribute.name
    names = {operation.name for operation in designs()}
    assert {"hw.instance", "hw.array_get", "seq.compreg"} <= names
    for name in names:
        dialect, _, _ = name.partition(".")
        if dialect in ("hw", "seq"):
            assert name.replace(".", "-").replace("_", "-") in site[f"reference/dialects/{dialect}.html"].anchors, name


def test_properties_and_constraints_are_shown(site: dict[str, Page]) -> None:
    lbir, qonnx = site["reference/dialects/lbir.html"].text, site["reference/dialects/qonnx.html"].text
    assert "inputs array of #lbir.port" in lbir
    assert "$input weights $weights bias $bias" in lbir.replace("`", "")
    assert "auto_pad a string optional; default NOTSET ; one of NOTSET , SAME_UPPER , SAME_LOWER , VALID" in qonnx


def test_every_pass_is_shown_with_its_options(site: dict[str, Page]) -> None:
    page = site["reference/passes.html"]
    for name, load in get_all_passes().items():
        assert name in page.anchors
        assert page.links.count(f"#{name}") >= 2, f"{name}: the table at the top and the heading's own link"
        assert page.text.count(f"After {name}") >= 1, name
        after = page.text.rpartition(f"After {name}")[2]
        for field in dataclasses.fields(load()):
            assert field.name.replace("_", "-") in after, f"{name}: {field.name}"


def test_passes_say_where_they_stand(site: dict[str, Page]) -> None:
    text = site["reference/passes.html"].text
    for said in (
        "1 of 16.",
        "10 of 16, with the strategies auto , table .",
        "12 of 16, with the strategies auto , shared , table , compressor .",
        "only with a clock or a latency, behind convert-neuron-to-hw .",
        "only with registers, behind hw-schedule-stages .",
        "in place of neuron-share-sums with a strategy of another package.",
    ):
        assert f"Place in the default pipeline: {said}" in text, said


def commands(group: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and those below it, by their names."""
    yield path, group
    if isinstance(group, click.Group):
        for name, each in group.commands.items():
            yield from commands(each, *path, name)


def test_every_command_and_option_is_shown(site: dict[str, Page]) -> None:
    page = site["reference/command_line.html"]
    for path, command in commands(main, "c4ml"):
        assert " ".join(path) in page.text
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                option = max(parameter.opts, key=len)
                assert f"cmdoption-{'-'.join(path)}-{option.lstrip('-')}" in page.anchors, f"{path} {option}"
    assert "--allow-unregistered-dialect" in page.text


def entries(schema: Any) -> Iterator[tuple[str, str]]:
    """The names in a schema and what it says of them."""
    if isinstance(schema, dict):
        for name, each in schema.get("properties", {}).items():
            yield name, each.get("description", "")
        for each in schema.values():
            yield from entries(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from entries(each)


@pytest.mark.parametrize("name", ["report", "ports"])
def test_every_entry_of_the_schemas_is_shown(name: str, site: dict[str, Page]) -> None:
    schema = json.loads((REPOSITORY / "c4ml_xdsl" / f"{name}_schema.json").read_text(encoding="utf-8"))
    text = bare(site[f"reference/{name}.html"].text)
    assert bare(schema["description"]) in text
    found = list(entries(schema))
    assert found
    for entry, description in found:
        assert entry in text
        assert bare(description) in text, entry


def test_what_is_exported_is_in_the_python_page(site: dict[str, Page]) -> None:
    anchors = site["reference/python.html"].anchors
    for name in c4ml.__all__:
        if not name.startswith("__"):
            thing = getattr(c4ml, name)
            assert f"{thing.__module__}.{name}" in anchors, name
    for name in ("circuit.Circuit.trace", "trace.Trace.first_difference", "strategies.Strategy", "errors.OptionError"):
        assert f"c4ml_xdsl.{name}" in anchors


GENERATE = """
from c4ml_reference import dialects, optimizer, passes, schemas
for name in dialects.dialect_names():
    print(dialects.dialect_page(name))
print(passes.passes_page(), optimizer.optimizer_page())
for name in schemas.SCHEMAS:
    print(schemas.schema_page(name))
"""


def test_what_is_generated_is_the_same_in_two_runs() -> None:
    first, second = (
        subprocess.run(
            [sys.executable, "-c", GENERATE], capture_output=True, check=True, env=environment(PYTHONHASHSEED=seed)
        ).stdout
        for seed in ("1", "2")
    )
    assert len(first) > 100_000
    assert first == second


def test_the_package_needs_nothing_of_the_site() -> None:
    for path in sorted((REPOSITORY / "c4ml_xdsl").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in ("sphinx", "docutils", "myst_parser", "c4ml_reference"), path
