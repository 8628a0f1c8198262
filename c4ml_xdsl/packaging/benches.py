"""Test benches on golden vectors, in Verilog-2005 and for cocotb."""

from c4ml_xdsl.packaging.beats import beats_of
from c4ml_xdsl.packaging.design import PackagedDesign
from c4ml_xdsl.packaging.rendering import render


def bench_files(design: PackagedDesign) -> dict[str, str]:
    """The files of `tb` by path."""
    names = design.module_names
    values = {"design": design, "names": names}
    streams = {
        port.name: {"prefix": prefix, "beats": beats_of(port.width, design.axis_width)}
        for port, prefix in zip(design.ports, stream_prefixes(design), strict=True)
    }
    files = {
        f"tb/{names['tb']}.v": render("bench.v", **values),
        f"tb/test_{design.top}.py": render("cocotb_bench.py", **values),
        f"tb/test_{names['axis']}.py": render("cocotb_axis_bench.py", streams=streams, **values),
    }
    for port in design.ports:
        files[f"tb/{design.vector_file(port)}"] = "\n".join(design.golden.words(port)) + "\n"
    return files


def stream_prefixes(design: PackagedDesign) -> list[str]:
    """What the names of each port's stream begin with; a single tensor's stream needs no name of its own."""
    prefixes: list[str] = []
    for port in design.ports:
        alone = len(design.inputs if port.direction == "input" else design.outputs) == 1
        side = "s_axis" if port.direction == "input" else "m_axis"
        prefixes.append(side if alone else f"{side}_{port.name}")
    return prefixes
