"""
What operations cost: LUT sites and delay, by target; `lut` counts sites of a six-input LUT, on `ecp5` of four inputs.

A row of two or three operands takes one site a bit on `xilinx` (UltraScale+) and `xilinx7` (7 series), where a row of
three is one LUT6_2 and a carry position; on `ecp5` and `generic` each two-operand addition takes one a bit. Times of
cells are those of the benchmarks' flow (Artix-7), those in carry chains fitted to chains of rows by it; they rank what
solvers compare. Delays in reports are those of `circuits/timing`, whose libraries know more.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Target = Literal["xilinx", "xilinx7", "ecp5", "generic"]
TARGETS: tuple[Target, ...] = get_args(Target)

LUT_NS, CARRY_NS = 0.65, 0.028
"""Delay of one LUT with its wires and of one carry position, in nanoseconds."""

TWO_NS, THREE_NS = 0.94, 1.88
"""From the operands' bit 0 to the result's, of a row of two and of three; its bit i arrives i carry positions later."""


def row_operands(target: Target) -> Literal[2, 3]:
    """The most operands of a row of adders that takes one site a bit."""
    return 3 if target in ("xilinx", "xilinx7") else 2


def table_inputs(target: Target) -> int:
    """The inputs of a table that takes one site."""
    return 4 if target == "ecp5" else 6


@dataclass(frozen=True)
class Cost:
    """LUT sites and delay in nanoseconds."""

    lut: int
    delay_ns: float


def row_cost(width: int, operands: int, target: Target) -> Cost:
    """An adder of `width` bits; the delay is that of bit 0."""
    adders = max(operands - 1, 0)
    if adders == 2 and row_operands(target) == 3:
        return Cost(width, THREE_NS)
    return Cost(width * adders, adders * TWO_NS)


def comparison_cost(width: int, constant: bool, target: Target = "xilinx") -> Cost:
    """A comparison; with a constant a LUT takes all bits but the one of the LUT before, else a carry chain two."""
    return Cost(-(-width // (table_inputs(target) - 1 if constant else 2)), LUT_NS + CARRY_NS * width)


def table_cost(inputs: int, target: Target = "xilinx") -> Cost:
    """One output bit of so many inputs: LUTs and their multiplexers."""
    return Cost(max(1, 1 << max(inputs - table_inputs(target), 0)), LUT_NS * max(1, -(-inputs // 6)))
