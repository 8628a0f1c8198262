"""The comparison as tables: ours against the best peer, their geometric means, and how good our estimates are."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table as RichTable

from benchmarks.cases import GROUPS, all_cases
from benchmarks.designs import EFFORTS, GOALS, Design, OurDesign, PeerDesign, all_designs
from benchmarks.results import Results, Row

NONE = "–"


@dataclass(frozen=True)
class Table:
    """A title, the columns' names, and rows of text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figures:
    """LUT sites and delay of a design by one flow."""

    design: str
    sites: int
    delay_ps: int

    @property
    def delay_ns(self) -> str:
        """The delay as tables show it."""
        return f"{self.delay_ps / 1000:.2f}"


@dataclass(frozen=True)
class Comparison:
    """
    One of our designs, and a peer's that is the best for the same goal; ratios below 1 are in our favour.

    For `area` and `balanced` that is the smallest, for `delay` the fastest; both of its figures are compared with.
    """

    case: str
    group: str
    goal: str
    ours: Figures
    peer: Figures

    @property
    def sites_ratio(self) -> float:
        """Our LUT sites by the peer's."""
        return self.ours.sites / self.peer.sites

    @property
    def delay_ratio(self) -> float:
        """Our delay by the peer's."""
        return self.ours.delay_ps / self.peer.delay_ps


def is_peer(design: Design) -> bool:
    """Whether a design is compared with: da4ml, Alkaid, and our sums without any sharing."""
    return isinstance(design, PeerDesign) or design.strategy == "direct"


def figures(design: str, row: Row) -> list[Figures]:
    """A row's figures, one a flow."""
    return [Figures(design, each["sites"], each["delay_ps"]) for each in row["flows"].values()]


def best(candidates: Iterable[Figures], goal: str) -> Figures:
    """The smallest for area, the fastest for delay, else the least product of both; ties by the other figure."""

    def key(each: Figures) -> tuple[int, int]:
        if goal == "balanced":
            return each.sites * each.delay_ps, each.sites
        return (each.delay_ps, each.sites) if goal == "delay" else (each.sites, each.delay_ps)

    return min(candidates, key=key)


def compare(results: Results) -> list[Comparison]:
    """
    Our `auto` against the peers for each case, goal and effort; a peer that isn't bit-exact doesn't count.

    A goal is called after its effort too, where that isn't the default.
    """
    peers = {each.name for each in all_designs() if is_peer(each)}
    ours = [OurDesign("auto", goal, effort) for effort in EFFORTS for goal in GOALS]
    comparisons: list[Comparison] = []
    for case in all_cases():
        rows = {name: row for name, row in results.get(case.name, {}).items() if "error" not in row and row["exact"]}
        theirs = [each for name, row in rows.items() if name in peers for each in figures(name, row)]
        for design in ours:
            if design.name in rows and theirs:
                made = best(figures(design.name, rows[design.name]), design.minimize)
                peer = best(theirs, "delay" if design.minimize == "delay" else "area")
                goal = design.name.removeprefix("auto-").replace("-", ", ")
                comparisons.append(Comparison(case.name, case.group, goal, made, peer))
    return comparisons


