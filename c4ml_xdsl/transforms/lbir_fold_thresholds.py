"""The pass `lbir-fold-thresholds`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.numerics.chain import Integers, Step, affine
from c4ml_xdsl.numerics.intervals import DomainError
from c4ml_xdsl.numerics.rounding import RoundingMode, round_shift
from c4ml_xdsl.numerics.staircase import Thresholds, TooManyValues, bisect, enumerate_values, solve_thresholds


@dataclass(frozen=True)
class LbirFoldThresholds(ModulePass):
    """
    Makes one integer operation of each elementwise chain, exactly equal to it on every integer that can occur.

    A chain that is a shift with rounding and saturation becomes `lbir.requantize` (proved by comparing thresholds), any
    other monotone one `lbir.threshold`, the rest `lbir.table`.

    Before:
    ```mlir
    lbir.network @g inputs [#lbir.port<"x" bits 4 range [-8, 7] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<-8, 7>>):
      %y = lbir.activate %x steps [#lbir.step<mul dense<0.5> : tensor<1xf64>>, #lbir.step<max dense<0.0> : tensor<1xf64>>, #lbir.step<min dense<3.0> : tensor<1xf64>>, #lbir.step<round half_even>] : tensor<1x2x!lbir.int<-8, 7>> -> tensor<1x2x!lbir.int<0, 3>>
      lbir.output %y : tensor<1x2x!lbir.int<0, 3>>
    }
    ```
    After `lbir-fold-thresholds`:
    ```mlir
    lbir.network @g inputs [#lbir.port<"x" bits 4 range [-8, 7] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<-8, 7>>):
      %y = lbir.requantize %x offset dense<0> : tensor<1xi8> shift 1 round "half_even" : tensor<1x2x!lbir.int<-8, 7>> -> tensor<1x2x!lbir.int<0, 3>>
      lbir.output %y : tensor<1x2x!lbir.int<0, 3>>
    }
    ```
    """  # noqa: E501

    name = "lbir-fold-thresholds"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for network in op.body.block.ops:
            if isinstance(network, lbir.NetworkOp):
                for operation in list(network.body.block.ops):
                    if isinstance(operation, lbir.ActivateOp):
                        folded = _fold(operation)
                        network.body.block.insert_op_before(folded, operation)
                        operation.result.replace_all_uses_with(folded.results[0])
                        operation.detach()
                        operation.erase()


def _fold(activate: lbir.ActivateOp) -> Operation:
    model_chain = activate.chain()
    rank = len(lbir.shape_of(activate.input))
    shape = np.broadcast_shapes((1,) * rank, *lbir.step_shapes(model_chain))
    chain = lbir.flattened(model_chain, shape)
    low, high = lbir.function_ranges(activate.input, shape)
    if _is_clip(chain):
        return _requantisation(activate, np.zeros((1,) * rank, np.int64), 0, RoundingMode.HALF_EVEN)
    try:
        found = solve_thresholds(chain, low, high)
        if found is None:
            element = lbir.range_of(activate.input)
            table = enumerate_values(chain, element.low, element.high, len(low))
            return _create(lbir.TableOp, activate, {"table": lbir.dense(table.reshape(*shape, table.shape[1]))})
    except TooManyValues as error:
        raise UnsupportedModelError(
            activate.label,
            f"its activation has too many levels or turns back, on {lbir.range_of(activate.input).bits} bits",
            remedy="Quantise the activation's input to fewer bits.",
        ) from error
    except DomainError as error:
        raise UnsupportedModelError(
            activate.label,
            f"the model computes {error} for values that can occur",
            remedy="Clip the function's input to where it is defined.",
        ) from error
    shifted = _as_requantisation(chain, found, low, high, lbir.range_of(activate.result))
    if shifted is not None:
        offset, shift, mode = shifted
        return _requantisation(activate, offset if offset.size == 1 else offset.reshape(shape), shift, mode)
    return _create(
        lbir.ThresholdOp,
        activate,
        {
            "thresholds": lbir.dense(found.thresholds.reshape(*shape, found.thresholds.shape[1])),
            "base": lbir.dense(found.base.reshape(shape)),
            "ascending": lbir.dense(found.ascending.astype(np.int64).reshape(shape)),
        },
    )


def _is_clip(chain: Sequence[Step]) -> bool:
    """Whether a chain only cuts all elements to one range of integers, which the result's range is then."""
    for step in chain:
        if step.operation == "round":
            continue  # of an integer
        bounds = step.constant
        if step.operation not in ("max", "min") or step.other is not None or bounds is None:
            return False
        if np.any(bounds != bounds[0]) or not float(bounds[0]).is_integer():
            return False
    return True


def _requantisation(activate: lbir.ActivateOp, offset: Integers, shift: int, mode: RoundingMode) -> Operation:
    properties: dict[str, Attribute] = {
        "offset": lbir.dense(offset),
        "shift": IntegerAttr(shift, i64),
        "rounding": StringAttr(mode.value),
    }
    return _create(lbir.RequantizeOp, activate, properties)


def _create(kind: type[lbir.LayerOp], activate: lbir.ActivateOp, properties: dict[str, Attribute]) -> Operation:
    """The operation in the activation's place; it keeps the range, which lbir-infer-ranges narrows."""
    if activate.node is not None:
        properties["node"] = activate.node
    return kind.create(operands=[activate.input], properties=properties, result_types=[activate.result.type])


def _as_requantisation(
    chain: Sequence[Step], found: Thresholds, low: Integers, high: Integers, target: lbir.IntType
) -> tuple[Integers, int, RoundingMode] | None:
    """Offset, shift and rounding of an equal shift-round-clip, None where there is none."""
    mode = chain[-1].mode
    if mode is None or not np.all(found.ascending):
        return None
    offsets: list[int] = []
    shift: int | None = None
    for element in range(len(low)):
        form = affine(chain, element)
        if form is None:
            return None
        scale, offset = form
        exponent = scale.denominator.bit_length() - 1
        if scale.numerator != 1 or scale.denominator != 1 << exponent or exponent > 60:
            return None
        if shift is None:
            shift = exponent
        scaled = offset * (1 << exponent)
        if shift != exponent or scaled.denominator != 1 or abs(scaled) > 1 << 60:
            return None
        offsets.append(int(scaled))
    if shift is None:
        return None
    offset = np.array(offsets, np.int64)

    def candidate(n: Integers) -> Integers:
        return np.clip(round_shift(n + offset[:, None], shift, mode), target.low, target.high)

    solved = bisect(candidate, low, high, np.ones(len(low), np.int64))
    if np.array_equal(solved.base, found.base) and np.array_equal(solved.thresholds, found.thresholds):
        return (offset[:1] if np.all(offset == offset[0]) else offset), shift, mode
    return None
