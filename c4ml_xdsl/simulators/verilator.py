"""Runs Verilog through Verilator: the design as a shared library that this process loads."""

import ctypes
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from c4ml_xdsl.errors import SimulatorUnavailableError
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import Port
from c4ml_xdsl.simulators.verilated import TRANSLATE, compile_objects, forget_old_libraries, library, run_tool, runtime
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


HIERARCHICAL_BYTES = 1 << 20
"""Designs of more Verilog, each module counted as often as it has instances, are built module by module."""


def _expanded(sources: Mapping[str, str], top: str) -> int:
    """The bytes of all instances' Verilog; modules have files of their names, and all instances are the top's."""
    text = sources.get(f"{top}.v", "")
    counts = Counter(re.findall(r"^  (\w+) \w+ \(\.", text, re.MULTILINE))
    return len(text) + sum(len(sources.get(f"{name}.v", "")) * count for name, count in counts.items())


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
        given, archives = dict(sources), list[Path]()
        if _expanded(sources, top) > HIERARCHICAL_BYTES:
            modules = [name for name in sources if name != f"{top}.v"]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                libraries = list(pool.map(library, [Path(name).stem for name in modules], map(given.pop, modules)))
            for name, each in zip(modules, libraries, strict=True):
                given[f"{Path(name).stem}.sv"] = each.wrapper
                archives.append(each.archive)
        for name, text in given.items():
            (folder / name).write_text(text)
        run_tool([*TRANSLATE, "--Mdir", "build", "--prefix", "Vdesign", "--top-module", top, *given], folder)
        build = folder / "build"
        (build / "driver.cpp").write_text(self._driver())
        objects = compile_objects(build, sorted(build.glob("*.cpp")))
        run_tool(["g++", "-shared", "-o", "design.so", *objects, *archives, runtime(), "-lpthread"], build)
        forget_old_libraries()
        self.library = ctypes.CDLL(str(build / "design.so"))

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
