"""What the page shows, gathered from report.json and ports.json; the templates decide nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from c4ml_xdsl.report_page.network import Graph, graph_of
from c4ml_xdsl.report_page.schedule import Schedule, grouped, schedule_of
from c4ml_xdsl.report_page.waste import Finding, findings, of_tensor
from c4ml_xdsl.report_page.wording import count, nanoseconds, of_numbers, of_range, of_shape, plural, real

State = Literal["plain", "good", "bad"]


@dataclass(frozen=True)
class Tile:
    """A number of the summary."""

    label: str
    value: str
    note: str = ""
    state: State = "plain"


@dataclass(frozen=True)
class Tensor:
    """A tensor of a layer in words."""

    name: str
    operation: str
    shape: str
    bits: str
    span: str
    quantiser: str


@dataclass(frozen=True)
class Way:
    """A way to build a layer's values that a pass compared."""

    strategy: str
    lut: str
    delay: str
    values: str
    chosen: bool


@dataclass(frozen=True)
class Layer:
    """A layer's entry; facts are pairs of what and how much."""

    anchor: str
    name: str
    operation: str
    strategy: str
    status: str
    proved: bool
    reasons: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    ways: tuple[Way, ...]
    ways_have_delays: bool
    search: str
    tensors: tuple[Tensor, ...]
    wasted: tuple[str, ...]
    """What of its result is wasted."""


@dataclass(frozen=True)
class Bar:
    """A bar of a plot: its length from 0 to 1."""

    label: str
    anchor: str
    value: str
    length: float


@dataclass(frozen=True)
class Plot:
    """Bars by layer, the sum or whole in words under them."""

    title: str
    unit: str
    bars: tuple[Bar, ...]
    note: str


@dataclass(frozen=True)
class PortRow:
    """A port of ports.json; numbers that differ by channel are listed."""

    name: str
    direction: str
    tensor: str
    shape: str
    bits: str
    span: str
    scale: str
    zero_point: str
    listed: tuple[tuple[str, str], ...]
    note: str


@dataclass(frozen=True)
class Contents:
    """Everything on the page."""

    top: str
    subtitle: str
    tiles: tuple[Tile, ...]
    warnings: tuple[str, ...]
    graph: Graph
    plots: tuple[Plot, ...]
    layers: tuple[Layer, ...]
    schedule: Schedule | None
    waste: tuple[Finding, ...]
    critical_stage: str
    critical_delay: str
    critical_path: tuple[tuple[str, tuple[str, ...]], ...]
    data_sheet: str
    proof: str
    unproved: tuple[str, ...]
    comparisons: tuple[tuple[str, str, str, str, str], ...]
    ports: tuple[PortRow, ...]
    clock: str
    options: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]


def contents_of(report: Mapping[str, Any], ports: Mapping[str, Any]) -> Contents:
    """
    What the page shows of a report and a port map, as JSON gives them.

    Raises KeyError, TypeError or ValueError where they aren't what the schemas say.
    """
    anchors = {layer["name"]: f"layer-{number}" for number, layer in enumerate(report["layers"])}
    options, critical = report["options"], report["critical_path"]
    reasons = tuple(report["proved"]["reasons"])
    registers = f"pipeline of {plural(report['latency_cycles'], 'cycle')}" if report["stages"] else "combinational"
    return Contents(
        top=report["top"],
        subtitle=f"{registers}, for {options['target']}, minimize {options['minimize']}, effort {options['effort']}",
        tiles=tuple(_tiles(report)),
        warnings=tuple(report["warnings"]),
        graph=graph_of(report, anchors),
        plots=tuple(_plots(report, anchors)),
        layers=tuple(_layer(layer, report, anchors) for layer in report["layers"]),
        schedule=schedule_of(report, anchors),
        waste=tuple(findings(report, anchors)),
        critical_stage="" if critical["stage"] is None else count(critical["stage"]),
        critical_delay=nanoseconds(critical["delay_ns"]),
        critical_path=grouped(critical["path"]),
        data_sheet=_data_sheet(report["data_sheet"]),
        proof=f"{count(report['proved']['proved'])} of {plural(report['proved']['modules'], 'module')}",
        unproved=reasons,
        comparisons=tuple(
            (
                each["reference"],
                each["level"],
                count(each["vectors"]),
                str(each["seed"]),
                count(each["ambiguous"]) if "ambiguous" in each else "",
            )
            for each in report["verified"]
        ),
        ports=tuple(_port(port, report["tensors"]) for port in ports["ports"]),
        clock="" if ports["clock"] is None else ports["clock"],
        options=tuple((name, _option(value)) for name, value in options.items()),
        versions=tuple(report["versions"].items()),
    )


