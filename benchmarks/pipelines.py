"""
Pipelines: how long their stages take against the clock asked for, and Alkaid's pipelines of the same networks.

Stages are measured on whole dense networks, and module by module where there are convolutions. With a peer, both sides
have the same number of stages and no registers at the ports; ours is `--latency`, the shortest clock for it.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import c4ml_xdsl
from benchmarks import peer_designs
from benchmarks.cases import network_model
from benchmarks.errors import BenchmarkError
from benchmarks.integer_network import describe, lower_to_lbir
from benchmarks.results import Results, Row
from benchmarks.rows import VECTORS, measure
from benchmarks.table import NONE, Table, geometric_mean
from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.ports import Interface, port_of
from c4ml_xdsl.simulators.icarus import IcarusSimulator

CLOCKS = (2, 3, 5, 8)
CLOCKED = (
    "real/fpga4hep_jets_w4a4",
    "brevitas/c4ml_lhcjets_bw4",
    "digits/digits_mlp_w4a4_pot",
    "digits/digits_cnn_w4a4_pot",
    "cnn/c4ml_cnn_mnist10k_bw4_p50",
)
WITH_PEERS = ("digits/digits_mlp_w2a2_pot", "digits/digits_mlp_w4a4_pot", "brevitas/c4ml_lhcjets_bw4")
"""Networks that Alkaid can say as one part; its pipelines are of one part."""
STAGES = (3, 5, 8)
DESIGNS = ("ours", "alkaid-dc2-ternary", "alkaid-dc-1-ternary")
SETTINGS = {name: {"hard_dc": 2 if "dc2" in name else -1, "fuse_ternary": True} for name in DESIGNS[1:]}


@dataclass(frozen=True)
class PipelineCase:
    """A network with a clock in ns or a number of stages, and whose pipeline it is."""

    network: str
    kind: Literal["clock", "stages"]
    number: int
    design: str = "ours"

    @property
    def name(self) -> str:
        """The network, the number with its unit, and the design."""
        unit = "ns" if self.kind == "clock" else "stages"
        return f"{self.network.split('/')[1]} {self.number} {unit} {self.design}"


def pipeline_cases() -> list[PipelineCase]:
    """Every case, in the order of the tables."""
    clocked = [PipelineCase(network, "clock", clock) for network in CLOCKED for clock in CLOCKS]
    return clocked + [
        PipelineCase(network, "stages", stages, design)
        for network in WITH_PEERS
        for stages in STAGES
        for design in DESIGNS
    ]


def measure_pipeline(case: PipelineCase, flows: str) -> Row:
    """The entry of the results for one case; raises BenchmarkError where a peer is wrong or not there."""
    model = network_model(case.network)
    if case.design != "ours":
        return _peer(model, case, flows)
    options: dict[str, Any] = {"clock_ns": case.number} if case.kind == "clock" else {"latency": case.number - 1}
    circuit = c4ml_xdsl.compile(model, verify=False, effort="fast", minimize="balanced", **options)
    seconds = circuit.report["seconds"]
    return {
        "latency": circuit.interface.latency,
        "estimate": {key: circuit.report["totals"][key] for key in ("lut", "ff", "delay_ns")},
        "seconds": {key: seconds[key] for key in ("hw-schedule-stages", "hw-insert-registers")},
        "flows": _measured(circuit, flows),
    }


def _measured(circuit: Circuit, flows: str) -> dict[str, dict[str, int]]:
    """A whole network's figures, or the largest delay of its modules and their sites and registers times instances."""
    layers = circuit.report["layers"]
    if all(layer["instances"] == 1 for layer in layers):
        return measure(circuit.sources, circuit.top, flows)
    found: dict[str, dict[str, int]] = {}
    for layer in layers:
        name = layer["name"]
        for flow, each in measure({f"{name}.v": circuit.sources[f"{name}.v"]}, name, flows).items():
            sums = found.setdefault(flow, dict.fromkeys(each, 0))
            for key, number in each.items():
                sums[key] = max(sums[key], number) if key == "delay_ps" else sums[key] + number * layer["instances"]
    return found


