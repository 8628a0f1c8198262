"""The benchmarks of estimates, pipelines, hierarchy and place and route: what they count and how tables judge it."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.cases import matrix_model, stored_matrix
from benchmarks.estimates import (
    EstimatedDesign,
    estimate_tables,
    estimated_designs,
    fit_heaps,
    measure_design,
    rank_correlation,
)
from benchmarks.hierarchy import HierarchyCase, hierarchy_table, measure_hierarchy
from benchmarks.pipelines import DESIGNS, PipelineCase, pipeline_cases, pipeline_tables
from benchmarks.place import longest_path, placed_table
from benchmarks.results import Results, Row
from c4ml_xdsl.estimates import HEAP_ROWS_PERCENT, HEAP_TABLES_PERCENT, Sites


def test_rank_correlation_knows_ties() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 400]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 3]) == pytest.approx(0.8333, abs=1e-3)
    assert math.isnan(rank_correlation([1, 1], [1, 2]))


def test_designs_have_names_of_their_own() -> None:
    names = [each.name for each in estimated_designs()]
    assert len(set(names)) == len(names)
    assert {each.held_out for each in estimated_designs()} == {False, True}


def test_modules_are_measured_against_their_estimates() -> None:
    model = lambda: matrix_model(stored_matrix("W_16x16_b2"), 4)  # noqa: E731
    row = measure_design(EstimatedDesign("matrix balanced", model, {"effort": "fast"}, False), "binary")
    piped = measure_design(EstimatedDesign("matrix 4 ns", model, {"effort": "fast", "clock_ns": 2}, True), "binary")
    assert len(row["modules"]) == 1
    (whole,) = piped["modules"]
    assert whole["kind"] == "pipeline"
    assert 0 < whole["flows"]["binary"]["ff"] <= whole["estimate"]["ff"]
    results: Results = {"estimates": {"matrix area": row, "matrix balanced": row, "matrix balanced 2 ns": piped}}
    errors, modules = estimate_tables(results)
    assert [cells[1] for cells in modules.rows] == [row["modules"][0]["kind"], "pipeline"]  # equal ones count once
    assert not errors.rows  # of one module each there is no distribution


def test_the_factors_of_heaps_are_fitted_to_known_modules(tmp_path: Path) -> None:
    """Modules made so that rows come out as 70 % and tables as 130 %; others, and those held out, say nothing."""

    def module(rows: int, tables: int, choices: int, sites: int, heaps: bool = True) -> Row:
        parts = {"rows": rows, "tables": tables, "choices": choices, "heaps": heaps}
        fast, small = {"sites": sites, "delay_ps": 1}, {"sites": sites // 2, "delay_ps": 2}
        return {"parts": parts, "flows": {"binary": fast, "ternary": small}}

    known = [module(100, 300, 10, 470), module(400, 200, 0, 540), module(400, 200, 0, 600, heaps=False)]
    results: Results = {
        "estimates": {
            "a delay": {"modules": known, "held_out": False},
            "b delay": {"modules": [module(100, 100, 0, 900)], "held_out": True},
        }
    }
    assert fit_heaps(results) == ([70, 130], 2)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    assert CliRunner().invoke(main, ["fit", str(path)]).output == "2 modules with heaps: rows 70 %, tables 130 %\n"
    path.write_text("{}")
    assert "run python -m benchmarks estimates" in CliRunner().invoke(main, ["fit", str(path)]).output
    heaps, plain = (Sites(rows=100, tables=200, choices=7, heaps=heaps) for heaps in (True, False))
    assert heaps.total == HEAP_ROWS_PERCENT + 2 * HEAP_TABLES_PERCENT + 7
    assert plain.total == 307


def test_pipelines_are_compared_by_each_figure() -> None:
    def row(sites: int, ff: int, delay: int) -> Row:
        estimate = {"lut": sites, "ff": ff, "delay_ns": delay / 1000}
        flows = {"ternary": {"sites": sites, "lut": sites, "ff": ff, "delay_ps": delay}}
        return {"latency": 2, "estimate": estimate, "seconds": {}, "flows": flows}

    network = "digits/digits_mlp_w2a2_pot"
    names = [PipelineCase(network, "stages", 3, design).name for design in DESIGNS]
    assert {each.name for each in pipeline_cases()} >= set(names)
    clocked = PipelineCase("real/fpga4hep_jets_w4a4", "clock", 3).name
    rows = dict(zip(names, (row(50, 80, 4000), row(100, 200, 8000), row(200, 100, 5000)), strict=True))
    clocks, peers = pipeline_tables({"pipelines": {**rows, clocked: row(10, 5, 3300)}})
    assert list(clocks.rows[0][:5]) == ["fpga4hep_jets_w4a4", "3 ns", "2", "3.30", "1.10"]
    assert list(peers.rows[0]) == [network[7:], "3", "4000 / 5000 = 0.80", "80 / 100 = 0.80", "50 / 100 = 0.50"]


def test_one_schedule_a_module_is_never_better_than_one_an_instance() -> None:
    case = HierarchyCase("cnn1d_pot", 3)
    row = measure_hierarchy(case)
    assert row["flat"]["steps"] > row["modules"]["steps"]
    assert row["flat"]["registers"] <= row["modules"]["registers"]
    (table,) = hierarchy_table({"hierarchy": {case.name: row}})
    assert table.rows[0][0] == "cnn1d_pot 3 ns"


def test_cases_are_measured_once(tmp_path: Path) -> None:
    options = ["hierarchy", "--cases", "cnn1d_pot 8*", "-o", str(tmp_path / "results.json")]
    first, second = (CliRunner().invoke(main, options) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "cnn1d_pot 8 ns:" in first.output
    assert "cnn1d_pot 8 ns:" not in second.output
    assert CliRunner().invoke(main, ["hierarchy-row", "nothing"]).exit_code == 2


def test_the_longest_path_is_in_wires_and_cells() -> None:
    def hop(kind: str, delay: float) -> Row:
        return {"type": kind, "delay": delay}

    short = {"path": [hop("logic", 0.5), hop("routing", 0.5)]}
    long = {
        "path": [hop("clk-to-q", 0.5), hop("routing", 1.0), hop("logic", 0.25), hop("routing", 2.0), hop("setup", 0)]
    }
    found = longest_path([short, long])
    assert found == {"routing": {"hops": 2, "ns": 3.0}, "logic": {"hops": 1, "ns": 0.25}}
    row = {"latency": 2, "estimate": {"lut": 90, "ff": 20, "mhz": 50.0}, "lut": 100, "ff": 20, "mhz": 60.0, **found}
    (table,) = placed_table({"place": {"fpga4hep_jets_w2a2 combinational": row}})
    assert list(table.rows[0][:6]) == ["fpga4hep_jets_w2a2 combinational", "2", "50.0", "60.0", "1.20", "100 (-10%)"]
