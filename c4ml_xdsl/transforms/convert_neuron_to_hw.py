"""The pass `convert-neuron-to-hw`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, StringAttr, SymbolRefAttr, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from c4ml_xdsl.circuits.adder_graph import CARRY_DELAY, LUT_DELAY, ROW_DELAYS
from c4ml_xdsl.circuits.compressor import table_of
from c4ml_xdsl.circuits.step_function import StepFunction
from c4ml_xdsl.circuits.table_decomposition import Aim, decompose
from c4ml_xdsl.dialects import comb, lbir, neuron
from c4ml_xdsl.dialects.lbir import IntType
from c4ml_xdsl.interpreters.lbir import moved, padded
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.adder_heap import heap_sum
from c4ml_xdsl.transforms.adder_row import Summand, carry_save_row, plain_row
from c4ml_xdsl.transforms.comb_builder import CombBuilder, bits
from c4ml_xdsl.transforms.neuron_activations import ActivationLowering

COMMENT, NODE, AXES, INPUTS, OUTPUTS = "comment", "c4ml.node", "c4ml.axes", "c4ml.inputs", "c4ml.outputs"
OPERATIONS, TABLES, COUNTERS = "c4ml.operations", "c4ml.tables", "c4ml.counters"
"""
Attributes of a `hw.module`: what the layer is in words, the node whose tensor it gives, how that is transposed to the
instances' rows, and the positions of the operations that it stands for in the folded network; the top's ports; how many
values are truth tables of the inputs, and how many counters of single bits it has.
"""


@dataclass(frozen=True)
class ConvertNeuronToHw(ModulePass):
    """
    Makes a `hw.module` of each layer and one of the network; a tensor is one port, element 0 in its lowest bits.

    Before:
    ```mlir
    neuron.layer @l "sum, threshold" {
    ^bb0(%x0: !lbir.int<-2, 1>, %x1: !lbir.int<-2, 1>):
      %acc0 = neuron.sum %x0, %x1 times [1, 2] plus 0 : !lbir.int<-2, 1>, !lbir.int<-2, 1> -> !lbir.int<-6, 3>
      %y0 = neuron.threshold %acc0, [-1] base 0 falling 0 : !lbir.int<-6, 3> -> !lbir.int<0, 1>
      neuron.yield %y0 : !lbir.int<0, 1>
    }
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [-2, 1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 1 range [0, 1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<-2, 1>>):
      %y = lbir.call @l(%x) : tensor<1x2x!lbir.int<-2, 1>> -> tensor<1x1x!lbir.int<0, 1>>
      lbir.output %y : tensor<1x1x!lbir.int<0, 1>>
    }
    ```
    After `convert-neuron-to-hw`:
    ```mlir
    hw.module @l(in %x: i4, out y: i1) attributes {comment = "sum, threshold"} {
      %x0 = comb.extract %x from 0 : (i4) -> i2
      %x1 = comb.extract %x from 2 : (i4) -> i2
      %0 = comb.extract %x0 from 1 : (i2) -> i1
      %1 = comb.replicate %0 : (i1) -> i2
      %2 = comb.concat %1, %x0 : i2, i2
      %3 = comb.extract %x1 from 1 : (i2) -> i1
      %4 = hw.constant false
      %5 = comb.concat %3, %x1, %4 : i1, i2, i1
      %acc0 = comb.add %2, %5 : i4
      %6 = comb.extract %acc0 from 3 : (i4) -> i1
      %7 = comb.extract %acc0 from 2 : (i4) -> i1
      %8 = comb.extract %acc0 from 1 : (i4) -> i1
      %9 = comb.extract %acc0 from 0 : (i4) -> i1
      %y0 = comb.truth_table %6, %7, %8, %9 -> [true, true, true, true, true, true, true, true, false, false, false, false, false, false, false, true]
      hw.output %y0 : i1
    }
    hw.module @g(in %0 x: i4, out y: i1) attributes {comment = "the network: one instance a layer, or one a position", c4ml.inputs = [[#lbir.port<"x" bits 2 range [-2, 1] scale array<f64: 1.000000e+00> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">, tensor<1x2x!lbir.int<-2, 1>>]], c4ml.outputs = [[#lbir.port<"y" bits 1 range [0, 1] scale array<f64: 1.000000e+00> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">, tensor<1x1x!lbir.int<0, 1>>]]} {
      %l_y = hw.instance "l_inst" @l(x: %0: i4) -> (y: i1)
      hw.output %l_y : i1
    }
    ```
    """  # noqa: E501

    name = "convert-neuron-to-hw"

    minimize: Literal["area", "delay", "balanced"] = "balanced"
    """
    For `delay` sums may have any number of shifted operands: more than three are a heap of counters, rows of three are
    carry-save adders in front of rows of two. Tables have few levels.
    """
    top: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        calls: dict[str, lbir.CallOp] = {}
        networks = [each for each in op.body.block.ops if isinstance(each, lbir.NetworkOp)]
        for network in networks:
            for operation in network.body.block.ops:
                if isinstance(operation, lbir.CallOp):
                    known = calls.setdefault(operation.layer.data, operation)
                    if [v.type for v in (*known.inputs, known.result)] != [
                        v.type for v in (*operation.inputs, operation.result)
                    ]:
                        raise PassFailedException(f"{operation.layer.data} is called with different types")
        for layer in list(op.body.block.ops):
            if isinstance(layer, neuron.LayerOp):
                call = calls.get(layer.sym_name.data)
                if call is not None:
                    module = _convert_layer(layer, call, self.minimize)
                    if call.node is not None:
                        module.attributes[NODE] = call.node
                    if call.axes is not None:
                        module.attributes[AXES] = call.axes
                    if call.operations is not None:
                        module.attributes[OPERATIONS] = call.operations
                    op.body.block.insert_op_before(module, layer)
                layer.detach()
                layer.erase()
        for network in networks:
            op.body.block.insert_op_before(_convert_network(network, self.top), network)
            network.detach()
            network.erase()


def _module(
    name: str, inputs: Sequence[tuple[str, Attribute]], outputs: Sequence[tuple[str, Attribute]], block: Block
) -> hw.HWModuleOp:
    directions = [(each, hw.Direction.INPUT) for each in inputs] + [(each, hw.Direction.OUTPUT) for each in outputs]
    ports = [
        hw.ModulePort(StringAttr(port), port_type, hw.DirectionAttr(direction))  # pyright: ignore[reportArgumentType]
        for (port, port_type), direction in directions
    ]
    return hw.HWModuleOp(StringAttr(name), hw.ModuleType(ArrayAttr(ports)), Region(block))


def port_names(count: int) -> list[str]:
    """The input ports of a layer's module: `x`, or `a`, `b`, … for several operands."""
    return ["x"] if count == 1 else [f"in_{chr(ord('a') + i)}" if i < 26 else f"in_{i}" for i in range(count)]


