"""Each circuit of a step function is that function, on every integer of its range."""

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Block, Region, SSAValue

from c4ml_xdsl.circuits.binary_search import BinarySearch
from c4ml_xdsl.circuits.class_chain import class_chain
from c4ml_xdsl.circuits.comparisons import comparisons
from c4ml_xdsl.circuits.step_forms import smallest_form
from c4ml_xdsl.circuits.step_function import StepFunction, width_of_range
from c4ml_xdsl.circuits.subtraction_row import SubtractionRow, subtraction_rows
from c4ml_xdsl.dialects.lbir import IntType
from c4ml_xdsl.interpreters.hw import HwInterpreter, pack, unpack
from c4ml_xdsl.transforms.comb_builder import CombBuilder, bits
from c4ml_xdsl.transforms.neuron_activations import ActivationLowering

LARGEST = 3000
"""The most integers of a range."""


@st.composite
def step_functions(draw: st.DrawFn) -> tuple[StepFunction, int, int]:
    """A step function and its range: thresholds at even or uneven distances, counted up, down, or any levels."""
    low = draw(st.sampled_from([0, 1, -LARGEST // 2, -1 << 10, -100]) | st.integers(-5000, 5000))
    high = low + draw(st.integers(1, LARGEST))
    if draw(st.booleans()):
        distance = draw(st.fractions(1, 400))
        first = draw(st.integers(low + 1, high))
        places = {first + int(distance * index) for index in range(draw(st.integers(1, 40)))}
    else:
        places = draw(st.sets(st.integers(low + 1, high), min_size=1, max_size=20))
    positions = tuple(sorted(place for place in places if low < place <= high))
    base = draw(st.integers(-20, 20))
    kind = draw(st.sampled_from(["rising", "falling", "any"]))
    if kind == "any":
        count = len(positions) + 1
        return (
            StepFunction(positions, tuple(draw(st.lists(st.integers(-20, 20), min_size=count, max_size=count)))),
            low,
            high,
        )
    return StepFunction.of_thresholds(positions, base, kind == "falling"), low, high


def evaluate(build: list[Callable[[ActivationLowering, SSAValue], SSAValue]], low: int, high: int) -> list[np.ndarray]:
    """What circuits of one input compute, for each integer of its range."""
    source = IntType(low, high)
    block = Block(arg_types=[bits(source.bits)])
    results: list[SSAValue] = []
    builder = CombBuilder()
    for each in build:
        results.append(each(ActivationLowering(builder), block.args[0]))
    builder.finish(block)
    block.add_op(hw.OutputOp(results))
    ports = [hw.ModulePort(StringAttr("x"), block.args[0].type, hw.DirectionAttr(hw.Direction.INPUT))]  # type: ignore[arg-type]
    for index, result in enumerate(results):
        ports.append(hw.ModulePort(StringAttr(f"y{index}"), result.type, hw.DirectionAttr(hw.Direction.OUTPUT)))  # type: ignore[arg-type]
    module = hw.HWModuleOp(StringAttr("m"), hw.ModuleType(ArrayAttr(ports)), Region(block))
    top = ModuleOp([module])
    top.verify()
    x = np.arange(low, high + 1, dtype=np.int64)
    found = HwInterpreter(top).run("m", {"x": pack(x[:, None], source.bits)})
    return [unpack(found[f"y{index}"], 1, bits_of(result), True)[:, 0] for index, result in enumerate(results)]


def bits_of(value: SSAValue) -> int:
    return value.type.width.data  # type: ignore[attr-defined]


@given(step_functions())
@settings(max_examples=300, deadline=None)
def test_every_form_is_exact(drawn: tuple[StepFunction, int, int]) -> None:
    function, low, high = drawn
    width = width_of_range(min(*function.levels, -1), max(function.levels))
    within = function.within(low, high)
    source = IntType(low, high)
    build: list[Callable[[ActivationLowering, SSAValue], SSAValue]] = [
        lambda lowering, value: lowering.steps(function, value, source, width)
    ]
    if within.positions:
        for plan in subtraction_rows(within, low, high, width):
            build.append(lambda lowering, value, plan=plan: lowering.subtraction_row(plan, value))
        for compared in comparisons(within, low, high, width):
            build.append(lambda lowering, value, plan=compared: lowering.comparisons(plan, value))
        chain = class_chain(within, low, high, width)
        assert chain is not None
        build.append(lambda lowering, value: lowering.class_chain(chain, value))
        build.append(
            lambda lowering, value: lowering.binary_search(BinarySearch(within, low, high, width), value, source)
        )
    want = np.array([function(x) for x in range(low, high + 1)])
    for got in evaluate(build, low, high):
        np.testing.assert_array_equal(got, want)


def test_fifteen_thresholds_at_a_real_scale_take_one_row() -> None:
    """Bits of the bucket and three of the count; the fourth is the inverted sign."""
    for span, sites in ((4096, 12), (1024, 15)):
        thresholds = [(2 * span * k // 17) - (2 * span * 8 // 17) for k in range(1, 16)]
        form = smallest_form(StepFunction.of_thresholds(thresholds, 0, False), -4096, 4095, 4)
        assert isinstance(form, SubtractionRow)
        assert form.cost.lut <= sites
