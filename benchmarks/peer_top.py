"""The top module of a peer's design: our ports, its parts, and comparators where activations cut it into parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.errors import BenchmarkError
from benchmarks.integer_network import IntegerNetwork, Integers
from c4ml_xdsl.ports import Port


@dataclass(frozen=True)
class PartFormats:
    """[signed, integer bits, fraction bits] of each element of a part's packed ports, element 0 the lowest."""

    inputs: Sequence[Sequence[int]]
    outputs: Sequence[Sequence[int]]


def top_module(
    name: str,
    source: Port,
    result: Port,
    parts: Sequence[tuple[IntegerNetwork, Integers | None]],
    formats: Sequence[PartFormats],
    clocked: bool = False,
) -> str:
    """
    The Verilog of the top, with a port `clk` for parts that have registers.

    Every element becomes a signed wire. Levels (elements, levels) behind a part are compared and the count of those
    reached is picked by a tree of multiplexers.
    """
    lines = [f"module {name} (", *["  input clk,"] * clocked, f"  input [{source.width - 1}:0] {source.name},"]
    lines += [f"  output [{result.width - 1}:0] {result.name}", ");"]
    values: list[str] = []
    for index in range(source.elements):
        field = f"{source.name}[{(index + 1) * source.bits - 1}:{index * source.bits}]"
        values.append(_signed(lines, f"x{index}", field, source.bits, source.signed))
    for number, ((_, levels), each) in enumerate(zip(parts, formats, strict=True)):
        values = _instance(lines, number, values, each, clocked)
        if levels is not None:
            rows = enumerate(zip(values, levels.tolist(), strict=True))
            values = [_count(lines, f"c{number}_{index}", value, row) for index, (value, row) in rows]
    for index, value in enumerate(values):
        lines.append(f"  wire signed [{result.bits - 1}:0] y{index} = {value};")
    fields = ", ".join(f"y{index}" for index in reversed(range(len(values))))
    return "\n".join([*lines, f"  assign {result.name} = {{{fields}}};", "endmodule", ""])


def _signed(lines: list[str], name: str, field: str, bits: int, signed: bool) -> str:
    value = f"$signed({field})" if signed else f"$signed({{1'b0, {field}}})"
    lines.append(f"  wire signed [{bits - 1 if signed else bits}:0] {name} = {value};")
    return name


def _instance(lines: list[str], number: int, values: Sequence[str], formats: PartFormats, clocked: bool) -> list[str]:
    """Instantiates a part; gives the names of its outputs as integers."""
    taken: list[str] = []
    for index, (value, (signed, whole, fraction)) in enumerate(zip(values, formats.inputs, strict=True)):
        if signed + whole + fraction > 0:
            high = signed + whole - 1
            lines.append(f"  wire signed [{high}:0] a{number}_{index} = {value};")
            taken.append(f"a{number}_{index}[{high}:{-fraction}]")
    widths = [max(sum(each), 0) for each in formats.outputs]
    if any(fraction > 0 for _, _, fraction in formats.outputs):
        raise BenchmarkError("the peer's outputs have fractions")
    lines.append(f"  wire [{max(sum(widths), 1) - 1}:0] o{number};")
    packed = ", ".join(reversed(taken))
    clock = ".clk(clk), " * clocked
    lines.append(f"  part{number} part{number}_i ({clock}.model_inp({{{packed}}}), .model_out(o{number}));")
    results: list[str] = []
    position = 0
    for index, ((signed, _, fraction), width) in enumerate(zip(formats.outputs, widths, strict=True)):
        name = f"s{number}_{index}"
        if width == 0:
            lines.append(f"  wire signed [0:0] {name} = 1'b0;")
        else:
            field = f"o{number}[{position + width - 1}:{position}]"
            # low bits that are always 0 aren't in the peer's port
            field = field if fraction == 0 else f"{{{field}, {-fraction}'b0}}"
            _signed(lines, name, field, width - fraction, bool(signed))
        results.append(name)
        position += width
    return results


def _count(lines: list[str], name: str, value: str, levels: Sequence[int]) -> str:
    """How many of the ascending levels a value has reached, as the name of a signed wire."""
    bits = len(levels).bit_length()
    reached: list[str] = []
    for number, level in enumerate(levels, 1):
        constant = f"{'-' * (level < 0)}{abs(level).bit_length() + 1}'sd{abs(level)}"
        lines.append(f"  wire {name}_{number} = {value} >= {constant};")
        reached.append(f"{name}_{number}")
    reached += ["1'b0"] * ((1 << bits) - 1 - len(levels))

    def digit(wanted: int, bit: int, base: int) -> str:
        """The bit `wanted` of the count, whose bits above `bit` are those of `base`."""
        here = reached[base + (1 << bit) - 1]
        if bit == wanted:
            return here
        return f"({here} ? {digit(wanted, bit - 1, base + (1 << bit))} : {digit(wanted, bit - 1, base)})"

    digits = ", ".join(digit(bit, bits - 1, 0) for bit in reversed(range(bits)))
    return _signed(lines, name, f"{{{digits}}}", bits, False)
