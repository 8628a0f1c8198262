"""The pass `neuron-share-sums`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.circuits.adder_graph import AdderGraph, Summand, TooLargeError, share_sums
from c4ml_xdsl.circuits.adder_graph.budget import groups_of, permille_of
from c4ml_xdsl.circuits.cost import Target, row_operands
from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.leftovers import worker_threads
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.lbir_unroll_neurons import integer_type

SEARCH = "c4ml.search"
"""
An attribute of a layer whose sums were searched: the sites of their adders before the search's first iteration, after
half of its iterations and after all of them, lateness included.
"""

SLACK: dict[Literal["area", "delay", "balanced"], int | None] = {"area": None, "balanced": 0, "delay": 0}
"""Picoseconds by which the sums of a layer may be later than the latest of them is without sharing."""


@dataclass(frozen=True)
class NeuronShareSums(ModulePass):
    """
    Builds all sums of a layer from rows that they share: adders of two operands, or of three for the Xilinx targets.

    Sums of the same values are solved together, as a constant matrix times a vector; layers are solved at the same
    time. For the Xilinx targets, what depends on six bits of the network's inputs at most, or on six values of one bit,
    is looked up: a LUT a bit, which is what a counter of ones is. For `area` the sums of dense coefficients, such as
    those of binary layers, are differences from one of them where that is clearly smaller. For `balanced` and `delay`
    no sum gets later than the latest would be without sharing, as far as that can be had. For `balanced` sums that are
    a row of two earlier, and differences from one sum that are later, are tried too: the least product of sites and
    delay counts. For `delay` sums stay as long as they are, with the cost of the heaps that convert-neuron-to-hw makes
    of them. Sums of more than 57 bits are left to neuron-expand-sums.

    Before:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 127>, %b: !lbir.int<0, 127>, %c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>):
      %s = neuron.sum %a, %b, %c, %d times [1, 2, 1, 1] plus 1 : !lbir.int<0, 127>, !lbir.int<0, 127>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<1, 384>
      %t = neuron.sum %a, %b, %c times [2, 4, -1] plus 0 : !lbir.int<0, 127>, !lbir.int<0, 127>, !lbir.int<0, 1> -> !lbir.int<-1, 762>
      neuron.yield %s, %t : !lbir.int<1, 384>, !lbir.int<-1, 762>
    }
    ```
    After `neuron-share-sums{target=xilinx}`:
    ```mlir
    neuron.layer @l attributes {c4ml.search = #lbir.numbers[24, 24, 24]} {
    ^bb0(%a: !lbir.int<0, 127>, %b: !lbir.int<0, 127>, %c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>):
      %row0 = neuron.lookup %c, %d in [1, 2, 2, 3] : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<1, 3>
      %s = neuron.sum %row0, %a, %b times [1, 1, 2] plus 0 : !lbir.int<1, 3>, !lbir.int<0, 127>, !lbir.int<0, 127> -> !lbir.int<1, 384>
      %t = neuron.sum %c, %a, %b times [-1, 2, 4] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 127>, !lbir.int<0, 127> -> !lbir.int<-1, 762>
      neuron.yield %s, %t : !lbir.int<1, 384>, !lbir.int<-1, 762>
    }
    ```
    """  # noqa: E501

    name = "neuron-share-sums"

    target: Target = "xilinx"
    minimize: Literal["area", "delay", "balanced"] = "balanced"
    effort: Literal["fast", "normal", "max"] = "normal"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        behind_logic = _behind_logic(op)
        layers = [layer for layer in op.body.block.ops if isinstance(layer, neuron.LayerOp)]
        stages_of = [_stages(layer) for layer in layers]
        problems = [
            _Problem.of(sums, layer.sym_name.data not in behind_logic)
            for layer, stages in zip(layers, stages_of, strict=True)
            for sums, _ in stages
            if sums
        ]
        groups = [digits for each in problems for digits in groups_of(self.effort, each.coefficients)]
        permille = permille_of(self.effort, groups, heaps=self.minimize == "delay")
        with worker_threads() as pool:  # the search holds no lock
            graphs = iter(list(pool.map(self.solve, problems, repeat(permille))))
        solved = iter(problems)
        for layer, stages in zip(layers, stages_of, strict=True):
            if not any(sums for sums, _ in stages):
                continue
            block = layer.body.block
            for operation in list(block.ops):
                operation.detach()
            sites = np.zeros(3, np.int64)
            for sums, others in stages:
                if sums:
                    graph, problem = next(graphs), next(solved)
                    if graph is not None:
                        sites += (graph.greedy, graph.halfway, graph.sites)
                    block.add_ops(sums if graph is None else _write(graph, sums, problem.inputs))
                block.add_ops(others)
            if sites.any():
                layer.attributes[SEARCH] = lbir.NumbersAttr.of(sites.tolist())

    def solve(self, problem: "_Problem", permille: int) -> AdderGraph | None:
        """The graph for some sums, by so much of the effort; None where they are too large."""
        try:
            return share_sums(
                problem.coefficients,
                problem.constants,
                problem.ranges,
                3 if self.minimize == "delay" else row_operands(self.target),
                self.effort,
                permille=permille,
                slack=SLACK[self.minimize],
                carry_save=self.minimize == "delay",
                tables=problem.tables and row_operands(self.target) == 3,
            )
        except TooLargeError:
            return None


@dataclass(frozen=True)
class _Problem:
    """Sums that are solved together, as numbers."""

    coefficients: Integers
    constants: list[int]
    ranges: list[tuple[int, int]]
    inputs: list[SSAValue]
    tables: bool

    @staticmethod
    def of(sums: list[neuron.SumOp], outside: bool) -> "_Problem":
        """
        The sums of a stage, of a layer whose inputs are inputs of the network if `outside`.

        Tables of other values would be taken apart by synthesis together with the activations in front of them, for
        speed, which makes both larger; but single bits are signs, with no logic in front.
        """
        coefficients, inputs = coefficients_of(sums)
        ranges = [(element.low, element.high) for element in map(lbir.range_of, inputs)]
        constants = [operation.constant.value.data for operation in sums]
        outside = outside and all(isinstance(value, BlockArgument) for value in inputs)
        tables = outside or all(high - low <= 1 for low, high in ranges)
        return _Problem(coefficients, constants, ranges, inputs, tables)


def _behind_logic(module: ModuleOp) -> set[str]:
    """The layers whose inputs aren't all inputs of the network."""
    found: set[str] = set()
    for network in module.body.block.ops:
        if isinstance(network, lbir.NetworkOp):
            computed: set[SSAValue] = set()
            for operation in network.body.block.ops:
                if any(operand in computed for operand in operation.operands):
                    computed.update(operation.results)
                    if isinstance(operation, lbir.CallOp):
                        found.add(operation.layer.data)
                elif isinstance(operation, lbir.CallOp):
                    computed.update(operation.results)
    return found


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
    values: list[SSAValue | None] = [*inputs]
    forms = _forms(graph, inputs)
    read = _read(graph, len(inputs))
    names: dict[int, str | None] = {}
    for output, operation in zip(graph.outputs, sums, strict=True):
        if output is not None and output.value >= len(inputs):
            names.setdefault(output.value, operation.result.name_hint)

    def value_of(number: int) -> SSAValue:
        value = values[number]
        assert value is not None  # as it is read
        return value

    def add(summands: tuple[Summand, ...], constant: int, result_type: lbir.IntType, name: str | None) -> SSAValue:
        row = neuron.SumOp.of(
            [value_of(each.value) for each in summands],
            [(-1 if each.negative else 1) << each.shift for each in summands],
            constant,
            result_type,
        )
        row.result.name_hint = name
        created.append(row)
        return row.result

    def look_up(form: dict[int, int], constant: int, result_type: lbir.IntType, name: str | None) -> SSAValue:
        terms = [inputs[number] for number in form]
        table = neuron.LookupOp.of(terms, _entries(terms, list(form.values()), constant), result_type)
        table.result.name_hint = name
        created.append(table)
        return table.result

    for number, row in enumerate(graph.rows, len(inputs)):
        if not read[number]:
            values.append(None)
            continue
        name = names.get(number, f"row{number - len(inputs)}")
        result_type = integer_type(row.low, row.high)
        if row.table:
            values.append(look_up(*forms[number], result_type, name))
        else:
            values.append(add(row.summands, row.constant, result_type, name))
    for output, operation in zip(graph.outputs, sums, strict=True):
        known = lbir.range_of(operation.result)
        result: SSAValue
        if output is None:
            constant = neuron.ConstantOp.of(operation.constant.value.data)
            created.append(constant)
            result = constant.result
        else:
            result = value_of(output.value)
            if output.shift or output.negative or lbir.range_of(result) != known:
                result = add((output,), 0, known, operation.result.name_hint)
        operation.result.replace_all_uses_with(result)
        operation.erase()
    return created


def _forms(graph: AdderGraph, inputs: Sequence[SSAValue]) -> dict[int, tuple[dict[int, int], int]]:
    """The coefficients of inputs and the constant of each input and table; an input of one integer is a constant."""
    forms: dict[int, tuple[dict[int, int], int]] = {}
    for number, element in enumerate(map(lbir.range_of, inputs)):
        forms[number] = ({}, element.low) if element.low == element.high else ({number: 1}, 0)
    for number, row in enumerate(graph.rows, len(inputs)):
        if not row.table:
            continue
        total, constant = dict[int, int](), row.constant
        for summand in row.summands:
            factor = (-1 if summand.negative else 1) << summand.shift
            form, added = forms[summand.value]
            constant += factor * added
            for term, coefficient in form.items():
                total[term] = total.get(term, 0) + factor * coefficient
        forms[number] = {term: each for term, each in sorted(total.items()) if each}, constant
    return forms


def _read(graph: AdderGraph, inputs: int) -> list[bool]:
    """Which values are read; a table reads inputs, whatever sums it stands for."""
    read = [False] * (inputs + len(graph.rows))
    for output in graph.outputs:
        if output is not None:
            read[output.value] = True
    for number in reversed(range(inputs, len(read))):
        row = graph.rows[number - inputs]
        if read[number] and not row.table:
            for summand in row.summands:
                read[summand.value] = True
    return read


def _entries(terms: Sequence[SSAValue], coefficients: Sequence[int], constant: int) -> list[int]:
    """A sum for all combinations of what its terms can be, the last one's integers first."""
    entries = np.array([constant], np.int64)
    for term, coefficient in zip(terms, coefficients, strict=True):
        element = lbir.range_of(term)
        values = coefficient * np.arange(element.low, element.high + 1)
        entries = (entries[:, None] + values[None, :]).reshape(-1)
    return entries.tolist()
