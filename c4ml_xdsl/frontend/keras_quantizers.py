"""
The quantisers of QKeras in numbers: what a configuration means, and the weights that it makes.

Everything is computed in float32 in the order in which QKeras computes it at inference, so that the codes are QKeras's
own. Scales that QKeras derives from the weights (`alpha="auto"`, `"auto_po2"`) are derived here in the same way. What
the configuration doesn't hold takes QKeras's default: channels come last, and the internal sigmoid is the hard one.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.dialects.qonnx import MAXIMUM_BIT_WIDTH, integer_range
from c4ml_xdsl.errors import ModelFileError, UnsupportedModelError
from c4ml_xdsl.frontend.keras_config import Options

Floats = NDArray[np.float32]

EPSILON = np.float32(1e-7)
"""What Keras adds to divisors and logarithms."""

_COMMON: dict[str, object] = {"var_name": None, "use_ste": True, "use_variables": False}
_FIXED: dict[str, object] = {
    "bits": 8,
    "integer": 0,
    "symmetric": 0,
    "keep_negative": True,
    "alpha": None,
    "use_stochastic_rounding": False,
    "scale_axis": None,
    "qnoise_factor": 1.0,
}
_FINER: dict[str, object] = {"elements_per_scale": None, "min_po2_exponent": None, "max_po2_exponent": None}
_POWER: dict[str, object] = {
    "use_stochastic_rounding": False,
    "quadratic_approximation": False,
    "log2_rounding": "rnd",
    "qnoise_factor": 1.0,
    **_COMMON,
}
_RANDOM: dict[str, object] = {"temperature": 6.0, "use_real_sigmoid": True}

SIGNATURES: dict[str, dict[str, object]] = {
    "quantized_bits": {**_FIXED, **_COMMON, **_FINER, "post_training_scale": None},
    "quantized_linear": {**_FIXED, "symmetric": 1, "var_name": None, "use_variables": False},
    "quantized_relu": {
        "bits": 8,
        "integer": 0,
        "use_sigmoid": 0,
        "negative_slope": 0.0,
        "use_stochastic_rounding": False,
        "relu_upper_bound": None,
        "is_quantized_clip": True,
        "qnoise_factor": 1.0,
        **_COMMON,
        "enable_fast_inference": False,
    },
    "quantized_tanh": {"bits": 8, "use_stochastic_rounding": False, "symmetric": False, "use_real_tanh": False},
    "quantized_sigmoid": {
        "bits": 8,
        "symmetric": False,
        "use_real_sigmoid": False,
        "use_stochastic_rounding": False,
    },
    "quantized_hswish": {
        **{name: value for name, value in _FIXED.items() if name != "keep_negative"},
        **_COMMON,
        "relu_shift": 3,
        "relu_upper_bound": 6,
    },
    "quantized_ulaw": {"bits": 8, "integer": 0, "symmetric": 0, "u": 255.0},
    "quantized_po2": {"bits": 8, "max_value": None, **_POWER},
    "quantized_relu_po2": {"bits": 8, "max_value": None, "negative_slope": 0, **_POWER},
    "binary": {"use_01": False, "alpha": None, "use_stochastic_rounding": False, "scale_axis": None, **_FINER},
    "stochastic_binary": {"alpha": None, **_RANDOM},
    "ternary": {"alpha": None, "threshold": None, "use_stochastic_rounding": False, "number_of_unrolls": 5},
    "stochastic_ternary": {"alpha": None, "threshold": None, **_RANDOM, "temperature": 8.0, "number_of_unrolls": 5},
    "bernoulli": {"alpha": None, **_RANDOM},
}
"""The parameters of each quantiser, in the order in which a text may give them, with their defaults."""

_NEUTRAL: dict[str, object] = {"scale_axis": None, **_FINER, "qnoise_factor": 1.0, "enable_fast_inference": False}
_LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Quantizer:
    """
    A quantiser's kind and parameters, the defaults filled in.

    `newer` tells a configuration that was written by a QKeras newer than 0.9.0.
    """

    kind: str
    options: Options
    newer: bool = False

    def unsupported(self, reason: str, remedy: str) -> UnsupportedModelError:
        """The error for a quantiser that can't be expressed exactly."""
        return UnsupportedModelError(self.options.label, f"{self.kind}: {reason}", remedy=remedy)

    def alpha(self) -> str | Floats:
        """The factor: "auto", "auto_po2", or numbers, which are 1 where none are given."""
        value = self.options.get("alpha")
        if value is None:
            return np.ones((), np.float32)
        if isinstance(value, str):
            if value not in ("auto", "auto_po2"):
                raise self.options.wrong("alpha", "a number, auto or auto_po2")
            return value
        alpha = self.array("alpha")
        if not np.all(alpha > 0):
            raise self.unsupported("alpha isn't positive", "Train with a positive alpha.")
        return alpha

    def array(self, name: str) -> Floats:
        """A parameter that is a number or an array of numbers, in float32."""
        value = self.options.get(name)
        if isinstance(value, dict):  # how Keras writes arrays and tensors
            value = self.options.nested(name).nested("config").get("value")
        try:
            array = np.asarray(value, np.float32)
        except (ValueError, TypeError):
            array = np.asarray(np.nan, np.float32)
        if not np.isfinite(array).all():
            raise self.options.wrong(name, "a number or an array of numbers")
        return array


