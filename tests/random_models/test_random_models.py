"""
Random models in continuous integration: what is drawn is exact, and it finds bugs that are planted one at a time.

Longer runs with other seeds are those of `fuzz`.
"""

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from xdsl.dialects.builtin import StringAttr

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.numerics import chain
from c4ml_xdsl.numerics.chain import Step
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms import (
    lbir_fold_thresholds,
    lbir_unroll_neurons,
    neuron_drop_unread,
    neuron_expand_sums,
    neuron_fold_offsets,
    neuron_infer_ranges,
)
from c4ml_xdsl.transforms.comb_builder import CombBuilder
from c4ml_xdsl.transforms.convert_neuron_to_hw import LayerLowering
from c4ml_xdsl.transforms.convert_qonnx_to_lbir import HANDLERS, joins, linear, movement, outputs, pooling, quantisers
from c4ml_xdsl.transforms.neuron_activations import ActivationLowering
from tests.random_models.judge import Tally, judge
from tests.random_models.strategies import models

COUNT, SIMULATED = 300, 12
MOST, MOST_DRAWN = 400, 4000
"""How many models a bug may need that have an operator which it concerns, and how many to look for such ones in."""
SETTINGS = settings(
    max_examples=10,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)


class Drawn:
    """
    Different models, the same ones in every run, drawn as they are needed.

    Hypothesis varies what it has just drawn, so many short runs give more kinds of models than a long one.
    """

    def __init__(self) -> None:
        self.models: dict[bytes, onnx.ModelProto] = {}
        self.seeds = itertools.count()

    def __iter__(self) -> Iterator[onnx.ModelProto]:
        for index in range(MOST_DRAWN):
            while index >= len(self.models):
                seed(next(self.seeds))(SETTINGS(given(models())(self.add)))()
            yield list(self.models.values())[index]

    def add(self, model: onnx.ModelProto) -> None:
        self.models[model.SerializeToString()] = model


DRAWN = Drawn()


def test_models_are_exact() -> None:
    tally = Tally()
    for model in itertools.islice(DRAWN, COUNT):
        judge(model, tally)
    assert tally.outcomes["exact"] >= 0.8 * COUNT, (tally.outcomes, tally.reasons)
    assert tally.outcomes["ambiguous"] <= 0.01 * COUNT, tally.outcomes


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog isn't installed")
def test_verilog_of_models_is_exact() -> None:
    tally = Tally()
    for model in DRAWN:
        judge(model, tally, simulator="icarus")
        if tally.outcomes["simulated"] == SIMULATED:
            return
    pytest.fail(f"too few models can be compiled: {tally.reasons}")


# planted bugs --------------------------------------------------------------------------------------------------------


class Altered:
    """A node or operation that says something else where it is asked for some attributes."""

    def __init__(self, node: Any, **answers: Any):
        self.node, self.answers = node, answers

    def __getattr__(self, name: str) -> Any:
        return self.answers[name] if name in self.answers else getattr(self.node, name)

    def int_attribute(self, name: str, *default: int) -> int:
        return self.answers.get(name, self.node.int_attribute(name, *default))

    def float_attribute(self, name: str, *default: float) -> float:
        return self.answers.get(name, self.node.float_attribute(name, *default))


