"""Which signals of a design are worth looking at, group by group: ports, and what each layer gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from c4ml_xdsl.control_ports import CLOCK, IN_VALID, OUT_VALID, RESET
from c4ml_xdsl.layer_outputs import LayerOutput
from c4ml_xdsl.ports import Interface, Port
from c4ml_xdsl.simulators.recordings import SCOPE

LAYER_OUTPUT = "y"
"""The port of each layer's module that has its result."""


@dataclass(frozen=True)
class Element:
    """One integer of a tensor: its index in the tensor and its bits in a signal."""

    index: tuple[int, ...]
    high: int
    low: int


@dataclass(frozen=True)
class Signal:
    """A signal by its path in the waveform, and what is in it."""

    path: str
    width: int
    signed: bool = False
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True)
class SignalGroup:
    """Signals that belong together: control, a tensor's port, or what a layer's instances give of a tensor."""

    kind: str
    name: str
    tensor: str | None = None
    node: str | None = None
    cycles: int = 0
    """How many cycles after the inputs the tensor is there."""
    scale: tuple[float, ...] = ()
    zero_point: tuple[float, ...] = ()
    signals: tuple[Signal, ...] = field(default=())


def signal_groups(
    top: str, ports: Sequence[Port], interface: Interface, layers: Sequence[LayerOutput]
) -> list[SignalGroup]:
    """The control signals, the inputs, each layer in the order of the network, and the outputs."""
    scope = f"{SCOPE}.{top}"
    control = [CLOCK] if interface.clock else []
    control += [RESET, IN_VALID, OUT_VALID] if interface.valid else []
    groups: list[SignalGroup] = []
    if control:
        signals = tuple(Signal(f"{scope}.{name}", 1) for name in control)
        groups.append(SignalGroup("control", "control", signals=signals))
    groups += [_port_group(scope, port, 0) for port in ports if port.direction == "input"]
    groups += [_layer_group(scope, layer) for layer in layers]
    groups += [_port_group(scope, port, interface.latency) for port in ports if port.direction == "output"]
    return groups


def _port_group(scope: str, port: Port, cycles: int) -> SignalGroup:
    elements = _elements(port.shape, range(port.elements), port.bits)
    signal = Signal(f"{scope}.{port.name}", port.width, port.signed, elements)
    return SignalGroup(port.direction, port.name, port.tensor, None, cycles, port.scale, port.zero_point, (signal,))


def _layer_group(scope: str, layer: LayerOutput) -> SignalGroup:
    rows = layer.elements()
    shape = layer.shape[1:] if layer.shape[:1] == (1,) else layer.shape
    signals = tuple(
        Signal(
            f"{scope}.{instance}.{LAYER_OUTPUT}",
            len(row) * layer.bits,
            layer.signed,
            _elements(shape, row.tolist(), layer.bits),
        )
        for instance, row in zip(layer.instances, rows, strict=True)
    )
    return SignalGroup("layer", layer.module, layer.tensor, layer.node, layer.stage, signals=signals)


def _elements(shape: tuple[int, ...], numbers: Sequence[int], bits: int) -> tuple[Element, ...]:
    """The elements that lie side by side in a signal, the first in the least significant bits."""
    indices: list[list[int]] = [[]]
    if shape:
        indices = np.stack(np.unravel_index(np.asarray(numbers, np.int64), shape), axis=1).tolist()
    return tuple(Element(tuple(index), (place + 1) * bits - 1, place * bits) for place, index in enumerate(indices))