def parse_quantizer(value: object, label: str) -> Quantizer | str | None:
    """
    The quantiser that a configuration or text names; other functions (`relu`, `hard_tanh`) by their names.

    A text may be a call of a quantiser with literal arguments; nothing else is read, and nothing is evaluated. `label`
    is the layer's name. Raises ModelFileError for what isn't a quantiser, UnsupportedModelError for unknown ones.
    """
    match value:
        case None:
            return None
        case str():
            name, arguments = _parse_call(value, label)
            return name if arguments is None else _quantizer(name, arguments, label)
        case dict():
            options = Options(label, cast(dict[str, object], value))
            name = options.text("class_name", "")
            if name == "function" or isinstance(options.get("config"), str):
                return options.text("config")
            if name not in SIGNATURES:
                raise UnsupportedModelError(
                    label, f"the quantizer or activation {name} isn't known", remedy="Use one of QKeras's own."
                )
            return _quantizer(name, options.nested("config").entries, label)
        case _:
            raise ModelFileError(f"{label}: a quantizer is neither a text nor a configuration")


def _parse_call(text: str, label: str) -> tuple[str, Mapping[str, object] | None]:
    """The name in a text such as "quantized_bits(4,0,alpha=1.0)" and its arguments; None where it isn't a quantiser."""
    text = text.strip()
    wrong = ModelFileError(
        f"{label}: {text[:80]!r} isn't a quantizer with literal arguments",
        remedy="Give the quantizer as an object, or with numbers and quoted texts as arguments.",
    )
    if len(text) > _LONGEST_TEXT:
        raise wrong
    if re.fullmatch(r"\w*", text):
        return text, {} if text in SIGNATURES else None
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise wrong
        positional = [ast.literal_eval(each) for each in call.args]
        named = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise wrong from error
    name = call.func.id
    if name not in SIGNATURES:
        raise UnsupportedModelError(label, f"the quantizer {name} isn't known", remedy="Use one of QKeras's own.")
    signature = SIGNATURES[name]
    if None in named or len(positional) > len(signature):
        raise wrong
    return name, {**dict(zip(signature, positional, strict=False)), **cast(dict[str, object], named)}


