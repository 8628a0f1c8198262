"""The pass `lbir-infer-ranges`."""

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.numerics.rounding import RoundingMode, round_shift
from c4ml_xdsl.numerics.staircase import Thresholds


@dataclass(frozen=True)
class LbirInferRanges(ModulePass):
    """
    Narrows every tensor to the integers that can occur, from the inputs on.

    Before:
    ```mlir
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 8 range [0, 255] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<0, 3>>):
      %y = lbir.dense %x weights dense<[[1, 2]]> : tensor<1x2xi8> bias dense<[1]> : tensor<1xi8> : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 255>>
      lbir.output %y : tensor<1x1x!lbir.int<0, 255>>
    }
    ```
    After `lbir-infer-ranges`:
    ```mlir
    lbir.network @g inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 8 range [0, 255] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<0, 3>>):
      %y = lbir.dense %x weights dense<[[1, 2]]> : tensor<1x2xi8> bias dense<[1]> : tensor<1xi8> : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<1, 10>>
      lbir.output %y : tensor<1x1x!lbir.int<1, 10>>
    }
    ```
    """  # noqa: E501

    name = "lbir-infer-ranges"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for network in op.body.block.ops:
            if not isinstance(network, lbir.NetworkOp):
                continue
            for operation in list(network.body.block.ops):
                match operation:
                    case lbir.DenseOp() | lbir.ConvOp() | lbir.AddOp():
                        low, high = operation.channel_ranges()
                        ends = int(low.min()), int(high.max())
                    case lbir.RequantizeOp():
                        source, old = lbir.range_of(operation.input), lbir.range_of(operation.result)
                        offset = lbir.integers(operation.offset)
                        extremes = np.array([source.low + int(offset.min()), source.high + int(offset.max())])
                        rounded = round_shift(
                            extremes, operation.shift.value.data, RoundingMode(operation.rounding.data)
                        )
                        ends = tuple(int(each) for each in np.clip(rounded, old.low, old.high))
                    case (
                        lbir.ReshapeOp()
                        | lbir.TransposeOp()
                        | lbir.GatherOp()
                        | lbir.BroadcastOp()
                        | lbir.MaxPoolOp()
                        | lbir.PatchesOp()
                    ):
                        source = lbir.range_of(operation.input)
                        ends = source.low, source.high
                    case lbir.PadOp():
                        source, value = lbir.range_of(operation.input), lbir.integers(operation.value)
                        ends = min(source.low, int(value.min())), max(source.high, int(value.max()))
                    case lbir.ConcatOp():
                        sources = [lbir.range_of(each) for each in operation.inputs]
                        ends = min(each.low for each in sources), max(each.high for each in sources)
                    case lbir.MultiplyOp():
                        ends = lbir.product_range(lbir.range_of(operation.lhs), lbir.range_of(operation.rhs))
                    case lbir.MaximumOp():
                        a, b = lbir.range_of(operation.lhs), lbir.range_of(operation.rhs)
                        ends = max(a.low, b.low), max(a.high, b.high)
                    case lbir.ThresholdOp():
                        ends = _threshold_range(operation)
                    case lbir.TableOp():
                        table = lbir.integers(operation.table)
                        ends = int(table.min()), int(table.max())
                    case _:
                        continue
                result = operation.results[0]
                wanted = lbir.tensor_of(lbir.shape_of(result), ends[0], ends[1])
                if result.type != wanted:
                    _narrow_tables(result, ends[0], ends[1])
                    Rewriter.replace_value_with_new_type(result, wanted)


def _threshold_range(operation: lbir.ThresholdOp) -> tuple[int, int]:
    """What the thresholds that can be reached let the result be."""
    thresholds = lbir.integers(operation.thresholds)
    shape = thresholds.shape[:-1]
    base, ascending = (lbir.integers(each).reshape(-1) for each in (operation.base, operation.ascending))
    rows = thresholds.reshape(len(base), thresholds.shape[-1])
    rank = len(lbir.shape_of(operation.input))
    low, high = lbir.function_ranges(operation.input, (1,) * (rank - len(shape)) + shape)
    reached = Thresholds(base, rows, ascending == 1).evaluate(np.stack([low, high], axis=1))
    return int(reached.min()), int(reached.max())


def _narrow_tables(value: SSAValue, low: int, high: int) -> None:
    """The tables that read a value lose the entries of integers that don't occur."""
    old = lbir.range_of(value)
    for use in value.uses:
        if isinstance(use.operation, lbir.TableOp):
            table = lbir.integers(use.operation.table)
            use.operation.properties["table"] = lbir.dense(table[..., low - old.low : high - old.low + 1])
