"""The pass `neuron-tabulate`."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.circuits.adder_graph import TooLargeError, share_sums
from c4ml_xdsl.circuits.cost import Target, row_operands, table_cost
from c4ml_xdsl.circuits.step_forms import smallest_form
from c4ml_xdsl.circuits.step_function import StepFunction, width_of_range
from c4ml_xdsl.circuits.table_decomposition import LUT_INPUTS, MAXIMUM_INPUT_BITS, Aim, decompose
from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.interpreters.neuron import evaluate_operation
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.considered import Alternative, note
from c4ml_xdsl.transforms.neuron_fold_offsets import added_constant
from c4ml_xdsl.transforms.neuron_share_sums import coefficients_of

MOST_BITS = {"fast": 10, "normal": 12, "max": MAXIMUM_INPUT_BITS}
"""The most input bits of a neuron that `auto` thinks about, by effort: more takes long, and rarely gains anything."""

MOST_ENTRIES = {"fast": 1 << 15, "normal": 1 << 17, "max": 1 << 20}
"""The most entries of a layer's look-ups that `auto` thinks about: 32 neurons of 12 bits, or 512 of 8."""

WORTH: dict[Aim, float] = {"area": 1.0, "balanced": 1.1, "delay": 2.0}
"""How many times the sites of adders tables may take: they are faster."""

WIDEST = 60
"""Bits of the values that are looked at, so that nothing overflows."""


@dataclass(frozen=True)
class NeuronTabulate(ModulePass):
    """
    Writes values that depend on few input bits as look-ups: whole neurons, with their activation.

    The strategy `table` does so wherever the bits allow, `auto` where truth tables take fewer LUT sites than the
    neuron's share of adders and its activation, or for `balanced` and `delay` not many more.

    Before:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 2>, %b: !lbir.int<0, 1>):
      %s = neuron.sum %a, %b times [3, -5] plus 0 : !lbir.int<0, 2>, !lbir.int<0, 1> -> !lbir.int<-5, 6>
      %t = neuron.threshold %s, [0, 4] base 0 falling 0 : !lbir.int<-5, 6> -> !lbir.int<0, 2>
      neuron.yield %t : !lbir.int<0, 2>
    }
    ```
    After `neuron-tabulate`:
    ```mlir
    neuron.layer @l attributes {c4ml.considered = [{strategy = "table", lut = 2 : i64, values = 1 : i64, chosen = true}, {strategy = "arithmetic", lut = 10 : i64, values = 1 : i64, chosen = false}]} {
    ^bb0(%a: !lbir.int<0, 2>, %b: !lbir.int<0, 1>):
      %t = neuron.lookup %a, %b in [1, 0, 1, 0, 2, 1] : !lbir.int<0, 2>, !lbir.int<0, 1> -> !lbir.int<0, 2>
      neuron.yield %t : !lbir.int<0, 2>
    }
    ```
    """  # noqa: E501

    name = "neuron-tabulate"

    strategy: Literal["auto", "table"] = "auto"
    target: Target = "xilinx"
    minimize: Literal["area", "delay", "balanced"] = "balanced"
    effort: Literal["fast", "normal", "max"] = "normal"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for layer in op.body.block.ops:
            if isinstance(layer, neuron.LayerOp):
                self.tabulate(layer)

    def tabulate(self, layer: neuron.LayerOp) -> None:
        """Replaces the values of one layer for which that is chosen."""
        block = layer.body.block
        chosen = self.chosen(layer)
        for candidate, entries in chosen:
            value = candidate.value
            look_up = neuron.LookupOp.of(candidate.arguments, entries, lbir.range_of(value))
            look_up.result.name_hint = value.name_hint
            block.insert_op_before(look_up, candidate.operations[-1])
            value.replace_all_uses_with(look_up.result)
        replaced = dict.fromkeys(operation for candidate, _ in chosen for operation in candidate.operations)
        for operation in reversed(list(block.ops)):
            if operation in replaced and operation.results[0].first_use is None:
                operation.detach()
                operation.erase()

    def chosen(self, layer: neuron.LayerOp) -> list[tuple["_Candidate", tuple[int, ...]]]:
        """The values that become look-ups, and their entries."""
        if self.strategy == "table":
            return [(each, _entries(each)) for each in _candidates(layer, MAXIMUM_INPUT_BITS)]
        found = _affordable(_candidates(layer, MOST_BITS[self.effort]), MOST_ENTRIES[self.effort])
        arithmetic = _Arithmetic(found, self.target)
        chosen: list[tuple[_Candidate, tuple[int, ...]]] = []
        tables = adders = built = 0.0
        for candidate in found:
            ranges = tuple((each.low, each.high) for each in map(lbir.range_of, candidate.arguments))
            entries = _entries(candidate)
            plan = decompose(ranges, entries, lbir.range_of(candidate.value).bits, self.minimize)
            sites, table_sites = arithmetic.sites(candidate), plan.sites * table_cost(6, self.target).lut
            worth = WORTH[self.minimize] if any(map(_adds, candidate.operations)) else 1.0
            smaller = table_sites < worth * sites
            if smaller:
                chosen.append((candidate, entries))
            tables, adders, built = tables + table_sites, adders + sites, built + (table_sites if smaller else sites)
        if found and math.isfinite(adders):
            _note(layer, (len(found), len(chosen)), tables, adders, built)
        return chosen


