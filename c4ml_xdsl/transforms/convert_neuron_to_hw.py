"""The pass `convert-neuron-to-hw`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from c4ml_xdsl.dialects import comb, lbir, neuron
from c4ml_xdsl.dialects.lbir import IntType
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.comb_builder import CombBuilder, bits
from c4ml_xdsl.transforms.lbir_unroll_neurons import rounding_constant

COMMENT, NODE, INPUTS, OUTPUTS = "comment", "c4ml.node", "c4ml.inputs", "c4ml.outputs"
"""Attributes of a `hw.module`: what the layer is in words, the node whose tensor it gives; the top's ports."""


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
      %y = lbir.call @l %x : tensor<1x2x!lbir.int<-2, 1>> -> tensor<1x1x!lbir.int<0, 1>>
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
      %6 = hw.constant -2 : i4
      %y0 = comb.icmp sgt %acc0, %6 : i4
      hw.output %y0 : i1
    }
    hw.module @g(in %0 x: i4, out y: i1) attributes {comment = "the network: one instance a layer", c4ml.inputs = [[#lbir.port<"x" bits 2 range [-2, 1] scale array<f64: 1.000000e+00> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">, tensor<1x2x!lbir.int<-2, 1>>]], c4ml.outputs = [[#lbir.port<"y" bits 1 range [0, 1] scale array<f64: 1.000000e+00> zero_point array<f64: 0.000000e+00> axis 0 rounding "ROUND" after "">, tensor<1x1x!lbir.int<0, 1>>]]} {
      %l_y = hw.instance "l_inst" @l(x: %0: i4) -> (y: i1)
      hw.output %l_y : i1
    }
    ```
    """  # noqa: E501

    name = "convert-neuron-to-hw"

    top: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        calls: dict[str, lbir.CallOp] = {}
        networks = [each for each in op.body.block.ops if isinstance(each, lbir.NetworkOp)]
        for network in networks:
            for operation in network.body.block.ops:
                if isinstance(operation, lbir.CallOp):
                    known = calls.setdefault(operation.layer.data, operation)
                    if (known.input.type, known.result.type) != (operation.input.type, operation.result.type):
                        raise PassFailedException(f"{operation.layer.data} is called with different types")
        for layer in list(op.body.block.ops):
            if isinstance(layer, neuron.LayerOp):
                call = calls.get(layer.sym_name.data)
                if call is not None:
                    module = _convert_layer(layer, lbir.range_of(call.result).bits)
                    if call.node is not None:
                        module.attributes[NODE] = call.node
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


def _convert_layer(layer: neuron.LayerOp, output_bits: int) -> hw.HWModuleOp:
    arguments = layer.body.block.args
    element = lbir.range_of(arguments[0])
    input_type = bits(element.bits * len(arguments))
    block = Block(arg_types=[input_type])
    block.args[0].name_hint = "x"
    builder = CombBuilder()
    lowering = LayerLowering(builder)
    for index, argument in enumerate(arguments):
        value = builder.extract(block.args[0], index * element.bits, element.bits)
        if value is not block.args[0]:
            value.name_hint = argument.name_hint or f"x{index}"
        lowering.values[argument] = value
    for operation in layer.body.block.ops:
        if not isinstance(operation, neuron.YieldOp):
            lowering.lower(operation)
    outputs = [builder.fit(lowering.values[value], lbir.range_of(value).signed, output_bits) for value in layer.yielded]
    packed = builder.concat(outputs[::-1])
    builder.finish(block)
    block.add_op(hw.OutputOp([packed]))
    module = _module(layer.sym_name.data, [("x", input_type)], [("y", packed.type)], block)
    if layer.description is not None:
        module.attributes[COMMENT] = layer.description
    return module


class LayerLowering:
    """Lowers the scalar operations of one layer."""

    def __init__(self, builder: CombBuilder):
        self.builder = builder
        self.values: dict[SSAValue, SSAValue] = {}

    def lower(self, operation: Operation) -> None:
        """Lowers one operation; the value gets the same name."""
        match operation:
            case neuron.ConstantOp():
                element = lbir.range_of(operation.result)
                result = self.builder.constant(operation.value.value.data, element.bits)
            case neuron.SumOp():
                result = self.sum(operation)
            case neuron.RequantizeOp():
                result = self.requantize(operation)
            case neuron.ThresholdOp():
                result = self.threshold(operation)
            case neuron.TableOp():
                result = self.table(operation)
            case _:
                raise PassFailedException(f"{operation.name} has no lowering to hw")
        if result.name_hint is None and not isinstance(operation, neuron.ConstantOp):
            result.name_hint = operation.results[0].name_hint
        self.values[operation.results[0]] = result

    def sum(self, operation: neuron.SumOp) -> SSAValue:
        """One adder: the positive operands, less the negative ones."""
        if not operation.is_row:
            raise PassFailedException("a sum is no row yet: run neuron-expand-sums first")
        width = lbir.range_of(operation.result).bits
        added: list[SSAValue] = []
        taken: list[SSAValue] = []
        for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
            shift = abs(coefficient).bit_length() - 1
            value = self.builder.fit(self.values[term], lbir.range_of(term).signed, width, shift)
            (added if coefficient > 0 else taken).append(value)
        constant = operation.constant.value.data
        if constant or not added:
            added.append(self.builder.constant(constant, width))
        result = self.builder.add(added)
        for value in taken:
            result = self.builder.sub(result, value)
        return result

    def requantize(self, operation: neuron.RequantizeOp) -> SSAValue:
        """
        Shift, round and clip. A constant makes the rounding a floor; ties to even clear the lowest bit of a tie.

        The modes that depend on the sign choose the constant by it.
        """
        builder = self.builder
        source, target = lbir.range_of(operation.input), lbir.range_of(operation.result)
        mode, shift = RoundingMode(operation.rounding.data), operation.shift.value.data
        offset = operation.offset.value.data
        low, high = source.low + offset, source.high + offset
        constants = rounding_constant(mode, shift), rounding_constant(mode, shift)  # where >= 0, where < 0
        whole = (1 << shift) - 1
        half = (1 << shift) >> 1
        if shift and mode in (RoundingMode.HALF_UP, RoundingMode.HALF_DOWN, RoundingMode.UP, RoundingMode.DOWN):
            constants = {
                RoundingMode.HALF_UP: (half, half - 1),
                RoundingMode.HALF_DOWN: (half - 1, half),
                RoundingMode.UP: (whole, 0),
                RoundingMode.DOWN: (0, whole),
            }[mode]
        if low >= 0 or target.low >= 0:  # a negative number becomes 0 or less, whatever its rounding
            constants = constants[0], constants[0]
        elif high < 0:
            constants = constants[1], constants[1]
        rounded_range = IntType(low + min(constants), high + max(constants))
        width = rounded_range.bits
        if mode is RoundingMode.HALF_EVEN and rounded_range.signed and width == shift + 1:
            width += 1  # a quotient of one bit is -1 or 0, and a tie at -1 goes to -2
        value = self.values[operation.input]
        sign = offset + constants[0], offset + constants[1]
        if sign != (0, 0):
            extended = builder.fit(value, source.signed, width)
            if constants[0] == constants[1]:
                value = builder.add([extended, builder.constant(sign[0], width)])
            else:
                negative = builder.invert(builder.greater(value, source, builder.constant(-offset - 1, source.bits)))
                value = builder.add(
                    [
                        extended,
                        builder.mux(negative, builder.constant(sign[1], width), builder.constant(sign[0], width)),
                    ]
                )
        elif comb.width_of(value) != width:
            value = builder.fit(value, source.signed, width)
        quotient = IntType(rounded_range.low >> shift, rounded_range.high >> shift)
        if shift < width:
            result = builder.extract(value, shift, width - shift)
        else:  # nothing but the sign is left
            result = builder.extract(value, width - 1, 1) if rounded_range.signed else builder.constant(0, 1)
        if shift and shift < width and mode is RoundingMode.HALF_EVEN:
            tie = builder.compare("eq", builder.extract(value, 0, shift), builder.constant(0, shift))
            lowest = builder.logic(comb.AndOp, builder.extract(value, shift, 1), builder.invert(tie))
            rest = width - shift - 1
            quotient = IntType(quotient.low & ~1, quotient.high)  # a tie goes down to even
            result = lowest if rest == 0 else builder.concat([builder.extract(value, shift + 1, rest), lowest])
        return self.clip(result, quotient, target)

    def clip(self, value: SSAValue, element: IntType, target: IntType) -> SSAValue:
        """A value of a range, cut to the target's range."""
        builder = self.builder
        width = comb.width_of(value)
        if element.high < target.low or element.low > target.high:
            return builder.constant(target.low if element.high < target.low else target.high, target.bits)
        signed = element.signed
        result = builder.fit(value, signed, target.bits)
        if element.high > target.high:
            above = builder.greater(value, element, builder.constant(target.high, width))
            result = builder.mux(above, builder.constant(target.high, target.bits), result)
        if element.low < target.low:
            below = (
                builder.extract(value, width - 1, 1)
                if signed and target.low == 0
                else builder.invert(builder.greater(value, element, builder.constant(target.low - 1, width)))
            )
            result = builder.mux(below, builder.constant(target.low, target.bits), result)
        return result

    def threshold(self, operation: neuron.ThresholdOp) -> SSAValue:
        """The count of reached thresholds by binary search: one comparison for each of its bits."""
        builder = self.builder
        value, source = self.values[operation.input], lbir.range_of(operation.input)
        target = lbir.range_of(operation.result)
        thresholds = operation.thresholds.data
        # x >= t is x > t - 1, and a threshold that is never reached has t - 1 = high
        bounds = [threshold - 1 for threshold in thresholds]
        width = len(bounds).bit_length()
        bounds += [source.high] * ((1 << width) - 1 - len(bounds))
        found: list[SSAValue] = []
        for position in reversed(range(width)):
            # after the bits above, the candidates are one in each group of the remaining search tree
            candidates = [
                builder.constant(bounds[(prefix << position + 1) + (1 << position) - 1], source.bits)
                for prefix in range(1 << len(found))
            ]
            bound = self.choose(found, candidates)
            found.append(builder.greater(value, source, bound))
        count = builder.concat(found)
        base, falling = operation.base.value.data, bool(operation.falling.value.data)
        if base == 0 and not falling:
            return builder.fit(count, False, target.bits)
        extended = builder.fit(count, False, target.bits)
        start = builder.constant(base, target.bits)
        return builder.sub(start, extended) if falling else builder.add([extended, start])

    def choose(self, selectors: Sequence[SSAValue], candidates: Sequence[SSAValue]) -> SSAValue:
        """The candidate that the selectors, the most significant one first, number."""
        if not selectors:
            return candidates[0]
        middle = len(candidates) // 2
        upper = self.choose(selectors[1:], candidates[middle:])
        return self.builder.mux(selectors[0], upper, self.choose(selectors[1:], candidates[:middle]))

    def table(self, operation: neuron.TableOp) -> SSAValue:
        """One truth table for each bit of the result."""
        builder = self.builder
        value, source = self.values[operation.input], lbir.range_of(operation.input)
        target = lbir.range_of(operation.result)
        if source.bits > comb.MAXIMUM_TABLE_INPUTS:
            raise PassFailedException(f"a table of {source.bits} input bits is too large")
        entries = [operation.table.data[0]] * (1 << source.bits)
        for number, entry in enumerate(operation.table.data, source.low):
            entries[number & ((1 << source.bits) - 1)] = entry
        inputs = [builder.extract(value, position, 1) for position in reversed(range(source.bits))]
        results = [
            builder.append(comb.TruthTableOp.of(inputs, [entry >> position & 1 for entry in entries]))
            for position in reversed(range(target.bits))
        ]
        return builder.concat(results)


def _convert_network(network: lbir.NetworkOp, top: str | None) -> hw.HWModuleOp:
    builder = CombBuilder()
    arguments = network.body.block.args
    inputs = [
        (port.tensor.data, bits(port.bits.data * lbir.size_of(value)))
        for port, value in zip(network.inputs, arguments, strict=True)
    ]
    block = Block(arg_types=[port_type for _, port_type in inputs])
    values: dict[SSAValue, SSAValue] = {}

    def resize(value: SSAValue, count: int, signed: bool, old: int, new: int) -> SSAValue:
        if old == new:
            return value
        return rearrange(value, range(count), old, lambda part: builder.fit(part, signed, new))

    def rearrange(
        value: SSAValue, order: Sequence[int], width: int, change: Callable[[SSAValue], SSAValue] = lambda part: part
    ) -> SSAValue:
        parts = [change(builder.extract(value, index * width, width)) for index in order]
        return builder.concat(parts[::-1])

    for port, argument, mine in zip(network.inputs, arguments, block.args, strict=True):
        element = lbir.range_of(argument)
        mine.name_hint = None
        values[argument] = resize(mine, lbir.size_of(argument), element.signed, port.bits.data, element.bits)
    for operation in network.body.block.ops:
        match operation:
            case lbir.OutputOp():
                break
            case lbir.ReshapeOp():
                values[operation.result] = values[operation.input]
            case lbir.TransposeOp():
                order = lbir.permuted_positions(lbir.shape_of(operation.input), operation.order)
                width = lbir.range_of(operation.input).bits
                values[operation.result] = rearrange(values[operation.input], order, width)
            case lbir.CallOp():
                result_type = bits(lbir.range_of(operation.result).bits * lbir.size_of(operation.result))
                instance = hw.InstanceOp(
                    f"{operation.layer.data}_inst",
                    SymbolRefAttr(operation.layer.data),
                    [("x", values[operation.input])],
                    [("y", result_type)],
                )
                values[operation.result] = builder.append(instance)
                instance.results[0].name_hint = f"{operation.layer.data}_y"
            case _:
                raise PassFailedException(f"{operation.name} is no layer yet: run lbir-unroll-neurons first")
    results: list[SSAValue] = []
    for port, value in zip(network.outputs, network.output_op.operands, strict=True):
        element = lbir.range_of(value)
        results.append(resize(values[value], lbir.size_of(value), element.signed, element.bits, port.bits.data))
    builder.finish(block)
    block.add_op(hw.OutputOp(results))
    outputs = [(port.tensor.data, value.type) for port, value in zip(network.outputs, results, strict=True)]
    module = _module(network.sym_name.data if top is None else top, inputs, outputs, block)
    module.attributes[COMMENT] = StringAttr("the network: one instance a layer")
    module.attributes[INPUTS] = _described(network.inputs, arguments)
    module.attributes[OUTPUTS] = _described(network.outputs, network.output_op.operands)
    return module


def _described(ports: ArrayAttr[lbir.PortAttr], values: Sequence[SSAValue]) -> ArrayAttr[Attribute]:
    """Ports with the tensors' types, which know the shapes."""
    return ArrayAttr([ArrayAttr([port, value.type]) for port, value in zip(ports, values, strict=True)])
