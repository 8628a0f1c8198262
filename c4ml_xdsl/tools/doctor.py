"""`c4ml doctor`: what the compiler stands on, and which other tools are found."""

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

import click
from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from c4ml_xdsl import __version__
from c4ml_xdsl.errors import C4mlError

PACKAGE = "c4ml-xdsl"
EXTENSIONS = ("c4ml_xdsl.circuits.adder_graph._search", "c4ml_xdsl.circuits.timing._timing")
PURPOSES = {"_search": "the search for shared adders", "_timing": "the timing analysis"}
SECONDS = 10
"""What a tool may take to tell its version."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    name: str
    group: str
    """`core` (needed), `optional packages`, `simulators`, `synthesis` or `viewers`."""
    found: bool
    version: str | None
    where: str | None
    purpose: str
    get: str
    """How to get it where it is missing."""


@dataclass(frozen=True)
class _Tool:
    """A program of the system: its names, the first that is there counts, and how it tells its version."""

    name: str
    group: str
    commands: tuple[str, ...]
    arguments: tuple[str, ...]
    purpose: str
    get: str
    graphical: bool = False
    """It isn't run, as it might open a window."""


TOOLS = (
    _Tool("Verilator", "simulators", ("verilator",), ("--version",), "simulate and verify the RTL, quickly",
          "apt-get install verilator, or brew install verilator"),
    _Tool("C++ compiler", "simulators", ("g++", "clang++"), ("--version",), "what Verilator's simulations are built by",
          "apt-get install g++, or xcode-select --install"),
    _Tool("Icarus Verilog", "simulators", ("iverilog",), ("-V",), "simulate and verify the RTL",
          "apt-get install iverilog, or brew install icarus-verilog"),
    _Tool("yosys", "synthesis", ("yosys",), ("--version",), "synthesis for ECP5 and others",
          "https://github.com/YosysHQ/oss-cad-suite-build, or pip install pyosys"),
    _Tool("nextpnr-ecp5", "synthesis", ("nextpnr-ecp5",), ("--version",), "place and route for ECP5",
          "https://github.com/YosysHQ/oss-cad-suite-build"),
    _Tool("Vivado", "synthesis", ("vivado",), ("-version",), "synthesis for devices of AMD",
          "https://www.xilinx.com/support/download.html"),
    _Tool("Quartus", "synthesis", ("quartus_sh",), ("--version",), "synthesis for devices of Altera",
          "https://www.altera.com/downloads"),
    _Tool("GTKWave", "viewers", ("gtkwave",), ("--version",), "look at waveforms",
          "apt-get install gtkwave, or brew install gtkwave", graphical=True),
    _Tool("Surfer", "viewers", ("surfer",), ("--version",), "look at waveforms", "https://surfer-project.org"),
)  # fmt: skip

MODULES = (
    ("pyosys", "pyosys", "synthesis", "yosys as a Python package: what benchmarks measure with", "pip install pyosys"),
    ("cocotb", "cocotb", "simulators", "run a package's cocotb test bench", "pip install cocotb"),
    ("pyvcd", "vcd", "optional packages", "waveforms of the numpy simulator, and GTKWave's signal lists",
     "pip install pyvcd"),
    ("netron", "netron", "viewers", "c4ml view", "pip install netron"),
    ("h5py", "h5py", "optional packages", "read QKeras models", "pip install h5py"),
)  # fmt: skip


class DoctorError(C4mlError):
    """The core is broken: what is needed isn't there or can't be loaded."""


def findings() -> list[Finding]:
    """All that was looked for, the core first."""
    found = [*_core(), *map(_tool, TOOLS), *map(_module, MODULES)]
    groups = list(dict.fromkeys(each.group for each in found))
    return sorted(found, key=lambda each: groups.index(each.group))


