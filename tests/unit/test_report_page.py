"""report.json follows its schema and says what is so, and report.html shows it, whatever models are called."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from xdsl.ir import SSAValue

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.circuits.cost import TARGETS
from c4ml_xdsl.data_sheets import clock_limit
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.report_page import render
from c4ml_xdsl.report_page.contents import contents_of
from c4ml_xdsl.report_page.layered_drawing import Size, Spacing, draw
from c4ml_xdsl.tensors import varying_bits
from c4ml_xdsl.tools.c4ml import main

MODELS = Path(__file__).parent.parent / "models"
SCRIPT = "</script></style></title><script>alert(1)</script>"
HOSTILE = f"\"'><img src=x onerror=alert(1)>{SCRIPT}\u202e{{{{ 7 * 7 }}}}"


def hostile_model() -> onnx.ModelProto:
    """
    Two inputs and two outputs with names that are HTML.

    No output reads the second element of the first input, its second neuron is constant, its quantiser is too wide.
    The second input's ArgMax is over too many bits to be proved.
    """
    quant = {"domain": "qonnx.custom_op.general", "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    weights = [[1, 0, -1, 1], [0, 0, 0, 0], [2, 0, 1, 1]]
    constants = {"one": 1.0, "zero": 0.0, "two": 2.0, "four": 4.0, "eight": 8.0, "weights": weights}
    nodes = [
        helper.make_node("Quant", [f"x{HOSTILE}", "one", "zero", "two"], ["q"], f"quant{HOSTILE}", **quant),
        helper.make_node("Quant", ["weights", "one", "zero", "four"], ["w"], "weights", **quant),
        helper.make_node("MatMul", ["q", "w"], ["sums"], f"dense{HOSTILE}"),
        helper.make_node(
            "Quant", ["sums", "one", "zero", "four"], [f"y{HOSTILE}"], f"act{HOSTILE}", **quant | {"signed": 0}
        ),
        helper.make_node("Quant", ["scores", "one", "zero", "eight"], ["p"], "scores", **quant),
        helper.make_node("ArgMax", ["p"], ["index"], f"best{HOSTILE}", axis=-1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        f"net{HOSTILE}",
        [
            helper.make_tensor_value_info(f"x{HOSTILE}", TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info(f"y{HOSTILE}", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("index", TensorProto.INT64, None),
        ],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets)


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "several ports, not all proved": (hostile_model(), {}),
    "pipeline, residual": (
        MODELS / "cnn_resadd_truncavg_pot" / "model.onnx",
        {"clock_ns": 3.0, "valid": True, "register_inputs": True},
    ),
    "latency": (MODELS / "digits_mlp_w2a2_pot" / "model.onnx", {"latency": 3, "verify": False}),
    "counters": (MODELS / "bnn_w1a1_bn" / "model.onnx", {"minimize": "delay", "verify": False}),
    "per channel": (MODELS / "mlp_w4a4_asym_zp" / "model.onnx", {"strategy": "direct", "target": "generic"}),
}


@pytest.fixture(scope="module")
def circuits() -> dict[str, Circuit]:
    return {name: c4ml.compile(model, effort="fast", **options) for name, (model, options) in CASES.items()}


def schema(name: str) -> dict[str, Any]:
    return json.loads((files("c4ml_xdsl") / f"{name}_schema.json").read_text())


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """The subschemas of a schema."""
    if isinstance(part, dict):
        yield part
        for each in part.values():
            yield from objects(each)
    elif isinstance(part, list):
        for each in part:
            yield from objects(each)


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    return {**report, "seconds": {}}


def test_every_key_is_described() -> None:
    report, ports = schema("report"), schema("ports")
    assert report["$defs"]["port"] == ports["$defs"]["port"]
    for each in (report, ports):
        jsonschema.Draft202012Validator.check_schema(each)
        for part in objects(each):
            for name, value in part.get("properties", {}).items():
                assert "$ref" in value or len(value["description"]) > 4, name
    for name in ("report", "ports"):
        done = CliRunner().invoke(main, ["report", "--schema", name])
        assert json.loads(done.output) == schema(name)
    assert json.loads(CliRunner().invoke(main, ["report", "--schema"]).output) == report


@pytest.mark.parametrize("name", CASES)
def test_reports_follow_the_schema(circuits: dict[str, Circuit], name: str) -> None:
    circuit = circuits[name]
    for given, which in ((circuit.report, "report"), (circuit.ports_json, "ports")):
        jsonschema.validate(json.loads(json.dumps(given)), schema(which), jsonschema.Draft202012Validator)
    del (damaged := json.loads(json.dumps(circuit.report)))["tensors"][0]["bits"]
    with pytest.raises(jsonschema.ValidationError, match="bits"):
        jsonschema.validate(damaged, schema("report"), jsonschema.Draft202012Validator)


def test_what_is_said_of_tensors_is_so(circuits: dict[str, Circuit]) -> None:
    """Against all inputs of a small layer: range, constant and unread elements, levels, and bits that vary."""
    circuit = circuits["several ports, not all proved"]
    tensors = {tensor["name"]: tensor for tensor in circuit.report["tensors"]}
    x = np.array(list(product(range(-2, 2), repeat=3)))
    trace: dict[str, np.ndarray] = {}

    def observe(value: SSAValue, numbers: np.ndarray) -> None:
        if isinstance(value.owner, lbir.LayerOp):
            trace[value.owner.label] = numbers

    inputs = {f"x{HOSTILE}": x, "scores": np.zeros((len(x), 4), np.int64)}
    lbir_interpreter.run(circuit.lbir, inputs, observe)
    y = trace[f"act{HOSTILE}"].reshape(len(x), -1)
    act, source = tensors[f"act{HOSTILE}"], tensors[f"x{HOSTILE}"]
    assert (act["min"], act["max"]) == (y.min(), y.max())
    assert act["constant_elements"] == int((y.min(axis=0) == y.max(axis=0)).sum()) == 1
    assert act["quantiser"] == {"min": 0, "max": 15, "bits": 4, "reached": len(np.unique(y))}
    varying = sum(len(np.unique(column >> bit & 1)) > 1 for column in y.T for bit in range(act["bits"]))
    assert act["spare_bits"] == act["bits"] * y.shape[1] - varying
    unread = [all((y[x[:, i] == v] == y[x[:, i] == -2]).all() for v in range(-1, 2)) for i in range(3)]
    assert unread == [False, True, False]
    assert source["unread_elements"] == sum(unread)
    assert (act["layer"], act["internal"]) == (tensors[f"dense{HOSTILE}"]["layer"], False)
    assert tensors[f"dense{HOSTILE}"]["internal"]


def test_ways_compared(circuits: dict[str, Circuit]) -> None:
    """Where passes compared ways to build a layer, one of each comparison is chosen."""
    counters = circuits["counters"].report["layers"][0]["considered"]
    assert {"adders", "heaps of counters"} <= {way["strategy"] for way in counters}
    tables = [way for layer in circuits["pipeline, residual"].report["layers"] for way in layer["considered"]]
    assert {"table", "arithmetic"} <= {way["strategy"] for way in tables}
    for circuit in circuits.values():
        for layer in circuit.report["layers"]:
            chosen = [way for way in layer["considered"] if way["chosen"]]
            assert bool(chosen) == bool(layer["considered"])
            for way in chosen:
                assert "table" not in way["strategy"] or "table" in layer["strategy"]


class Page(HTMLParser):
    """The elements of a page and their attributes; the text outside of style and script."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] not in (["style"], ["script"]):
            self.words.append(data)


