"""The network as a graph: a box for each port, layer and move, and where each of them is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from c4ml_xdsl.report_page.layered_drawing import Size, Spacing, draw
from c4ml_xdsl.report_page.wording import count, nanoseconds, of_numbers, of_range, of_shape, plural, shortened

Kind = Literal["port", "layer", "move"]

SIZES: dict[Kind, Size] = {"port": Size(200, 44), "layer": Size(232, 66), "move": Size(128, 26)}
SPACING = Spacing(beside=36, below=34, stem=26)
MARGIN = 12
"""Space around the drawing."""
NAME_LENGTH: dict[Kind, int] = {"port": 24, "layer": 28, "move": 16}
LINE_LENGTH = 42
"""The most characters of a name in a box, and of what stands below it."""


@dataclass(frozen=True)
class Box:
    """
    A box of the graph, its upper left corner at (x, y).

    `lines` are shown under the title, `left` and `right` beside the stem below it: they tell of the tensor that leaves
    it. `share` is the layer's part of the largest one's LUTs, from 0 to 1, `anchor` its entry on the page, and `marked`
    whether it isn't proved.
    """

    number: int
    kind: Kind
    title: str
    full_title: str
    lines: tuple[str, ...]
    left: str
    right: str
    share: float
    anchor: str
    marked: bool
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """An edge: the numbers of the boxes that it joins, an SVG path, and what it carries."""

    source: int
    target: int
    path: str
    title: str


@dataclass(frozen=True)
class Graph:
    """All boxes and lines, and the drawing's size."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


@dataclass(frozen=True)
class _Node:
    """A box before it has a place; `carried` is the tensor that leaves it."""

    kind: Kind
    title: str
    lines: tuple[str, ...]
    carried: Mapping[str, Any] | None = None
    share: float = 0.0
    anchor: str = ""
    marked: bool = False


def graph_of(report: Mapping[str, Any], anchors: Mapping[str, str]) -> Graph:
    """The graph of a report; `anchors` are those of layers by name."""
    tensors: Sequence[Mapping[str, Any]] = report["tensors"]
    layers = {layer["name"]: layer for layer in report["layers"]}
    ports = {port["name"]: port for port in (*report["inputs"], *report["outputs"])}
    outputs = {port["name"] for port in report["outputs"]}
    largest = max((layer["lut"] for layer in report["layers"]), default=0)
    last_of = {tensor["layer"]: tensor for tensor in tensors if tensor["layer"] is not None}
    nodes: list[_Node] = []
    node_of: dict[int, int] = {}
    for tensor in tensors:
        layer = tensor["layer"]
        if layer is None or last_of[layer] is tensor:
            mine = [each for each in tensors if each["layer"] == layer] if layer is not None else [tensor]
            node_of.update((each["id"], len(nodes)) for each in mine)
            nodes.append(_node(tensor, layers, ports, largest, anchors))
    edges: dict[tuple[int, int], Mapping[str, Any]] = {}
    for tensor in tensors:
        for source in tensor["from"]:
            if node_of[source] != node_of[tensor["id"]]:
                edges[node_of[source], node_of[tensor["id"]]] = tensors[source]
    for tensor in tensors:
        for name in tensor["ports"]:
            if name in outputs:
                edges[node_of[tensor["id"]], len(nodes)] = tensor
                nodes.append(_port_node(ports[name], "output", None))
    return _drawn(nodes, edges)


def _node(
    tensor: Mapping[str, Any],
    layers: Mapping[str, Mapping[str, Any]],
    ports: Mapping[str, Mapping[str, Any]],
    largest: int,
    anchors: Mapping[str, str],
) -> _Node:
    if tensor["op"] == "input":
        return _port_node(ports[tensor["ports"][0]], "input", tensor)
    layer = layers.get(tensor["layer"])
    if layer is None:
        return _Node("move", tensor["op"], (), tensor)
    what = layer["op"].partition(";")[0].replace("->", "→")
    copies = f"{count(layer['instances'])} × " if layer["instances"] != 1 else ""
    status = layer["proof"]["status"]
    cost = f"{plural(layer['lut'], 'LUT')} · {nanoseconds(layer['delay_ns'])} · {status}"
    share = layer["lut"] / largest if largest else 0.0
    return _Node(
        "layer", layer["name"], (f"{copies}{what}", cost), tensor, share, anchors[layer["name"]], status != "proved"
    )


def _port_node(port: Mapping[str, Any], direction: str, tensor: Mapping[str, Any] | None) -> _Node:
    scale, zero = of_numbers(port["scale"], "scales"), of_numbers(port["zero_point"], "zero points")
    scale = scale if "scales" in scale else f"scale {scale}"
    zero = zero if "zero points" in zero else f"zero point {zero}"
    return _Node("port", f"{direction} {port['tensor']}", (f"{scale}, {zero}",), tensor)


def _drawn(nodes: Sequence[_Node], edges: Mapping[tuple[int, int], Mapping[str, Any]]) -> Graph:
    drawing = draw([SIZES[node.kind] for node in nodes], list(edges), SPACING)
    # what stands beside the outermost stems may reach beyond the boxes
    boxes = tuple(
        _box(number, node, x + MARGIN, y + MARGIN)
        for number, (node, (x, y)) in enumerate(zip(nodes, drawing.nodes, strict=True))
    )
    lines = tuple(
        Line(source, target, _path(points), f"{_short(tensor)}: {_words(tensor)}")
        for ((source, target), tensor), points in zip(edges.items(), drawing.edges, strict=True)
    )
    return Graph(boxes, lines, round(drawing.width + 2 * MARGIN), round(drawing.height + 2 * MARGIN))


def _box(number: int, node: _Node, x: float, y: float) -> Box:
    size, carried = SIZES[node.kind], node.carried
    left = right = ""
    if carried is not None:
        left = f"{of_shape(carried['shape'])} · {plural(carried['bits'], 'bit')}"
        right = of_range(carried["min"], carried["max"])
    title, lines = (
        shortened(node.title, NAME_LENGTH[node.kind]),
        tuple(shortened(each, LINE_LENGTH) for each in node.lines),
    )
    return Box(
        number, node.kind, title, node.title, lines, left, right, round(node.share, 4), node.anchor, node.marked,
        x - size.width / 2, y, size.width, size.height,
    )  # fmt: skip


def _short(tensor: Mapping[str, Any]) -> str:
    return tensor["op"] if tensor["layer"] is None and tensor["op"] != "input" else tensor["name"]


def _words(tensor: Mapping[str, Any]) -> str:
    """A tensor in words."""
    return (
        f"{of_shape(tensor['shape'])}, {plural(tensor['bits'], 'bit')} an element, "
        f"integers {of_range(tensor['min'], tensor['max'])}"
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line that goes down through points: straight in columns, bent between them."""
    moved = [(x + MARGIN, y + MARGIN) for x, y in points]
    (x, y), *rest = moved
    parts = [f"M{x:g} {y:g}"]
    for a, b in rest:
        if a == x:
            parts.append(f"V{b:g}")
        else:
            middle = round((y + b) / 2, 1)
            parts.append(f"C{x:g} {middle:g} {a:g} {middle:g} {a:g} {b:g}")
        x, y = a, b
    return "".join(parts)