def undilated(right: Any, array: Any, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    views = right(array, kernel, strides, (1,) * len(kernel))
    return views[tuple(map(slice, right(array, kernel, strides, dilations).shape))]


def padded_with_zeros(right: Any, c: Any, node: Any, source: Any, windows: Any) -> Any:
    low, high = (0, 0, *windows.pads_begin), (0, 0, *windows.pads_end)
    integers = c.add(lbir.PadOp(source.integers, np.array(0), low, high, node.label))
    none = (0,) * windows.rank
    return right(c, node, replace(source, integers=integers), replace(windows, pads_begin=none, pads_end=none))


def clipped_early(right: Any, *arguments: Any) -> Any:
    found = right(*arguments)
    steps = (replace(s, constant=s.constant - 1) if s.operation == "min" else s for s in found.steps)
    return replace(found, steps=tuple(steps))


def zero_is_negative(right: Any, *arguments: Any) -> Any:
    found = right(*arguments)
    one = np.ones((1,) * found.scale.ndim)
    return replace(found, steps=(Step("neg"), Step("step"), Step("neg"), Step("add", one)))


def first_channel(right: Any, steps: Iterable[Step], *arguments: Any) -> Any:
    return right([s if s.constant is None else replace(s, constant=s.constant[:1]) for s in steps], *arguments)


def groups_reversed(right: Any, operation: Any, arguments: Any, rows: Any) -> Any:
    groups = operation.groups.value.data if isinstance(operation, lbir.ConvOp) else 1
    size = len(arguments[0]) // groups
    turned = [value for group in reversed(range(groups)) for value in arguments[0][group * size : (group + 1) * size]]
    return right(operation, [turned, *arguments[1:]], rows)


def without_offset(right: Any, *arguments: Any) -> Any:
    found = right(*arguments)
    return found and (0 * found[0], *found[1:])


def smaller(right: Any, lowering: Any, a: Any, b: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        greater = CombBuilder.greater
        patch.setattr(CombBuilder, "greater", lambda builder, value, e, bound: greater(builder, bound, e, value))
        return right(lowering, a, b)


def next_entry(right: Any, lowering: Any, inputs: Any, entries: Sequence[int], bits: int) -> Any:
    return right(lowering, inputs, [*entries[1:], entries[-1]], bits)


def other_end(right: Any, *arguments: Any) -> Any:
    found = right(*arguments)
    return replace(found, pads_begin=found.pads_end, pads_end=found.pads_begin)


def ties_away(right: Any, values: Any, mode: RoundingMode) -> Any:
    return right(values, RoundingMode.HALF_UP if mode is RoundingMode.HALF_EVEN else mode)


def rounded_down(right: Any, lowering: Any, operation: Any, value: Any) -> Any:
    return right(lowering, Altered(operation, rounding=StringAttr(RoundingMode.FLOOR.value)), value)


def unsaturated(right: Any, lowering: Any, value: Any, element: lbir.IntType, target: lbir.IntType) -> Any:
    low = min(max(element.low, target.low), element.high)
    return right(lowering, value, lbir.IntType(low, element.high), target)


BUGS: dict[str, tuple[str, Any, str, Callable[..., Any]]] = {
    # from the model to integers
    "ties are rounded away from zero": ("", chain, "_round_floats", ties_away),
    "dilations are ignored": ("Conv MaxPool AveragePool", lbir, "windows_of", undilated),
    "padding is 0, not the zero point": ("Conv AveragePool Pad", movement, "whole_numbers", lambda f, x: 0 * f(x)),
    "the bias is dropped": ("Gemm Conv", linear, "_bias", lambda f, c, node, real, *_: real),
    "the bias is negated": ("Gemm Conv", linear, "_bias", lambda f, c, n, x, i, beta, s: f(c, n, x, i, -beta, s)),
    "a max-pool pads with 0": ("MaxPool", pooling, "_max_windows", padded_with_zeros),
    "a pool pads at the other end": ("MaxPool AveragePool", pooling, "_windows", other_end),
    "count_include_pad is ignored": (
        "AveragePool",
        HANDLERS,
        "AveragePool",
        lambda f, c, node: f(c, Altered(node, count_include_pad=0)),
    ),
    "the largest code is never reached": ("Quant QuantizeLinear", quantisers, "quantiser_of", clipped_early),
    "a bipolar quantiser takes 0 for negative": ("BipolarQuant", quantisers, "_bipolar", zero_is_negative),
    "the first channel's scale is that of all": ("Gemm MatMul Conv", linear, "_with_channels", first_channel),
    "the zero point of weights is ignored": (
        "Gemm MatMul Conv",
        linear,
        "weights_of",
        lambda f, *arguments: (*f(*arguments)[:2], 0 * f(*arguments)[2]),
    ),
    "the zero point of activations is ignored": (
        "",
        quantisers.Quantiser,
        "real",
        lambda f, self, integers: f(replace(self, zero_point=0 * self.zero_point), integers),
    ),
    "alpha is ignored": ("Gemm", HANDLERS, "Gemm", lambda f, c, node: f(c, Altered(node, alpha=1.0))),
    "the upper bound of a Clip is ignored": (
        "Clip",
        HANDLERS,
        "Clip",
        lambda f, c, node: f(c, Altered(node, input=lambda index: None if index == 2 else node.input(index))),
    ),
    "a concatenation is reversed": ("Concat", movement, "_concat", lambda f, c, node, parts: f(c, node, parts[::-1])),
    "a transpose is inverted": (
        "Transpose",
        movement,
        "_transposed",
        lambda f, c, real, order: f(c, real, tuple(np.argsort(order).tolist())),
    ),
    "maxima ignore that a scale is negative": (
        "MaxPool GlobalMaxPool ReduceMax ReduceMin",
        pooling,
        "increasing",
        lambda f, c, node, real: real,
    ),
    "a difference is a sum": ("Sub", joins, "_sum", lambda f, c, node, a, b, sign: f(c, node, a, b, 1)),
    "the last of equal scores wins": (
        "ArgMax",
        outputs,
        "_margins",
        lambda f, c, node, real, largest, last: f(c, node, real, largest, not last),
    ),
    # from integers to the circuit
    "the highest integer of an element is left out": (
        "",
        neuron_infer_ranges,
        "_narrow",
        lambda f, layer, low, high: f(layer, low, [max(each - 1, end) for each, end in zip(high, low, strict=True)]),
    ),
    "a constant element is 0": (
        "",
        neuron_infer_ranges,
        "_retyped",
        lambda f, operation, low, high: f(operation, 0 if low == high else low, 0 if low == high else high),
    ),
    "what is read isn't built": ("", neuron_drop_unread, "_mark", lambda f, read, elements: f(read, elements[..., 1:])),
    "a requantisation has no offset": ("", lbir_fold_thresholds, "_as_requantisation", without_offset),
    "groups are mixed up": ("Conv AveragePool", lbir_unroll_neurons, "_linear_forms", groups_reversed),
    "a sum has no constant": ("", neuron_expand_sums, "sum_in_rows", lambda f, terms, constant, *_: f(terms, 0, *_)),
    "thresholds are one too high": (
        "",
        ActivationLowering,
        "steps",
        lambda f, self, function, *arguments: f(self, function.moved(1), *arguments),
    ),
    "nothing saturates from below": ("", ActivationLowering, "clip", unsaturated),
    "a requantisation rounds down": ("", ActivationLowering, "requantize", rounded_down),
    "the smaller one is the maximum": (
        "Max Min MaxPool GlobalMaxPool ReduceMax ReduceMin",
        LayerLowering,
        "larger",
        smaller,
    ),
    "a table gives the next entry": ("", ActivationLowering, "tables", next_entry),
    "a sum lacks what moved out of its activation": ("", neuron_fold_offsets, "_move", lambda f, *_: None),
    "signs aren't extended": (
        "",
        CombBuilder,
        "fit",
        lambda f, self, value, signed, width, shift=0: f(self, value, False, width, shift),
    ),
}
"""The operators that a bug concerns, or none for all; what is replaced where, and by what, given the right one."""


def fails(model: onnx.ModelProto) -> bool:
    """Whether a model isn't exact, where it differs from float64 at a tie included."""
    tally = Tally()
    try:
        judge(model, tally, strategy="shared")
    except Exception:
        return True
    return tally.outcomes["ambiguous"] > 0


@pytest.mark.parametrize("bug", BUGS)
def test_bug_is_found(bug: str) -> None:
    operators, owner, name, wrong = BUGS[bug]
    right = owner[name] if isinstance(owner, dict) else getattr(owner, name)
    concerned = (m for m in DRAWN if not operators or {n.op_type for n in m.graph.node} & {*operators.split()})
    for model in itertools.islice(concerned, MOST):
        with pytest.MonkeyPatch.context() as patch:
            plant = patch.setitem if isinstance(owner, dict) else patch.setattr
            plant(owner, name, lambda *arguments, **named: wrong(right, *arguments, **named))
            found = fails(model)
        if found and not fails(model):
            return
    pytest.fail(f"{MOST} models don't show it")
