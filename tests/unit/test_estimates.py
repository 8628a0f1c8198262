"""Estimates of LUT sites: of single rows as they were measured, of designs as the search counts them."""

import pytest

import c4ml_xdsl
from benchmarks.cases import all_cases
from c4ml_xdsl.circuits.adder_graph import AdderGraph
from c4ml_xdsl.circuits.adder_graph._search import row_sites
from c4ml_xdsl.transforms import neuron_share_sums

MEASURED = {
    "+u2 +u2 +u2": 4,
    "+u2 +u2 -u2": 5,
    "-u2 -u2 +u2": 6,
    "+s2 +s2 +s2": 4,
    "+s2 +s2 -s4": 6,
    "-s2 -s2 +s4": 7,
    "+u4 +u4 -s4": 9,
    "+s4 +s4 +s4": 6,
    "+s4 +s4 -s4": 7,
    "-s4 -s4 +s4": 8,
}
"""Sites that one row takes after synthesis by the flow of the benchmarks, measured in groups of four equal ones."""


@pytest.mark.parametrize("row", MEASURED)
def test_rows_take_what_was_measured(row: str) -> None:
    operands: list[tuple[int, int, int, bool]] = []
    for sign, kind, digits in row.split():
        bits = int(digits)
        low, high = (-1 << bits - 1, (1 << bits - 1) - 1) if kind == "s" else (0, (1 << bits) - 1)
        operands.append((low, high, 0, sign == "-"))
    ends = [(-high, -low) if negative else (low, high) for low, high, _, negative in operands]
    low, high = (sum(each) for each in zip(*ends))
    width = max((-low - 1).bit_length(), high.bit_length()) + 1 if low < 0 else high.bit_length()
    assert abs(row_sites(operands, width) - MEASURED[row]) <= 1


@pytest.mark.parametrize("name", ["W_16x16_b4_x4", "W_16x16_b8_x8", "Wb_64x32_pm1"])
@pytest.mark.parametrize(("minimize", "error"), [("area", 0.01), ("delay", 0.1)])
def test_a_design_takes_what_the_search_counts(
    name: str, minimize: str, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[AdderGraph] = []
    share_sums = neuron_share_sums.share_sums

    def remember(*arguments: object, **options: object) -> AdderGraph:
        graphs.append(share_sums(*arguments, **options))  # type: ignore[arg-type]
        return graphs[-1]

    monkeypatch.setattr(neuron_share_sums, "share_sums", remember)
    (case,) = (each for each in all_cases() if each.name == name)
    circuit = c4ml_xdsl.compile(case.load(), strategy="shared", minimize=minimize, effort="fast", verify=False)
    (graph,) = graphs
    # the report adds what synthesis spreads counters over, which the search doesn't
    assert circuit.report["totals"]["lut"] == pytest.approx(graph.sites, rel=error)
