"""Runs Verilog through Verilator: the design as a shared library that this process loads."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from c4ml_xdsl.errors import SimulationError, SimulatorUnavailableError
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import Port
from c4ml_xdsl.simulators.words import pack, unpack, words_of

DRIVER = """
#include "Vdesign.h"
#include "verilated.h"
#include <cstdint>
#include <cstring>
double sc_time_stamp() {{ return 0; }}
extern "C" void run(long samples, const uint32_t* in, uint32_t* out) {{
  VerilatedContext context;
  Vdesign top(&context);
  for (long sample = 0; sample < samples; ++sample) {{
{before}
    top.eval();
{after}
    in += {in_words};
    out += {out_words};
  }}
  top.final();
}}
"""


OPTIMISED_BYTES = 1 << 20
"""Generated C++ up to this size is compiled with optimisation."""
UNIT_BYTES = 2 << 20
"""About how much C++ goes into one translation unit: each reads the same headers again."""


def _units(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Translation units that include some of the files each."""
    groups: list[list[str]] = [[]]
    size = 0
    for file in files:
        size += file.stat().st_size
        if size > UNIT_BYTES and groups[-1]:
            groups.append([])
            size = file.stat().st_size
        groups[-1].append(f'#include "{file.name}"\n')
    units: list[Path] = []
    for index, lines in enumerate(groups):
        units.append(folder / f"unit{index}.cpp")
        units[-1].write_text("".join(lines))
    return units


class VerilatorSimulator:
    """A built design. Building takes seconds, a run microseconds a sample."""

    def __init__(self, sources: Mapping[str, str], top: str, ports: Sequence[Port]):
        """Builds `sources` (text by file name); raises SimulatorUnavailableError or SimulationError."""
        for tool in ("verilator", "g++"):
            if shutil.which(tool) is None:
                raise SimulatorUnavailableError(
                    f"{tool} isn't installed", remedy="Install it (apt-get install verilator g++), or use numpy."
                )
        self.inputs = [port for port in ports if port.direction == "input"]
        self.outputs = [port for port in ports if port.direction == "output"]
        self.folder = tempfile.TemporaryDirectory(prefix="c4ml_verilator_")
        folder = Path(self.folder.name)
        for name, text in sources.items():
            (folder / name).write_text(text)
        _run(
            [
                "verilator", "--cc", "-O3", "--Mdir", "build", "--prefix", "Vdesign", "--top-module", top, "-Wno-fatal",
                "-Wno-lint", "--output-split", "20000", "--output-split-cfuncs", "500", *sources,
            ],
            folder,
        )  # fmt: skip
        (folder / "build" / "driver.cpp").write_text(self._driver())
        root = _run(["verilator", "-getenv", "VERILATOR_ROOT"], folder).strip()
        include = Path(root) / "include"
        generated = sorted((folder / "build").glob("Vdesign*.cpp"))
        # optimising a large design takes g++ minutes and saves seconds
        level = "-O1" if sum(path.stat().st_size for path in generated) < OPTIMISED_BYTES else "-O0"
        flags = ["-std=gnu++17", level, "-fPIC", "-I.", f"-I{include}", f"-I{include / 'vltstd'}", "-w"]
        runtime = (include / "verilated.cpp", include / "verilated_threads.cpp")
        units = _units(folder / "build", [*generated, folder / "build" / "driver.cpp"])
        parts = [*units, *(path for path in runtime if path.exists())]

        def compiled(index: int) -> str:
            _run(["g++", *flags, "-c", str(parts[index]), "-o", f"part{index}.o"], folder / "build")
            return f"part{index}.o"

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(compiled, range(len(parts))))
        _run(["g++", "-shared", "-o", "design.so", *objects, "-lpthread"], folder / "build")
        self.library = ctypes.CDLL(str(folder / "build" / "design.so"))

    def _driver(self) -> str:
        def copies(ports: Sequence[Port], text: str) -> str:
            lines: list[str] = []
            position = 0
            for port in ports:
                lines.append("    " + text.format(name=port.name, position=position))
                position += words_of(port.width)
            return "\n".join(lines)

        return DRIVER.format(
            before=copies(self.inputs, "std::memcpy(&top.{name}, in + {position}, sizeof(top.{name}));"),
            after=copies(self.outputs, "std::memcpy(out + {position}, &top.{name}, sizeof(top.{name}));"),
            in_words=sum(words_of(port.width) for port in self.inputs),
            out_words=sum(words_of(port.width) for port in self.outputs),
        )

    def run(self, inputs: Mapping[str, Integers]) -> dict[str, Integers]:
        """Integers (samples, elements) by tensor name."""
        packed = [pack(inputs[port.tensor], port) for port in self.inputs]
        data = np.ascontiguousarray(np.concatenate(packed, axis=1))
        samples = len(data)
        total = sum(words_of(port.width) for port in self.outputs)
        out = np.zeros((samples, total), np.uint32)
        pointer = ctypes.POINTER(ctypes.c_uint32)
        self.library.run(ctypes.c_long(samples), data.ctypes.data_as(pointer), out.ctypes.data_as(pointer))
        results: dict[str, Integers] = {}
        position = 0
        for port in self.outputs:
            words = words_of(port.width)
            results[port.tensor] = unpack(np.ascontiguousarray(out[:, position : position + words]), port)
            position += words
        return results


def _run(command: Sequence[str], folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "VERILATOR_ROOT"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if line.strip()), "no message")
        raise SimulationError(f"{command[0]} rejected the design: {first[:300]}")
    return done.stdout
