"""What plain `xdsl-opt` finds of ours; `comb` is left out, as upstream has one of the same name."""

from xdsl.universe import Universe

from c4ml_xdsl.dialects import get_all_dialects
from c4ml_xdsl.targets import get_all_targets
from c4ml_xdsl.transforms import get_all_passes

C4ML_UNIVERSE = Universe(
    all_dialects={name: dialect for name, dialect in get_all_dialects().items() if name != "comb"},
    all_passes=get_all_passes(),
    all_targets=get_all_targets(),
)
