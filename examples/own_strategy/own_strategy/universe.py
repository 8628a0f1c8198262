"""What `c4ml-opt` and `xdsl-opt` find of this package; a pass is imported when it is used."""

from xdsl.passes import ModulePass
from xdsl.universe import Universe


def _comb_narrow_adders() -> type[ModulePass]:
    from own_strategy.comb_narrow_adders import CombNarrowAdders

    return CombNarrowAdders


UNIVERSE = Universe(all_passes={"comb-narrow-adders": _comb_narrow_adders})
