"""Schedules of pipelines against all schedules there are, on small random circuits."""

from itertools import pairwise, product
from random import Random

import pytest

from c4ml_xdsl.circuits.timing import Cell, Timing
from c4ml_xdsl.circuits.timing.libraries import ARTIX7
from c4ml_xdsl.circuits.timing.schedule import ClockError, fewest_registers, least_latency, shortest_clock

KINDS = (Cell.LUT, Cell.ROW, Cell.ROW_OF_THREE, Cell.MERGED, Cell.WIRES)


def random_circuit(random: Random, steps: int, registered: bool = False) -> Timing:
    """Inputs, steps that each read one to three words of what is before them, and outputs."""
    timing = Timing(ARTIX7)
    timing.add_step()
    words: list[list[int]] = []
    for _ in range(3):
        width = random.randint(1, 4)
        first = timing.add_inputs(width)
        words.append(list(range(first, first + width)))
    if registered:
        timing.add_step(registers=1)
        words = [take(timing, Cell.WIRES, [[bit] for bit in word]) for word in words]
    unread = list(range(len(words)))
    for _ in range(steps):
        timing.add_step(random.choice((1, 1, 1, 3)))
        chosen = {random.choice(unread)} if unread else set[int]()
        chosen |= set(random.sample(range(len(words)), random.randint(0, min(2, len(words)))))
        chosen = chosen or {0}
        unread = [each for each in unread if each not in chosen]
        operands = [words[each] for each in sorted(chosen)]
        width = max(map(len, operands))
        columns = [[word[min(place, len(word) - 1)] for word in operands] for place in range(width)]
        kind = random.choice(KINDS)
        if kind == Cell.ROW_OF_THREE:
            columns = [[*column, -1, -1][:3] for column in columns]
        unread.append(len(words))
        words.append(take(timing, kind, columns))
    timing.add_step(registers=int(registered))
    for index in unread:
        take(timing, Cell.WIRES, [[bit] for bit in words[index]])
    return timing


def take(timing: Timing, kind: Cell, columns: list[list[int]]) -> list[int]:
    first = timing.add_cell(kind, columns, len(columns), int(kind == Cell.ROW_OF_THREE))
    return list(range(first, first + len(columns)))


def registers_of(timing: Timing, stages: list[int]) -> int:
    return sum(
        group.bits * (max(stages[reader] for reader in group.readers) - stages[group.step]) for group in timing.groups()
    )


def all_schedules(timing: Timing, clock: int, latency: int) -> list[list[int]]:
    """Every schedule that meets the clock."""
    found: list[list[int]] = []
    for inner in product(range(latency + 1), repeat=timing.steps - 2):
        stages = [0, *inner, latency]
        if all(stages[arc.behind] - stages[arc.before] >= arc.registers for arc in timing.arcs()):
            if max(path.delay for path in timing.paths(stages)) <= clock:
                found.append(stages)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_no_schedule_has_fewer_registers_or_cycles(seed: int) -> None:
    random = Random(seed)
    timing = random_circuit(random, 6, registered=seed % 4 == 0)
    slowest = max(timing.alone(step) for step in range(timing.steps))
    clock = slowest + random.randint(0, 1500)
    least = least_latency(timing, clock)
    assert not least or not all_schedules(timing, clock, least - 1)
    for latency in range(least, min(least + 2, 4)):
        schedule = fewest_registers(timing, clock, latency)
        assert schedule.stages[0] == 0
        assert schedule.stages[-1] == latency == schedule.latency
        assert schedule.clock == max(path.delay for path in timing.paths(schedule.stages)) <= clock
        found = min(registers_of(timing, stages) for stages in all_schedules(timing, clock, latency))
        assert schedule.registers == registers_of(timing, list(schedule.stages)) == found


@pytest.mark.parametrize("seed", range(20))
def test_the_shortest_clock_for_a_latency(seed: int) -> None:
    timing = random_circuit(Random(seed), 5)
    clocks = [shortest_clock(timing, latency) for latency in range(4)]
    for latency, clock in enumerate(clocks):
        assert least_latency(timing, clock) <= latency
        assert not all_schedules(timing, clock - 1, latency)
    assert all(shorter <= longer for longer, shorter in pairwise(clocks))


def test_a_step_longer_than_the_clock_is_named() -> None:
    timing = random_circuit(Random(1), 6)
    slowest = max(range(timing.steps), key=timing.alone)
    with pytest.raises(ClockError) as caught:
        least_latency(timing, timing.alone(slowest) - 1)
    assert caught.value.delay == timing.alone(slowest) == timing.alone(caught.value.step)


def test_too_few_cycles_are_refused() -> None:
    timing = random_circuit(Random(2), 4, registered=True)
    with pytest.raises(ValueError, match="1 cycles are too few"):
        shortest_clock(timing, 1)
    with pytest.raises(ValueError, match="too few for a clock"):
        fewest_registers(timing, 1 << 30, 1)


def test_what_is_no_circuit_is_refused() -> None:
    timing = Timing(ARTIX7)
    with pytest.raises(ValueError, match="no step yet"):
        timing.add_inputs(1)
    timing.add_step()
    bit = timing.add_inputs(1)
    with pytest.raises(ValueError, match="isn't there yet"):
        timing.add_cell(Cell.LUT, [[bit + 1]], 1)
    with pytest.raises(ValueError, match="other columns"):
        timing.add_cell(Cell.LUT, [[bit]], 2)
    timing.add_step()
    timing.add_cell(Cell.LUT, [[bit]], 1)
    with pytest.raises(ValueError, match="one stage a step"):
        timing.paths([0])
    with pytest.raises(ValueError, match="before what it reads"):
        timing.paths([1, 0])