def _data_sheet(sheet: Mapping[str, Any] | None) -> str:
    """The data sheet's limit in words; empty where none is known."""
    if sheet is None:
        return ""
    grades = ", ".join(f"{mhz} MHz in speed grade {grade}" for grade, mhz in sheet["global_clock_mhz"].items())
    return f"{sheet['family']}: at most {grades} ({sheet['document']})"


def _tiles(report: Mapping[str, Any]) -> list[Tile]:
    totals, stages, proved = report["totals"], report["stages"], report["proved"]
    tiles = [Tile("LUTs", count(totals["lut"]), f"estimated for {report['options']['target']}")]
    if stages:
        asked = report["options"]["clock_ns"]
        period = totals["delay_ns"] if asked is None else asked
        shortest = (
            "the shortest clock" if asked is None else f"the longest stage takes {nanoseconds(totals['delay_ns'])}"
        )
        tiles += [
            Tile("Flip-flops", count(totals["ff"]), "those of control counted"),
            Tile("Clock", nanoseconds(period), shortest, "plain" if totals["delay_ns"] <= period else "bad"),
            Tile(
                "Latency",
                plural(report["latency_cycles"], "cycle"),
                f"{nanoseconds(report['latency_cycles'] * period)}, a new input "
                + (
                    "each cycle"
                    if report["initiation_interval"] == 1
                    else f"every {report['initiation_interval']} cycles"
                ),
            ),
        ]
    else:
        tiles += [
            Tile("Flip-flops", "0", "combinational"),
            Tile("Delay", nanoseconds(totals["delay_ns"]), "estimated, input to output"),
        ]
    whole = proved["proved"] == proved["modules"]
    tiles.append(
        Tile(
            "Proved",
            f"{count(proved['proved'])} of {count(proved['modules'])}",
            "modules, for all inputs" if whole else "modules; the rest is named below",
            "good" if whole else "bad",
        )
    )
    tiles.append(_verified(report["verified"]))
    warnings = len(report["warnings"])
    tiles.append(Tile("Warnings", count(warnings), "" if warnings else "none", "bad" if warnings else "good"))
    return tiles


def _verified(entries: Sequence[Mapping[str, Any]]) -> Tile:
    if not entries:
        return Tile("Compared", "not run", "with the model, on random vectors", "bad")
    ambiguous = max(entry.get("ambiguous", 0) for entry in entries)
    levels = " = ".join(
        dict.fromkeys([entry["reference"] for entry in entries] + [entry["level"] for entry in entries])
    )
    doubt = f"; {count(ambiguous)} with an ambiguous threshold" if ambiguous else ""
    return Tile("Compared", count(min(entry["vectors"] for entry in entries)), f"vectors, {levels}{doubt}", "good")


def _plots(report: Mapping[str, Any], anchors: Mapping[str, str]) -> list[Plot]:
    layers, totals = report["layers"], report["totals"]

    def plot(title: str, unit: str, values: Sequence[float], words: Sequence[str], note: str) -> Plot:
        most = max(values, default=0) or 1
        bars = (
            Bar(layer["name"], anchors[layer["name"]], word, round(value / most, 4))
            for layer, value, word in zip(layers, values, words, strict=True)
        )
        return Plot(title, unit, tuple(bars), note)

    whole = totals["lut"] or 1
    luts = [layer["lut"] for layer in layers]
    shares = [f"{count(each)} ({100 * each / whole:.0f}{chr(0x202F)}%)" for each in luts]
    found = [plot("LUTs by layer", "LUTs", luts, shares, f"{count(totals['lut'])} in all")]
    if report["stages"]:
        flops = [layer["ff"] for layer in layers]
        others = totals["ff"] - sum(flops)
        note = f"{count(totals['ff'])} in all, {count(others)} of them outside the layers"
        found.append(plot("Flip-flops by layer", "flip-flops", flops, [count(each) for each in flops], note))
    delays = [layer["delay_ns"] for layer in layers]
    note = "Each layer from its inputs, all there at once, to its last output, without registers"
    found.append(plot("Delay by layer", "ns", delays, [nanoseconds(each) for each in delays], note))
    return found


