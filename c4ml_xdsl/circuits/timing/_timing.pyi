"""The compiled timing analysis: what is said of steps, bits and stages in `timing.hpp`; times in picoseconds."""

from collections.abc import Sequence
from enum import Enum

class Cell(Enum):
    """How a cell's bits depend on the columns of bits that it reads."""

    WIRES = ...
    MERGED = ...
    LUT = ...
    ROW = ...
    ROW_OF_THREE = ...
    CARRY = ...
    PRODUCT = ...

class Library:
    """
    The cells and wires of a device, in picoseconds.

    `registers` is from the clock to a register's output with the set-up time of the next one, `wire` in front of a
    LUT. `lut_pins` and `chain_pins` are from a LUT's inputs, the fastest first, the latter of LUTs in front of a carry
    chain; `row_pins` are of the words of a row of three, whose majority reaches the next position's LUT after
    `majority`. Of four positions of a carry chain, `select_to_sum[i][j]` is from the LUT of position i to the sum of j,
    `select_to_carry[i][j]` to the carry out of j, `carry_to_sum` and `carry_to_carry` from the carry in.
    """

    def __init__(
        self,
        *,
        registers: int,
        wire: int,
        lut_pins: Sequence[int],
        chain_pins: Sequence[int],
        row_pins: Sequence[int],
        majority: int,
        select_to_sum: Sequence[Sequence[int]],
        select_to_carry: Sequence[Sequence[int]],
        carry_to_sum: Sequence[int],
        carry_to_carry: Sequence[int],
    ) -> None: ...

class Path:
    """A stage's longest path: its delay and the steps on it, the first one first."""

    @property
    def delay(self) -> int: ...
    @property
    def steps(self) -> list[int]: ...

class Group:
    """Bits of a step that the same steps read; `bits` counts those of all instances."""

    @property
    def step(self) -> int: ...
    @property
    def bits(self) -> int: ...
    @property
    def readers(self) -> list[int]: ...

class Arc:
    """A step that another one reads, and how many registers at least lie between them."""

    @property
    def before(self) -> int: ...
    @property
    def behind(self) -> int: ...
    @property
    def registers(self) -> int: ...

class Timing:
    """Cells in steps, which registers can't part; what a step reads belongs to itself or to steps before it."""

    def __init__(self, library: Library, collapse: bool = False) -> None:
        """With `collapse` a LUT takes in LUTs before it; not for schedules, which may part them."""
    def add_step(self, instances: int = 1, registers: int = 0) -> int:
        """A step whose bits are there so often, behind so many registers at least; its number."""
    def add_inputs(self, count: int) -> int:
        """Bits of the last step that depend on nothing; the first one's number."""
    def add_cell(self, kind: Cell, columns: Sequence[Sequence[int]], width: int, negative: int = 0) -> int:
        """
        A cell of the last step that reads columns of bits (-1: a constant one); its first bit's number.

        A row of three has three a column, `negative` of them at the end being subtracted.
        """
    @property
    def steps(self) -> int: ...
    def earliest(
        self, clock: int, given: Sequence[int], known: Sequence[int] = ()
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """
        Each step's earliest stage from its given one on, and pairs of steps that one stage has no time for.

        A register parts each of these pairs in `known`, which are stages that the clock has time for.
        """
    def alone(self, step: int) -> int:
        """How long a step takes whose inputs are all there at once."""
    def paths(self, stages: Sequence[int]) -> list[Path]:
        """Each stage's longest path; raises ValueError where a step stands before what it reads."""
    def groups(self) -> list[Group]: ...
    def arcs(self) -> list[Arc]: ...
