"""The cells and wires of the targets' devices, in picoseconds."""

from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.circuits.timing._timing import Library

ARTIX7 = Library(
    registers=0,
    wire=300,
    lut_pins=(127, 238, 407, 472, 631, 642),
    chain_pins=(127, 238, 407, 472, 631, 642),
    row_pins=(631, 472, 407),
    majority=538,
    select_to_sum=((223, 400, 523, 582), (0, 205, 558, 618), (0, 0, 226, 330), (0, 0, 0, 227)),
    select_to_carry=((340, 433, 512, 508), (0, 469, 548, 528), (0, 0, 292, 378), (0, 0, 0, 380)),
    carry_to_sum=(222, 334, 239, 313),
    carry_to_carry=(271, 157, 228, 114),
)
"""Those of the benchmarks' flow: yosys' Artix-7 cells, 0.3 ns a wire, no registers. They are for ranking."""

ECP5 = Library(
    registers=525,
    wire=1650,
    lut_pins=(236, 236, 236, 236, 256, 498),
    chain_pins=(0, 0, 0, 0, 0, 0),
    row_pins=(0, 0, 0),
    majority=0,
    select_to_sum=((236, 690, 850, 890), (0, 236, 850, 890), (0, 0, 236, 690), (0, 0, 0, 236)),
    select_to_carry=((447, 447, 518, 518), (0, 447, 518, 518), (0, 0, 447, 447), (0, 0, 0, 447)),
    carry_to_sum=(403, 443, 474, 514),
    carry_to_carry=(71, 71, 142, 142),
)
"""
ECP5, speed grade 6, as nextpnr has it. Carry chains have their LUTs inside, two positions a cell; there are no rows of
three. A wire is fitted to the frequency after place and route (`python -m benchmarks place`): on the longest paths
wires take 1.2 to 1.6 ns in the mean, and more paths are nearly as long.
"""


def stage_permille(target: Target) -> int:
    """
    How many thousandths of what the analysis says a pipeline's stage of several steps takes after synthesis.

    Synthesis builds the rows of one stage anew, in an order of its own: that costs 5 % in the median of pipelines of 2
    to 8 ns (`python -m benchmarks pipelines`). On the ECP5 place and route is what counts, which wires were fitted to.
    """
    return 1000 if target == "ecp5" else 1040


def library_of(target: Target) -> Library:
    """The library that a target's delays are computed with."""
    return ECP5 if target == "ecp5" else ARTIX7
