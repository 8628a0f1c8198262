"""Estimates of LUT sites: of single rows as they were measured, of designs as the search counts them."""

import pytest
from xdsl.dialects import hw
from xdsl.parser import Parser

import c4ml_xdsl
from benchmarks.cases import all_cases
from c4ml_xdsl.circuits.adder_graph import AdderGraph
from c4ml_xdsl.circuits.adder_graph._search import row_sites
from c4ml_xdsl.dialects import hardware_context
from c4ml_xdsl.estimates import count_registered_parities
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


def test_exclusive_ors_take_luts_where_registers_part_them_from_their_rows() -> None:
    """With a clock that splits rows of three, each bit of a parity that a register holds is a LUT, once."""
    design = Parser(
        hardware_context(),
        """
        hw.module @m(in %a: i8, in %b: i8, in %c: i8, in %clk: !seq.clock, out y: i8, out z: i8, out s: i8) {
          %parity = comb.xor %a, %b, %c : i8
          %inside = comb.xor %a, %b : i8
          %low = comb.extract %parity from 0 : (i8) -> i6
          %high = comb.extract %parity from 6 : (i8) -> i2
          %first = seq.compreg %low, %clk : i6
          %second = seq.compreg %first, %clk : i6
          %other = seq.compreg %high, %clk : i2
          %word = comb.concat %other, %second : i2, i6
          %sum = comb.add %inside, %c : i8
          %register = seq.compreg %sum, %clk : i8
          hw.output %word, %inside, %register : i8, i8, i8
        }
        """,
    ).parse_module()
    (module,) = (each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp))
    assert count_registered_parities(module) == 8
