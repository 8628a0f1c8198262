"""Vivado's text reports of utilization and timing, read back."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.text_files import read_text

SITES = {
    "lut": ("CLB LUTs", "Slice LUTs"),
    "ff": ("CLB Registers", "Slice Registers"),
    "carry": ("CARRY8", "CARRY4", "CARRY"),
    "bram": ("Block RAM Tile",),
    "dsp": ("DSPs", "DSP Slices"),
}
"""What families call the same thing."""
UTILIZATION, TIMING = "utilization.rpt", "timing_summary.rpt"
"""The files that scripts/vivado.tcl writes after routing; those after synthesis end in _synth."""


@dataclass(frozen=True)
class VivadoReport:
    """
    What Vivado says of a design. Numbers are None where a report doesn't have them.

    `delay_ns` is what the slowest path takes, the period less the worst slack; `stage` is "routed" or "synthesised".
    """

    stage: str
    device: str | None
    lut: int | None
    ff: int | None
    carry: int | None
    bram: float | None
    dsp: int | None
    period_ns: float | None
    slack_ns: float | None
    delay_ns: float | None

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        return asdict(self)


def read_vivado_reports(folder: Path) -> VivadoReport:
    """
    The reports in a folder, those after routing if they are there, else those after synthesis.

    Raises InputDataError where there are none, or where they aren't Vivado's.
    """
    remedy = "Give the folder that scripts/vivado.tcl writes: build/vivado."
    stages = {"routed": (UTILIZATION, TIMING), "synthesised": ("utilization_synth.rpt", "timing_summary_synth.rpt")}
    for stage, names in stages.items():
        files = [folder / name for name in names]
        if any(file.is_file() for file in files):
            try:
                utilization, timing = (read_text(file) if file.is_file() else "" for file in files)
            except OSError as error:
                raise InputDataError(f"{folder} can't be read: {error.strerror}", remedy=remedy) from error
            except ValueError:  # no text
                utilization = timing = ""
            report = _parsed(stage, utilization, timing)
            if report.lut is None and report.slack_ns is None:
                raise InputDataError(f"{' and '.join(names)} in {folder} aren't Vivado's reports", remedy=remedy)
            return report
    raise InputDataError(f"{folder} holds no {UTILIZATION} and no {TIMING}", remedy=remedy)


def _parsed(stage: str, utilization: str, timing: str) -> VivadoReport:
    used = {what: _used(utilization, names) for what, names in SITES.items()}
    device = re.search(r"^\| Device\s*: *(\S+)", utilization, re.M) or re.search(r"^\| Device\s*: *(\S+)", timing, re.M)
    slack, period = _worst_slack(timing), _period(timing)

    def whole(what: str) -> int | None:
        number = used[what]
        return None if number is None else int(number)

    return VivadoReport(
        stage,
        None if device is None else device.group(1),
        whole("lut"),
        whole("ff"),
        whole("carry"),
        used["bram"],
        whole("dsp"),
        period,
        slack,
        None if slack is None or period is None else round(period - slack, 3),
    )


def _cells(text: str) -> Iterator[list[str]]:
    """The rows of all tables."""
    for line in text.splitlines():
        if line.startswith("|") and line.count("|") > 2:
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _used(text: str, names: tuple[str, ...]) -> float | None:
    """
    The number in a table's column "Used", in the row of one of the names; a star at a name leads to a footnote.

    A table of primitives has its names in the column "Ref Name".
    """
    column = 1
    for cells in _cells(text):
        if "Used" in cells:
            column = cells.index("Used")
        elif cells[0].rstrip("*") in names and column < len(cells):
            try:
                return float(cells[column])
            except ValueError:
                continue
    return None


def _section(text: str, title: str) -> list[str]:
    """The lines of a section that aren't empty, from its table's head on."""
    found = re.search(rf"^\| {re.escape(title)}\s*\n\| -+\s*\n-+\s*\n(.*?)(?:^-{{20,}}\s*\n\| |\Z)", text, re.M | re.S)
    return [] if found is None else [line for line in found.group(1).splitlines() if line.strip()]


def _worst_slack(timing: str) -> float | None:
    """WNS of the design; None where nothing is constrained ("NA")."""
    lines = _section(timing, "Design Timing Summary")
    for head, row in zip(lines, lines[2:], strict=False):
        if head.split()[:1] == ["WNS(ns)"]:
            try:
                return float(row.split()[0])
            except ValueError:
                return None
    return None


def _period(timing: str) -> float | None:
    """The shortest period of a clock."""
    periods = [
        float(found.group(1))
        for line in _section(timing, "Clock Summary")
        if (found := re.match(r"\s*\S+\s+\{[^}]*\}\s+([\d.]+)\s+[\d.]+\s*$", line))
    ]
    return min(periods, default=None)
