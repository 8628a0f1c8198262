"""The pass `neuron-fold-offsets`."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from c4ml_xdsl.circuits.step_forms import cheapest_offset
from c4ml_xdsl.circuits.step_function import StepFunction
from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.dialects.lbir import NumbersAttr
from c4ml_xdsl.numerics.rounding import RoundingMode, floor_constants
from c4ml_xdsl.transforms.lbir_unroll_neurons import integer_type


@dataclass(frozen=True)
class NeuronFoldOffsets(ModulePass):
    """
    Adds constants to sums so that the activation that alone reads a sum becomes small.

    A requantisation leaves its offset and rounding constant to the sum. The thresholds of an activation move to where
    they cost least: one to 0, so that the sum's sign tells it, the others to where buckets separate them. A falling
    activation reads the negated sum where that has no more negative coefficients.

    Before:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<-8, 7>):
      %s = neuron.sum %a, %b times [3, 2] plus 0 : !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-40, 35>
      %t = neuron.threshold %s, [5] base 0 falling 0 : !lbir.int<-40, 35> -> !lbir.int<0, 1>
      %u = neuron.sum %a, %b times [1, -1] plus 0 : !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-15, 15>
      %r = neuron.requantize %u offset 0 shift 2 round "half_even" : !lbir.int<-15, 15> -> !lbir.int<0, 3>
      neuron.yield %t, %r : !lbir.int<0, 1>, !lbir.int<0, 3>
    }
    ```
    After `neuron-fold-offsets`:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<-8, 7>):
      %s = neuron.sum %a, %b times [3, 2] plus -5 : !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-45, 30>
      %t = neuron.threshold %s, [0] base 0 falling 0 : !lbir.int<-45, 30> -> !lbir.int<0, 1>
      %u = neuron.sum %a, %b times [1, -1] plus 2 : !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-13, 17>
      %r = neuron.requantize %u offset -2 shift 2 round "half_even" : !lbir.int<-13, 17> -> !lbir.int<0, 3>
      neuron.yield %t, %r : !lbir.int<0, 1>, !lbir.int<0, 3>
    }
    ```
    """

    name = "neuron-fold-offsets"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for layer in op.body.block.ops:
            if isinstance(layer, neuron.LayerOp):
                for operation in list(layer.body.block.ops):
                    source = operation.operands[0].owner if operation.operands else None
                    if isinstance(source, neuron.SumOp) and source.result.has_one_use():
                        _fold(source, operation)


def _fold(source: neuron.SumOp, activation: Operation) -> None:
    """Moves what an activation adds into the sum that it alone reads."""
    match activation:
        case neuron.RequantizeOp():
            _fold_requantize(source, activation)
        case neuron.ThresholdOp():
            _fold_threshold(source, activation)
        case _:
            pass


def added_constant(activation: neuron.RequantizeOp) -> int:
    """What a requantisation adds to its input: its offset, and the constant that makes its rounding a floor."""
    element, target = lbir.range_of(activation.input), lbir.range_of(activation.result)
    offset, shift = activation.offset.value.data, activation.shift.value.data
    mode = RoundingMode(activation.rounding.data)
    return offset + floor_constants(mode, shift, element.low + offset, element.high + offset, target.low)[0]


def _fold_requantize(source: neuron.SumOp, activation: neuron.RequantizeOp) -> None:
    moved = added_constant(activation)
    _move(source, moved, False)
    activation.properties["offset"] = IntegerAttr(activation.offset.value.data - moved, i64)


def _fold_threshold(source: neuron.SumOp, activation: neuron.ThresholdOp) -> None:
    element, bits = lbir.range_of(source.result), lbir.range_of(activation.result).bits
    thresholds, base = list(activation.thresholds.data), activation.base.value.data
    falling = bool(activation.falling.value.data)
    low, high = element.low, element.high
    negated = falling and 2 * sum(each < 0 for each in source.coefficients.data) >= len(source.coefficients.data)
    if negated:  # base - #{x >= t} = base - count + #{-x >= 1 - t}
        thresholds = [1 - threshold for threshold in reversed(thresholds)]
        base, falling = base - len(thresholds), False
        low, high = -high, -low
    function = StepFunction.of_thresholds(thresholds, base, falling).within(low, high)
    if not function.positions:
        return
    constant = -source.constant.value.data if negated else source.constant.value.data
    moved = cheapest_offset(function, low, high, bits, constant)
    _move(source, moved, negated)
    activation.properties["thresholds"] = NumbersAttr.of([threshold + moved for threshold in thresholds])
    activation.properties["base"] = IntegerAttr(base, i64)
    activation.properties["falling"] = IntegerAttr(int(falling), i64)


def _move(source: neuron.SumOp, offset: int, negated: bool) -> None:
    """Replaces a sum by itself, or its negative, plus an offset."""
    if not offset and not negated:
        return
    element = lbir.range_of(source.result)
    low, high = (-element.high, -element.low) if negated else (element.low, element.high)
    sign = -1 if negated else 1
    moved = neuron.SumOp.of(
        source.terms,
        [sign * coefficient for coefficient in source.coefficients.data],
        sign * source.constant.value.data + offset,
        integer_type(low + offset, high + offset),
    )
    block = source.parent_block()
    assert block is not None
    block.insert_op_before(moved, source)
    moved.result.name_hint = source.result.name_hint
    source.result.replace_all_uses_with(moved.result)
    source.detach()
    source.erase()
