"""
What operations cost: LUT sites and delay, by target; `lut` counts sites of a six-input LUT.

A row of two or three operands takes one site a bit on the target `xilinx`, where a row of three is one LUT6_2 and a
carry position; on `generic` each two-operand addition takes one a bit. Times of cells are those of the benchmarks' flow
(Artix-7), those in carry chains fitted to chains of rows by it.
"""

from dataclasses import dataclass
from typing import Literal

Target = Literal["xilinx", "generic"]

LUT_NS, CARRY_NS = 0.65, 0.028
"""Delay of one LUT with its wires and of one carry position, in nanoseconds."""

TWO_NS, THREE_NS = 0.94, 1.88
"""From the operands' bit 0 to the result's, of a row of two and of three; its bit i arrives i carry positions later."""


@dataclass(frozen=True)
class Cost:
    """LUT sites and delay in nanoseconds."""

    lut: int
    delay_ns: float


def row_cost(width: int, operands: int, target: Target) -> Cost:
    """An adder of `width` bits; the delay is that of bit 0."""
    adders = max(operands - 1, 0)
    if target == "xilinx" and adders == 2:
        return Cost(width, THREE_NS)
    return Cost(width * adders, adders * TWO_NS)


def comparison_cost(width: int, constant: bool) -> Cost:
    """A comparison; with a constant a LUT takes five bits, else a carry chain two."""
    return Cost(-(-width // (5 if constant else 2)), LUT_NS + CARRY_NS * width)


def table_cost(inputs: int) -> Cost:
    """One output bit of so many inputs: LUT6s and their multiplexers."""
    return Cost(max(1, 1 << max(inputs - 6, 0)), LUT_NS * max(1, -(-inputs // 6)))