def _core() -> list[Finding]:
    """Python, what the package declares that it needs, and its compiled parts."""
    supported = (3, 11) <= sys.version_info < (3, 14)
    own = Path(__file__).resolve().parent.parent
    found = [
        Finding("Python", "core", supported, platform.python_version(), sys.executable, "", "Python 3.11 to 3.13"),
        Finding(PACKAGE, "core", True, __version__, str(own), "", ""),
    ]
    for requirement in _requirements():
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = None
        fits = installed is not None and requirement.specifier.contains(installed, prereleases=True)
        get = f"pip install '{requirement.name}{requirement.specifier}'"
        found.append(Finding(requirement.name, "core", fits, installed, None, f"needs {requirement.specifier}", get))
    for name in EXTENSIONS:
        found.append(_extension(name))
    return found


def _requirements() -> list[Requirement]:
    """The packages that every installation needs, as this one's own metadata says."""
    try:
        declared = [Requirement(each) for each in requires(PACKAGE) or ()]
    except PackageNotFoundError:
        return []  # a checkout that isn't installed
    return [each for each in declared if each.marker is None or each.marker.evaluate({"extra": ""})]


def _extension(name: str) -> Finding:
    purpose = PURPOSES[name.rsplit(".", 1)[1]]
    try:
        module = import_module(name)
    except ImportError as error:
        why = str(error).splitlines()[0]
        return Finding(name, "core", False, None, None, f"{purpose}: {why}", "pip install --force-reinstall c4ml-xdsl")
    return Finding(name, "core", True, None, module.__file__, purpose, "")


def _module(entry: tuple[str, str, str, str, str]) -> Finding:
    """A Python package, which isn't imported."""
    name, module, group, purpose, get = entry
    specification = find_spec(module)
    if specification is None:
        return Finding(name, group, False, None, None, purpose, get)
    try:
        installed = version(name)
    except PackageNotFoundError:
        installed = None
    return Finding(name, group, True, installed, specification.origin, purpose, get)


def _tool(tool: _Tool, run: Callable[[Sequence[str]], str] | None = None) -> Finding:
    """A program on the path, with the first line of what it says of its version."""
    path = next((found for name in tool.commands if (found := shutil.which(name)) is not None), None)
    if path is None:
        return Finding(tool.name, tool.group, False, None, None, tool.purpose, tool.get)
    said = None if tool.graphical else (run or _said)([path, *tool.arguments])
    number = re.search(r"\d+(\.\d+)+", said or "")
    return Finding(tool.name, tool.group, True, number[0] if number else None, path, tool.purpose, tool.get)


def _said(command: Sequence[str]) -> str:
    """What a command prints; nothing where it fails or takes too long."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


@click.command()
@click.option("--json", "json_output", is_flag=True, help="Print JSON.")
def doctor(json_output: bool) -> None:
    """
    Says what the compiler stands on, and which simulators, synthesisers and viewers are found.

    What is missing is told with how to get it. The exit status is 0 unless the compiler itself can't work.
    """
    found = findings()
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    if json_output:
        entries = [asdict(each) for each in found]
        click.echo(json.dumps({"platform": machine, "findings": entries}, indent=2))
    else:
        _show(found, machine)
    broken = [each for each in found if each.group == "core" and not each.found]
    if broken:
        first = broken[0]
        raise DoctorError(f"{first.name} is missing or broken: {first.purpose}", remedy=first.get)


def _show(found: Sequence[Finding], machine: str) -> None:
    console = Console(width=120 if not sys.stdout.isatty() else None, highlight=False)
    console.print(f"{PACKAGE} {__version__} on {machine}")
    for group in dict.fromkeys(each.group for each in found):
        table = Table("", "", "version", title=group, title_justify="left")
        table.add_column("where, or how to get it", overflow="fold")
        for each in (one for one in found if one.group == group):
            mark = "[green]ok[/green]" if each.found else "[red]broken[/red]" if group == "core" else "missing"
            detail = (each.where or each.purpose) if each.found else f"{each.purpose}: {each.get}"
            table.add_row(mark, escape(each.name), escape(each.version or ""), escape(detail))
        console.print(table)