def _note(layer: neuron.LayerOp, counts: tuple[int, int], tables: float, adders: float, built: float) -> None:
    """Leaves on the layer what tables and adders were estimated to take, and the mixture where it is one."""
    values, tabulated = counts
    mixed = 0 < tabulated < values
    alternatives = [
        Alternative("table", round(tables), values, tabulated == values),
        Alternative("arithmetic", round(adders), values, not tabulated),
    ]
    if mixed:
        alternatives.append(Alternative(f"table for {tabulated}, arithmetic for the rest", round(built), values, True))
    note(layer, alternatives)


@dataclass(frozen=True)
class _Candidate:
    """A value that depends on few bits: the arguments that it depends on, and the operations that make it, in order."""

    value: SSAValue
    arguments: tuple[SSAValue, ...]
    operations: tuple[Operation, ...]

    @property
    def bits(self) -> int:
        """The bits of the arguments."""
        return sum(lbir.range_of(each).bits for each in self.arguments)


def _candidates(layer: neuron.LayerOp, most: int) -> list[_Candidate]:
    """The values of at most so many input bits that something else reads: the layer's result, or a larger cone."""
    cones: dict[SSAValue, dict[SSAValue, None]] = {argument: {argument: None} for argument in layer.body.block.args}
    operations = list(layer.body.block.ops)
    for operation in operations:
        cone = _cone(operation, cones, most)
        if cone is not None:
            cones[operation.results[0]] = cone
    found: list[_Candidate] = []
    for operation in operations:
        value = operation.results[0] if operation.results else None
        if value is None or isinstance(operation, neuron.LookupOp) or not cones.get(value):
            continue  # not a value, one already, too many bits or a constant
        readers = [use.operation for use in value.uses]
        if any(not reader.results or reader.results[0] not in cones for reader in readers):
            found.append(_Candidate(value, tuple(cones[value]), tuple(_behind(value))))
    return found


def _cone(
    operation: Operation, cones: Mapping[SSAValue, dict[SSAValue, None]], most: int
) -> dict[SSAValue, None] | None:
    """The arguments that an operation depends on; None where they have too many bits."""
    if not operation.results or lbir.range_of(operation.results[0]).bits > WIDEST:
        return None
    found: dict[SSAValue, None] = {}
    bits = 0
    for operand in operation.operands:
        cone = cones.get(operand)
        if cone is None:
            return None
        for argument in cone:
            if argument not in found:
                found[argument] = None
                bits += lbir.range_of(argument).bits
        if bits > most:
            return None
    return found


def _behind(value: SSAValue) -> list[Operation]:
    """The operations that make a value, in order."""
    found: list[Operation] = []
    seen: set[SSAValue] = set()

    def visit(value: SSAValue) -> None:
        operation = value.owner
        if value not in seen and isinstance(operation, Operation):
            seen.add(value)
            for operand in operation.operands:
                visit(operand)
            found.append(operation)

    visit(value)
    return found


def _affordable(candidates: list[_Candidate], most: int) -> list[_Candidate]:
    """Without those of most bits, so that all have at most so many entries."""
    while sum(1 << each.bits for each in candidates) > most:
        largest = max(each.bits for each in candidates)
        candidates = [each for each in candidates if each.bits < largest]
    return candidates


