"""What is built of each case: our designs by their options, and the peers' by their settings."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from c4ml_xdsl.strategies import OWN_STRATEGIES

GOALS = ("area", "delay", "balanced")
EFFORTS = ("normal", "fast", "max")
PEERS = ("da4ml", "alkaid")


@dataclass(frozen=True)
class OurDesign:
    """What `c4ml_xdsl.compile` makes with some options."""

    strategy: str
    minimize: str
    effort: str = "normal"
    target: str = "xilinx"

    @property
    def name(self) -> str:
        """The strategy and the goal, and what isn't the default."""
        more = [each for each in (self.effort, self.target) if each not in ("normal", "xilinx")]
        return "-".join([self.strategy, self.minimize, *more])

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `compile`."""
        return {
            "strategy": self.strategy, "minimize": self.minimize, "effort": self.effort, "target": self.target,
        }  # fmt: skip

    @property
    def default(self) -> bool:
        """Whether a run without `--designs` builds it: auto for each goal, and direct to compare with."""
        usual = (self.effort, self.target) == ("normal", "xilinx")
        return usual and (self.strategy == "auto" or (self.strategy, self.minimize) == ("direct", "balanced"))


@dataclass(frozen=True)
class PeerDesign:
    """
    A peer's design by its settings.

    `hard_dc` is how far its delay may lie above the least (-1: any), `fuse_ternary` Alkaid's fusion to three operands,
    and `nearest` gives it floor divisions as roundings to the nearest, which makes some of Alkaid's designs smaller.
    """

    peer: Literal["da4ml", "alkaid"]
    hard_dc: int
    fuse_ternary: bool = False
    nearest: bool = False

    @property
    def name(self) -> str:
        """The peer and its settings."""
        return f"{self.peer}-dc{self.hard_dc}{'-ternary' * self.fuse_ternary}{'-nearest' * self.nearest}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the peers' script is told."""
        return {"hard_dc": self.hard_dc, "fuse_ternary": self.fuse_ternary}

    @property
    def default(self) -> bool:
        """Whether a run without `--designs` builds it."""
        return self.hard_dc == 2 or (self.hard_dc == -1 and not self.nearest)


Design: TypeAlias = OurDesign | PeerDesign


def strategies() -> tuple[str, ...]:
    """The strategies that this version of the compiler has."""
    return OWN_STRATEGIES


def all_designs() -> list[Design]:
    """Every design, in the order of the tables."""
    ours = [
        OurDesign(strategy, minimize, effort, target)
        for strategy in strategies()
        for target in ("xilinx", "generic")
        for effort in EFFORTS
        for minimize in GOALS
    ]
    da4ml = [PeerDesign("da4ml", hard_dc) for hard_dc in (2, -1, 0)]
    alkaid = [
        PeerDesign("alkaid", hard_dc, fuse_ternary, nearest)
        for nearest in (False, True)
        for fuse_ternary in (True, False)
        for hard_dc in (2, -1, 0)
    ]
    return [*ours, *da4ml, *alkaid]
