"""
Which stage each step of a pipeline belongs to: the least latency for a clock, and for that the fewest register bits.

Stages are integers under difference constraints: what is read comes no later than its reader, and steps that are too
far apart for one clock period have a register between them. A bit's registers, one a stage, serve all its readers, so
it has as many as there are stages between it and the last of them. The sum of these is linear, and a linear programme
of difference constraints has integer solutions at its corners (C. Leiserson and J. Saxe, "Retiming synchronous
circuitry", 1991; J. Cong and Z. Zhang, "An efficient and versatile scheduling algorithm based on SDC formulation",
2006). HiGHS solves it. Pairs of steps that are too far apart are many, so they are found as they are needed: those that
a solution violates are added, until it violates none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from c4ml_xdsl.circuits.timing._timing import Timing


class ClockError(Exception):
    """A clock that a single step takes longer than; `step` is that, and `delay` its picoseconds."""

    def __init__(self, step: int, delay: int):
        super().__init__(f"step {step} takes {delay} ps")
        self.step, self.delay = step, delay


@dataclass(frozen=True)
class Schedule:
    """Each step's stage, from 0 for the inputs to `latency` for the outputs; register bits; the longest path in ps."""

    stages: tuple[int, ...]
    latency: int
    registers: int
    clock: int


def least_latency(timing: Timing, clock: int) -> int:
    """The stages that a clock of so many picoseconds takes, less one; raises ClockError where a step takes longer."""
    stages, _ = timing.earliest(clock, [0] * timing.steps)
    worst = max(timing.paths(stages), key=lambda path: path.delay)
    if worst.delay > clock:
        raise ClockError(worst.steps[-1], worst.delay)
    return max(stages)  # what no output depends on is in the pipeline too


def shortest_clock(timing: Timing, latency: int) -> int:
    """
    The shortest clock in picoseconds at which the outputs are there after at most `latency` cycles.

    Raises ValueError where the registers at inputs and outputs alone are more.
    """
    low, high = 0, max(path.delay for path in timing.paths(timing.earliest(1 << 40, [0] * timing.steps)[0]))
    if not _reaches(timing, high, latency):
        raise ValueError(f"{latency} cycles are too few for the registers at inputs and outputs")
    while high - low > 1:
        middle = (low + high) // 2
        if _reaches(timing, middle, latency):
            high = middle
        else:
            low = middle
    return high


def _reaches(timing: Timing, clock: int, latency: int) -> bool:
    try:
        return least_latency(timing, clock) <= latency
    except ClockError:
        return False


def fewest_registers(timing: Timing, clock: int, latency: int) -> Schedule:
    """
    The schedule of `latency` cycles at a clock in picoseconds that has the fewest register bits.

    The first step are the inputs, the last one the outputs. Raises ClockError where a step takes longer than the clock,
    ValueError where the latency is too short for it.
    """
    least = least_latency(timing, clock)
    if least > latency:
        raise ValueError(f"{latency} cycles are too few for a clock of {clock} ps: it takes {least}")
    if latency == 0:
        return _evaluated(timing, [0] * timing.steps)
    lowest, _ = timing.earliest(clock, [0] * timing.steps)
    _, bounds = timing.earliest(clock, [0] * timing.steps, lowest)
    programme = _Programme(timing, lowest, latency)
    while True:
        stages = programme.solve(list(dict.fromkeys(bounds)))
        moved, bounds = timing.earliest(clock, stages, lowest)
        if moved == stages:
            break
        if all(stages[behind] > stages[before] for before, behind in bounds):
            raise RuntimeError("a schedule misses the clock, and no register is known to help")
    return _evaluated(timing, stages)


def _evaluated(timing: Timing, stages: list[int]) -> Schedule:
    registers = sum(
        group.bits * (max(stages[reader] for reader in group.readers) - stages[group.step]) for group in timing.groups()
    )
    return Schedule(tuple(stages), stages[-1], registers, max(path.delay for path in timing.paths(stages)))


class _Programme:
    """The linear programme: a column for each step's stage, and one for each group of bits that several steps read."""

    def __init__(self, timing: Timing, lowest: Sequence[int], latency: int):
        steps = timing.steps
        cost = [0] * steps
        lower = [*lowest]
        upper = [latency] * steps
        lower[0] = upper[0] = 0
        lower[-1] = latency
        rows = [(arc.before, arc.behind, arc.registers) for arc in timing.arcs()]
        for group in timing.groups():
            cost[group.step] -= group.bits
            end = group.readers[0]
            if len(group.readers) > 1:
                end = len(cost)
                cost.append(0)
                lower.append(0)
                upper.append(latency)
                rows += [(reader, end, 0) for reader in group.readers]
            cost[end] += group.bits
        self.steps = steps
        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("threads", 1)
        self.solver.setOptionValue("random_seed", 0)
        self.solver.setOptionValue("presolve", "off")
        self.solver.setOptionValue("solver", "simplex")
        count = len(cost)
        nothing = np.zeros(count, np.int32), np.zeros(0, np.int32), np.zeros(0)
        costs, lowest_stages, highest_stages = (np.array(numbers, float) for numbers in (cost, lower, upper))
        self.solver.addCols(count, costs, lowest_stages, highest_stages, 0, *nothing)
        self._add(rows)

    def _add(self, rows: Sequence[tuple[int, int, int]]) -> None:
        """Rows that say how much later one column is than another at least."""
        count = len(rows)
        if not count:
            return
        indices = np.array([(before, behind) for before, behind, _ in rows], np.int32).reshape(-1)
        values = np.tile(np.array([-1.0, 1.0]), count)
        starts = np.arange(0, 2 * count, 2, dtype=np.int32)
        least = np.array([registers for _, _, registers in rows], float)
        self.solver.addRows(count, least, np.full(count, highspy.kHighsInf), 2 * count, starts, indices, values)

    def solve(self, bounds: Sequence[tuple[int, int]]) -> list[int]:
        """The steps' stages, with registers between pairs of steps added to what was known."""
        self._add([(before, behind, 1) for before, behind in bounds])
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS: {self.solver.modelStatusToString(self.solver.getModelStatus())}")
        return [round(value) for value in self.solver.getSolution().col_value[: self.steps]]