def _convert_layer(layer: neuron.LayerOp, call: lbir.CallOp, minimize: Aim) -> hw.HWModuleOp:
    """Ports have elements of the tensors' types; a scalar of a narrower one is in the low bits."""
    arguments = layer.body.block.args
    groups: list[Sequence[SSAValue]] = []
    for size in layer.sizes:
        start = sum(map(len, groups))
        groups.append(arguments[start : start + size])
    widths = [lbir.range_of(each).bits for each in call.inputs]
    output_bits = lbir.range_of(call.result).bits
    inputs = [
        (name, bits(width * len(group)))
        for name, width, group in zip(port_names(len(groups)), widths, groups, strict=True)
    ]
    block = Block(arg_types=[port_type for _, port_type in inputs])
    builder = CombBuilder()
    lowering = LayerLowering(builder, minimize)
    for port, (name, _), width, group in zip(block.args, inputs, widths, groups, strict=True):
        port.name_hint = name
        for index, argument in enumerate(group):
            value = builder.extract(port, index * width, lbir.range_of(argument).bits)
            if value is not port:
                value.name_hint = argument.name_hint or f"x{index}"
            lowering.values[argument] = value
    for operation in layer.body.block.ops:
        if not isinstance(operation, neuron.YieldOp):
            lowering.lower(operation)
    outputs = [builder.fit(lowering.values[value], lbir.range_of(value).signed, output_bits) for value in layer.yielded]
    packed = builder.concat(outputs[::-1])
    builder.finish(block)
    block.add_op(hw.OutputOp([packed]))
    module = _module(layer.sym_name.data, inputs, [("y", packed.type)], block)
    module.attributes.update(layer.attributes)
    if layer.description is not None:
        module.attributes[COMMENT] = layer.description
    tables = sum(isinstance(operation, neuron.LookupOp) for operation in layer.body.block.ops)
    if tables:
        module.attributes[TABLES] = IntegerAttr(tables, i64)
    counters = sum(isinstance(operation, neuron.PopcountOp) for operation in layer.body.block.ops)
    if counters:
        module.attributes[COUNTERS] = IntegerAttr(counters, i64)
    return module


