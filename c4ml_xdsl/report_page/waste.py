"""Where bits are wasted, as sentences about tensors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from c4ml_xdsl.report_page.wording import count, of_range, plural


@dataclass(frozen=True)
class Finding:
    """What is wasted of a tensor; `anchor` is its layer's entry on the page."""

    tensor: str
    anchor: str
    what: str
    detail: str


def findings(report: Mapping[str, Any], anchors: Mapping[str, str]) -> list[Finding]:
    """All of a report, in the order of the data flow."""
    ports = {port["name"]: port for port in (*report["inputs"], *report["outputs"])}
    return [
        Finding(tensor["name"], anchors.get(tensor["layer"], ""), what, detail)
        for tensor in report["tensors"]
        if tensor["op"] == "input" or (tensor["layer"] is not None and not tensor["internal"])
        for what, detail in of_tensor(tensor, [ports[name] for name in tensor["ports"]])
    ]


def of_tensor(tensor: Mapping[str, Any], ports: Sequence[Mapping[str, Any]] = ()) -> Iterator[tuple[str, str]]:
    """What is wasted of one tensor, in a word and in a sentence."""
    elements, bits = prod(tensor["shape"]), tensor["bits"]
    span = of_range(tensor["min"], tensor["max"])
    quantiser = tensor.get("quantiser")
    if quantiser is not None and bits < quantiser["bits"]:
        yield "type", f"the quantiser has {plural(quantiser['bits'], 'bit')}, {span} needs {count(bits)}"
    for port in ports:
        if bits < port["bits"]:
            yield (
                "port",
                f"the port {port['name']} has {plural(port['bits'], 'bit')} an element, {span} needs {count(bits)}",
            )
    if quantiser is not None:
        levels = quantiser["max"] - quantiser["min"] + 1
        if quantiser["reached"] < levels:
            missed = levels - quantiser["reached"]
            yield "levels", f"{count(missed)} of the quantiser's {plural(levels, 'level')} are never reached"
    if tensor["constant_elements"]:
        yield "constant", f"{count(tensor['constant_elements'])} of {plural(elements, 'element')} never change"
    if tensor["unread_elements"]:
        yield "unread", f"no output depends on {count(tensor['unread_elements'])} of {plural(elements, 'element')}"
    if tensor["spare_bits"]:
        wires = plural(elements * bits, "bit")
        yield "wires", f"{count(tensor['spare_bits'])} of {wires} are constant or copies of a sign"
