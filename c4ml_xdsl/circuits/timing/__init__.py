"""Static timing analysis of a circuit's bits, and the stages of its pipeline. Nothing here knows IR."""

from c4ml_xdsl.circuits.timing._timing import Cell, Timing

__all__ = ["Cell", "Timing"]
