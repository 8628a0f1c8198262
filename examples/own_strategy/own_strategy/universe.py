"""What `c4ml-opt` and `xdsl-opt` find of this package; a pass is imported when it is used."""

from xdsl.passes import ModulePass
from xdsl.universe import Universe


def _comb_fold_bit_tests() -> type[ModulePass]:
    from own_strategy.comb_fold_bit_tests import CombFoldBitTests

    return CombFoldBitTests


UNIVERSE = Universe(all_passes={"comb-fold-bit-tests": _comb_fold_bit_tests})
