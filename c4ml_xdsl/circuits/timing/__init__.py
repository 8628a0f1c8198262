"""Static timing analysis of a circuit's bits, and the stages of its pipeline. Nothing here knows IR."""

from c4ml_xdsl.circuits.timing._timing import Cell, Library, Timing
from c4ml_xdsl.circuits.timing.libraries import library_of, stage_permille

__all__ = ["Cell", "Library", "Timing", "library_of", "stage_permille"]