def _quantizer(kind: str, arguments: Mapping[str, object], label: str) -> Quantizer:
    signature = SIGNATURES[kind]
    # QKeras writes this one though it doesn't take it.
    known = (
        {**arguments} if kind != "quantized_hswish" else {k: v for k, v in arguments.items() if k != "keep_negative"}
    )
    for name in known:
        if name not in signature:
            raise UnsupportedModelError(
                label, f"{kind} with the parameter {name} isn't known", remedy="Use the parameters of QKeras 0.9."
            )
    quantizer = Quantizer(kind, Options(label, {**signature, **known}), "post_training_scale" in arguments)
    if kind in ("bernoulli", "quantized_ulaw"):
        why = "is random even at inference" if kind == "bernoulli" else "has levels that lie on no grid"
        raise quantizer.unsupported(f"it {why}", "Use binary, ternary or quantized_bits.")
    for name, neutral in _NEUTRAL.items():
        if quantizer.options.get(name) != neutral and name in signature:
            raise quantizer.unsupported(
                f"{name} = {quantizer.options.get(name)!r} isn't supported", f"Leave {name} at its default."
            )
    return quantizer


def trainable(quantizer: Quantizer) -> Quantizer:
    """The quantiser as the kernel of a layer uses it: QKeras takes `auto_po2` where no alpha is given."""
    if "alpha" not in SIGNATURES[quantizer.kind] or quantizer.options.get("alpha") is not None:
        return quantizer
    entries = {**quantizer.options.entries, "alpha": "auto_po2"}
    if "symmetric" in entries:
        entries["symmetric"] = True
    return Quantizer(quantizer.kind, Options(quantizer.options.label, entries), quantizer.newer)


