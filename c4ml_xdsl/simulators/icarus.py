"""Runs Verilog through Icarus Verilog, with a test bench that reads and writes files."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from c4ml_xdsl.control_ports import CLOCK, IN_VALID, OUT_VALID, RESET
from c4ml_xdsl.errors import SimulationError, SimulatorUnavailableError
from c4ml_xdsl.leftovers import ScratchFolder, run_process
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import COMBINATIONAL, Interface, Port
from c4ml_xdsl.simulators.recordings import HALF_PERIOD, SCOPE, WaveformFormat
from c4ml_xdsl.simulators.words import pack, unpack, words_of
from c4ml_xdsl.text_files import read_text, write_text

BENCH = "test-bench.v"
"""No module's file is called so, as this is no identifier."""


class IcarusSimulator:
    """A compiled design. Icarus interprets, so it suits few samples."""

    def __init__(
        self,
        sources: Mapping[str, str],
        top: str,
        ports: Sequence[Port],
        interface: Interface = COMBINATIONAL,
        waveform: WaveformFormat | None = None,
    ):
        """
        Compiles `sources` (text by file name); raises SimulatorUnavailableError or SimulationError.

        With `waveform`, each run records all signals: `recording` is the file.
        """
        if shutil.which("iverilog") is None:
            raise SimulatorUnavailableError(
                "Icarus Verilog isn't installed", remedy="Install it (apt-get install iverilog), or use numpy."
            )
        self.inputs = [port for port in ports if port.direction == "input"]
        self.outputs = [port for port in ports if port.direction == "output"]
        self.interface = interface
        self.waveform = waveform
        self.folder = ScratchFolder("c4ml_icarus_")
        folder = Path(self.folder.name)
        self.recording = folder / f"waves.{waveform}"
        for name, text in sources.items():
            write_text(folder / name, text)
        bench = SCOPE if f"{SCOPE}.v" not in sources else f"{SCOPE}_bench"
        write_text(folder / BENCH, self._bench(top, bench))
        self._run(["iverilog", "-g2005", "-s", bench, "-o", "design.vvp", BENCH, *sources])

    def _bench(self, top: str, bench: str) -> str:
        both = [*self.inputs, *self.outputs]
        declared = [
            f"  {'reg' if port.direction == 'input' else 'wire'} [{port.width - 1}:0] port{index};"
            for index, port in enumerate(both)
        ]
        declared += [f"  reg [{port.width - 1}:0] next{index};" for index, port in enumerate(self.inputs)]
        connected = ", ".join(f".{port.name}(port{index})" for index, port in enumerate(both))
        read = " ".join(["%h"] * len(self.inputs))
        written = " ".join(["%h"] * len(self.outputs))
        sources = ", ".join(f"next{index}" for index in range(len(self.inputs)))
        sinks = ", ".join(f"port{index}" for index in range(len(self.inputs), len(both)))
        given = " ".join(f"port{index} <= next{index};" for index in range(len(self.inputs)))
        reset = rise = fall = late = dump = ""
        if self.interface.valid:
            late = 'if (!answered) $fdisplay(sink, "late"); else'
            declared.append("  reg reset = 0, given = 0; wire answered;")
            connected += f", .{RESET}(reset), .{IN_VALID}(given), .{OUT_VALID}(answered)"
            given += " reset <= 0; given <= 1;"
        if self.interface.clock:
            declared.append("  reg clock = 0;")
            connected += f", .{CLOCK}(clock)"
            rise, fall = "clock = 1;", "clock = 0;"
        if self.interface.clock and self.interface.valid:
            reset = f"reset = 1; #{2 * HALF_PERIOD} {rise}"
        if self.waveform is not None:
            dump = f'$dumpfile("{self.recording.name}"); $dumpvars(0, {top});'
        lines = "\n".join(declared)
        # inputs change right behind the edge, as what comes of registers does
        # the last sample is given until it is answered
        return f"""`timescale 1ns/1ns
module {bench};
{lines}
  integer source, sink, cycle = 0, left = {self.interface.latency};
  {top} {top} ({connected});
  initial begin
    source = $fopen("in.txt", "r");
    sink = $fopen("out.txt", "w");
    {dump}
    {reset}
    if ($fscanf(source, "{read}\\n", {sources}) != {len(self.inputs)}) left = -1;
    {given}
    while (left >= 0) begin
      #{HALF_PERIOD} {fall}
      #{HALF_PERIOD} if (cycle >= {self.interface.latency})
        {late} $fdisplay(sink, "{written}", {sinks});
      cycle = cycle + 1;
      if ($fscanf(source, "{read}\\n", {sources}) != {len(self.inputs)}) left = left - 1;
      if (left >= 0) begin
        {rise}
        {given}
      end
    end
    $fclose(sink);
    $finish;
  end
endmodule
"""

    def run(self, inputs: Mapping[str, Integers]) -> dict[str, Integers]:
        """Integers (samples, elements) by tensor name."""
        folder = Path(self.folder.name)
        columns = [pack(inputs[port.tensor], port) for port in self.inputs]
        samples = len(columns[0])
        with (folder / "in.txt").open("w", encoding="ascii", newline="\n") as file:
            for sample in range(samples):
                numbers = ("".join(f"{int(word):08x}" for word in column[sample][::-1]) for column in columns)
                file.write(" ".join(numbers) + "\n")
        self._run(["vvp", "-n", "design.vvp", *([f"-{self.waveform}"] if self.waveform else [])])
        rows = [line.split() for line in read_text(folder / "out.txt").splitlines()]
        if len(rows) != samples:
            raise SimulationError(f"Icarus answered {len(rows)} of {samples} samples")
        results: dict[str, Integers] = {}
        for index, port in enumerate(self.outputs):
            words = words_of(port.width)
            table = np.zeros((samples, words), np.uint32)
            for sample, row in enumerate(rows):
                if row == ["late"]:
                    raise SimulationError(f"{OUT_VALID} is low where an output is due")
                if not set(row[index]) <= set("0123456789abcdef"):
                    raise SimulationError(f"{port.name} is undefined: {row[index][:40]}")
                number = int(row[index], 16)
                for word in range(words):
                    table[sample, word] = number >> 32 * word & 0xFFFFFFFF
            results[port.tensor] = unpack(table, port)
        return results

    def _run(self, command: Sequence[str]) -> None:
        done = run_process(command, Path(self.folder.name))
        if done.returncode:
            first = next((line for line in (done.stderr + done.stdout).splitlines() if line.strip()), "no message")
            raise SimulationError(f"{command[0]} rejected the design: {first[:300]}")
