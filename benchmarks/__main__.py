"""The command line `python -m benchmarks`."""

import json
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console

from benchmarks.cases import Case, all_cases
from benchmarks.designs import Design, all_designs
from benchmarks.errors import BenchmarkError
from benchmarks.peer_designs import install_peers, peers_folder
from benchmarks.results import Row, load_results, store_row
from c4ml_xdsl.errors import C4mlError

if TYPE_CHECKING:
    from benchmarks.named import NamedBenchmark
    from benchmarks.table import Table

Named = TypeVar("Named", Case, Design)
RESULTS = click.argument("results", type=click.Path(path_type=Path, exists=True, dir_okay=False))
FLOW = click.option(
    "--flow", default="ternary", show_default=True, help="ternary, vanilla, binary, mcm, a comma list, or all."
)


@click.group()
def main() -> None:
    """Measures this compiler, da4ml and Alkaid on the same cases through one flow."""


def _chosen(all_of_them: Sequence[Named], patterns: Sequence[str], what: str) -> list[Named]:
    """Those whose name fits one of the patterns, the default ones without patterns; raises UsageError for none."""
    for pattern in patterns:
        if not any(fnmatchcase(each.name, pattern) for each in all_of_them):
            raise click.UsageError(f"no {what} is named {pattern}: see python -m benchmarks list")
    if not patterns:
        return [each for each in all_of_them if each.default]
    return [each for each in all_of_them if any(fnmatchcase(each.name, pattern) for pattern in patterns)]


@main.command("list")
def list_command() -> None:
    """Names the cases and the designs; a * marks what a plain run measures."""
    for title, named in (("cases", all_cases()), ("designs", all_designs())):
        click.echo(f"{title}:")
        for each in named:
            click.echo(f"  {'*' if each.default else ' '} {each.name}")


@main.command("run")
@click.option("--cases", multiple=True, metavar="PATTERN", help="Cases by name, with * and ?; may be repeated.")
@click.option("--designs", multiple=True, metavar="PATTERN", help="Designs by name, with * and ?; may be repeated.")
@FLOW
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes at a time.")
@click.option("--timeout", default=1800.0, show_default=True, help="Seconds for one design of one case.")
@click.option("--again", is_flag=True, help="Measure what is in the results already, too.")
@click.option("-o", "--output", default="benchmarks.json", show_default=True, type=click.Path(path_type=Path))
def run_command(
    cases: Sequence[str],
    designs: Sequence[str],
    flow: str,
    jobs: int,
    timeout: float,
    again: bool,
    output: Path,
) -> None:
    """Builds, checks and measures every chosen design of every chosen case; finished rows are kept."""
    from benchmarks.runner import pending, run_tasks

    chosen_designs = _chosen(all_designs(), designs, "design")
    tasks = [(case, design) for case in _available(_chosen(all_cases(), cases, "case")) for design in chosen_designs]
    left = pending(tasks, output, flow, again)
    click.echo(f"{len(tasks) - len(left)} rows are finished, {len(left)} to go")

    def tell(case: Case, design: Design, row: Row) -> None:
        if "error" in row:
            click.echo(f"{case.name} {design.name}: {row['error']}")
            return
        figures = [f"{name} {each['sites']} sites {each['delay_ps']} ps" for name, each in row["flows"].items()]
        click.echo(f"{case.name} {design.name}: {', '.join(figures)}, {row['total_seconds']} s")

    run_tasks(left, output, flow, jobs, timeout, tell)


def _available(cases: Sequence[Case]) -> list[Case]:
    """The cases whose models are there; the others are named."""
    found: list[Case] = []
    for case in cases:
        try:
            case.load()
        except BenchmarkError as error:
            click.echo(f"skipped {case.name}: {error}")
        else:
            found.append(case)
    return found


