"""A pipeline's stages: which layer is in which of them, how long they take and what they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Cell:
    """A layer in a stage: whether it has logic or registers there, and whether the stage's longest path is in it."""

    busy: bool
    critical: bool
    registers: int


@dataclass(frozen=True)
class Row:
    """A layer in all stages."""

    layer: str
    anchor: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Stage:
    """A stage; `slack` is what the clock leaves of its delay, `share` the delay in parts of the clock."""

    number: int
    delay: float
    slack: float
    share: float
    registers: int
    register_share: float
    path: tuple[tuple[str, tuple[str, ...]], ...]
    """The longest path: layer after layer, the values in each."""
    longest: bool


@dataclass(frozen=True)
class Schedule:
    """All stages and layers. `clock` is the period in nanoseconds, `asked` whether it was asked for."""

    clock: float
    asked: bool
    stages: tuple[Stage, ...]
    rows: tuple[Row, ...]


def schedule_of(report: Mapping[str, Any], anchors: Mapping[str, str]) -> Schedule | None:
    """The schedule of a report; None for a combinational design."""
    if not report["stages"]:
        return None
    asked = report["options"]["clock_ns"]
    clock = report["totals"]["delay_ns"] if asked is None else asked
    most = max(stage["ff"] for stage in report["stages"])
    stages = tuple(
        Stage(
            stage["stage"],
            stage["delay_ns"],
            round(clock - stage["delay_ns"], 3) + 0.0,
            min(stage["delay_ns"] / clock, 1.0) if clock else 0.0,
            stage["ff"],
            stage["ff"] / most if most else 0.0,
            grouped(stage["path"]),
            stage["stage"] == report["critical_path"]["stage"],
        )
        for stage in report["stages"]
    )
    touched = [{layer for layer, _ in stage.path} for stage in stages]
    rows: list[Row] = []
    for layer in report["layers"]:
        first, last = cast("list[int]", layer["stages"])
        registers = cast("list[int]", layer["registers"])
        cells = tuple(
            Cell(True, layer["name"] in touched[number], registers[number - first])
            if first <= number <= last
            else Cell(False, False, 0)
            for number in range(len(stages))
        )
        rows.append(Row(layer["name"], anchors[layer["name"]], cells))
    return Schedule(clock, asked is not None, stages, tuple(rows))


def grouped(path: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The steps `layer: value` of a path, the values of each layer together."""
    groups: list[tuple[str, list[str]]] = []
    for step in path:
        layer, _, value = step.partition(": ")
        if not groups or groups[-1][0] != layer:
            groups.append((layer, []))
        groups[-1][1].append(value)
    return tuple((layer, tuple(values)) for layer, values in groups)
