"""Runs Verilog through Verilator: the design as a shared library that this process loads."""

import ctypes
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from c4ml_xdsl.control_ports import CLOCK, IN_VALID, OUT_VALID, RESET
from c4ml_xdsl.errors import SimulationError, SimulatorUnavailableError
from c4ml_xdsl.leftovers import ScratchFolder, worker_threads
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import COMBINATIONAL, Interface, Port
from c4ml_xdsl.simulators.recordings import HALF_PERIOD, WaveformFormat
from c4ml_xdsl.simulators.verilated import (
    TRACES,
    TRANSLATE,
    compile_objects,
    compiler,
    forget_old_libraries,
    library,
    run_tool,
    runtime,
)
from c4ml_xdsl.simulators.words import pack, unpack, words_of
from c4ml_xdsl.text_files import write_text

DRIVER = """
#include "Vdesign.h"
#include "verilated.h"
#include <cstdint>
#include <cstring>
{header}
double sc_time_stamp() {{ return 0; }}
extern "C" long run(long samples, const uint32_t* in, uint32_t* out, const char* recording) {{
  VerilatedContext context;
  {recorded}
  Vdesign top(&context);
  {opened}
  const long latency = {latency};
  long late = -1;
{reset}
  for (long cycle = 0; cycle < samples + latency; ++cycle) {{
{before}
    top.eval();
    {dump}
    if (cycle >= latency) {{
{after}
      out += {out_words};
    }}
    {edge}
    if (cycle + 1 < samples) in += {in_words};  // the last sample is given until it is answered
  }}
  top.final();
  {closed}
  return late;
}}
"""


LIBRARY = {"win32": "design.dll", "darwin": "design.dylib"}.get(sys.platform, "design.so")

HIERARCHICAL_BYTES = 1 << 20
"""Designs of more Verilog, each module counted as often as it has instances, are built module by module."""


def _expanded(sources: Mapping[str, str], top: str) -> int:
    """The bytes of all instances' Verilog; modules have files of their names, and all instances are the top's."""
    text = sources.get(f"{top}.v", "")
    counts = Counter(re.findall(r"^  (\w+) \w+ \(\.", text, re.MULTILINE))
    return len(text) + sum(len(sources.get(f"{name}.v", "")) * count for name, count in counts.items())


class VerilatorSimulator:
    """A built design. Building takes seconds, a run microseconds a sample."""

    def __init__(
        self,
        sources: Mapping[str, str],
        top: str,
        ports: Sequence[Port],
        interface: Interface = COMBINATIONAL,
        waveform: WaveformFormat | None = None,
    ):
        """
        Builds `sources` (text by file name); raises SimulatorUnavailableError or SimulationError.

        With `waveform`, each run records all signals: `recording` is the file. Then large designs are built whole,
        not module by module, as libraries hide what is in them.
        """
        for tool, found in (("verilator", shutil.which("verilator")), ("g++", compiler())):
            if found is None:
                raise SimulatorUnavailableError(
                    f"{tool} isn't installed", remedy="Install it (apt-get install verilator g++), or use numpy."
                )
        self.inputs = [port for port in ports if port.direction == "input"]
        self.outputs = [port for port in ports if port.direction == "output"]
        self.interface = interface
        self.waveform: WaveformFormat | None = waveform
        self.folder = ScratchFolder("c4ml_verilator_")
        folder = Path(self.folder.name)
        self.recording = folder / f"waves.{waveform}"
        given, archives = dict(sources), list[Path]()
        if waveform is None and _expanded(sources, top) > HIERARCHICAL_BYTES:
            modules = [name for name in sources if name != f"{top}.v"]
            with worker_threads() as pool:
                libraries = list(pool.map(library, [Path(name).stem for name in modules], map(given.pop, modules)))
            for name, each in zip(modules, libraries, strict=True):
                given[f"{Path(name).stem}.sv"] = each.wrapper
                archives.append(each.archive)
        for name, text in given.items():
            write_text(folder / name, text)
        traced = [] if waveform is None else [TRACES[waveform], "--timescale", "1ns/1ns"]
        run_tool([*TRANSLATE, *traced, "--Mdir", "build", "--prefix", "Vdesign", "--top-module", top, *given], folder)
        build = folder / "build"
        write_text(build / "driver.cpp", self._driver())
        objects = compile_objects(build, sorted(build.glob("*.cpp")))
        try:
            own = runtime(waveform)
        except SimulationError as error:
            if waveform == "fst" and "zlib.h" in str(error):
                raise SimulatorUnavailableError(
                    "Verilator's FST needs zlib's headers, which aren't installed",
                    remedy="Install them (apt-get install zlib1g-dev), or record a .vcd.",
                ) from error
            raise
        link = [*archives, own, "-lpthread", *(["-lz"] if waveform == "fst" else [])]
        run_tool([compiler() or "g++", "-shared", "-o", LIBRARY, *objects, *link], build)
        forget_old_libraries()
        self.library = ctypes.CDLL(str(build / LIBRARY))
        self.library.run.restype = ctypes.c_long

    def _driver(self) -> str:
        def copies(ports: Sequence[Port], text: str) -> str:
            lines: list[str] = []
            position = 0
            for port in ports:
                lines.append("    " + text.format(name=port.name, position=position))
                position += words_of(port.width)
            return "\n".join(lines)

        edge = f"top.{CLOCK} = 1; top.eval(); top.{CLOCK} = 0;" if self.interface.clock else ""
        header = recorded = opened = dump = closed = ""
        if self.waveform is not None:
            kind = self.waveform.capitalize()
            header = f'#include "verilated_{self.waveform}_c.h"'
            recorded = f"context.traceEverOn(true); Verilated{kind}C waves; uint64_t now = 0;"
            opened = "top.trace(&waves, 99); waves.open(recording);"
            dump = f"waves.dump(now); now += {HALF_PERIOD};"
            closed = "waves.close();"
            fall = rise = ""
            if self.interface.clock:
                fall, rise = f"top.{CLOCK} = 0; top.eval(); waves.dump(now);", f"top.{CLOCK} = 1; top.eval();"
            edge = f"{fall} now += {HALF_PERIOD}; {rise}"
        before = copies(self.inputs, "std::memcpy(&top.{name}, in + {position}, sizeof(top.{name}));")
        after = copies(self.outputs, "std::memcpy(out + {position}, &top.{name}, sizeof(top.{name}));")
        reset = ""
        if self.interface.valid:
            cycle = f"top.eval(); {dump} {edge}" if self.interface.clock else ""
            reset = f"  top.{IN_VALID} = 0; top.{RESET} = 1; {cycle} top.{RESET} = 0; top.{IN_VALID} = 1;"
            after += f"\n    if (!top.{OUT_VALID} && late < 0) late = cycle - latency;"
        return DRIVER.format(
            before=before,
            after=after,
            reset=reset,
            edge=edge,
            header=header,
            recorded=recorded,
            opened=opened,
            dump=dump,
            closed=closed,
            latency=self.interface.latency,
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
        late = self.library.run(
            ctypes.c_long(samples),
            data.ctypes.data_as(pointer),
            out.ctypes.data_as(pointer),
            str(self.recording).encode(),
        )
        if late >= 0:
            raise SimulationError(f"{OUT_VALID} is low where the output for sample {late} is due")
        results: dict[str, Integers] = {}
        position = 0
        for port in self.outputs:
            words = words_of(port.width)
            results[port.tensor] = unpack(np.ascontiguousarray(out[:, position : position + words]), port)
            position += words
        return results