@main.command("row")
@click.argument("case_name", metavar="CASE")
@click.argument("design_name", metavar="DESIGN")
@FLOW
@click.option("--known", type=click.Path(path_type=Path), help="Results whose equal designs aren't measured again.")
def row_command(case_name: str, design_name: str, flow: str, known: Path | None) -> None:
    """Builds, checks and measures one design of one case, and prints its entry of the results."""
    from benchmarks.rows import measure_row

    case = _chosen(all_cases(), [case_name], "case")[0]
    design = _chosen(all_designs(), [design_name], "design")[0]
    others = {} if known is None else load_results(known).get(case.name, {})
    rows = [row for row in others.values() if "error" not in row]
    try:
        click.echo(json.dumps(measure_row(case, design, flow, rows)))
    except (BenchmarkError, C4mlError) as error:
        raise click.ClickException(str(error).splitlines()[0]) from error


@main.command("table")
@RESULTS
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write Markdown to a file.")
def table_command(results: Path, output: Path | None) -> None:
    """Compares, per case and goal, ours with the best peer, and our estimates with what was measured."""
    from benchmarks.table import tables

    _show(tables(load_results(results)), 160, output)


def _show(made: "Sequence[Table]", width: int, markdown: Path | None) -> None:
    """Prints tables, as wide as that where there is no terminal, and writes them as Markdown."""
    from benchmarks.table import to_markdown, to_terminal

    for each in made:
        Console(width=None if sys.stdout.isatty() else width).print(to_terminal(each))
    if markdown is not None:
        markdown.write_text("\n\n".join(to_markdown(each) for each in made) + "\n")


@main.command("plot")
@RESULTS
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the pictures.")
def plot_command(results: Path, output: Path) -> None:
    """Draws LUT sites against delay, a picture for each group of cases, as SVG and PNG."""
    from benchmarks.plots import draw

    for path in draw(load_results(results), output):
        click.echo(f"wrote {path}")


@main.command("scale")
@click.option("--cases", multiple=True, metavar="PATTERN", help="Cases by name, with * and ?; may be repeated.")
@click.option("--timeout", default=1800.0, show_default=True, help="Seconds for one case.")
@click.option("--again", is_flag=True, help="Measure what is in the results already, too.")
@click.option("-o", "--output", default="scale.json", show_default=True, type=click.Path(path_type=Path))
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables as Markdown to a file, too.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the growth to a folder, too.")
def scale_command(
    cases: Sequence[str], timeout: float, again: bool, output: Path, markdown: Path | None, plot: Path | None
) -> None:
    """Measures how time and memory of a compile grow with the network, by phase; finished rows are kept."""
    from benchmarks.runner import run_command
    from benchmarks.scale import scale_cases, scale_table
    from benchmarks.scale_simulation import simulation_names, simulation_table

    for name in [*(case.name for case in scale_cases()), *simulation_names()]:
        if cases and not any(fnmatchcase(name, pattern) for pattern in cases):
            continue
        row = load_results(output).get("scale", {}).get(name)
        if again or row is None or "error" in row:
            row = run_command(["scale-row", name], timeout)
            store_row(output, "scale", name, row)
            click.echo(f"{name}: {row.get('error') or str(row['seconds']) + ' s'}")
    results = load_results(output)
    _show([scale_table(results), simulation_table(results)], 200, markdown)
    if plot is not None:
        from benchmarks.plots import draw_growth

        for path in draw_growth(results, plot):
            click.echo(f"wrote {path}")


@main.command("scale-row")
@click.argument("name", metavar="CASE")
def scale_row_command(name: str) -> None:
    """Measures one case of `scale`, and prints its entry of the results."""
    from benchmarks.scale import measure_scale, scale_cases
    from benchmarks.scale_simulation import measure_simulation, simulation_names

    case = next((each for each in scale_cases() if each.name == name), None)
    if case is None and name not in simulation_names():
        raise click.UsageError(f"no case of scale is named {name}")
    try:
        click.echo(json.dumps(measure_simulation(name) if case is None else measure_scale(case)))
    except (BenchmarkError, C4mlError) as error:
        raise click.ClickException(str(error).splitlines()[0]) from error


