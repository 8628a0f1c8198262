"""The pass `neuron-share-sums`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.circuits.adder_graph import AdderGraph, Summand, TooLargeError, share_sums
from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.lbir_unroll_neurons import integer_type

SLACK: dict[Literal["area", "delay", "balanced"], int | None] = {"area": None, "balanced": 0, "delay": -500}
"""Picoseconds by which the sums of a layer may be later than the latest of them is without sharing."""


@dataclass(frozen=True)
class NeuronShareSums(ModulePass):
    """
    Builds all sums of a layer from rows that they share: adders of two operands, or of three for the target `xilinx`.

    Sums of the same values are solved together, as a constant matrix times a vector. Sums of more than 57 bits are
    left to neuron-expand-sums. For `balanced` and `delay` no sum gets later than the latest would be without sharing,
    as far as that can be had; for `delay` rows of three are carry-save adders, with their cost.

    Before:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>, %c: !lbir.int<0, 3>):
      %s = neuron.sum %a, %b, %c times [1, 2, 1] plus 1 : !lbir.int<0, 3>, !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<1, 13>
      %t = neuron.sum %a, %b, %c times [2, 4, -1] plus 0 : !lbir.int<0, 3>, !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<-3, 18>
      neuron.yield %s, %t : !lbir.int<1, 13>, !lbir.int<-3, 18>
    }
    ```
    After `neuron-share-sums{target=xilinx}`:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>, %c: !lbir.int<0, 3>):
      %row0 = neuron.sum %a, %b times [1, 2] plus 0 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<0, 9>
      %s = neuron.sum %c, %row0 times [1, 1] plus 1 : !lbir.int<0, 3>, !lbir.int<0, 9> -> !lbir.int<1, 13>
      %t = neuron.sum %c, %row0 times [-1, 2] plus 0 : !lbir.int<0, 3>, !lbir.int<0, 9> -> !lbir.int<-3, 18>
      neuron.yield %s, %t : !lbir.int<1, 13>, !lbir.int<-3, 18>
    }
    ```
    """  # noqa: E501

    name = "neuron-share-sums"

    target: Literal["xilinx", "generic"] = "xilinx"
    minimize: Literal["area", "delay", "balanced"] = "balanced"
    effort: Literal["fast", "normal", "max"] = "normal"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for layer in op.body.block.ops:
            if isinstance(layer, neuron.LayerOp):
                self.share(layer)

    def share(self, layer: neuron.LayerOp) -> None:
        """Shares the sums of one layer: those that read no other sum first, then those behind them."""
        stages = _stages(layer)
        if not any(sums for sums, _ in stages):
            return
        block = layer.body.block
        for operation in list(block.ops):
            operation.detach()
        for sums, others in stages:
            block.add_ops(self.solve(sums))
            block.add_ops(others)

    def solve(self, sums: list[neuron.SumOp]) -> list[Operation]:
        """The operations in the place of some sums, which are erased; the sums themselves where they are too large."""
        if not sums:
            return []
        coefficients, inputs = coefficients_of(sums)
        constants = [operation.constant.value.data for operation in sums]
        elements = [lbir.range_of(value) for value in inputs]
        try:
            graph = share_sums(
                coefficients,
                constants,
                [(each.low, each.high) for each in elements],
                3 if self.target == "xilinx" or self.minimize == "delay" else 2,
                self.effort,
                slack=SLACK[self.minimize],
                carry_save=self.minimize == "delay",
            )
        except TooLargeError:
            return list(sums)
        return _write(graph, sums, inputs)


def coefficients_of(sums: Sequence[neuron.SumOp]) -> tuple[Integers, list[SSAValue]]:
    """The matrix (sums, inputs) that sums are, and the inputs."""
    inputs = list(dict.fromkeys(term for operation in sums for term in operation.terms))
    numbers = {value: number for number, value in enumerate(inputs)}
    coefficients = np.zeros((len(sums), len(inputs)), np.int64)
    for row, operation in zip(coefficients, sums, strict=True):
        for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
            row[numbers[term]] += coefficient
    return coefficients, inputs


def _stages(layer: neuron.LayerOp) -> list[tuple[list[neuron.SumOp], list[Operation]]]:
    """The sums that read only sums of earlier stages, and the other operations behind these, stage by stage."""
    stage_of: dict[SSAValue, int] = {}
    stages: list[tuple[list[neuron.SumOp], list[Operation]]] = [([], [])]
    for operation in layer.body.block.ops:
        stage = max((stage_of.get(operand, 0) for operand in operation.operands), default=0)
        if isinstance(operation, neuron.SumOp):
            stage += 1
        while len(stages) <= stage:
            stages.append(([], []))
        if isinstance(operation, neuron.SumOp):
            stages[stage][0].append(operation)
        elif isinstance(operation, neuron.YieldOp):
            stages[-1][1].append(operation)
        else:
            stages[stage][1].append(operation)
        for result in operation.results:
            stage_of[result] = stage
    return stages


def _write(graph: AdderGraph, sums: list[neuron.SumOp], inputs: list[SSAValue]) -> list[Operation]:
    """The rows of a graph, named after the sums that they give, and what reads the sums connected to them."""
    created: list[Operation] = []
    values = [*inputs]
    names: dict[int, str | None] = {}
    for output, operation in zip(graph.outputs, sums, strict=True):
        if output is not None and output.value >= len(inputs):
            names.setdefault(output.value, operation.result.name_hint)

    def add(summands: tuple[Summand, ...], constant: int, result_type: lbir.IntType, name: str | None) -> SSAValue:
        row = neuron.SumOp.of(
            [values[each.value] for each in summands],
            [(-1 if each.negative else 1) << each.shift for each in summands],
            constant,
            result_type,
        )
        row.result.name_hint = name
        created.append(row)
        return row.result

    for number, row in enumerate(graph.rows, len(inputs)):
        name = names.get(number, f"row{number - len(inputs)}")
        values.append(add(row.summands, row.constant, integer_type(row.low, row.high), name))
    for output, operation in zip(graph.outputs, sums, strict=True):
        known = lbir.range_of(operation.result)
        result: SSAValue
        if output is None:
            constant = neuron.ConstantOp.of(operation.constant.value.data)
            created.append(constant)
            result = constant.result
        else:
            result = values[output.value]
            if output.shift or output.negative or lbir.range_of(result) != known:
                result = add((output,), 0, known, operation.result.name_hint)
        operation.result.replace_all_uses_with(result)
        operation.erase()
    return created
