"""
Recorded runs: a waveform of all signals beside the results, and lists of the signals, layer by layer.

`run.vcd` or `run.fst` is what a viewer opens; `run.signals.json` says which bits of which signal hold which elements of
which tensor, and `run.gtkw` shows that in GTKWave (with pyvcd, the extra `waveforms`).
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.errors import OptionError
from c4ml_xdsl.layer_outputs import LayerOutput
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import Interface, Port
from c4ml_xdsl.simulators.recordings import WaveformFormat
from c4ml_xdsl.waveforms.signal_lists import write_signal_lists
from c4ml_xdsl.waveforms.signals import signal_groups

if TYPE_CHECKING:
    from c4ml_xdsl.circuit import Simulator

__all__ = ["RecordedDesign", "Recorder", "instances_of", "waveform_format"]


def waveform_format(path: str | os.PathLike[str], simulator: str) -> WaveformFormat:
    """The format that a file's name asks for; raises OptionError where the simulator can't write it."""
    suffix = Path(path).suffix.lower()
    if suffix == ".vcd":
        return "vcd"
    if suffix != ".fst":
        raise OptionError(f"the waveform {path} is neither .vcd nor .fst", remedy="Give it one of these endings.")
    if simulator == "numpy":
        raise OptionError(
            "the numpy simulator writes no FST", remedy="Give a .vcd file, or simulate with icarus or verilator."
        )
    return "fst"


def instances_of(sources: Mapping[str, str], top: str) -> dict[str, list[str]]:
    """The names of the top module's instances by their modules, from its Verilog."""
    found: dict[str, list[str]] = {}
    for module, instance in re.findall(r"^  (\w+) (\w+) \(\.", sources.get(f"{top}.v", ""), re.MULTILINE):
        found.setdefault(module, []).append(instance)
    return found


@dataclass(frozen=True)
class RecordedDesign:
    """What a recording needs to know: one of `sources` and `module` is what runs."""

    top: str
    ports: list[Port]
    interface: Interface
    layers: Sequence[LayerOutput]
    sources: Mapping[str, str]
    module: ModuleOp | None = None


class Recorder:
    """A simulator whose run writes a waveform and its signal lists."""

    def __init__(self, design: RecordedDesign, simulator: str, path: str | os.PathLike[str]):
        """
        Builds what runs the design.

        Raises OptionError for a file that the simulator can't write, SimulatorUnavailableError where it, or what
        writes its waveforms, isn't installed.
        """
        self.design, self.path, self.name = design, Path(path), simulator
        self.format: WaveformFormat = waveform_format(path, simulator)
        if not self.path.parent.is_dir():
            raise OptionError(f"there is no folder {self.path.parent} for the waveform", remedy="Make it first.")
        self._simulator = self._built()

    def _built(self) -> "Simulator":
        design = self.design
        if self.name == "numpy":
            from c4ml_xdsl.waveforms.numpy_recording import NumpyRecording

            assert design.module is not None
            return NumpyRecording(design.module, design.top, design.ports, design.interface, self.path)
        from c4ml_xdsl.circuit import build_simulator

        return build_simulator(self.name, design.sources, design.top, design.ports, design.interface, self.format)

    def run(self, inputs: Mapping[str, Integers]) -> dict[str, Integers]:
        """The outputs of a batch; raises OptionError where a file can't be written."""
        results = self._simulator.run(inputs)
        recording: Any = getattr(self._simulator, "recording", None)
        try:
            if recording is not None and self.format == "vcd":
                copy_without_date(recording, self.path)
            elif recording is not None:
                shutil.copyfile(recording, self.path)
            groups = signal_groups(self.design.top, self.design.ports, self.design.interface, self.design.layers)
            write_signal_lists(self.path, groups, self.design.interface)
        except OSError as error:
            raise OptionError(f"{self.path} can't be written: {error.strerror}") from error
        return results


def copy_without_date(source: Path, target: Path) -> None:
    """Copies a VCD file, without the date in its header: the same run gives the same file."""
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8", newline="\n") as copy:
        skipping = header = True
        for line in lines:
            if header:
                skipping = line.startswith("$date") or (skipping and not line.startswith("$"))
                ends = "$end" in line
                header = not line.startswith("$enddefinitions")
                if skipping:
                    skipping = not ends
                    continue
            copy.write(line)