@pytest.mark.parametrize("name", CASES)
def test_names_are_text(circuits: dict[str, Circuit], name: str) -> None:
    """No element, attribute or template comes of a name, and nothing is fetched."""
    circuit = circuits[name]
    page = Page(render(circuit.report, circuit.ports_json))
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not {"img", "iframe", "object", "embed", "form"} & set(page.tags)
    for attribute, value in page.attributes:
        assert not attribute.startswith("on")
        assert attribute not in ("src", "srcset", "action")
        if attribute == "href":
            assert value.startswith("#") or value == "data:,"
    identifiers = [value for attribute, value in page.attributes if attribute == "id"]
    assert len(identifiers) == len(set(identifiers))
    for attribute, value in page.attributes:
        if attribute == "href" and len(value) > 1 and value.startswith("#"):
            assert value[1:] in identifiers
    if name == "several ports, not all proved":
        words = "".join(page.words)
        assert "{{ 7 * 7 }}" in words
        assert "<img src=x onerror=alert(1)>" in words
        assert "\u202e" not in words
        assert "not proved" in words


def test_the_page_is_a_function_of_the_json(circuits: dict[str, Circuit], tmp_path: Path) -> None:
    """Byte by byte what the folder's JSON gives, whatever the times in it; another report is another page."""
    for number, name in enumerate(("several ports, not all proved", "pipeline, residual", "latency")):
        circuit = circuits[name]
        folder = tmp_path / str(number)
        circuit.package(folder)
        written = (folder / "report.html").read_bytes()
        assert len(written) < 200_000
        report = json.loads((folder / "report.json").read_text())
        (folder / "report.json").write_text(json.dumps(without_times(report)))
        done = CliRunner().invoke(main, ["report", str(folder), "--html", str(tmp_path / "again.html")])
        assert done.exit_code == 0, done.output
        assert (tmp_path / "again.html").read_bytes() == written
        report["totals"]["lut"] += 1
        assert render(report, circuit.ports_json).encode() != written