def _layer(layer: Mapping[str, Any], report: Mapping[str, Any], anchors: Mapping[str, str]) -> Layer:
    operation, _, ranges = layer["op"].partition(";")
    copies, status = layer["instances"], layer["proof"]["status"]
    facts = [("Integers", ranges.strip().replace(" to ", " … ").replace("-", "\u2212"))] if ranges else []
    each = f", {count(layer['lut'] // copies)} an instance" if copies > 1 else ""
    facts += [
        ("Instances", count(copies)),
        ("LUTs", count(layer["lut"]) + each),
        ("Rows of adders", count(layer["adders"])),
        ("Delay", nanoseconds(layer["delay_ns"])),
    ]
    if "stages" in layer:
        first, last = layer["stages"]
        facts.append(("Stages", count(first) if first == last else f"{count(first)} to {count(last)}"))
        facts.append(("Flip-flops", count(layer["ff"])))
    search = layer.get("search")
    tensors = [tensor for tensor in report["tensors"] if tensor["layer"] == layer["name"]]
    return Layer(
        anchors[layer["name"]],
        layer["name"],
        operation.replace("->", "→"),
        layer["strategy"],
        status,
        status == "proved",
        tuple(layer["proof"]["reasons"]),
        tuple(facts),
        tuple(
            Way(
                way["strategy"],
                count(way["lut"]),
                nanoseconds(way["delay_ns"]) if "delay_ns" in way else "",
                count(way["values"]),
                way["chosen"],
            )
            for way in layer["considered"]
        ),
        any("delay_ns" in way for way in layer["considered"]),
        ""
        if search is None
        else f"{count(search['greedy'])} LUT sites at the start, {count(search['halfway'])} halfway, "
        f"{count(search['sites'])} in the end, in one instance",
        tuple(_tensor(tensor) for tensor in tensors),
        tuple(detail for tensor in tensors if not tensor["internal"] for _, detail in of_tensor(tensor)),
    )


def _tensor(tensor: Mapping[str, Any]) -> Tensor:
    quantiser = tensor.get("quantiser")
    return Tensor(
        tensor["name"],
        tensor["op"],
        of_shape(tensor["shape"]),
        count(tensor["bits"]),
        of_range(tensor["min"], tensor["max"]),
        ""
        if quantiser is None
        else f"{plural(quantiser['bits'], 'bit')}, {of_range(quantiser['min'], quantiser['max'])}",
    )


def _port(port: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]]) -> PortRow:
    """A port's row; its range is that of its tensor, where the report has that."""
    bits, signed = port["bits"], port["signed"]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    for tensor in tensors:
        if port["name"] in tensor["ports"]:
            low, high = tensor["min"], tensor["max"]
    listed = [
        (what, ", ".join(map(real, cast("list[float]", numbers))))
        for what, numbers in (("scales", port["scale"]), ("zero points", port["zero_point"]))
        if isinstance(numbers, list)
    ]
    notes = [f"rounding {port['rounding']}"] if "rounding" in port else []
    notes += [f"{port['after']} is left to the reader"] if "after" in port else []
    notes += [f"along axis {port['axis']}"] if listed else []
    control = port["tensor"] is None
    return PortRow(
        port["name"],
        port["direction"],
        "" if control else port["tensor"],
        "control" if control else of_shape(port["shape"]),
        count(bits),
        of_range(port.get("min", low), port.get("max", high)),
        "" if control else of_numbers(port["scale"], "scales"),
        "" if control else of_numbers(port["zero_point"], "zero points"),
        tuple(listed),
        "; ".join(notes),
    )


def _option(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not given" if value is None else str(value)
