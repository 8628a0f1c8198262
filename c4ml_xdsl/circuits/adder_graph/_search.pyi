"""The compiled search for shared adder graphs."""

from collections.abc import Sequence

ROW_DELAYS: tuple[int, int]
"""Picoseconds of a row of two, and of one of three with a carry-save adder, from bit 0 to bit 0."""

CARRY_DELAY: int
"""Picoseconds by which a sum's bit is later than the one below it."""

LUT_DELAY: int
"""Picoseconds of a LUT and the way to the next one."""

class Result:
    """
    Rows (summands, constant, low, high, table), outputs (value, shift, negative), sites, the last output's picoseconds.

    `greedy` and `halfway` are the sites before the search's first iteration and after half of them, lateness included.
    """

    @property
    def rows(self) -> list[tuple[list[tuple[int, int, bool]], int, int, int, bool]]: ...
    @property
    def outputs(self) -> list[tuple[int, int, bool]]: ...
    @property
    def sites(self) -> int: ...
    @property
    def delay(self) -> int: ...
    @property
    def greedy(self) -> int: ...
    @property
    def halfway(self) -> int: ...

def search(
    ranges: Sequence[tuple[int, int]],
    sums: Sequence[Sequence[tuple[int, int, bool]]],
    constants: Sequence[int],
    arity: int,
    carry_save: bool,
    tables: bool,
    iterations: int,
    start_temperature: int,
    end_temperature: int,
    thorough: bool,
    slack: int | None,
    seed: int,
) -> Result:
    """
    Sums given as signed digits (input, shift, negative); temperatures in hundredths of a site, slack in ps.

    A thorough search takes more apart at once: better where there are many iterations.

    A sum's first digits may be of earlier sums, with their constants, which are numbered behind the inputs.
    """

def row_sites(operands: Sequence[tuple[int, int, int, bool]], width: int) -> int:
    """LUT sites of a row of at most three operands (low, high, lowest bit that may be 1, negative), of `width` bits."""

def plan_heap(
    words: Sequence[tuple[int, int, int]], ones: int, width: int
) -> tuple[list[tuple[int, int, int, int, bool]], list[int], int]:
    """
    The counters of a heap of words (lowest bit, bit above the highest, arrival in ps), sorted by arrival.

    A counter is its LUT level, its column, how many of the column's bits it counts, how many of the next column's, and
    whether it adds one of the constant's `ones`. The second list has the level in which each word is there; the number
    is when the sum's bit 0 is.
    """
