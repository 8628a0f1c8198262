"""
Building what Verilator writes: C++ to object files, and single modules as libraries, cached by their content.

A library is what Verilator calls a protected one (`--lib-create`): the module's own model behind a wrapper module of
the same name and ports, which calls it. The wrapper takes the module's place in the design, so a module is translated
and compiled once, however many instances it has; and from then on it isn't compiled again while its text is the same.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from c4ml_xdsl.cache import cache_folder
from c4ml_xdsl.errors import SimulationError
from c4ml_xdsl.leftovers import ScratchFolder, run_process, worker_threads
from c4ml_xdsl.simulators.recordings import WaveformFormat
from c4ml_xdsl.text_files import read_text, write_text

OPTIMISED_BYTES = 1 << 20
"""Generated C++ up to this size is compiled with optimisation: of more, that takes g++ minutes and saves seconds."""
UNIT_BYTES = 2 << 20
"""About how much C++ goes into one translation unit: each reads the same headers again."""
MOST_CACHED = 256
"""Libraries that the cache holds; those not used for longest go first."""

TRANSLATE = ("verilator", "--cc", "-O3", "-Wno-fatal", "-Wno-lint", "--output-split", "20000",
             "--output-split-cfuncs", "500")  # fmt: skip
COMPILERS = ("g++", "clang++", "c++")
COMPILE = ("-std=gnu++17", "-fPIC", "-w")
TRACES = {"vcd": "--trace", "fst": "--trace-fst"}
"""What Verilator is told to record waveforms."""


@dataclass(frozen=True)
class Library:
    """A module as a library: its wrapper's SystemVerilog, and an archive of its objects."""

    wrapper: str
    archive: Path


def compiler() -> str | None:
    """The C++ compiler: `$CXX`, else the first one that is installed; None where there is none."""
    given = os.environ.get("CXX")
    return next((name for name in ([given] if given else COMPILERS) if shutil.which(name)), None)


def run_tool(command: Sequence[str | Path], folder: Path) -> str:
    """What a command prints; raises SimulationError where it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "VERILATOR_ROOT"}
    try:
        done = run_process([str(each) for each in command], folder, environment)
    except OSError as error:
        raise SimulationError(f"{command[0]} can't be run: {error.strerror or error}") from error
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if line.strip()), "no message")
        raise SimulationError(f"{command[0]} rejected the design: {first[:300]}")
    return done.stdout


@lru_cache(maxsize=1)
def include_folder() -> Path:
    """Verilator's own headers and sources."""
    return Path(run_tool(["verilator", "-getenv", "VERILATOR_ROOT"], Path.cwd()).strip()) / "include"


def compile_objects(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """The objects of C++ sources in a folder, several of them to a translation unit, compiled in parallel."""
    level = "-O1" if sum(path.stat().st_size for path in sources) < OPTIMISED_BYTES else "-O0"
    include = include_folder()
    flags = [compiler() or COMPILERS[0], *COMPILE, level, "-I.", f"-I{include}", f"-I{include / 'vltstd'}"]
    units = _units(folder, sources)

    def compiled(index: int) -> Path:
        result = folder / f"unit{index}.o"
        run_tool([*flags, "-c", units[index], "-o", result], folder)
        return result

    with worker_threads() as pool:
        return list(pool.map(compiled, range(len(units))))


def _units(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """Translation units that include some of the sources each."""
    groups: list[list[str]] = [[]]
    size = 0
    for source in sources:
        size += source.stat().st_size
        if size > UNIT_BYTES and groups[-1]:
            groups.append([])
            size = source.stat().st_size
        groups[-1].append(f'#include "{source.name}"\n')
    units: list[Path] = []
    for index, lines in enumerate(groups):
        units.append(folder / f"unit{index}.cpp")
        write_text(units[-1], "".join(lines))
    return units


def _libraries() -> Path:
    """The folder of the libraries, which holds nothing else."""
    return cache_folder() / "verilator"


def library(name: str, text: str) -> Library:
    """The library of a module without instances; raises SimulationError where it can't be built."""
    # a name of its own: a module's may be none for C, and two modules' ones must differ in all that is linked
    own = "library" + hashlib.sha256(text.encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        write_text(folder / f"{own}.v", re.sub(rf"^module {re.escape(name)}\b", f"module {own}", text, flags=re.M))
        options = ["--lib-create", own, "--prefix", f"V{own}", "--top-module", own, "--Mdir", "."]
        run_tool([*TRANSLATE, *options, f"{own}.v"], folder)
        _archive(folder / f"{own}.a", compile_objects(folder, sorted(folder.glob("*.cpp"))))

    folder = _cached([name, text], [f"{own}.sv", f"{own}.a"], build)
    wrapper = read_text(folder / f"{own}.sv")
    return Library(re.sub(rf"^module {own}\b", f"module {name}", wrapper, flags=re.M), folder / f"{own}.a")


def runtime(waveform: WaveformFormat | None = None) -> Path:
    """The archive of Verilator's own sources, which every simulation (with waveforms) needs; raises SimulationError."""
    recorder = () if waveform is None else (f"verilated_{waveform}_c.cpp",)

    def build(folder: Path) -> None:
        for name in ("verilated.cpp", "verilated_threads.cpp", "verilated_dpi.cpp", *recorder):
            if (include_folder() / name).exists():  # versions differ
                shutil.copy(include_folder() / name, folder)
        _archive(folder / "runtime.a", compile_objects(folder, sorted(folder.glob("*.cpp"))))

    return _cached(["runtime", *recorder], ["runtime.a"], build) / "runtime.a"


def _archive(path: Path, objects: Sequence[Path]) -> None:
    run_tool(["ar", "-rcs", path, *objects], path.parent)


def _cached(key: Sequence[str], kept: Sequence[str], build: Callable[[Path], None]) -> Path:
    """The folder of the cache that holds what `build` leaves in a folder that it is given, built if need be."""
    version = run_tool(["verilator", "--version"], Path.cwd())
    digest = hashlib.sha256("\0".join([version, compiler() or "", *TRANSLATE, *COMPILE, *key]).encode()).hexdigest()[
        :32
    ]
    cache = _libraries()
    folder = cache / digest
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SimulationError(f"{cache} can't be written: {error}. Set C4ML_CACHE to another folder.") from error
        with ScratchFolder("build_", cache) as scratch:
            build(Path(scratch))
            result = Path(scratch) / "result"
            result.mkdir()
            for name in kept:
                shutil.move(Path(scratch) / name, result / name)
            try:
                result.rename(folder)
            except OSError:  # another process was faster
                if not folder.is_dir():
                    raise
    os.utime(folder)
    return folder


def forget_old_libraries() -> None:
    """Removes what wasn't used for longest, beyond what the cache holds; for when what was asked for is linked."""
    if not _libraries().is_dir():
        return
    found = [path for path in _libraries().iterdir() if path.is_dir() and not path.name.startswith("build_")]
    for path in sorted(found, key=lambda each: each.stat().st_mtime)[:-MOST_CACHED]:
        shutil.rmtree(path, ignore_errors=True)