def _entries(candidate: _Candidate) -> tuple[int, ...]:
    """The value for all that its arguments can be, the last one's integers first."""
    ranges = [lbir.range_of(argument) for argument in candidate.arguments]
    grid = np.indices([each.high - each.low + 1 for each in ranges], np.int64).reshape(len(ranges), -1)
    values: dict[SSAValue, Integers] = {
        argument: place + each.low for argument, place, each in zip(candidate.arguments, grid, ranges, strict=True)
    }
    for operation in candidate.operations:
        element = lbir.range_of(operation.results[0])
        result = evaluate_operation(operation, values, grid.shape[1])
        # a range that is known to be narrower holds for the integers that occur together
        values[operation.results[0]] = np.clip(result, element.low, element.high)
    return tuple(values[candidate.value].tolist())


class _Arithmetic:
    """An estimate of the LUT sites of candidates that stay as they are; what several read they pay together."""

    def __init__(self, candidates: Sequence[_Candidate], target: Target):
        self.readers = Counter(operation for each in candidates for operation in each.operations)
        sums = [each for each in self.readers if isinstance(each, neuron.SumOp)]
        self.sums = _shares(sums, target) if sums else {}

    def sites(self, candidate: _Candidate) -> float:
        """Those of one candidate."""
        return sum(self._sites(operation) / self.readers[operation] for operation in candidate.operations)

    def _sites(self, operation: Operation) -> float:
        result = lbir.range_of(operation.results[0])
        match operation:
            case neuron.SumOp():
                return self.sums[operation]
            case neuron.ThresholdOp():
                thresholds, base = operation.thresholds.data, operation.base.value.data
                falling = bool(operation.falling.value.data)
                return _steps(StepFunction.of_thresholds(thresholds, base, falling), operation.input, result)
            case neuron.TableOp():
                low = lbir.range_of(operation.input).low
                return _steps(StepFunction.of_table(operation.table.data, low), operation.input, result)
            case neuron.RequantizeOp():
                return _requantisation(operation)
            case neuron.MaxOp():
                return 1.5 * result.bits * (len(operation.terms) - 1)
            case neuron.MultiplyOp():
                return lbir.range_of(operation.lhs).bits * lbir.range_of(operation.rhs).bits
            case _:
                return 0


def _adds(operation: Operation) -> bool:
    """Whether carries run through what makes a value; a bare saturation is as fast as a table."""
    return not isinstance(operation, neuron.RequantizeOp) or added_constant(operation) != 0


def _requantisation(operation: neuron.RequantizeOp) -> int:
    """The sites of a requantisation: what it adds in front, a tie's test, and a choice for each bit that is cut."""
    source, result = lbir.range_of(operation.input), lbir.range_of(operation.result)
    shift, moved = operation.shift.value.data, added_constant(operation)
    low, high = source.low + moved, source.high + moved
    quotient = lbir.IntType(low >> shift, high >> shift)
    sites = width_of_range(low, high) if moved else 0
    if shift and operation.rounding.data == RoundingMode.HALF_EVEN.value:
        sites += 1
    if quotient.low < result.low or quotient.high > result.high:
        sites += result.bits - (result.signed and quotient.signed) + (quotient.bits - result.bits > LUT_INPUTS - 2)
    return sites


def _steps(function: StepFunction, source: SSAValue, result: lbir.IntType) -> int:
    """The sites of a step function."""
    element = lbir.range_of(source)
    function = function.within(element.low, element.high)
    if not function.positions:
        return 0
    return smallest_form(function, element.low, element.high, result.bits).cost.lut


def _shares(sums: Sequence[neuron.SumOp], target: Target) -> dict[Operation, float]:
    """The sites of each sum, a row that sums share being paid by all of them."""
    matrix, inputs = coefficients_of(sums)
    ranges = [(element.low, element.high) for element in map(lbir.range_of, inputs)]
    try:
        graph = share_sums(
            matrix,
            [operation.constant.value.data for operation in sums],
            ranges,
            row_operands(target),
            "fast",
        )
    except TooLargeError:
        return dict.fromkeys(sums, math.inf)
    readers: list[set[int]] = [set() for _ in graph.rows]
    for number, output in enumerate(graph.outputs):
        if output is not None and output.value >= len(inputs):
            readers[output.value - len(inputs)].add(number)
    paid = [0.0] * len(sums)
    widths = [width_of_range(row.low, row.high) for row in graph.rows]
    scale = graph.sites / max(1, sum(widths))
    for row, mine, width in reversed(list(zip(graph.rows, readers, widths, strict=True))):
        for number in mine:
            paid[number] += scale * width / len(mine)
        for summand in row.summands:
            if summand.value >= len(inputs):
                readers[summand.value - len(inputs)] |= mine
    return dict(zip(sums, paid, strict=True))
