"""What all recorded waveforms have in common: their scope, and when a sample is where."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from c4ml_xdsl.ports import Interface

WaveformFormat: TypeAlias = Literal["vcd", "fst"]

SCOPE = "TOP"
"""The scope around the top module, as Verilator calls it."""
HALF_PERIOD = 5
"""Nanoseconds: a sample is there for two of them. The clock rises where the next one comes, and falls in between."""


@dataclass(frozen=True)
class Timeline:
    """
    When things happen in a waveform, in nanoseconds.

    Sample n is at the inputs from `input_at(n)` on for a period; its answer is at the outputs at the end of the period
    that begins at `output_at(n)`.
    """

    interface: Interface

    @property
    def period(self) -> int:
        """From one sample to the next."""
        return 2 * HALF_PERIOD

    @property
    def reset_cycles(self) -> int:
        """The cycles before the first sample, in which registers are reset."""
        return int(self.interface.clock and self.interface.valid)

    def input_at(self, sample: int) -> int:
        """When a sample comes."""
        return (self.reset_cycles + sample) * self.period

    def output_at(self, sample: int) -> int:
        """The beginning of the period in which a sample is answered."""
        return self.input_at(sample + self.interface.latency)