def _peer(model: bytes, case: PipelineCase, flows: str) -> Row:
    module = lower_to_lbir(model)
    network = network_of(module)
    source = port_of("x", "input", network.inputs.data[0], lbir.shape_of(network.body.block.args[0]))
    result = port_of("y", "output", network.outputs.data[0], lbir.shape_of(network.output_op.operands[0]))
    settings = {**SETTINGS[case.design], "stages": case.number}
    built = peer_designs.build("alkaid", settings, describe(module), "top", source, result)
    x = source.random(VECTORS, np.random.default_rng(0))
    wanted = lbir_interpreter.run(module, {source.tensor: x})[result.tensor].reshape(VECTORS, -1)
    interface = Interface(case.number - 1, clock=True)
    got = IcarusSimulator(built.sources, "top", [source, result], interface).run({source.tensor: x})[result.tensor]
    if not np.array_equal(got.reshape(VECTORS, -1), wanted):
        raise BenchmarkError("the peer's pipeline is wrong")
    return {
        "latency": case.number - 1,
        "estimate": {"ff": built.registers},
        "flows": measure(built.sources, "top", flows),
    }


def pipeline_tables(results: Results) -> list[Table]:
    """The stages' delays by the clock asked for; and ours against Alkaid's, in period, registers and LUT sites."""
    rows = {name: row for name, row in results.get("pipelines", {}).items() if "error" not in row}
    return [_clock_table(rows), _peer_table(rows)]


def _fastest(row: Row) -> dict[str, int]:
    return min(row["flows"].values(), key=lambda each: each["delay_ps"])


def _clock_table(rows: dict[str, Row]) -> Table:
    lines: list[list[str]] = []
    for case in pipeline_cases():
        if case.kind == "clock" and case.name in rows:
            row = rows[case.name]
            each = min(row["flows"].values(), key=lambda figures: figures["sites"])
            lines.append(
                [
                    case.network.split("/")[1],
                    f"{case.number} ns",
                    str(row["latency"]),
                    f"{each['delay_ps'] / 1000:.2f}",
                    f"{each['delay_ps'] / 1000 / case.number:.2f}",
                    f"{each['sites']} ({row['estimate']['lut'] / each['sites'] - 1:+.0%})",
                    f"{each['ff']} ({row['estimate']['ff'] / max(each['ff'], 1) - 1:+.0%})",
                    f"{sum(row['seconds'].values()):.1f}",
                ]
            )
    columns = ("network", "clock", "cycles", "measured ns", "ratio", "LUT sites (estimate)", "registers", "s")
    return Table("Stages against the clock asked for", columns, lines)


def _peer_table(rows: dict[str, Row]) -> Table:
    lines: list[list[str]] = []
    ratios: list[tuple[float, float, float]] = []
    for network in WITH_PEERS:
        for stages in STAGES:
            found = [rows.get(PipelineCase(network, "stages", stages, design).name) for design in DESIGNS]
            if any(row is None for row in found):
                continue
            ours, *peers = (_fastest(row) for row in found if row is not None)
            best = {key: min(each[key] for each in peers) for key in ("delay_ps", "ff", "sites")}
            ratios.append((ours["delay_ps"] / best["delay_ps"], ours["ff"] / best["ff"], ours["sites"] / best["sites"]))
            figures = zip(("delay_ps", "ff", "sites"), ratios[-1], strict=True)
            cells = [f"{ours[key]} / {best[key]} = {ratio:.2f}" for key, ratio in figures]
            lines.append([network.split("/")[1], str(stages), *cells])
    if ratios:
        lines.append(["geometric mean", NONE, *(f"{geometric_mean(each):.2f}" for each in zip(*ratios, strict=True))])
    columns = ("network", "stages", "longest stage, ps", "register bits", "LUT sites")
    return Table("Ours against the best of Alkaid's, each figure by itself", columns, lines)
