"""Modules around a design's top module: AXI-Stream, and valid without back-pressure."""

from collections.abc import Sequence

from c4ml_xdsl.packaging.beats import beats_of, places_for
from c4ml_xdsl.packaging.benches import stream_prefixes
from c4ml_xdsl.packaging.design import PackagedDesign
from c4ml_xdsl.packaging.rendering import render


def wrapper_files(design: PackagedDesign) -> dict[str, str]:
    """The files of `wrappers` by path; the valid wrapper is for designs that have no valid themselves."""
    names, width = design.module_names, design.axis_width
    beats = {port.name: beats_of(port.width, width) for port in design.ports}
    places = places_for(design.interface.latency, max(beats.values()))
    values = {"design": design, "names": names, "beats": beats, "places": places}
    prefixes = {port.name: prefix for port, prefix in zip(design.ports, stream_prefixes(design), strict=True)}
    files = {f"wrappers/{names['axis']}.v": render("axis.v", prefixes=prefixes, **values)}
    for port in design.ports:
        module = names[f"axis_{port.name}"]
        template = "axis_input.v" if port.direction == "input" else "axis_output.v"
        files[f"wrappers/{module}.v"] = render(template, module=module, port=port, **values)
    if not design.interface.valid:
        files[f"wrappers/{names['valid']}.v"] = render(
            "valid.v", inner=inner_prefix([port.name for port in design.ports]), **values
        )
    return files


def inner_prefix(port_names: Sequence[str]) -> str:
    """What a wrapper's own names begin with, so that none is the name of a port; nothing where it needs nothing."""
    own = ("given_", "answer_", "register_", "registered_", "plain_", "REGISTER_")
    names = {"clk", "rst", "in_valid", "out_valid", "flying", "circuit", "LATENCY", "at_once", "one_cycle", "cycles"}
    if not any(name in names or name.startswith(own) for name in port_names):
        return ""
    prefix = "inner_"
    while any(name.startswith(prefix) for name in port_names):
        prefix += "_"
    return prefix
