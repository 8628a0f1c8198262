"""Vivado's reports are read back, of both kinds of families, routed or not, and shown beside the estimates."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.packaging.vivado_reports import read_vivado_reports
from c4ml_xdsl.tools.c4ml import main

RULE = "-" * 96

HEAD = """Copyright
{rule}
| Tool Version : Vivado v.2023.2
| Design       : jets
| Device       : {device}
| Design State : {state}
{rule}

"""

ULTRASCALE = """Utilization Design Information

1. CLB Logic
------------

+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| CLB LUTs*                  | 3217 |     0 |          0 |    216960 |  1.48 |
|   LUT as Logic             | 3201 |     0 |          0 |    216960 |  1.48 |
|   LUT as Memory            |   16 |     0 |          0 |     99840 |  0.02 |
| CLB Registers              | 2629 |     0 |          0 |    433920 |  0.61 |
|   Register as Flip Flop    | 2629 |     0 |          0 |    433920 |  0.61 |
| CARRY8                     |  254 |     0 |          0 |     27120 |  0.94 |
+----------------------------+------+-------+------------+-----------+-------+
* Warning! The Final LUT count may differ.

3. BLOCKRAM
-----------

+----------------+------+-------+------------+-----------+-------+
|    Site Type   | Used | Fixed | Prohibited | Available | Util% |
+----------------+------+-------+------------+-----------+-------+
| Block RAM Tile |  1.5 |     0 |          0 |       480 |  0.31 |
+----------------+------+-------+------------+-----------+-------+

4. ARITHMETIC
-------------

+-----------+------+-------+------------+-----------+-------+
| Site Type | Used | Fixed | Prohibited | Available | Util% |
+-----------+------+-------+------------+-----------+-------+
| DSPs      |    0 |     0 |          0 |      1824 |  0.00 |
+-----------+------+-------+------------+-----------+-------+
"""

SEVEN = """1. Slice Logic
--------------

+-------------------------+------+-------+-----------+-------+
|        Site Type        | Used | Fixed | Available | Util% |
+-------------------------+------+-------+-----------+-------+
| Slice LUTs              |  410 |     0 |     63400 |  0.65 |
| Slice Registers         |  122 |     0 |    126800 |  0.10 |
+-------------------------+------+-------+-----------+-------+

7. Primitives
-------------

+----------+------+---------------------+
| Ref Name | Used | Functional Category |
+----------+------+---------------------+
| LUT6     |  301 |                 LUT |
| CARRY4   |   87 |          CarryLogic |
+----------+------+---------------------+
"""

TIMING = """{rule}
| Timer Settings
| --------------
{rule}

  Enable Multi Corner Analysis               :  Yes

{rule}
| Design Timing Summary
| ---------------------
{rule}

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WPWS(ns)     TPWS(ns)
    -------      -------  ---------------------  -------------------      --------     --------
{slack:>11}        0.000                      0                 2613         1.725        0.000


All user specified timing constraints are met.


{rule}
| Clock Summary
| -------------
{rule}

Clock  Waveform(ns)       Period(ns)      Frequency(MHz)
-----  ------------       ----------      --------------
clk    {{0.000 2.000}}        4.000           250.000


{rule}
| Intra Clock Table
| -----------------
{rule}

Clock             WNS(ns)      TNS(ns)
-----             -------      -------
clk                 9.999        0.000
"""


def write(folder: Path, utilization: str, slack: str, device: str, suffix: str = "") -> None:
    folder.mkdir(exist_ok=True)
    head = HEAD.format(rule=RULE, device=device, state="Routed")
    (folder / f"utilization{suffix}.rpt").write_text(head + utilization)
    (folder / f"timing_summary{suffix}.rpt").write_text(head + TIMING.format(rule=RULE, slack=slack))


def test_ultrascale_routed(tmp_path: Path) -> None:
    write(tmp_path, SEVEN, "3.000", "xc7a100t", "_synth")
    write(tmp_path, ULTRASCALE, "0.312", "xcku5p-ffvb676")
    report = read_vivado_reports(tmp_path)
    assert (report.stage, report.device) == ("routed", "xcku5p-ffvb676")
    assert (report.lut, report.ff, report.carry, report.bram, report.dsp) == (3217, 2629, 254, 1.5, 0)
    assert (report.period_ns, report.slack_ns, report.delay_ns) == (4.0, 0.312, 3.688)


def test_seven_series_synthesised(tmp_path: Path) -> None:
    """Slices, carry chains among the primitives, no memory; a slack below zero."""
    write(tmp_path, SEVEN, "-1.250", "xc7a100t", "_synth")
    report = read_vivado_reports(tmp_path)
    assert report.stage == "synthesised"
    assert (report.lut, report.ff, report.carry, report.bram, report.dsp) == (410, 122, 87, None, None)
    assert (report.slack_ns, report.delay_ns) == (-1.25, 5.25)


def test_nothing_is_constrained(tmp_path: Path) -> None:
    write(tmp_path, ULTRASCALE, "NA", "xcku5p")
    report = read_vivado_reports(tmp_path)
    assert (report.slack_ns, report.delay_ns, report.lut) == (None, None, 3217)
    (tmp_path / "timing_summary.rpt").unlink()
    assert read_vivado_reports(tmp_path).period_ns is None


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"holds no utilization\.rpt"):
        read_vivado_reports(tmp_path / "missing")
    (tmp_path / "utilization.rpt").write_bytes(bytes(range(256)))
    with pytest.raises(InputDataError, match="aren't Vivado's reports"):
        read_vivado_reports(tmp_path)


def test_beside_the_estimates(tmp_path: Path) -> None:
    """`c4ml report DIR --vivado DIR` has both, as a table and as JSON."""
    write(tmp_path / "vivado", ULTRASCALE, "0.312", "xcku5p")
    report = {
        "top": "jets", "layers": [], "totals": {"lut": 4346, "ff": 2629, "delay_ns": 3.994}, "latency_cycles": 0,
        "proved": {"proved": 5, "modules": 5, "reasons": []}, "verified": [], "warnings": [],
        "stages": [], "outputs": [],
    }  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps(report))
    arguments = ["report", str(tmp_path), "--vivado", str(tmp_path / "vivado")]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    rows = [[cell.strip() for cell in line.split("│")] for line in shown.output.splitlines()]
    assert ["", "LUT", "4346", "3217", "0.74", ""] in rows
    assert ["", "delay ns", "3.994", "3.688", "0.92", ""] in rows
    found = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).output)
    assert found["vivado"]["lut"] == 3217
    assert found["totals"] == report["totals"]
