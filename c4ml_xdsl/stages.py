"""What a design says of its pipeline: the stages of operations, and of modules' inputs and outputs."""

from xdsl.dialects import hw

from c4ml_xdsl.dialects import lbir

STAGE, STAGES = "c4ml.stage", "c4ml.stages"
"""Attributes: an operation's stage; the stages of a module's inputs and of its outputs."""


def stages_of(module: hw.HWModuleOp) -> tuple[int, int]:
    """The stages of a module's inputs and outputs; both 0 where none are given."""
    stages = module.attributes.get(STAGES)
    if not isinstance(stages, lbir.NumbersAttr):
        return 0, 0
    first, last = stages.data
    return first, last


def latency_of(top: hw.HWModuleOp) -> int:
    """The cycles from a top module's inputs to its outputs."""
    return stages_of(top)[1]
