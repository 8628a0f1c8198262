"""
Strategies: how the sums of a layer become rows of adders. Other packages can add their own.

A strategy is a function that is given one `neuron.layer` at a time and rewrites its sums:

```python
def build(layer: neuron.LayerOp, goal: Goal) -> bool: ...
```

A package makes it known by an entry point in the group `c4ml_xdsl.strategies`, whose name is the strategy's:

```toml
[project.entry-points."c4ml_xdsl.strategies"]
common-pairs = "own_strategy.common_pairs:build"
```

From then on `c4ml compile --strategy common-pairs`, `c4ml.compile(model, strategy="common-pairs")` and
`c4ml-opt -p 'neuron-build-sums{strategy=common-pairs}'` take it. Names of ours come before names of others. Nothing of
another package is imported until its strategy is used.

Passes and dialects of other packages need nothing of this: `c4ml-opt` finds what they list under xDSL's own group
`xdsl.universe`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.errors import OptionError, StrategyError, unknown_choice

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from c4ml_xdsl.dialects.neuron import LayerOp

GROUP = "c4ml_xdsl.strategies"
"""The group of entry points that strategies are found in."""

OWN_STRATEGIES = ("auto", "direct", "shared", "table", "compressor")
"""The strategies of this package, each a choice of passes."""


@dataclass(frozen=True)
class Goal:
    """What a strategy builds for."""

    target: Target = "xilinx"
    """What it is for: `circuits.cost.row_operands` says how many operands a row has at the cost of two."""
    minimize: Literal["area", "delay", "balanced"] = "balanced"
    effort: Literal["fast", "normal", "max"] = "normal"
    """How long a search may take: under a second, seconds or minutes for most models."""


class Strategy(Protocol):
    """
    How the sums of one layer are built.

    It may replace and add operations in the layer's body: `neuron.sum`, and whatever else of the dialect has a meaning
    there. The layer's arguments and the types of what it yields stay as they are, and each sum keeps its range. It need
    not come down to rows: sums that it leaves with more operands, or with coefficients that aren't powers of two, are
    built by `neuron-expand-sums` behind it.

    Returns whether it built the layer. If it returns False it must have left the layer as it was: that one is built
    directly, sum by sum, and the report says so.

    Nothing that it does can make a wrong circuit pass: the proof reads the final operations alone.
    """

    def __call__(self, layer: "LayerOp", goal: Goal, /) -> bool:
        """Rewrites the layer, or refuses."""
        ...


def entry_points_by_name() -> "dict[str, list[EntryPoint]]":
    """The entry points of other packages, by name and in the order of the names; nothing is imported."""
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for each in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        others = found.setdefault(each.name, [])
        if all(each.value != other.value for other in others):  # one package may be found twice
            others.append(each)
    return {name: points for name, points in found.items() if name not in OWN_STRATEGIES}


def known_strategies() -> tuple[str, ...]:
    """The names that `--strategy` takes: ours, then those of other packages."""
    return (*OWN_STRATEGIES, *entry_points_by_name())


def require_known(name: str) -> None:
    """Raises OptionError, with the names that there are, for another one."""
    if name not in OWN_STRATEGIES and name not in (known := known_strategies()):
        raise unknown_choice("strategy", name, known)


def load_strategy(name: str) -> Strategy:
    """
    The function of a strategy: `direct`, or one of another package.

    Raises OptionError for a name that isn't known or is a choice of several passes, StrategyError where a package's
    strategy can't be loaded.
    """
    require_known(name)
    if name == "direct":
        from c4ml_xdsl.transforms.neuron_expand_sums import build_directly

        return build_directly
    if name in OWN_STRATEGIES:
        raise OptionError(f"{name} is a choice of several passes", remedy=f"Give it to c4ml compile --strategy {name}.")
    points = entry_points_by_name()[name]
    if len(points) > 1:
        homes = ", ".join(_home(point) for point in points)
        raise StrategyError(f"several packages have a strategy {name}: {homes}", remedy="Uninstall all but one.")
    try:
        loaded = points[0].load()
    except Exception as error:
        raise StrategyError(
            f"the strategy {name} of {_home(points[0])} can't be loaded: {type(error).__name__}: {error}",
            remedy="Install what the package needs, or uninstall it.",
        ) from error
    if not callable(loaded):
        raise StrategyError(
            f"the strategy {name} of {_home(points[0])} is no function but {type(loaded).__name__}",
            remedy="The entry point must name a function of a layer and a goal.",
        )
    return cast(Strategy, loaded)


def _home(point: "EntryPoint") -> str:
    """The package that an entry point is of, and what it names."""
    package = point.dist.name if point.dist is not None else "a package"
    return f"{package} ({point.value})"
