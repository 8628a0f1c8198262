"""What is known of a design when its package is written: ports, interface and figures, no IR."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from c4ml_xdsl.control_ports import CLOCK
from c4ml_xdsl.packaging.beats import DEFAULT_AXIS_WIDTH
from c4ml_xdsl.packaging.golden import GoldenVectors
from c4ml_xdsl.ports import Interface, Port

FALLBACK_PERIOD_NS = 10.0
XILINX_PART = "xcku5p-ffvb676-2-e"
"""A Kintex UltraScale+, unless scripts are told another part."""
PARTS = {"xilinx7": "xc7k160tffg676-2"}
"""Parts for designs whose target is another family."""
MOST_LETTERS = 60
"""Of a port's name in a file's, which no system lets be longer than about 250."""


@dataclass(frozen=True)
class PackagedDesign:
    """A design and its golden vectors; `sources` are the files of `rtl`, `report` is that of report.json."""

    top: str
    ports: Sequence[Port]
    interface: Interface
    sources: Sequence[str]
    golden: GoldenVectors
    report: Mapping[str, Any]
    axis_width: int = DEFAULT_AXIS_WIDTH

    @property
    def inputs(self) -> list[Port]:
        """The tensors that are given."""
        return [port for port in self.ports if port.direction == "input"]

    @property
    def outputs(self) -> list[Port]:
        """The tensors that are answered."""
        return [port for port in self.ports if port.direction == "output"]

    @property
    def rtl(self) -> list[str]:
        """The files of `rtl` by name, in one order for all scripts."""
        return sorted(self.sources)

    @property
    def wrappers(self) -> list[str]:
        """The files of `wrappers` by name: a design with valid needs no valid wrapper."""
        left_out = {"tb", "valid"} if self.interface.valid else {"tb"}
        return sorted(f"{name}.v" for role, name in self.module_names.items() if role not in left_out)

    @property
    def clocks(self) -> dict[str, str | None]:
        """The clock's port of each module that can be synthesised; None for a combinational one."""
        names = self.module_names
        clocks = {self.top: CLOCK if self.interface.clock else None, names["axis"]: "aclk"}
        return clocks if self.interface.valid else {**clocks, names["valid"]: "clk"}

    @property
    def xilinx_part(self) -> str:
        """The part that Vivado's script asks for if it isn't told another."""
        return PARTS.get(self.report.get("options", {}).get("target", ""), XILINX_PART)

    @property
    def period_ns(self) -> float:
        """The clock's period that scripts ask for: the one the compile was told, else the estimated delay."""
        asked = self.report.get("options", {}).get("clock_ns")
        estimated = self.report.get("totals", {}).get("delay_ns")
        return round(float(asked or estimated or FALLBACK_PERIOD_NS), 3)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """What ports are called in names of files, by their names: these, or the beginning of very long ones."""
        labels: dict[str, str] = {}
        for index, port in enumerate(self.ports):
            label = port.name if len(port.name) <= MOST_LETTERS else f"{port.name[:MOST_LETTERS]}_{index}"
            while label in labels.values():
                label += "_"
            labels[port.name] = label
        return labels

    def vector_file(self, port: Port) -> str:
        """The file in `tb` with a port's golden values."""
        return f"golden_{self.labels[port.name]}.hex"

    @cached_property
    def module_names(self) -> Mapping[str, str]:
        """The modules beside those of `rtl`, by what they are; no name is one of a module of the design."""
        taken = {name.removesuffix(".v") for name in self.sources}
        names: dict[str, str] = {}
        wanted = {role: role for role in ("tb", "valid", "axis")}
        wanted |= {f"axis_{port.name}": f"axis_{self.labels[port.name]}" for port in self.ports}
        for role, suffix in wanted.items():
            name = f"{self.top}_{suffix}"
            while name in taken:
                name += "_"
            taken.add(name)
            names[role] = name
        return names
