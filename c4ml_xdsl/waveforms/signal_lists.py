"""Signal lists for programs (JSON) and for GTKWave (a save file), beside a waveform."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from c4ml_xdsl.ports import Interface
from c4ml_xdsl.simulators.recordings import SCOPE, Timeline
from c4ml_xdsl.text_files import write_text
from c4ml_xdsl.waveforms.signals import Signal, SignalGroup

MOST_ELEMENTS = 4096
"""Elements that a save file of GTKWave names one by one; beyond them signals stand for themselves."""


def write_signal_lists(waveform: Path, groups: Sequence[SignalGroup], interface: Interface) -> list[Path]:
    """Writes `….signals.json`, and `….gtkw` where pyvcd is installed; returns what was written. Raises OSError."""
    written = [waveform.with_suffix(".signals.json")]
    write_text(written[0], json.dumps(signal_list(waveform.name, groups, interface), indent=1) + "\n")
    text = gtkwave_save_file(waveform.name, groups)
    if text is not None:
        written.append(waveform.with_suffix(".gtkw"))
        write_text(written[1], text)
    return written


def signal_list(waveform: str, groups: Sequence[SignalGroup], interface: Interface) -> dict[str, Any]:
    """
    The list for programs.

    `elements` of a signal are [index in the tensor, high bit, low bit]. Sample n comes at (`reset_cycles` + n) *
    `period_ns`; what a group has of it is there at the end of the period that begins `cycles` periods later.
    """
    timeline = Timeline(interface)
    return {
        "waveform": waveform,
        "period_ns": timeline.period,
        "reset_cycles": timeline.reset_cycles,
        "latency_cycles": interface.latency,
        "groups": [
            {
                **{key: value for key, value in asdict(group).items() if key != "signals" and value not in (None, ())},
                "signals": [_entry(signal) for signal in group.signals],
            }
            for group in groups
        ],
    }


def _entry(signal: Signal) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": signal.path, "width": signal.width}
    if signal.elements:
        entry["signed"] = signal.signed
        entry["elements"] = [[list(each.index), each.high, each.low] for each in signal.elements]
    return entry


def gtkwave_save_file(waveform: str, groups: Sequence[SignalGroup]) -> str | None:
    """Groups of signals and, as numbers, of their elements by the model's names; None without pyvcd."""
    try:
        from vcd.gtkw import GTKWSave
    except ImportError:
        return None
    text = io.StringIO()
    save = GTKWSave(text)
    save.dumpfile(waveform, abspath=False)
    save.treeopen(f"{SCOPE}.")
    for group in groups:
        named = sum(len(signal.elements) for signal in group.signals) <= MOST_ELEMENTS
        title = group.name if group.tensor in (None, group.name) else f"{group.name}: {group.tensor}"
        with save.group(title, closed=group.kind == "layer"):
            for signal in group.signals:
                path = signal.path if signal.width == 1 else f"{signal.path}[{signal.width - 1}:0]"
                save.trace(path, datafmt="bin" if not signal.elements else "hex")
                for each in signal.elements if named and signal.width > 1 else ():
                    index = ",".join(map(str, each.index))
                    # GTKWave counts a signal's bits from the most significant one
                    bits = [(signal.width - 1 - bit, path) for bit in range(each.high, each.low - 1, -1)]
                    save.trace_combined(f"{group.tensor}[{index}]", bits, datafmt="signed" if signal.signed else "dec")
    return text.getvalue()
