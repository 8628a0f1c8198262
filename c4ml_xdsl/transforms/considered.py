"""What passes leave on a layer about the ways to build it that they compared, for `report.json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr, i1, i64
from xdsl.ir import Attribute, Operation

CONSIDERED = "c4ml.considered"
"""An attribute of a layer: one dictionary an alternative, in the order in which the passes compared them."""


@dataclass(frozen=True)
class Alternative:
    """One way to build values of a layer, with the estimate that the pass decided by."""

    strategy: str
    lut: int
    """LUT sites of these values, in one instance."""
    values: int
    """How many values of the layer it is about: alternatives of one comparison have the same."""
    chosen: bool
    delay: int | None = None
    """Picoseconds, where the pass knows them."""


def note(layer: Operation, alternatives: Sequence[Alternative]) -> None:
    """Adds the alternatives of one comparison to those that earlier passes left on a layer."""
    known = layer.attributes.get(CONSIDERED)
    entries = cast("ArrayAttr[Attribute]", known).data if isinstance(known, ArrayAttr) else ()
    layer.attributes[CONSIDERED] = ArrayAttr([*entries, *map(_attribute, alternatives)])


def alternatives_of(layer: Operation) -> list[Alternative]:
    """What passes left on a layer, or on the `hw.module` that it became."""
    known = layer.attributes.get(CONSIDERED)
    if not isinstance(known, ArrayAttr):
        return []
    found: list[Alternative] = []
    for each in cast("ArrayAttr[DictionaryAttr]", known):
        entry = each.data
        numbers = {name: value.value.data for name, value in entry.items() if isinstance(value, IntegerAttr)}
        strategy, delay = cast(StringAttr, entry["strategy"]).data, numbers.get("delay_ps")
        found.append(Alternative(strategy, numbers["lut"], numbers["values"], bool(numbers["chosen"]), delay))
    return found


def _attribute(alternative: Alternative) -> DictionaryAttr:
    entry: dict[str, Attribute] = {
        "strategy": StringAttr(alternative.strategy),
        "lut": IntegerAttr(alternative.lut, i64),
        "values": IntegerAttr(alternative.values, i64),
        "chosen": IntegerAttr(int(alternative.chosen), i1),
    }
    if alternative.delay is not None:
        entry["delay_ps"] = IntegerAttr(alternative.delay, i64)
    return DictionaryAttr(entry)
