"""
The quantisers of QKeras: their configurations and texts, read without evaluating anything, and the grids they mean.

What a configuration doesn't hold takes QKeras's default: channels come last, and the internal sigmoid is the hard one.
QKeras returns x + (q - x) for a quantised q; here it is q, of which float32 makes something else only where q isn't on
a binary grid or where x is more than 2**24 steps large.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.dialects.qonnx import MAXIMUM_BIT_WIDTH, integer_range
from c4ml_xdsl.errors import ModelFileError, UnsupportedModelError
from c4ml_xdsl.frontend.keras_config import Options

Floats = NDArray[np.float32]

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
        if not array.size or not np.isfinite(array).all():
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
            return sign(x)
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
        return Grid(power(integer - bits), bits, False, False, np.ones((), np.float32))
    signed = kind == "quantized_hswish" or options.flag("keep_negative")
    alpha = quantizer.alpha()
    if isinstance(alpha, str):
        raise quantizer.unsupported("alpha is derived from the data that arrives", "Give alpha as a number.")
    step = power(integer - (bits - signed))
    if kind == "quantized_linear":
        # One bit gives -1/2 and 1/2 of a step.
        step = alpha * step * np.float32(0.5 if bits == 1 and signed else 1)
        alpha = np.ones((), np.float32)
    elif bits == 1 and signed:
        step = np.ones((), np.float32)
    return Grid(np.asarray(step, np.float32), bits, signed, signed and options.flag("symmetric"), alpha)


def ternary_threshold(quantizer: Quantizer) -> np.float32:
    """The magnitude from which on a ternary quantiser gives -1 or 1."""
    threshold = quantizer.options.number("threshold", 0.33)
    if not threshold > 0:
        raise quantizer.unsupported(f"the threshold is {threshold}", "Use a positive threshold.")
    return np.float32(threshold)


def power(exponent: int) -> Floats:
    """A power of two in float32."""
    return np.ldexp(np.ones((), np.float32), exponent)


def sign(x: Floats) -> Floats:
    """The sign, 1 for zero."""
    return np.where(x >= 0, np.float32(1), np.float32(-1))


def quantizer_only(value: object, label: str) -> Quantizer | None:
    """The quantiser that a configuration or text names, for weights: raises for functions of another kind."""
    quantizer = parse_quantizer(value, label)
    if isinstance(quantizer, str):
        raise UnsupportedModelError(
            label, f"{quantizer} can't quantise weights", remedy="Use one of QKeras's quantizers for weights."
        )
    return quantizer