def geometric_mean(ratios: Sequence[float]) -> float:
    """The geometric mean of positive numbers."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def estimate_errors(results: Results) -> tuple[list[float], list[float]]:
    """
    Our report's estimate by what was measured, less 1, of LUT sites and delay; the flow as in `compare`.

    Options that give the same Verilog count once.
    """
    ours = [each for each in all_designs() if isinstance(each, OurDesign)]
    sites: list[float] = []
    delays: list[float] = []
    seen: set[str] = set()
    for rows in results.values():
        for design in ours:
            row = rows.get(design.name)
            if row is not None and "error" not in row and row["digest"] not in seen:
                seen.add(row["digest"])
                measured = best(figures(design.name, row), design.minimize)
                sites.append(row["estimate"]["lut"] / measured.sites - 1)
                delays.append(row["estimate"]["delay_ns"] * 1000 / measured.delay_ps - 1)
    return sites, delays


def tables(results: Results) -> list[Table]:
    """All tables of some results."""
    return [_comparison_table(results), _means_table(results), _estimate_table(results), _designs_table(results)]


def _comparison_table(results: Results) -> Table:
    columns = ("case", "goal", "LUT sites", "ns", "peer", "LUT sites", "ns", "ratio of sites", "of delays")
    rows = [
        (
            each.case,
            each.goal,
            str(each.ours.sites),
            each.ours.delay_ns,
            each.peer.design,
            str(each.peer.sites),
            each.peer.delay_ns,
            f"{each.sites_ratio:.2f}",
            f"{each.delay_ratio:.2f}",
        )
        for each in compare(results)
    ]
    return Table("Ours (auto) against the best peer", columns, rows)


def _means_table(results: Results) -> Table:
    comparisons = compare(results)
    rows: list[Sequence[str]] = []
    for group in (*GROUPS, "all"):
        for goal in dict.fromkeys(each.goal for each in comparisons):
            chosen = [each for each in comparisons if each.goal == goal and group in (each.group, "all")]
            if chosen:
                sites = geometric_mean([each.sites_ratio for each in chosen])
                delay = geometric_mean([each.delay_ratio for each in chosen])
                rows.append((group, goal, str(len(chosen)), f"{sites:.2f}", f"{delay:.2f}"))
    return Table("Geometric means of the ratios", ("group", "goal", "cases", "LUT sites", "delay"), rows)


def _estimate_table(results: Results) -> Table:
    rows: list[Sequence[str]] = []
    for what, errors in zip(("LUT sites", "delay"), estimate_errors(results), strict=True):
        if errors:
            worst = max(errors, key=abs)
            median = statistics.median(abs(error) for error in errors)
            rows.append((what, str(len(errors)), f"{median:.1%}", f"{statistics.median(errors):+.1%}", f"{worst:+.1%}"))
    columns = ("estimate", "designs", "median of the error's size", "median error", "worst error")
    return Table("Our report's estimates against what was measured", columns, rows)


def _designs_table(results: Results) -> Table:
    rows: list[Sequence[str]] = []
    for case in all_cases():
        for design in all_designs():
            row = results.get(case.name, {}).get(design.name)
            if row is not None:
                rows.append((case.name, design.name, *_design_cells(design, row)))
    columns = ("case", "design", "flow", "LUT sites", "LUT", "ns", "estimated", "solve s", "measure s", "remarks")
    return Table("Every design", columns, rows)


def _design_cells(design: Design, row: Row) -> Sequence[str]:
    if "error" in row:
        return (*[NONE] * 7, row["error"])
    flow, each = min(row["flows"].items(), key=lambda item: (item[1]["sites"], item[1]["delay_ps"]))
    estimated = NONE
    remarks = "" if row["exact"] else f"not exact: {row['mismatches']} of {row['vectors']} vectors differ"
    if isinstance(design, OurDesign):
        estimated = f"{row['estimate']['lut']}, {row['estimate']['delay_ns']:.2f} ns"
    seconds = row["seconds"]
    measured = f"{seconds['measure']:.0f}" if "measure" in seconds else "same"
    cells = (str(each["sites"]), str(each["lut"]), f"{each['delay_ps'] / 1000:.2f}")
    return (flow, *cells, estimated, f"{seconds['solve']:.1f}", measured, remarks)


def to_markdown(table: Table) -> str:
    """The table under a heading."""
    lines = [f"### {table.title}", "", _line(table.columns), _line(["---"] * len(table.columns))]
    return "\n".join([*lines, *(_line(row) for row in table.rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def to_terminal(table: Table) -> RichTable:
    """The table for a terminal."""
    made = RichTable(title=table.title)
    for index, column in enumerate(table.columns):
        made.add_column(column, no_wrap=index < 2)
    for row in table.rows:
        made.add_row(*row)
    return made
