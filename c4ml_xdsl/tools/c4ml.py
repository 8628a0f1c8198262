"""The command line `c4ml`."""

import io
import json
import logging
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.table import Table

from c4ml_xdsl import __version__
from c4ml_xdsl.circuits.cost import TARGETS
from c4ml_xdsl.errors import C4mlError, InputDataError, OptionError
from c4ml_xdsl.output_folder import check_output_folder
from c4ml_xdsl.packaging.beats import DEFAULT_AXIS_WIDTH, check_axis_width
from c4ml_xdsl.packaging.vivado_reports import read_vivado_reports
from c4ml_xdsl.strategies import OWN_STRATEGIES, known_strategies
from c4ml_xdsl.text_files import read_text, write_text
from c4ml_xdsl.tools.choices import Choice, did_you_mean
from c4ml_xdsl.tools.completion import completion
from c4ml_xdsl.tools.doctor import doctor
from c4ml_xdsl.tools.interruption import interruptible
from c4ml_xdsl.tools.progress import phase_bar
from c4ml_xdsl.tools.view import view

Command = TypeVar("Command", bound=Callable[..., Any])


class StrategyName(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """A strategy of ours, or of another package, which is looked for only where the name isn't one of ours."""

    name = "strategy"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What `--help` shows."""
        return f"[{'|'.join(OWN_STRATEGIES)}|…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; a usage error, with the names that there are, for one that isn't known."""
        if value not in OWN_STRATEGIES and value not in (known := known_strategies()):
            self.fail(f"{value!r} is not one of {', '.join(known)}.{did_you_mean(value, known)}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so."""
        return [CompletionItem(each) for each in known_strategies() if each.startswith(incomplete)]


COMPILE_OPTIONS = [
    click.option(
        "--minimize",
        type=Choice(["area", "delay", "balanced"]),
        default="balanced",
        show_default=True,
        help="LUTs, the time through the circuit, or LUTs in as few levels of adders as there are without sharing.",
    ),
    click.option(
        "--strategy",
        type=StrategyName(),
        default="auto",
        show_default=True,
        help="Sums of a layer share adders, each is built by itself (direct), or neurons of up to 14 input bits become "
        "truth tables (table), or the ones among single bits are counted (compressor); auto does what is smaller. "
        "Packages can add others.",
    ),
    click.option(
        "--target",
        type=Choice(TARGETS),
        default="xilinx",
        show_default=True,
        help="Device: UltraScale+, 7 series (both with rows of three operands), Lattice ECP5, or any with LUTs.",
    ),
    click.option(
        "--effort",
        type=Choice(["fast", "normal", "max"]),
        default="normal",
        show_default=True,
        help="How long to search for shared adders: under a second, seconds or minutes for most models.",
    ),
    click.option("--top", metavar="NAME", help="Name of the top module; the model's by default."),
    click.option(
        "--input-type",
        multiple=True,
        metavar="[TENSOR=]TYPE[:SCALE[:ZERO_POINT]]",
        help="Type of an input that has no quantiser: INT4, UINT8, BIPOLAR, …",
    ),
    click.option("--weights", type=click.Path(), help="File of the weights of a QKeras model in JSON."),
]


def _log_to_stderr(ctx: click.Context, parameter: click.Parameter, level: str) -> None:
    """Sends what our logger is told, from a level on, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("c4ml_xdsl")
    logger.handlers = [handler]
    logger.setLevel(level.upper())


QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
LOG_LEVEL = click.option(
    "--log-level",
    type=Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    expose_value=False,
    callback=_log_to_stderr,
    help="What is logged on standard error: phases with their seconds (info), the operations after each pass (debug).",
)


class _Main(click.Group):
    """Turns our errors into a short message and an exit status, and interruptions into a status alone."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal or file need not have all characters
        with interruptible():
            return self.main(*args, **{"prog_name": "c4ml", **kwargs})

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except C4mlError as error:
            lines = [line[:300] for line in str(error).splitlines() if line.strip()][:5]
            click.echo("error: " + "\n".join(lines), err=True)
            ctx.exit(error.exit_status)
        except RecursionError:
            click.echo("error: the model is nested too deeply", err=True)
            ctx.exit(1)
        except MemoryError:
            click.echo("error: the model needs more memory than there is", err=True)
            ctx.exit(1)


def _compile_options(command: Command) -> Command:
    for option in reversed(COMPILE_OPTIONS):
        command = option(command)
    return command


@click.group(cls=_Main)
@click.version_option(__version__, prog_name="c4ml")
def main() -> None:
    """
    Compiles quantized neural networks in QONNX or QKeras to bit-exact Verilog.

    Exit statuses: 0 done, 1 refused, 2 usage, 3 the result failed its own verification, 130 interrupted. `c4ml
    completion --help` says how a shell completes commands, options and files.
    """


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    given = options.pop("input_type")
    return {**options, "input_type": ";".join(given) if given else None}


def _compiled(model: str, quiet: bool, dump_ir: Path | None = None, **options: Any) -> Any:
    from c4ml_xdsl.compiler import compile

    with phase_bar(not quiet) as bar:
        return compile(model, progress=bar, expect=None if bar is None else bar.expect, dump_ir=dump_ir, **options)


@main.command("compile")
@click.argument("model", type=click.Path())
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write: a new one, or a package, which is replaced.",
)
@_compile_options
@click.option("--clock-ns", type=float, help="Registers, as few as this clock period in nanoseconds takes.")
@click.option("--latency", type=int, help="Registers for exactly so many cycles, at the shortest clock period.")
@click.option("--valid", is_flag=True, help="Ports rst, in_valid and out_valid.")
@click.option("--register-inputs", is_flag=True, help="A register behind each input; it counts in the latency.")
@click.option("--register-outputs", is_flag=True, help="A register before each output; it counts in the latency.")
@click.option("--max-luts", type=int, help="Refuse a design that is estimated to be larger.")
@click.option("--vectors", type=int, default=256, show_default=True, help="Vectors of the check.")
@click.option("--no-verify", is_flag=True, help="Don't run the check.")
@click.option("--dump-ir", type=click.Path(path_type=Path), help="Folder for the IR after each pass.")
@click.option(
    "--axis-width",
    type=int,
    default=DEFAULT_AXIS_WIDTH,
    show_default=True,
    help="Bits of a beat of the AXI-Stream wrapper, a multiple of 8.",
)
@click.option("--json", "json_output", is_flag=True, help="Print the report as JSON.")
@QUIET
@LOG_LEVEL
def compile_command(
    model: str,
    output: Path,
    json_output: bool,
    quiet: bool,
    no_verify: bool,
    dump_ir: Path | None,
    axis_width: int,
    **options: Any,
) -> None:
    """Compiles MODEL to Verilog, checks the result and writes it to a folder, with test benches and scripts."""
    check_axis_width(axis_width)
    check_output_folder(output, [Path(model)])
    circuit = _compiled(model, quiet or json_output, dump_ir, verify=not no_verify, **_settings(options))
    circuit.package(output, axis_width=axis_width)
    if json_output or not quiet:
        _show(circuit.report, json_output)
    if not json_output and not quiet:
        click.echo(f"wrote {output}")


def _show(report: dict[str, Any], json_output: bool) -> None:
    if json_output:
        click.echo(json.dumps(report, indent=2))
        return
    table = Table("layer", "what", "strategy", "LUT", "delay ns", title=f"{report['top']} (estimates)")
    for layer in report["layers"]:
        table.add_row(layer["name"], layer["op"], layer["strategy"], str(layer["lut"]), str(layer["delay_ns"]))
    total = "total; slowest stage" if report["stages"] else "total"  # a layer's delay is that without registers
    table.add_row(total, "", "", str(report["totals"]["lut"]), str(report["totals"]["delay_ns"]))
    Console(width=120 if not sys.stdout.isatty() else None).print(table)
    if report["latency_cycles"]:
        _show_stages(report)
    proved = report["proved"]
    left = f"; not proved: {proved['reasons'][0][:120]}" if proved["reasons"] else ""
    click.echo(f"proved for all inputs: {proved['proved']} of {proved['modules']} modules{left}")
    for entry in report["verified"]:
        click.echo(f"equal: {entry['reference']} = {entry['level']} on {entry['vectors']} vectors")
    for port in report["outputs"]:
        if "after" in port:
            click.echo(f"note: {port['tensor']}: {port['after']} is left to whoever reads the port")
    for warning in report["warnings"]:
        click.echo(f"warning: {warning}")


def _show_stages(report: dict[str, Any]) -> None:
    """The table of a pipeline's stages."""
    table = Table("stage", "delay ns", "registers before", "longest path", title=f"{report['latency_cycles']} cycles")
    for stage in report["stages"]:
        path = " → ".join(stage["path"][:1] + stage["path"][1:][-1:])
        table.add_row(str(stage["stage"]), str(stage["delay_ns"]), str(stage["ff"]), path)
    table.add_row("total", "", str(report["totals"]["ff"]), "")
    Console(width=120 if not sys.stdout.isatty() else None).print(table)


@main.command()
@click.argument("model", type=click.Path())
@click.option("--input-type", multiple=True, metavar="[TENSOR=]TYPE[:SCALE[:ZERO_POINT]]")
@click.option("--target", type=Choice(TARGETS), default="xilinx", show_default=True)
@click.option("--effort", type=Choice(["fast", "normal", "max"]), default="normal", show_default=True)
@click.option("--weights", type=click.Path(), help="File of the weights of a QKeras model in JSON.")
@click.option("--json", "json_output", is_flag=True, help="Print JSON.")
@QUIET
@LOG_LEVEL
def check(
    model: str,
    input_type: tuple[str, ...],
    target: Any,
    effort: Any,
    weights: str | None,
    json_output: bool,
    quiet: bool,
) -> None:
    """
    Says whether MODEL can be compiled, without building it.

    Each node with its integers' range, bits and scale, the size that is predicted and what a compile will take; for a
    model that is refused, the node, the reason and the remedy.
    """
    from c4ml_xdsl.compiler import check_model

    result = check_model(model, ";".join(input_type) if input_type else None, target, weights, effort)
    if json_output:
        click.echo(json.dumps(result.to_json(), indent=2))
    elif not quiet:
        _show_nodes(result)
    if result.error is not None:
        raise result.error


def _show_nodes(result: Any) -> None:
    """The tables of `check`."""
    console = Console(width=120 if not sys.stdout.isatty() else None)
    table = Table("node", "op", "shape", "range", "bits", "scale", "support")
    for node in result.nodes:
        scale = node.scale
        text = "" if scale is None else f"{scale:.6g}" if isinstance(scale, float) else f"{len(scale)} channels"
        span = "" if node.low is None else f"{node.low} to {node.high}"
        shape = "×".join(map(str, node.shape))
        table.add_row(node.name, node.operator, shape, span, str(node.bits or ""), text, node.support)
    console.print(table)
    prediction = result.prediction
    if prediction is None:
        return
    sizes = Table("layer", "op", "positions", "adders", "LUT", title="predicted")
    for layer in prediction.layers:
        sizes.add_row(layer.name, layer.operation, *map(str, (layer.positions, layer.adders, layer.lut)))
    sizes.add_row("total", "", "", str(prediction.adders), str(prediction.lut))
    console.print(sizes)
    click.echo(
        f"a compile takes about {prediction.seconds} s and {prediction.megabytes} MB "
        f"and writes about {prediction.verilog_lines} lines of Verilog"
    )


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "-i", "--input", "source", required=True, type=click.Path(path_type=Path), help="x.npy, or x.npz by tensor."
)
@click.option(
    "-o", "--output", "sink", required=True, type=click.Path(path_type=Path), help="y.npy, or y.npz by tensor."
)
@click.option("--simulator", type=Choice(["numpy", "verilator", "icarus"]), default="numpy", show_default=True)
@click.option(
    "--waveform",
    type=click.Path(path_type=Path),
    help="File for all signals, .vcd or (icarus, verilator) .fst; lists of them are written beside it.",
)
@click.option("--json", "json_output", is_flag=True, help="Print JSON.")
@QUIET
@LOG_LEVEL
def simulate(
    folder: Path, source: Path, sink: Path, simulator: str, waveform: Path | None, json_output: bool, quiet: bool
) -> None:
    """Runs a compiled FOLDER on values in the model's units, one sample a row."""
    import numpy as np

    from c4ml_xdsl.circuit import build_simulator, load_circuit_folder, run_on_values
    from c4ml_xdsl.packaged import recorded_design, simulator_of_folder
    from c4ml_xdsl.ports import Interface
    from c4ml_xdsl.waveforms import Recorder, waveform_format

    sources, port_map, ports = load_circuit_folder(folder)
    interface = Interface.from_json(port_map)
    if waveform is not None:
        waveform_format(waveform, simulator)
    try:
        x: Any = np.load(source, allow_pickle=False)
        if source.suffix == ".npz":
            x = {name: x[name] for name in x.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputDataError(f"{source} can't be read: {error}", remedy="Give a .npy or .npz file.") from error
    with phase_bar(not quiet and not json_output) as bar:
        if bar is not None:
            bar(f"simulating in {simulator}")
        if waveform is not None:
            made: Any = Recorder(recorded_design(folder, simulator == "numpy"), simulator, waveform)
        elif simulator == "numpy":
            made = simulator_of_folder(folder, port_map["top"], ports, interface)
        else:
            made = build_simulator(simulator, sources, port_map["top"], ports, interface)
        result = run_on_values(made, ports, x)
    try:
        if isinstance(result, dict):
            np.savez(sink, allow_pickle=False, **result)
        else:
            np.save(sink, result)
    except OSError as error:
        raise OptionError(f"{sink} can't be written: {error.strerror}") from error
    if json_output:
        shapes = {name: list(y.shape) for name, y in result.items()} if isinstance(result, dict) else list(result.shape)
        entry = {"simulator": simulator, "output": str(sink), "shape": shapes}
        click.echo(json.dumps({**entry, "waveform": None if waveform is None else str(waveform)}, indent=2))


@main.command()
@click.argument("model", type=click.Path())
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@_compile_options
@click.option("--vectors", type=int, default=256, show_default=True)
@click.option(
    "--simulator",
    "simulators",
    multiple=True,
    type=Choice(["verilator", "icarus"]),
    help="Default: those that are installed.",
)
@click.option("--json", "json_output", is_flag=True, help="Print JSON.")
@QUIET
@LOG_LEVEL
def verify(
    model: str,
    folder: Path | None,
    vectors: int,
    simulators: tuple[str, ...],
    json_output: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Compares MODEL = lbir = hw = RTL, of FOLDER where one is given."""
    from c4ml_xdsl.packaged import verify_model

    silent = quiet or json_output
    circuit = _compiled(model, silent, None, verify=True, vectors=vectors, **_settings(options))
    with phase_bar(not silent) as bar:
        if bar is not None:
            bar("simulating the RTL")
        entries = [*circuit.report["verified"], *verify_model(circuit, folder, simulators, vectors)]
    if json_output:
        click.echo(json.dumps({"verified": entries}, indent=2))
        return
    for entry in entries if not quiet else ():
        click.echo(f"equal: {entry['reference']} = {entry['level']} on {entry['vectors']} vectors")


@main.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--json", "json_output", is_flag=True, help="Print JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path), help="File to write the page to, from the folder's JSON alone."
)
@click.option("--vivado", type=click.Path(path_type=Path), help="Folder of Vivado's reports, to show beside estimates.")
@click.option(
    "--schema",
    type=Choice(["report", "ports"]),
    is_flag=False,
    flag_value="report",
    help="Print the JSON Schema of report.json, or that of ports.json.",
)
def report(folder: Path | None, json_output: bool, html: Path | None, vivado: Path | None, schema: str | None) -> None:
    """Shows the report of a compiled FOLDER, writes it as a page, or prints what its files hold."""
    if schema is not None:
        click.echo((files("c4ml_xdsl") / f"{schema}_schema.json").read_text(encoding="utf-8"), nl=False)
        return
    if folder is None:
        raise click.UsageError("Missing argument 'FOLDER'.")
    try:
        found = json.loads(read_text(folder / "report.json"))
        if vivado is not None:
            found["vivado"] = read_vivado_reports(vivado).to_json()
        if html is None:
            _show(found, json_output)
            if vivado is not None and not json_output:
                _show_vivado(found)
            return
        from c4ml_xdsl.report_page import render

        page = render(found, json.loads(read_text(folder / "ports.json")))
    except (OSError, json.JSONDecodeError) as error:
        raise InputDataError(f"{folder} holds no report: {error}", remedy="Compile the model first.") from error
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputDataError(
            f"{folder}: report.json isn't what this version writes", remedy="Compile the model again."
        ) from error
    try:
        write_text(html, page)
    except OSError as error:
        raise OptionError(f"{html} can't be written: {error.strerror}") from error
    click.echo(f"wrote {html}")


def _show_vivado(report: dict[str, Any]) -> None:
    """Vivado's figures beside the estimates; the delay is that of the slowest stage or of the whole circuit."""
    found, totals = report["vivado"], report["totals"]
    table = Table("", "estimated", "Vivado", "ratio", title=f"{found['device'] or 'Vivado'}, {found['stage']}")
    for name, key in (("LUT", "lut"), ("flip-flops", "ff"), ("delay ns", "delay_ns")):
        measured, estimated = found[key], totals[key]
        ratio = f"{measured / estimated:.2f}" if measured is not None and estimated else ""
        table.add_row(name, str(estimated), "" if measured is None else str(measured), ratio)
    for name, key in (("carry chains", "carry"), ("block RAM", "bram"), ("DSP", "dsp"), ("slack ns", "slack_ns")):
        if found[key] is not None:
            table.add_row(name, "", f"{found[key]:g}", "")
    Console(width=120 if not sys.stdout.isatty() else None).print(table)


for _command in (view, doctor, completion):
    main.add_command(_command)
