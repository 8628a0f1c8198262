"""The compiled search for shared adder graphs."""

from collections.abc import Sequence

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
    slack: int | None,
    seed: int,
) -> Result:
    """Sums given as signed digits (input, shift, negative); temperatures in hundredths of a site, slack in ps."""

def row_sites(operands: Sequence[tuple[int, int, int, bool]], width: int) -> int:
    """LUT sites of a row of at most three operands (low, high, lowest bit that may be 1, negative), of `width` bits."""