def _add_named(group: str, summary: str, load: "Callable[[], NamedBenchmark]", flows: bool = False) -> None:
    """
    Adds the commands of a benchmark whose cases have names: GROUP measures and shows, GROUP-row measures one case.

    Each case runs in a process of its own; the results keep it under the group's name.
    """

    def run(
        cases: Sequence[str], jobs: int, again: bool, output: Path, markdown: Path | None, flow: str | None = None
    ) -> None:
        from benchmarks.runner import run_named

        benchmark = load()
        chosen = [each for each in benchmark.cases if not cases or any(fnmatchcase(each, one) for one in cases)]
        options = [] if flow is None else ["--flow", flow]
        run_named(group, f"{group}-row", chosen, options, output, again, jobs, click.echo)
        _show(benchmark.tables(load_results(output)), 200, markdown)

    def row(name: str, flow: str = "") -> None:
        benchmark = load()
        if name not in benchmark.cases:
            raise click.UsageError(f"no case of {group} is named {name}")
        try:
            click.echo(json.dumps(benchmark.measure(name, flow)))
        except (BenchmarkError, C4mlError) as error:
            raise click.ClickException(str(error).splitlines()[0]) from error

    options = [
        click.option("--cases", multiple=True, metavar="PATTERN", help="Cases by name, with * and ?; may be repeated."),
        click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes at a time."),
        click.option("--again", is_flag=True, help="Measure what is in the results already, too."),
        click.option(
            "-o", "--output", default=f"{group}.json", show_default=True, type=click.Path(path_type=Path),
            help="File of the results; finished ones are kept.",
        ),
        click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables as Markdown, too."),
    ]  # fmt: skip
    argument = click.argument("name", metavar="CASE")
    for option in [*([FLOW] if flows else []), *reversed(options)]:
        run = option(run)
    for option in [*([FLOW] if flows else []), argument]:
        row = option(row)
    main.command(group, help=summary)(run)
    main.command(f"{group}-row", help=f"Measures one case of {group}, and prints its entry of the results.")(row)


def _estimates() -> "NamedBenchmark":
    from benchmarks.estimates import estimate_tables, estimated_designs, measure_design
    from benchmarks.named import NamedBenchmark

    return NamedBenchmark({each.name: each for each in estimated_designs()}, measure_design, estimate_tables)


def _pipelines() -> "NamedBenchmark":
    from benchmarks.named import NamedBenchmark
    from benchmarks.pipelines import measure_pipeline, pipeline_cases, pipeline_tables

    return NamedBenchmark({each.name: each for each in pipeline_cases()}, measure_pipeline, pipeline_tables)


def _hierarchy() -> "NamedBenchmark":
    from benchmarks.hierarchy import hierarchy_cases, hierarchy_table, measure_hierarchy
    from benchmarks.named import NamedBenchmark

    cases = {each.name: each for each in hierarchy_cases()}
    return NamedBenchmark(cases, lambda case, _: measure_hierarchy(case), hierarchy_table)


def _place() -> "NamedBenchmark":
    from benchmarks.named import NamedBenchmark
    from benchmarks.place import place, placed_cases, placed_table

    return NamedBenchmark({each.name: each for each in placed_cases()}, lambda case, _: place(case), placed_table)


_add_named("estimates", "Measures single modules and pipelines against the report's estimates.", _estimates, flows=True)
_add_named("pipelines", "Measures pipelines against the clock asked for and against Alkaid's.", _pipelines, flows=True)
_add_named("hierarchy", "Compares one schedule a module with one an instance, in register bits.", _hierarchy)
_add_named("place", "Places and routes designs for the target ecp5 with nextpnr.", _place)


@main.command("fit")
@RESULTS
def fit_command(results: Path) -> None:
    """Fits what rows and tables of modules with heaps count for to the known modules that `estimates` measured."""
    from benchmarks.estimates import fit_heaps

    try:
        (rows, tables), modules = fit_heaps(load_results(results))
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{modules} modules with heaps: rows {rows} %, tables {tables} %")


@main.command("peers-install")
def peers_install_command() -> None:
    """Installs da4ml and Alkaid in an environment of their own: in `$C4ML_PEERS`, else in the user's cache."""
    click.echo(f"installing the peers in {peers_folder()}")
    install_peers()


if __name__ == "__main__":
    main()