# Fixed point -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """
    A uniform quantiser: codes of `bits` bits are round(x / step), clipped, and the result is code * step * gain.

    A signed grid of one bit has the codes -1 and 1, by sign. `step` and `gain` are float32.
    """

    step: Floats
    bits: int
    signed: bool
    narrow: bool
    gain: Floats

    def codes(self, x: Floats) -> Floats:
        """The codes of float32 numbers, ties to even as TensorFlow rounds."""
        if self.bits == 1 and self.signed:
            return _sign(x)
        low, high = integer_range(self.bits, signed=self.signed, narrow=self.narrow)
        return np.clip(np.rint(x / self.step), np.float32(low), np.float32(high))


def grid_of(quantizer: Quantizer) -> Grid:
    """
    The grid of a quantized_bits, quantized_linear, plain quantized_relu or quantized_hswish with a given alpha.

    Raises UnsupportedModelError where alpha is derived from the data.
    """
    options, kind = quantizer.options, quantizer.kind
    bits, integer = options.integer("bits"), options.integer("integer")
    if not 1 <= bits <= MAXIMUM_BIT_WIDTH or abs(integer) > 64:
        raise quantizer.unsupported(f"{bits} bits, {integer} of them integer", f"Use 1 to {MAXIMUM_BIT_WIDTH} bits.")
    if kind == "quantized_relu":
        return Grid(_power(integer - bits), bits, False, False, np.ones((), np.float32))
    signed = kind == "quantized_hswish" or options.flag("keep_negative")
    alpha = quantizer.alpha()
    if isinstance(alpha, str):
        raise quantizer.unsupported("alpha is derived from the data that arrives", "Give alpha as a number.")
    step = _power(integer - (bits - signed))
    if kind == "quantized_linear":
        # One bit gives -1/2 and 1/2 of a step.
        step = alpha * step * np.float32(0.5 if bits == 1 and signed else 1)
        alpha = np.ones((), np.float32)
    elif bits == 1 and signed:
        step = np.ones((), np.float32)
    return Grid(np.asarray(step, np.float32), bits, signed, options.flag("symmetric"), alpha)


def _power(exponent: int) -> Floats:
    return np.ldexp(np.ones((), np.float32), exponent)


def _sign(x: Floats) -> Floats:
    """The sign, 1 for zero."""
    return np.where(x >= 0, np.float32(1), np.float32(-1))


# Weights ---------------------------------------------------------------------------------------------------------


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
    with np.errstate(all="ignore"):  # channels of zeros divide by zero, in QKeras too
        found = function(quantizer, np.asarray(weights, np.float32))
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
    return Codes(codes.astype(np.float32), _power(lowest), max(bits, 2), True, True)


def _least_squares(x: Floats, q: Floats, power_of_two: bool) -> Floats:
    """The scale for which q * scale is closest to x, for each channel (the last axis); for vectors, for each element."""
    axes = tuple(range(x.ndim - 1))
    xq, qq = x * q, q * q
    if x.ndim > 1:
        xq, qq = np.mean(xq, axes, keepdims=True), np.mean(qq, axes, keepdims=True)
    scale = xq / (qq + EPSILON)
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
    bits, factor = quantizer.options.integer("bits"), _power(quantizer.options.integer("integer"))
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
        scale = quantizer.array("post_training_scale") / _power(bits - signed)
        return Codes(rounded(scale), scale * factor, bits, True, True)
    scale = _largest(x) * np.float32(2) / (top * np.float32(2))
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
    narrow = options.flag("symmetric")
    low, high = (-0.5, 0.5) if binary else integer_range(bits, signed=signed, narrow=narrow)
    shift = np.float32(0.5 if binary else 0)

    def rounded(scale: Floats) -> Floats:
        return np.rint(np.clip(x / scale, np.float32(low), np.float32(high)) - shift) + shift

    magnitude = np.abs(x) if signed else x
    # Of a vector, each element is a channel of its own.
    largest = np.max(magnitude, axis=tuple(range(x.ndim - 1)), keepdims=True)
    scale = largest * np.float32(2 if signed else 1) / np.float32(high - low)
    scale = np.maximum(scale, EPSILON)
    if alpha == "auto_po2":
        scale = _nearest_power(scale)
        for _ in range(1 if binary else 5):
            last, scale = scale, _least_squares(x, rounded(scale), True)
            if np.array_equal(last, scale):
                break
    codes = rounded(scale)
    return Codes(codes * 2, scale / 2, 1, True, False) if binary else Codes(codes, scale, bits, signed, narrow)


def _binary(quantizer: Quantizer, x: Floats) -> Codes:
    use_01 = "use_01" in quantizer.options.entries and quantizer.options.flag("use_01")
    codes = (_sign(x) + 1) / 2 if use_01 else _sign(x)
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
    scale = np.float32(2) * _largest(x) / np.float32(3)
    if alpha == "auto_po2":
        scale = _nearest_power(scale)
    codes = np.zeros_like(x)
    for _ in range(min(quantizer.options.integer("number_of_unrolls"), 1000)):
        near = scale * np.rint(x / scale)
        codes = np.where(np.abs(near) >= scale / 2, np.sign(x), np.float32(0))
        scale = _least_squares(x, codes, alpha == "auto_po2")
    return Codes(codes, scale, 2, True, True)


def ternary_threshold(quantizer: Quantizer) -> np.float32:
    """The magnitude from which on a ternary quantiser gives -1 or 1."""
    threshold = quantizer.options.number("threshold", 0.33)
    if not threshold > 0:
        raise quantizer.unsupported(f"the threshold is {threshold}", "Use a positive threshold.")
    return np.float32(threshold)


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
    logarithm = np.log(np.sqrt(filtered) if quadratic else filtered) / np.float32(np.log(2.0))
    exponent = np.clip((np.floor if rounding == "floor" else np.rint)(logarithm), lowest, highest) * (1 + quadratic)
    exponent = np.where(magnitude < EPSILON, lowest, exponent)
    if exponent.size and (exponent.min() < -126 or exponent.max() > 127):
        raise quantizer.unsupported("its exponents leave those of float32", "Use fewer bits.")
    sign = np.ones_like(x) if relu and slope == 0 else _sign(x)
    return Codes(sign, np.exp2(exponent).astype(np.float32), 1, True, False)


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


def quantizer_only(value: object, label: str) -> Quantizer | None:
    """The quantiser that a configuration or text names, for weights: raises for functions of another kind."""
    quantizer = parse_quantizer(value, label)
    if isinstance(quantizer, str):
        raise UnsupportedModelError(
            label, f"{quantizer} can't quantise weights", remedy="Use one of QKeras's quantizers for weights."
        )
    return quantizer
