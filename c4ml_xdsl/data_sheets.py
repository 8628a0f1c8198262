"""
What data sheets say of the speed of devices: the fastest clock that a target's clock tree carries.

It bounds what any design can run at, and says nothing of how fast a design is: it is never mixed with estimates.
"""

from dataclasses import dataclass
from typing import Any

from c4ml_xdsl.circuits.cost import Target


@dataclass(frozen=True)
class ClockLimit:
    """A family's fastest global clock in MHz by speed grade, and the data sheet with its revision."""

    family: str
    document: str
    megahertz: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        """The entry of report.json."""
        return {
            "family": self.family,
            "document": self.document,
            "global_clock_mhz": dict(self.megahertz),
        }


_LIMITS: dict[Target, ClockLimit] = {
    "xilinx": ClockLimit("Kintex UltraScale+", "AMD DS922, revision 1.18", (("-1", 667), ("-2", 775), ("-3", 891))),
    "xilinx7": ClockLimit("Spartan-7", "AMD DS189, revision 1.10", (("-1", 464), ("-2", 628))),
}


def clock_limit(target: Target) -> ClockLimit | None:
    """The limit of a target's family at its usual core voltage; None where no data sheet is known."""
    return _LIMITS.get(target)
