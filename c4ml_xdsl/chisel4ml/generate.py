"""chisel4ml's `generate`: a choice for each layer, and the circuit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import c4ml_xdsl
from c4ml_xdsl.chisel4ml.transform import LbirModel
from c4ml_xdsl.circuit import Circuit, Result, SimulatorName
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.errors import OptionError
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.numerics.chain import Integers

Minimize = Literal["area", "delay", "balanced"]


@dataclass
class Accelerator:
    """How one layer is to be built; `strategy` may be changed before the circuit is generated."""

    layer: str
    op: str
    minimize: Minimize
    strategy: str = "auto"


@dataclass(frozen=True)
class GeneratedCircuit:
    """A circuit that runs in the simulator that was asked for."""

    circuit: Circuit
    simulator: SimulatorName

    def __call__(self, x: Any) -> Result:
        """The model's outputs for one sample or a batch."""
        return self.circuit(x, simulator=self.simulator)

    def integers(self, x: Any) -> Integers:
        """The integers of the output port (samples, elements), as chisel4ml gave them."""
        return self.circuit.integers(x, simulator=self.simulator)

    def package(self, directory: str) -> None:
        """Writes the Verilog and its port map."""
        self.circuit.package(directory)


def accelerators(lbir_model: LbirModel, minimize: Minimize = "area") -> list[Accelerator]:
    """One implementation choice a layer, editable."""
    if minimize not in ("area", "delay", "balanced"):
        raise OptionError(f"minimize={minimize!r}", remedy="Choose one of area, delay, balanced.")
    return [
        Accelerator(operation.label, operation.name.removeprefix("lbir."), minimize)
        for operation in network_of(lbir_model.module).body.block.ops
        if isinstance(operation, lbir.LayerOp)
    ]


def circuit(
    accelerators: Sequence[Accelerator],
    lbir_model: LbirModel,
    use_verilator: bool = False,
    gen_timeout_sec: int = 9000,
    server: Any = None,
    *,
    effort: Literal["fast", "normal", "max"] = "normal",
) -> GeneratedCircuit:
    """
    The circuit of these accelerators. `server` and `gen_timeout_sec` are accepted and not needed.

    `effort`, which chisel4ml doesn't have, is how long to search for shared adders.

    Raises OptionError where the accelerators aren't those of the model or ask for different things.
    """
    known = [
        operation.label
        for operation in network_of(lbir_model.module).body.block.ops
        if isinstance(operation, lbir.LayerOp)
    ]
    if [each.layer for each in accelerators] != known:
        raise OptionError(
            "the accelerators aren't those of this model", remedy="Make them with generate.accelerators(lbir_model)."
        )
    choices = {(each.minimize, each.strategy) for each in accelerators} or {("area", "auto")}
    if len(choices) > 1:
        raise OptionError("layers with different choices aren't supported yet", remedy="Choose the same for all.")
    ((minimize, strategy),) = choices
    made = c4ml_xdsl.compile(
        lbir_model.source, minimize=minimize, strategy=strategy, effort=effort, input_type=lbir_model.input_type
    )
    return GeneratedCircuit(made, "verilator" if use_verilator else "numpy")
