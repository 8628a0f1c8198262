"""
Quantisers for Brevitas whose scales are powers of two, so that a scale costs no multiplier and rounding is a shift.

Each is a class to be handed to a layer: `QuantLinear(16, 64, bias=True, weight_quant=Weights, weight_bit_width=4,
bias_quant=Biases)`. Scales are learned with the network and rounded to a power of two in every forward pass; codes are
rounded half to even, which is what QONNX calls ROUND.
"""

from brevitas.core.function_wrapper import CeilSte
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import (
    BitWidthImplType,
    FloatToIntImplType,
    QuantType,
    RestrictValueType,
    ScalingImplType,
    ScalingPerOutputType,
    StatsOp,
)
from brevitas.quant import IntBias
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver


class PowerOfTwoScale(ExtendedInjector):
    """One scale 2^k a tensor, k an integer; integers of a constant number of bits, no zero point."""

    quant_type = QuantType.INT
    bit_width_impl_type = BitWidthImplType.CONST
    float_to_int_impl_type = FloatToIntImplType.ROUND
    zero_point_impl = ZeroZeroPoint
    scaling_per_output_type = ScalingPerOutputType.TENSOR
    restrict_scaling_type = RestrictValueType.POWER_OF_TWO
    restrict_value_float_to_int_impl = CeilSte
    """log2 of the scale is rounded up: nothing that the unrounded scale would hold is clipped."""
    scaling_min_val = 2.0**-16
    """No scale becomes 0, whatever is pruned."""
    narrow_range = False


class Weights(PowerOfTwoScale, WeightQuantSolver):
    """Signed weights; the scale follows the largest one. `weight_bit_width` of the layer sets the bits."""

    scaling_impl_type = ScalingImplType.STATS
    scaling_stats_op = StatsOp.MAX
    signed = True
    narrow_range = True
    """Symmetric: ±7 for 4 bits, so that a weight and its negative cost the same."""
    bit_width = 4


class Inputs(PowerOfTwoScale, ActQuantSolver):
    """Signed values at a network's input; the scale starts from what is seen first, and is learned."""

    scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS
    scaling_stats_op = StatsOp.PERCENTILE
    high_percentile_q = 99.9
    collect_stats_steps = 300
    signed = True
    bit_width = 8


class Activations(Inputs):
    """Unsigned values behind a ReLU."""

    signed = False
    bit_width = 4


class Pixels(PowerOfTwoScale, ActQuantSolver):
    """Values from 0 to 1 whose integers are the pixels as they are: the fixed scale is 2^-bits."""

    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0
    """What all bits together reach up to; the scale is that over 2^bits."""
    signed = False
    bit_width = 4


class Scores(PowerOfTwoScale, ActQuantSolver):
    """
    Signed scores at a network's output, from -8 to 8.

    The scale is fixed: one that starts from an untrained network's scores would clip those of a trained one.
    """

    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 8.0
    signed = True
    bit_width = 8


class Biases(IntBias):
    """Biases in units of the accumulator that they are added to, so they cost no more than a constant there."""

    bit_width = 8