class LayerLowering:
    """Lowers the scalar operations of one layer."""

    def __init__(self, builder: CombBuilder, minimize: Aim):
        self.builder, self.minimize = builder, minimize
        self.activations = ActivationLowering(builder)
        self.values: dict[SSAValue, SSAValue] = {}
        self.arrivals: dict[SSAValue, int] = {}
        """When sums and tables for `delay` are there, in picoseconds behind the layer's inputs."""

    def lower(self, operation: Operation) -> None:
        """Lowers one operation; the value gets the same name."""
        match operation:
            case neuron.ConstantOp():
                element = lbir.range_of(operation.result)
                result = self.builder.constant(operation.value.value.data, element.bits)
            case neuron.SumOp():
                result = self.sum(operation)
            case neuron.RequantizeOp():
                result = self.activations.requantize(operation, self.values[operation.input])
            case neuron.ThresholdOp():
                result = self.threshold(operation)
            case neuron.TableOp():
                result = self.table(operation)
            case neuron.LookupOp():
                result = self.lookup(operation)
                self.arrivals[operation.result] = LUT_DELAY
            case neuron.PopcountOp():
                result = self.popcount(operation)
                self.arrivals[operation.result] = LUT_DELAY
            case neuron.BitOp():
                result = self.builder.extract(self.values[operation.input], operation.position.value.data, 1)
            case neuron.CompareOp():
                result = self.comparison(operation)
            case neuron.MaxOp():
                result = self.maximum(operation)
            case neuron.MultiplyOp():
                width = lbir.range_of(operation.result).bits
                factors = [
                    self.builder.fit(self.values[each], lbir.range_of(each).signed, width)
                    for each in (operation.lhs, operation.rhs)
                ]
                result = self.builder.multiply(*factors)
            case _:
                raise PassFailedException(f"{operation.name} has no lowering to hw")
        if result.name_hint is None and not isinstance(operation, neuron.ConstantOp):
            result.name_hint = operation.results[0].name_hint
        self.values[operation.results[0]] = result

    def sum(self, operation: neuron.SumOp) -> SSAValue:
        """One adder: the positive operands, less the negative ones; for `delay` more than three are a heap."""
        shifted = all(abs(each) & (abs(each) - 1) == 0 for each in operation.coefficients.data)
        if not (operation.is_row or (shifted and self.minimize == "delay")):
            raise PassFailedException("a sum is no row yet: run neuron-expand-sums first")
        width = lbir.range_of(operation.result).bits
        summands = [
            Summand(self.values[term], lbir.range_of(term).signed, abs(coefficient).bit_length() - 1, coefficient < 0)
            for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True)
        ]
        constant = operation.constant.value.data
        if self.minimize != "delay":
            return plain_row(self.builder, summands, constant, width)
        arrivals = [
            self.arrivals.get(term, 0) - CARRY_DELAY * summand.shift
            for term, summand in zip(operation.terms, summands, strict=True)
        ]
        operands = len(summands) + (constant != 0)
        if operands > 3:
            result, arrival = heap_sum(self.builder, summands, arrivals, constant, width)
        else:
            result = carry_save_row(self.builder, summands, constant, width)
            arrival = max(arrivals, default=0) + (ROW_DELAYS[operands - 2] if operands > 1 else 0)
        self.arrivals[operation.result] = arrival
        return result

    def popcount(self, operation: neuron.PopcountOp) -> SSAValue:
        """A truth table for each bit of the count."""
        inputs = [self.values[term] for term in operation.terms]
        counts = table_of(operation.inverted.data, operation.weights.data, operation.constant.value.data)
        tables: list[SSAValue] = []
        for position in reversed(range(lbir.range_of(operation.result).bits)):
            table = comb.TruthTableOp.of(inputs, [count >> position & 1 for count in counts])
            tables.append(self.builder.append(table))
        return self.builder.concat(tables)

    def comparison(self, operation: neuron.CompareOp) -> SSAValue:
        """
        The carry out of one addition: of words of the bits, those of negative coefficients inverted, and a constant.

        Either the sum is compared, or what it lacks of the largest one and the result inverted: what takes fewer words.
        """
        builder, coefficients = self.builder, operation.coefficients.data
        most = sum(map(abs, coefficients))
        least = operation.least.value.data - sum(min(each, 0) for each in coefficients)
        if not 0 < least <= most:
            return builder.constant(int(least <= 0), 1)
        width = most.bit_length()
        plans: list[tuple[int, bool, list[list[SSAValue]]]] = []
        for complement in (False, True):
            columns: list[list[SSAValue]] = [[] for _ in range(width)]
            for term, coefficient in zip(operation.terms, coefficients, strict=True):
                value = self.values[term]
                if (coefficient < 0) != complement:
                    value = builder.invert(value)
                columns[abs(coefficient).bit_length() - 1].append(value)
            constant = (1 << width) - (most - least + 1 if complement else least)
            for position, column in enumerate(columns):
                if constant >> position & 1:
                    column.append(builder.constant(1, 1))
            plans.append((max(len(columns[0]) - 1, *map(len, columns[1:]), 2), complement, columns))
        _, complement, columns = min(plans, key=lambda plan: plan[:2])
        if len(columns[0]) > max(map(len, columns[1:]), default=0):  # a carry at the start, from a position below
            columns = [[builder.constant(1, 1), columns[0].pop()], *columns]
        words: list[SSAValue] = []
        for number in range(max(map(len, columns))):
            bits_ = [column[number] if number < len(column) else builder.constant(0, 1) for column in columns]
            words.append(builder.concat([builder.constant(0, 1), *bits_[::-1]]))
        total = builder.add(words)
        carry = builder.extract(total, len(columns), 1)
        return builder.invert(carry) if complement else carry

    def maximum(self, operation: neuron.MaxOp) -> SSAValue:
        """A balanced tree of comparisons and choices."""
        builder = self.builder
        level = [(self.values[term], lbir.range_of(term)) for term in operation.terms]
        while len(level) > 1:
            paired = [self.larger(a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
            level = [*paired, *level[2 * len(paired) :]]
        value, element = level[0]
        return builder.fit(value, element.signed, lbir.range_of(operation.result).bits)

    def larger(self, a: tuple[SSAValue, IntType], b: tuple[SSAValue, IntType]) -> tuple[SSAValue, IntType]:
        """The larger of two values and its range."""
        (left, mine), (right, theirs) = a, b
        builder = self.builder
        both = IntType(min(mine.low, theirs.low), max(mine.high, theirs.high))
        result = IntType(max(mine.low, theirs.low), both.high)
        left, right = (builder.fit(v, e.signed, both.bits) for v, e in ((left, mine), (right, theirs)))
        chosen = builder.mux(builder.greater(left, both, right), left, right)
        return builder.fit(chosen, both.signed, result.bits), result

    def threshold(self, operation: neuron.ThresholdOp) -> SSAValue:
        """The count of reached thresholds, up or down from the base."""
        function = StepFunction.of_thresholds(
            operation.thresholds.data, operation.base.value.data, bool(operation.falling.value.data)
        )
        return self.steps(function, operation.input, operation.result)

    def table(self, operation: neuron.TableOp) -> SSAValue:
        """A table is a step function, however many steps it has."""
        function = StepFunction.of_table(operation.table.data, lbir.range_of(operation.input).low)
        return self.steps(function, operation.input, operation.result)

    def steps(self, function: StepFunction, term: SSAValue, result: SSAValue) -> SSAValue:
        """A step function of a value."""
        return self.activations.steps(function, self.values[term], lbir.range_of(term), lbir.range_of(result).bits)

    def lookup(self, operation: neuron.LookupOp) -> SSAValue:
        """The truth tables of a plan, each the size of a LUT."""
        bits = lbir.range_of(operation.result).bits
        plan = decompose(operation.ranges, operation.entries.data, bits, self.minimize)
        known: list[SSAValue] = []
        for term in operation.terms:
            value = self.values[term]
            known += [self.builder.extract(value, position, 1) for position in range(comb.width_of(value))]
        for table in plan.tables:
            known.append(self.activations.table([known[each] for each in table.inputs], table.entries))
        return self.builder.concat([known[each] for each in reversed(plan.outputs)])


class _Wires:
    """
    The tensors of a network as numbered elements, so that what only moves them costs nothing.

    An element is a number: its source's index times `STRIDE`, and its position there. Sources are packed SSA values,
    and, as negative numbers, constants.
    """

    STRIDE = 1 << 32

    def __init__(self, builder: CombBuilder):
        self.builder = builder
        self.sources: list[SSAValue] = []
        self.constants: list[int] = []

    def of(self, value: SSAValue, shape: Sequence[int]) -> Integers:
        """The elements of a packed value."""
        self.sources.append(value)
        start = (len(self.sources) - 1) * self.STRIDE
        return np.arange(start, start + math.prod(shape), dtype=np.int64).reshape(1, *shape)

    def constant(self, values: Integers) -> Integers:
        """Elements that are constants."""
        unique, indices = np.unique(values, return_inverse=True)
        start = len(self.constants)
        self.constants.extend(unique.tolist())
        return -1 - (start + indices.reshape(values.shape))

    def pack(self, elements: Integers, width: int) -> SSAValue:
        """Elements of so many bits as one packed value, the first in the least significant bits."""
        flat = elements.reshape(-1)
        breaks = np.flatnonzero((np.diff(flat) != 1) | (flat[:-1] < 0)) + 1
        parts: list[SSAValue] = []
        constant, held = 0, 0
        ends = [*breaks.tolist(), len(flat)]
        start = 0

        def flush() -> None:
            nonlocal constant, held
            if held:
                parts.append(self.builder.constant(constant, held))
                constant, held = 0, 0

        for end in ends:
            first = int(flat[start])
            if first < 0:
                constant |= (self.constants[-1 - first] & ((1 << width) - 1)) << held
                held += width
            else:
                flush()
                source, position = divmod(first, self.STRIDE)
                parts.append(self.builder.extract(self.sources[source], position * width, (end - start) * width))
            start = end
        flush()
        return self.builder.concat(parts[::-1])

    def resized(self, elements: Integers, old: IntType, new_bits: int) -> Integers:
        """The same integers in elements of another width."""
        if old.bits == new_bits:
            return elements
        unique, indices = np.unique(elements, return_inverse=True)
        parts: list[SSAValue] = []
        for each in unique.tolist():
            part = self.pack(np.array([each]), old.bits)
            parts.append(self.builder.fit(part, old.signed, new_bits))
        packed = self.of(self.builder.concat(parts[::-1]), (len(parts),))
        return packed[0][indices].reshape(elements.shape)


def _convert_network(network: lbir.NetworkOp, top: str | None) -> hw.HWModuleOp:
    builder = CombBuilder()
    wires = _Wires(builder)
    arguments = network.body.block.args
    inputs = [
        (port.tensor.data, bits(port.bits.data * lbir.size_of(value)))
        for port, value in zip(network.inputs, arguments, strict=True)
    ]
    block = Block(arg_types=[port_type for _, port_type in inputs])
    values: dict[SSAValue, Integers] = {}

    def element(value: SSAValue) -> IntType:
        return lbir.range_of(value)

    for port, argument, mine in zip(network.inputs, arguments, block.args, strict=True):
        mine.name_hint = None
        given = wires.of(mine, lbir.shape_of(argument))
        own = element(argument)
        wide = IntType(-1 << port.bits.data - 1, 0) if own.signed else IntType(0, (1 << port.bits.data) - 1)
        values[argument] = wires.resized(given, wide, own.bits)
    for operation in network.body.block.ops:
        match operation:
            case lbir.OutputOp():
                break
            case lbir.CallOp():
                values[operation.result] = _instances(operation, [values[x] for x in operation.inputs], wires)
            case lbir.PadOp():
                own, new = element(operation.input), element(operation.result).bits
                inner = wires.resized(values[operation.input], own, new)
                values[operation.result] = padded(operation, inner, wires.constant(lbir.integers(operation.value)))
            case lbir.ConcatOp():
                new = element(operation.result).bits
                parts = [wires.resized(values[each], element(each), new) for each in operation.inputs]
                values[operation.result] = np.concatenate(parts, axis=operation.axis.value.data + 1)
            case lbir.ReshapeOp() | lbir.TransposeOp() | lbir.GatherOp() | lbir.BroadcastOp() | lbir.PatchesOp():
                values[operation.result] = moved(operation, values[operation.input])
            case _:
                raise PassFailedException(f"{operation.name} is no layer yet: run lbir-unroll-neurons first")
    results: list[SSAValue] = []
    for port, value in zip(network.outputs, network.output_op.operands, strict=True):
        results.append(wires.pack(wires.resized(values[value], element(value), port.bits.data), port.bits.data))
    builder.finish(block)
    block.add_op(hw.OutputOp(results))
    outputs = [(port.tensor.data, value.type) for port, value in zip(network.outputs, results, strict=True)]
    module = _module(network.sym_name.data if top is None else top, inputs, outputs, block)
    module.attributes[COMMENT] = StringAttr("the network: one instance a layer, or one a position")
    module.attributes[INPUTS] = _described(network.inputs, arguments)
    module.attributes[OUTPUTS] = _described(network.outputs, network.output_op.operands)
    return module


def _instances(call: lbir.CallOp, operands: Sequence[Integers], wires: _Wires) -> Integers:
    """One instance of the layer's module a row; all inputs come first, so that the instances stand together."""
    name, rows, outputs = call.layer.data, call.rows, lbir.shape_of(call.result)[-1]
    widths = [lbir.range_of(value).bits for value in call.inputs]
    given = [
        [wires.pack(each, width) for each in elements.reshape(rows, -1)]
        for elements, width in zip(operands, widths, strict=True)
    ]
    result_type = bits(lbir.range_of(call.result).bits * outputs)
    results: list[Integers] = []
    for row, packed in enumerate(zip(*given, strict=True)):
        suffix = "" if rows == 1 else str(row)
        instance = hw.InstanceOp(
            f"{name}_inst{suffix}",
            SymbolRefAttr(name),
            list(zip(port_names(len(given)), packed, strict=True)),
            [("y", result_type)],
        )
        value = wires.builder.append(instance)
        value.name_hint = f"{name}_y{suffix}"
        results.append(wires.of(value, (outputs,)))
    return np.concatenate(results).reshape(1, *lbir.shape_of(call.result))


def _described(ports: ArrayAttr[lbir.PortAttr], values: Sequence[SSAValue]) -> ArrayAttr[Attribute]:
    """Ports with the tensors' types, which know the shapes."""
    return ArrayAttr([ArrayAttr([port, value.type]) for port, value in zip(ports, values, strict=True)])