@pytest.mark.parametrize("damage", ["tensors", "critical_path", "options"])
def test_other_files_are_refused(circuits: dict[str, Circuit], tmp_path: Path, damage: str) -> None:
    circuits["latency"].package(tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    for broken in ({**report, damage: 3}, {key: value for key, value in report.items() if key != damage}, [report]):
        (tmp_path / "out" / "report.json").write_text(json.dumps(broken))
        done = CliRunner().invoke(main, ["report", str(tmp_path / "out"), "--html", str(tmp_path / "page.html")])
        assert done.exit_code == 1
        assert "isn't what this version writes" in done.output
    assert not (tmp_path / "page.html").exists()


def test_what_the_page_says(circuits: dict[str, Circuit]) -> None:
    """Each layer, stage, tensor's range, wasted bit, option and version is in the text."""
    circuit = circuits["pipeline, residual"]
    words = " ".join(" ".join(Page(render(circuit.report, circuit.ports_json)).words).split()).replace("\u202f", " ")
    report = circuit.report
    for layer in report["layers"]:
        assert layer["name"] in words
        assert f"{layer['lut']:,} LUTs".replace(",", " ") in words
    for stage in report["stages"]:
        assert f"Stage {stage['stage']}," in words
    assert "never reached" in words
    assert "4×8×8 · 4 bits" in words
    for version in report["versions"].values():
        assert version in words
    assert not any(str(seconds) in words for seconds in report["seconds"].values() if seconds > 0.1)


def test_a_data_sheet_is_named_where_one_is_known(circuits: dict[str, Circuit]) -> None:
    assert {target: clock_limit(target) is not None for target in TARGETS} == {
        "xilinx": True, "xilinx7": True, "ecp5": False, "generic": False
    }  # fmt: skip
    sheet = clock_limit("xilinx7")
    assert sheet is not None
    circuit = next(iter(circuits.values()))
    report = {**circuit.report, "data_sheet": sheet.to_json()}
    page = contents_of(report, circuit.ports_json)
    assert page.data_sheet == (
        "Spartan-7: at most 464 MHz in speed grade -1, 628 MHz in speed grade -2 (AMD DS189, revision 1.10)"
    )
    assert contents_of({**report, "data_sheet": None}, circuit.ports_json).data_sheet == ""


def test_a_drawing_has_ranks_and_no_overlap() -> None:
    """A long chain, a skip over it, many inputs at once, and parts that don't meet."""
    edges = [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4), (5, 3), (6, 4), (7, 8)] + [(9 + i, 19) for i in range(10)]
    sizes = [Size(100 + 7 * (i % 3), 30 + i) for i in range(20)]
    spacing = Spacing(beside=20, below=30, stem=10)
    drawing = draw(sizes, edges, spacing)
    for source, target in edges:
        assert drawing.nodes[target][1] >= drawing.nodes[source][1] + sizes[source].height + spacing.stem
    for one in range(20):
        for other in range(one):
            (x, y), (u, v) = drawing.nodes[one], drawing.nodes[other]
            if y == v:
                assert abs(x - u) >= (sizes[one].width + sizes[other].width) / 2 + spacing.beside - 0.2
    for (x, y), size in zip(drawing.nodes, sizes, strict=True):
        assert -0.1 <= x - size.width / 2
        assert x + size.width / 2 <= drawing.width + 0.1
        assert y + size.height <= drawing.height + 0.1
    for (source, target), points in zip(edges, drawing.edges, strict=True):
        assert points[0][0] == pytest.approx(drawing.nodes[source][0])
        assert abs(points[-1][0] - drawing.nodes[target][0]) <= sizes[target].width + 10 * spacing.apart
        assert all(a[1] <= b[1] for a, b in pairwise(points))
    assert draw(sizes, edges, spacing) == drawing
    assert draw([], [], spacing).nodes == ()


@pytest.mark.parametrize("low", range(-9, 10))
def test_bits_that_vary_are_those_of_all_integers_between(low: int) -> None:
    for high in range(low, 10):
        columns = [{value >> place & 1 for value in range(low, high + 1)} for place in range(6)]
        vary = sum(len(column) > 1 for column in columns)
        if low < 0 <= high:  # the sign counts once, not its copies
            copies = [all((value >> place & 1) == (value < 0) for value in range(low, high + 1)) for place in range(6)]
            vary -= sum(copies) - 1
        assert varying_bits(np.array([low]), np.array([high])).tolist() == [vary]
