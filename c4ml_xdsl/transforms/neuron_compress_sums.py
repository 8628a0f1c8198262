"""The pass `neuron-compress-sums`."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.circuits.adder_graph import TooLargeError, share_sums
from c4ml_xdsl.circuits.bit_heap import Bit, Heaps, build
from c4ml_xdsl.circuits.compressor import Compression, compress
from c4ml_xdsl.circuits.cost import Target, row_operands
from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.dialects.lbir import IntType
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.considered import Alternative, note
from c4ml_xdsl.transforms.neuron_share_sums import SLACK, coefficients_of

GROUPS = (2, 3)
"""How many sums have their bits counted together."""

HEAP_GROUP = 3
"""The same for heaps: pairs are estimated alike, but synthesis makes them larger and slower."""

FEWEST_BITS = 6
"""Sums of fewer single bits are left to adders."""

MOST_WEIGHTS = 1 << 17
"""Layers of more weights are left to adders: each group of sums has counters of its own for all bits."""

WORTH = 1.5
"""How many times the sites of shared adders heaps may take for `delay`: they are twice as fast."""

LATER = {"area": 0.0, "balanced": 0.02, "delay": 0.3}
"""Sites that a picosecond is worth, for each sum, where ways to build a layer are compared."""


@dataclass(frozen=True)
class NeuronCompressSums(ModulePass):
    """
    Counts the ones among a layer's single bits, in classes that groups of sums share, and makes sums of the counts.

    Sums of such counts are built by neuron-share-sums. The strategy `auto` does so where counters and the adders behind
    them are estimated to take less than adders alone, `compressor` wherever sums read single bits.

    Before:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 1>, %b: !lbir.int<0, 1>, %c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>, %e: !lbir.int<0, 1>, %f: !lbir.int<0, 1>):
      %s = neuron.sum %a, %b, %c, %d, %e, %f times [1, -1, 1, 1, 1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<-1, 5>
      %t = neuron.sum %a, %b, %c, %d, %e, %f times [1, -1, 1, -1, -1, -1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<-4, 2>
      neuron.yield %s, %t : !lbir.int<-1, 5>, !lbir.int<-4, 2>
    }
    ```
    After `neuron-compress-sums{strategy=compressor}`:
    ```mlir
    neuron.layer @l attributes {c4ml.considered = [{strategy = "counters for 2 sums together", lut = 12 : i64, values = 2 : i64, chosen = true, delay_ps = 1992 : i64}, {strategy = "counters for 3 sums together", lut = 12 : i64, values = 2 : i64, chosen = false, delay_ps = 1992 : i64}]} {
    ^bb0(%a: !lbir.int<0, 1>, %b: !lbir.int<0, 1>, %c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>, %e: !lbir.int<0, 1>, %f: !lbir.int<0, 1>):
      %ones0 = neuron.popcount %a, %b, %c inverted [0, 1, 0] times [1, 1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 3>
      %ones1 = neuron.popcount %d, %e, %f inverted [0, 0, 0] times [1, 1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 3>
      %s = neuron.sum %ones0, %ones1 times [1, 1] plus -1 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<-1, 5>
      %t = neuron.sum %ones0, %ones1 times [1, -1] plus -1 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<-4, 2>
      neuron.yield %s, %t : !lbir.int<-1, 5>, !lbir.int<-4, 2>
    }
    ```
    """  # noqa: E501

    name = "neuron-compress-sums"

    strategy: Literal["auto", "compressor"] = "auto"
    target: Target = "xilinx"
    minimize: Literal["area", "delay", "balanced"] = "balanced"
    effort: Literal["fast", "normal", "max"] = "normal"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for layer in op.body.block.ops:
            if isinstance(layer, neuron.LayerOp):
                self.compress(layer)

    def compress(self, layer: neuron.LayerOp) -> None:
        """Counts the bits of one layer's sums of single bits, where that is chosen."""
        sums = [each for each in layer.body.block.ops if isinstance(each, neuron.SumOp) and _counts(each)]
        if not sums:
            return
        matrix, inputs = coefficients_of(sums)
        if matrix.size > MOST_WEIGHTS:
            return
        if self.minimize == "delay" and self.compare(layer, matrix, sums, inputs):
            return
        chosen = self.chosen(layer, matrix, sums, len(inputs))
        if chosen is not None:
            _write(layer, chosen, sums, inputs)

    def compare(
        self, layer: neuron.LayerOp, matrix: Integers, sums: list[neuron.SumOp], inputs: list[SSAValue]
    ) -> bool:
        """Makes heaps of sums of which nothing but one threshold is read; False where that isn't so or isn't better."""
        thresholds: list[neuron.ThresholdOp] = []
        for each in sums:
            readers = [use.operation for use in each.result.uses]
            if len(readers) != 1 or not isinstance(readers[0], neuron.ThresholdOp):
                return False
            if len(readers[0].thresholds.data) != 1 or lbir.range_of(readers[0].result) != IntType(0, 1):
                return False
            thresholds.append(readers[0])
        found = compress(matrix, HEAP_GROUP, self.effort)
        leasts = [
            threshold.thresholds.data[0] - each.constant.value.data - more
            for threshold, each, more in zip(thresholds, sums, found.constants, strict=True)
        ]
        heaps = build(found, leasts)
        if heaps is None:
            return False
        if self.strategy == "auto":
            constants = [each.constant.value.data for each in sums]
            adders = self._cost(matrix, constants, [(0, 1)] * len(inputs))
            if heaps.sites > WORTH * adders.worth:
                # what else there is, and adders again, are told by the comparison that follows
                note(layer, [Alternative("heaps of counters", heaps.sites, len(sums), False)])
                return False
            if adders.known:
                note(layer, [adders.alternative("adders", len(sums), False)])
            note(layer, [Alternative("heaps of counters", heaps.sites, len(sums), True)])
        _write_heaps(layer, heaps, thresholds, inputs)
        for each in sums:
            each.detach()
            each.erase()
        return True

    def chosen(
        self, layer: neuron.LayerOp, matrix: Integers, sums: list[neuron.SumOp], inputs: int
    ) -> Compression | None:
        """The cheapest way to count, or None where sums without counters are cheaper."""
        constants = [each.constant.value.data for each in sums]
        compared: list[tuple[str, _Cost, Compression | None]] = []
        if self.strategy != "compressor":
            compared.append(("adders", self._cost(matrix, constants, [(0, 1)] * inputs), None))
        for size in GROUPS:
            found = compress(matrix, size, self.effort)
            moved = [own + more for own, more in zip(constants, found.constants, strict=True)]
            ranges = [(0, len(each.bits)) for each in found.counters]
            cost = self._cost(found.coefficients, moved, ranges).behind(found.sites)
            compared.append((f"counters for {size} sums together", cost, found))
        best = min(range(len(compared)), key=lambda index: compared[index][1].worth)
        ways = [(index == best, strategy, cost) for index, (strategy, cost, _) in enumerate(compared) if cost.known]
        note(layer, [cost.alternative(strategy, len(sums), chosen) for chosen, strategy, cost in ways])
        return compared[best][2]

    def _cost(self, matrix: Integers, constants: list[int], ranges: list[tuple[int, int]]) -> "_Cost":
        """Sites and delay of shared adders, those of a quick search."""
        try:
            graph = share_sums(
                matrix,
                constants,
                ranges,
                3 if self.minimize == "delay" else row_operands(self.target),
                "fast",
                slack=SLACK[self.minimize],
                carry_save=self.minimize == "delay",
                tables=row_operands(self.target) == 3 and all(high - low <= 1 for low, high in ranges),
            )
        except TooLargeError:
            return _Cost(0, 0, float("inf"))
        return _Cost(graph.sites, graph.delay, LATER[self.minimize] * len(matrix) / 100)


@dataclass(frozen=True)
class _Cost:
    """What a way to build sums takes: sites, picoseconds, and what one of these is worth in sites."""

    sites: int
    delay: int
    later: float
    """Infinite where the sums are too large to be built so."""

    @property
    def known(self) -> bool:
        """Whether the sums can be built so."""
        return math.isfinite(self.later)

    @property
    def worth(self) -> float:
        """What ways are compared by."""
        return self.sites + self.later * self.delay if self.known else math.inf

    def behind(self, sites: int) -> "_Cost":
        """The same behind counters of so many sites; how late these make it isn't compared."""
        return replace(self, sites=self.sites + sites)

    def alternative(self, strategy: str, values: int, chosen: bool) -> Alternative:
        """What is left on the layer; the delay is that of the adders."""
        return Alternative(strategy, self.sites, values, chosen, self.delay)


def _counts(operation: neuron.SumOp) -> bool:
    """Whether a sum is one of many single bits, all of them the layer's inputs or earlier values of 0 and 1."""
    elements = [lbir.range_of(term) for term in operation.terms]
    single = all((each.low, each.high) == (0, 1) for each in elements)
    narrow = all(abs(each) < 1 << 8 for each in operation.coefficients.data)
    arguments = all(not isinstance(term.owner, Operation) for term in operation.terms)
    return single and narrow and arguments and len(dict.fromkeys(operation.terms)) >= FEWEST_BITS


def _write(layer: neuron.LayerOp, found: Compression, sums: list[neuron.SumOp], inputs: list[SSAValue]) -> None:
    """Puts the counters at the start of the layer, and sums of them in the place of the sums."""
    block = layer.body.block
    first = block.first_op
    assert first is not None
    counted: list[SSAValue] = []
    for counter in found.counters:
        if len(counter.bits) == 1:
            counted.append(inputs[counter.bits[0]])
            continue
        created = neuron.PopcountOp.of([inputs[each] for each in counter.bits], counter.inverted)
        created.result.name_hint = f"ones{sum(each not in inputs for each in counted)}"
        block.insert_op_before(created, first)
        counted.append(created.result)
    for operation, row, constant in zip(sums, found.coefficients, found.constants, strict=True):
        read = np.flatnonzero(row).tolist()
        element = lbir.range_of(operation.result)
        summed = neuron.SumOp.of(
            [counted[each] for each in read],
            [int(row[each]) for each in read],
            operation.constant.value.data + constant,
            IntType(element.low, element.high),
        )
        summed.result.name_hint = operation.result.name_hint
        block.insert_op_before(summed, operation)
        operation.result.replace_all_uses_with(summed.result)
        operation.detach()
        operation.erase()


def _write_heaps(
    layer: neuron.LayerOp, heaps: Heaps, thresholds: list[neuron.ThresholdOp], inputs: list[SSAValue]
) -> None:
    """Puts the counters at the start of the layer, and comparisons in the place of the thresholds."""
    block = layer.body.block
    first = block.first_op
    assert first is not None
    counted: list[SSAValue] = []
    known: dict[tuple[int, int], SSAValue] = {}

    def value(bit: Bit) -> SSAValue:
        if bit.position < 0:
            return inputs[bit.source]
        found = known.get((bit.source, bit.position))
        if found is None:
            created = neuron.BitOp.of(counted[bit.source], bit.position)
            block.insert_op_before(created, first)
            found = known[bit.source, bit.position] = created.result
        return found

    for number, counter in enumerate(heaps.counters):
        created = neuron.PopcountOp.of(
            [value(bit) for bit in counter.bits],
            [bit.inverted for bit in counter.bits],
            counter.weights,
            counter.plus,
        )
        created.result.name_hint = f"ones{number}"
        block.insert_op_before(created, first)
        counted.append(created.result)
    for comparison, threshold in zip(heaps.comparisons, thresholds, strict=True):
        compared = neuron.CompareOp.of([value(bit) for bit in comparison.bits], comparison.weights, comparison.least)
        block.insert_op_before(compared, threshold)
        result: SSAValue = compared.result
        if threshold.falling.value.data:
            inverted = neuron.LookupOp.of([result], [1, 0], IntType(0, 1))
            block.insert_op_before(inverted, threshold)
            result = inverted.result
        result.name_hint = threshold.result.name_hint
        threshold.result.replace_all_uses_with(result)
        threshold.detach()
        threshold.erase()
