"""
The weights that QKeras's quantisers make, as codes and scales.

Everything is computed in float32 in the order in which QKeras computes it at inference, so that the codes are QKeras's
own. Scales that QKeras derives from the weights (`alpha="auto"`, `"auto_po2"`) are derived here in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from c4ml_xdsl.dialects.qonnx import MAXIMUM_BIT_WIDTH, integer_range
from c4ml_xdsl.frontend.keras_quantizers import Floats, Quantizer, grid_of, power, sign, ternary_threshold

EPSILON = np.float32(1e-7)
"""What Keras adds to divisors and logarithms."""


@dataclass(frozen=True)
class Codes:
    """
    A quantised array: codes * scale, where the scale broadcasts against the codes.

    A signed array of one bit has the codes -1 and 1.
    """

    codes: Floats
    scale: Floats
    bits: int
    signed: bool
    narrow: bool

    @property
    def values(self) -> Floats:
        """The numbers in float32."""
        return self.codes * self.scale

    def map(self, move: Callable[[Floats], Floats]) -> "Codes":
        """The same array moved to another layout; `move` must only permute, reshape and the like."""
        scale = move(np.broadcast_to(self.scale, self.codes.shape))
        for axis in range(scale.ndim):
            if scale.size and np.all(scale == scale.take([0], axis)):
                scale = scale.take([0], axis)
        return Codes(
            move(self.codes), scale.reshape(()) if scale.size == 1 else scale, self.bits, self.signed, self.narrow
        )


def quantise_weights(quantizer: Quantizer, weights: Floats) -> Codes:
    """
    Weights as QKeras quantises them at inference.

    Powers of two come as signs and one scale for each element; `one_scale` puts them on a common grid. Raises
    UnsupportedModelError for quantisers that aren't for weights and for weights without a usable scale.
    """
    function = _WEIGHTS.get(quantizer.kind)
    if function is None:
        raise quantizer.unsupported(
            "can't be used for weights", "Use quantized_bits, binary, ternary or quantized_po2."
        )
    try:
        with np.errstate(all="ignore"):  # channels of zeros divide by zero, in QKeras too
            found = function(quantizer, np.asarray(weights, np.float32))
        np.broadcast_to(found.scale, found.codes.shape)
    except ValueError as error:
        raise quantizer.unsupported(
            "its scale doesn't fit the weights", "Give one number, or one a channel."
        ) from error
    if not np.isfinite(found.scale).all() or not np.isfinite(found.codes).all() or np.any(found.scale < 0):
        raise quantizer.unsupported("the weights' scale isn't a positive number", "Check the quantizer's training.")
    return _nonzero(found)


def _nonzero(found: Codes) -> Codes:
    """Replaces scales of 0 (of channels whose weights are all zero) by 1, and their codes by 0."""
    if np.all(found.scale > 0):
        return found
    codes = np.where(found.scale == 0, np.float32(0), found.codes)
    scale = np.where(found.scale == 0, np.float32(1), found.scale)
    # One signed bit has no code 0.
    bits = 2 if found.bits == 1 and found.signed else found.bits
    return Codes(codes, scale, bits, found.signed, found.narrow or bits != found.bits)


def one_scale(found: Codes, quantizer: Quantizer) -> Codes:
    """Powers of two as codes of one scale, the smallest of them; others stay as they are."""
    if quantizer.kind not in ("quantized_po2", "quantized_relu_po2") or not found.codes.size:
        return found
    scale = found.scale.min()
    codes = found.values / scale
    bits = int(np.log2(found.scale.max() / scale)) + 2
    if bits > MAXIMUM_BIT_WIDTH:
        raise quantizer.unsupported(
            f"its weights spread over {bits} bits", f"Use fewer exponent bits; {MAXIMUM_BIT_WIDTH} bits are the limit."
        )
    return Codes(codes, scale, bits, True, True)


def dyadic_codes(weights: Floats, widest: int = 16) -> Codes | None:
    """
    Weights that no quantiser names, as codes of the coarsest power of two that holds them all exactly.

    None where that takes more than `widest` bits: the weights aren't quantised then.
    """
    present = weights[weights != 0].astype(np.float64)
    if not present.size:
        return Codes(weights, np.ones((), np.float32), 2, True, True)
    mantissa, exponent = np.frexp(present)
    whole = (mantissa * (1 << 24)).astype(np.int64)
    lowest = int((exponent - 24 + np.log2(whole & -whole).astype(np.int64)).min())
    codes = np.ldexp(weights.astype(np.float64), -lowest)
    bits = int(np.abs(codes).max()).bit_length() + 1
    if bits > widest or not -126 <= lowest <= 127:
        return None
    return Codes(codes.astype(np.float32), power(lowest), max(bits, 2), True, True)


def _least_squares(x: Floats, q: Floats, power_of_two: bool) -> Floats:
    """The scale that brings q * scale closest to x, for each channel (the last axis); for each element of a vector."""
    axes = tuple(range(x.ndim - 1))
    xq, qq = x * q, q * q
    if x.ndim > 1:
        xq, qq = np.mean(xq, axes, keepdims=True), np.mean(qq, axes, keepdims=True)
    scale: Floats = np.asarray(xq / (qq + EPSILON), np.float32)
    return _nearest_power(scale) if power_of_two else scale


def _nearest_power(scale: Floats) -> Floats:
    exponent = np.rint(np.log(scale + EPSILON) / np.float32(np.log(2.0)))
    return np.exp2(exponent).astype(np.float32)


def _largest(x: Floats) -> Floats:
    """The largest magnitude of each channel; of a vector, of all of it."""
    return np.max(np.abs(x), axis=tuple(range(x.ndim - 1)) if x.ndim > 1 else None, keepdims=True)


def _bits(quantizer: Quantizer, x: Floats) -> Codes:
    alpha = quantizer.alpha()
    if not isinstance(alpha, str):
        grid = grid_of(quantizer)
        return Codes(grid.codes(x), grid.step * grid.gain, grid.bits, grid.signed, grid.narrow)
    bits, factor = quantizer.options.integer("bits"), power(quantizer.options.integer("integer"))
    if not 2 <= bits <= MAXIMUM_BIT_WIDTH or not x.ndim:
        raise quantizer.unsupported(f"alpha = {alpha!r} with {bits} bits", "Use at least 2 bits.")
    x = x / factor
    # Whatever `symmetric` and `keep_negative` say, QKeras uses the symmetric signed range here.
    top = np.float32((1 << (bits - 1)) - 1)

    def rounded(scale: Floats) -> Floats:
        magnitude = np.floor(np.abs(x) / scale + np.float32(0.5))
        return np.sign(x) * np.where(magnitude < top, magnitude, top)

    if quantizer.options.get("post_training_scale") is not None:
        signed = quantizer.options.flag("keep_negative")
        scale = quantizer.array("post_training_scale") / power(bits - signed)
        return Codes(rounded(scale), scale * factor, bits, True, True)
    scale: Floats = np.asarray(_largest(x) * np.float32(2) / (top * np.float32(2)), np.float32)
    codes = np.zeros_like(x)
    if alpha == "auto_po2":
        scale = _nearest_power(scale)
        for _ in range(5):
            codes = rounded(scale)
            scale = _least_squares(x, codes, True)
    if alpha == "auto" or quantizer.newer:  # QKeras 0.9.0 keeps the codes from before the last scale
        codes = rounded(scale)
    return Codes(codes, scale * factor, bits, True, True)


def _linear(quantizer: Quantizer, x: Floats) -> Codes:
    alpha, options = quantizer.alpha(), quantizer.options
    bits, signed = options.integer("bits"), options.flag("keep_negative")
    binary = bits == 1 and signed
    if not isinstance(alpha, str):
        grid = grid_of(quantizer)
        codes = np.where(x / (grid.step * np.float32(2)) - np.float32(0.5) >= -0.5, np.float32(1), np.float32(-1))
        return Codes(codes if binary else grid.codes(x), grid.step, bits, signed, grid.narrow)
    if not 1 <= bits <= MAXIMUM_BIT_WIDTH or not x.ndim:
        raise quantizer.unsupported(f"alpha = {alpha!r} with {bits} bits", f"Use 1 to {MAXIMUM_BIT_WIDTH} bits.")
    narrow = signed and options.flag("symmetric")
    low, high = (-0.5, 0.5) if binary else integer_range(bits, signed=signed, narrow=narrow)
    shift = np.float32(0.5 if binary else 0)

    def rounded(scale: Floats) -> Floats:
        return np.rint(np.clip(x / scale, np.float32(low), np.float32(high)) - shift) + shift

    magnitude = np.abs(x) if signed else x
    # Of a vector, each element is a channel of its own.
    largest = np.max(magnitude, axis=tuple(range(x.ndim - 1)), keepdims=True)
    scale: Floats = np.asarray(largest * np.float32(2 if signed else 1) / np.float32(high - low), np.float32)
    scale = np.maximum(scale, EPSILON)
    if alpha == "auto_po2":
        scale = _nearest_power(scale)
        for _ in range(1 if binary else 5):
            last, scale = scale, _least_squares(x, rounded(scale), True)
            if np.array_equal(last, scale):
                break
    if binary:
        return Codes(rounded(scale) * np.float32(2), scale / np.float32(2), 1, True, False)
    return Codes(rounded(scale), scale, bits, signed, narrow)


def _binary(quantizer: Quantizer, x: Floats) -> Codes:
    use_01 = "use_01" in quantizer.options.entries and quantizer.options.flag("use_01")
    codes = np.maximum(sign(x), np.float32(0)) if use_01 else sign(x)
    alpha = quantizer.alpha()
    scale = _least_squares(x, codes, alpha == "auto_po2") if isinstance(alpha, str) else alpha
    return Codes(codes, scale, 1, not use_01, False)


def _ternary(quantizer: Quantizer, x: Floats) -> Codes:
    alpha = quantizer.alpha()
    if not isinstance(alpha, str):
        codes = np.where(np.abs(x) >= ternary_threshold(quantizer), np.sign(x), np.float32(0))
        return Codes(codes, alpha, 2, True, True)
    if quantizer.options.get("threshold") is not None or not x.ndim:
        raise quantizer.unsupported("alpha is derived from the weights, but a threshold is given", "Give one of them.")
    scale: Floats = np.asarray(np.float32(2) * _largest(x) / np.float32(3), np.float32)
    if alpha == "auto_po2":
        scale = _nearest_power(scale)
    codes: Floats = np.zeros_like(x)
    for _ in range(min(quantizer.options.integer("number_of_unrolls"), 1000)):
        near = scale * np.rint(x / scale)
        codes = np.where(np.abs(near) >= scale / np.float32(2), np.sign(x), np.float32(0)).astype(np.float32)
        scale = _least_squares(x, codes, alpha == "auto_po2")
    return Codes(codes, scale, 2, True, True)


def _relu(quantizer: Quantizer, x: Floats) -> Codes:
    options = quantizer.options
    if options.flag("use_sigmoid") or options.number("negative_slope") or not options.flag("is_quantized_clip"):
        raise quantizer.unsupported("only its plain form can be used for weights", "Use quantized_bits for weights.")
    grid = grid_of(quantizer)
    return Codes(grid.codes(x), grid.step, grid.bits, False, False)


def _power_of_two(quantizer: Quantizer, x: Floats) -> Codes:
    """Signs and, as the scale of each element, the power of two that is closest in the logarithm."""
    options = quantizer.options
    relu = quantizer.kind == "quantized_relu_po2"
    limit = None if options.get("max_value") is None else np.float32(options.number("max_value"))
    effective = options.integer("bits") - (not relu) - (limit is None or limit > 1)
    if not 0 <= effective <= 6:
        raise quantizer.unsupported("its exponents leave those of float32", "Use fewer bits.")
    quadratic, rounding = options.flag("quadratic_approximation"), options.text("log2_rounding")
    if rounding not in ("rnd", "floor"):
        raise options.wrong("log2_rounding", "rnd or floor")
    lowest, highest = -(1 << effective), (1 << effective) - 1
    if quadratic:
        highest = 2 * (highest // 2)
    slope = np.float32(options.number("negative_slope", 0)) if relu else np.float32(1)
    magnitude = np.where(x >= 0, x, -x * slope)
    filtered = np.maximum(magnitude, EPSILON)
    if limit is not None:
        filtered = np.minimum(filtered, limit)
    mantissa, odd = np.frexp(filtered)
    if quadratic and rounding == "rnd" and np.any((mantissa == 0.5) & (odd % 2 == 0) & (magnitude >= EPSILON)):
        raise quantizer.unsupported(
            "a weight is an odd power of two, halfway between two even ones, where QKeras's result varies by machine",
            "Change that weight a little, or don't use quadratic_approximation.",
        )
    logarithm = np.log(np.sqrt(filtered) if quadratic else filtered) / np.float32(np.log(2.0))
    exponent = np.clip((np.floor if rounding == "floor" else np.rint)(logarithm), lowest, highest) * (1 + quadratic)
    exponent = np.where(magnitude < EPSILON, lowest, exponent)
    if exponent.size and (exponent.min() < -126 or exponent.max() > 127):
        raise quantizer.unsupported("its exponents leave those of float32", "Use fewer bits.")
    signs = np.ones_like(x) if relu and slope == 0 else sign(x)
    return Codes(signs, np.exp2(exponent).astype(np.float32), 1, True, False)


_WEIGHTS: dict[str, Callable[[Quantizer, Floats], Codes]] = {
    "quantized_bits": _bits,
    "quantized_linear": _linear,
    "quantized_relu": _relu,
    "binary": _binary,
    "stochastic_binary": _binary,
    "ternary": _ternary,
    "stochastic_ternary": _ternary,
    "quantized_po2": _power_of_two,
    "quantized_relu_po2": _power_of_two,
}


def quantised_values(quantizer: Quantizer | None, weights: Floats) -> Floats:
    """Weights as QKeras quantises them at inference, as numbers; without a quantiser they stay as they are."""
    return weights if quantizer is None else quantise_weights(quantizer, weights).values
