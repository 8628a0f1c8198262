"""What a package says of itself: a README, a Makefile, and a core file for FuseSoC."""

from dataclasses import dataclass

import numpy as np

from c4ml_xdsl.packaging.beats import beats_of
from c4ml_xdsl.packaging.benches import stream_prefixes
from c4ml_xdsl.packaging.design import PackagedDesign
from c4ml_xdsl.packaging.rendering import render
from c4ml_xdsl.ports import Port

MOST_SHOWN = 4
"""Elements of a port in the worked example."""


@dataclass(frozen=True)
class ExampleElement:
    """An element of a golden vector: its bits, the integer, and the model's value."""

    index: int
    low: int
    high: int
    digits: str
    integer: int
    value: str
    working: str


def description_files(design: PackagedDesign) -> dict[str, str]:
    """The files by path."""
    values = {"design": design, "names": design.module_names}
    sample = min(4, design.golden.samples - 1)  # the first ones are extremes
    prefixes = {port.name: prefix for port, prefix in zip(design.ports, stream_prefixes(design), strict=True)}
    beats = {port.name: beats_of(port.width, design.axis_width) for port in design.ports}
    examples = {port.name: worked_example(design, port, sample) for port in design.ports}
    return {
        "README.md": render(
            "README.md", sample=sample, examples=examples, prefixes=prefixes, beats=beats, formula=formula, **values
        ),
        "Makefile": render("Makefile", **values),
        f"{design.top}.core": render("core", **values),
    }


def formula(port: Port) -> str:
    """The value of an element in terms of its integer."""
    if port.bipolar:
        low, high = (number(each) for each in (-port.scale[0] / 2, port.scale[0] / 2))
        return f"{low} for 0, {high} for 1" if len(port.scale) == 1 else "-s for 0, s for 1, by channel"
    scale = number(port.scale[0]) if len(port.scale) == 1 else "scale[channel]"
    zero = number(port.zero_point[0]) if len(port.zero_point) == 1 else "zero_point[channel]"
    return f"integer × {scale}" if zero == "0" else f"(integer − {zero}) × {scale}"


def number(value: float) -> str:
    """A number in the fewest digits that read back as it."""
    return str(int(value)) if value == int(value) and abs(value) < 1 << 53 else repr(float(value))


def worked_example(design: PackagedDesign, port: Port, sample: int) -> list[ExampleElement]:
    """The first elements of a golden vector, from bits to values."""
    row = design.golden.integers[port.name][sample]
    scales, zeros = port.spread(port.scale), port.spread(port.zero_point)
    found: list[ExampleElement] = []
    for index in range(min(MOST_SHOWN, port.elements)):
        integer = int(row[index])
        scale, zero = (float(each[index if each.size > 1 else 0]) for each in (scales, zeros))
        value = (integer - zero) * scale
        left = number(integer) if zero == 0 else f"({integer} − {number(zero)})"
        found.append(
            ExampleElement(
                index,
                index * port.bits,
                (index + 1) * port.bits - 1,
                np.binary_repr(integer & ((1 << port.bits) - 1), port.bits),
                integer,
                number(value),
                f"{left} × {number(scale)}",
            )
        )
    return found
