"""Pictures of the results; the only module that needs matplotlib, which is loaded when one is drawn."""

import importlib
from pathlib import Path
from typing import Any

import click

from benchmarks.cases import GROUPS, all_cases
from benchmarks.designs import Design, OurDesign, all_designs
from benchmarks.results import Results
from benchmarks.scale import scale_cases
from benchmarks.table import figures

COLUMNS = 4
SERIES = {
    "ours": ("#1b5e8c", "o"),
    "direct": ("#8a8a8a", "s"),
    "da4ml": ("#d08a2e", "^"),
    "Alkaid": ("#a04a6b", "D"),
}
"""The colour and the marker of each series."""
STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "svg.hashsalt": "c4ml",
    "svg.fonttype": "none",
}


def series_of(design: Design) -> str:
    """The series that a design belongs to."""
    if isinstance(design, OurDesign):
        return "direct" if design.strategy == "direct" else "ours"
    return {"da4ml": "da4ml", "alkaid": "Alkaid"}[design.peer]


def points(results: Results, case: str) -> dict[str, list[tuple[float, int]]]:
    """(delay in ns, LUT sites) of a case's exact designs, all flows, by series; equal points once."""
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in SERIES}
    for design in all_designs():
        row = results.get(case, {}).get(design.name)
        if row is not None and "error" not in row and row["exact"]:
            for each in figures(design.name, row):
                point = (each.delay_ps / 1000, each.sites)
                if point not in found[series_of(design)]:
                    found[series_of(design)].append(point)
    return found


def draw(results: Results, folder: Path) -> list[Path]:
    """
    Writes an SVG and a PNG for each group of cases that has results, and gives their paths.

    Raises ClickException where matplotlib isn't installed.
    """
    pyplot, context = _pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with context:
        for group in GROUPS:
            cases = [case.name for case in all_cases() if case.group == group]
            names = [name for name in cases if any(points(results, name).values())]
            if not names:
                continue
            figure = _figure(pyplot, results, names)
            stem = "benchmarks_" + group.replace(", ", "_").replace(" ", "_").replace("-", "_")
            for suffix, more in ((".svg", {"metadata": {"Date": None}}), (".png", {"dpi": 150})):
                written.append(folder / f"{stem}{suffix}")
                figure.savefig(written[-1], bbox_inches="tight", **more)
            pyplot.close(figure)
    return written


GROWTH = {"fast": ("#1b5e8c", "o"), "normal": ("#a04a6b", "D")}
"""The colour and the marker of each effort."""


def draw_growth(results: Results, folder: Path) -> list[Path]:
    """
    Writes an SVG and a PNG of seconds and bytes per multiplication against the size, and gives their paths.

    Raises ClickException where matplotlib isn't installed.
    """
    pyplot, context = _pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with context:
        figure, axes = pyplot.subplots(2, 2, figsize=(6.4, 4.4), layout="constrained")
        columns = (("dense", "dense layer, inputs and outputs"), ("image", "image, pixels a side"))
        for column, (series, title) in zip(axes.T, columns, strict=True):
            for effort, (colour, marker) in GROWTH.items():
                found = [
                    (case.size, results["scale"][case.name])
                    for case in scale_cases()
                    if (case.series, case.effort) == (series, effort) and case.name in results.get("scale", {})
                ]
                found = [(size, row) for size, row in found if "error" not in row]
                for axis, key, factor in zip(column, ("seconds", "megabytes"), (1e6, 2.0**20), strict=True):
                    points = [(size, factor * row[key] / row["macs"]) for size, row in found]
                    axis.plot(*zip(*points) if points else ([], []), color=colour, marker=marker, ms=4, label=effort)
                    axis.set(xscale="log")
            column[0].set(yscale="log")
            column[1].set(ylim=(0, None))
            column[1].set(xlabel=title)
            sizes = sorted({case.size for case in scale_cases() if case.series == series})
            for axis in column:
                axis.set_xticks(sizes, [str(size) for size in sizes])
                axis.minorticks_off()
        axes[0][0].set(ylabel="µs a multiplication")
        axes[1][0].set(ylabel="bytes a multiplication")
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
        for suffix, more in ((".svg", {"metadata": {"Date": None}}), (".png", {"dpi": 150})):
            written.append(folder / f"growth{suffix}")
            figure.savefig(written[-1], bbox_inches="tight", **more)
        pyplot.close(figure)
    return written


def _pyplot() -> tuple[Any, Any]:
    """matplotlib's pyplot and the context of our style; raises ClickException where it isn't installed."""
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
        matplotlib.use("Agg")
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise click.ClickException("pictures need matplotlib: pip install '.[benchmarks]'") from error
    return pyplot, matplotlib.rc_context(STYLE)


def _figure(pyplot: Any, results: Results, names: list[str]) -> Any:
    """One small plot a case, sites over delay; the axes show where the designs lie and don't start at 0."""
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    size = (2.4 * columns, 2.1 * rows)
    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis, name in zip(axes.flat, [*names, *[None] * (rows * columns - len(names))], strict=True):
        if name is None:
            axis.set_visible(False)
            continue
        for series, found in points(results, name).items():
            colour, marker = SERIES[series]
            filled = colour if series == "ours" else "none"
            axis.scatter(*zip(*found) if found else ([], []), s=22, marker=marker, facecolor=filled, edgecolor=colour,
                         label=series, zorder=3 if series == "ours" else 2)  # fmt: skip
        axis.set(title=name)
        axis.margins(0.15)
        axis.locator_params(nbins=4)
    figure.supxlabel("delay, ns", fontsize=8)
    figure.supylabel("LUT sites", fontsize=8)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(SERIES), frameon=False)
    return figure
