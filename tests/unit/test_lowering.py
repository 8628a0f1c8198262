"""Scalar operations and sums, lowered to hardware, compute what the neuron level says, on every integer in range."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Block, Operation, Region, SSAValue

from c4ml_xdsl.circuits.adder_rows import Operand, signed_digits, sum_in_rows
from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.dialects.lbir import IntType, NumbersAttr, PortAttr
from c4ml_xdsl.estimates import estimate
from c4ml_xdsl.interpreters.hw import HwInterpreter, pack, unpack
from c4ml_xdsl.interpreters.neuron import run_layer
from c4ml_xdsl.numerics.rounding import RoundingMode
from c4ml_xdsl.transforms.convert_neuron_to_hw import ConvertNeuronToHw
from c4ml_xdsl.transforms.neuron_expand_sums import NeuronExpandSums
from c4ml_xdsl.transforms.neuron_fold_offsets import NeuronFoldOffsets
from c4ml_xdsl.transforms.neuron_tabulate import NeuronTabulate

Goal = Literal["balanced", "delay"]


def check_layer(
    inputs: list[IntType],
    build: Callable[[list[SSAValue]], list[Operation]],
    target: str,
    tables: bool = False,
    minimize: Goal = "balanced",
) -> hw.HWModuleOp:
    """
    Builds a layer whose last operation is its result, lowers it, by tables if these are few, and compares levels.

    Returns the layer's module.
    """
    block = Block(arg_types=inputs)
    block.add_ops(build(list(block.args)))
    assert block.last_op is not None
    result = block.last_op.results[0]
    block.add_op(neuron.YieldOp([result]))
    layer = neuron.LayerOp("layer", Region(block))
    element, output = inputs[0], lbir.range_of(result)
    body = Block(arg_types=[lbir.tensor_of([1, len(inputs)], element.low, element.high)])
    call = lbir.CallOp("layer", body.args[0], lbir.tensor_of([1, 1], output.low, output.high), None)
    body.add_ops([call, lbir.OutputOp([call.result])])
    ports = [[PortAttr.of(name, each, [1.0], [0.0])] for name, each in (("x", element), ("y", output))]
    module = ModuleOp([layer, lbir.NetworkOp("net", ports[0], ports[1], Region(body))])
    module.verify()
    values = range(element.low, element.high + 1)
    if len(values) ** len(inputs) <= 4096:
        x = np.array(list(itertools.product(values, repeat=len(inputs))), np.int64)
    else:
        random = np.random.default_rng(0)
        magnitudes = 2.0 ** random.uniform(0, np.log2(max(-element.low, element.high)), (1000, len(inputs)))
        x = random.integers(element.low, element.high, (1000, len(inputs)), endpoint=True)
        x = np.concatenate(
            [x, np.clip(np.int64(magnitudes) * random.choice([-1, 1], magnitudes.shape), element.low, element.high)]
        )
    want = run_layer(layer, x.T)[0]
    assert int(want.min()) >= output.low
    assert int(want.max()) <= output.high
    NeuronFoldOffsets().apply(Context(), module)
    module.verify()
    np.testing.assert_array_equal(run_layer(layer, x.T)[0], want)
    if tables and sum(each.bits for each in inputs) <= 9:
        NeuronTabulate(strategy="table").apply(Context(), module)
        module.verify()
        assert not any(isinstance(operation, neuron.SumOp) for operation in layer.body.block.ops)
        np.testing.assert_array_equal(run_layer(layer, x.T)[0], want)
    NeuronExpandSums(target=target, minimize=minimize).apply(Context(), module)  # type: ignore[arg-type]
    module.verify()
    np.testing.assert_array_equal(run_layer(layer, x.T)[0], want)
    ConvertNeuronToHw(minimize=minimize).apply(Context(), module)
    module.verify()
    found = HwInterpreter(module).run("net", {"x": pack(x, element.bits)})["y"]
    np.testing.assert_array_equal(unpack(found, 1, output.bits, output.signed)[:, 0], want)
    return next(each for each in module.body.block.ops if isinstance(each, hw.HWModuleOp))


ranges = st.tuples(st.integers(-40, 40), st.integers(0, 60)).map(lambda pair: IntType(pair[0], pair[0] + pair[1]))


@given(ranges, st.integers(0, 5), st.integers(-70, 70), st.sampled_from(list(RoundingMode)), ranges)
@example(IntType(0, 0), 2, -62, RoundingMode.HALF_EVEN, IntType(-15, 0))  # the tie at -15.5 leaves the range
@example(IntType(0, 0), 4, -24, RoundingMode.HALF_EVEN, IntType(-2, -2))
@example(IntType(0, 0), 4, -17, RoundingMode.HALF_EVEN, IntType(-2, -2))
@settings(max_examples=1500, deadline=None)
def test_requantize(element: IntType, shift: int, offset: int, mode: RoundingMode, target: IntType) -> None:
    properties = {
        "offset": IntegerAttr(offset, i64),
        "shift": IntegerAttr(shift, i64),
        "rounding": StringAttr(mode.value),
    }

    def build(values: list[SSAValue]) -> list[Operation]:
        return [neuron.RequantizeOp.create(operands=values, properties=properties, result_types=[target])]

    check_layer([element], build, "xilinx")


@pytest.mark.parametrize(
    ("source", "bits", "signed", "sites"),
    [
        (IntType(-2048, 2047), 4, True, 4),
        (IntType(-2048, 2047), 4, False, 5),
        (IntType(0, 4095), 4, False, 5),
        (IntType(-8, 2047), 4, True, 4),
        (IntType(-2048, 7), 4, True, 4),
        (IntType(-2048, 7), 4, False, 4),
        (IntType(-128, 127), 4, True, 3),
        (IntType(0, 4095), 4, True, 4),
        (IntType(-(1 << 13), (1 << 13) - 1), 6, True, 6),
        (IntType(-(1 << 21), (1 << 21) - 1), 8, True, 10),
        (IntType(-(1 << 39), (1 << 39) - 1), 8, False, 14),
    ],
)
def test_saturation_gathers_the_bits_above(source: IntType, bits: int, signed: bool, sites: int) -> None:
    target = IntType(-1 << (bits - 1), (1 << (bits - 1)) - 1) if signed else IntType(0, (1 << bits) - 1)
    properties = {"offset": IntegerAttr(0, i64), "shift": IntegerAttr(0, i64), "rounding": StringAttr("half_even")}

    def build(values: list[SSAValue]) -> list[Operation]:
        return [neuron.RequantizeOp.create(operands=values, properties=properties, result_types=[target])]

    assert estimate(check_layer([source], build, "xilinx"), "xilinx")[0].lut == sites


@pytest.mark.parametrize("minimize", ["area", "delay"])
@pytest.mark.parametrize(("shift", "tabulated"), [(0, False), (4, True)])
def test_a_rounding_adds_and_is_a_table_but_a_bare_saturation_is_none(
    shift: int, tabulated: bool, minimize: Literal["area", "delay"]
) -> None:
    properties = {"offset": IntegerAttr(0, i64), "shift": IntegerAttr(shift, i64), "rounding": StringAttr("half_even")}
    block = Block(arg_types=[IntType(-2048, 2047)])
    operation = neuron.RequantizeOp.create(operands=block.args, properties=properties, result_types=[IntType(-8, 7)])
    block.add_ops([operation, neuron.YieldOp([operation.result])])
    layer = neuron.LayerOp("layer", Region(block))
    NeuronTabulate(minimize=minimize).tabulate(layer)
    assert isinstance(block.first_op, neuron.LookupOp) == tabulated


@given(ranges, st.lists(st.integers(-50, 110), min_size=1, max_size=20), st.integers(-9, 9), st.booleans())
@settings(max_examples=200, deadline=None)
def test_threshold(element: IntType, thresholds: list[int], base: int, falling: bool) -> None:
    kept = sorted(each for each in thresholds if element.low < each <= element.high)
    if not kept:
        return
    end = base + (-len(kept) if falling else len(kept))
    properties = {
        "thresholds": NumbersAttr.of(kept),
        "base": IntegerAttr(base, i64),
        "falling": IntegerAttr(int(falling), i64),
    }

    def build(values: list[SSAValue]) -> list[Operation]:
        result_type = IntType(min(base, end), max(base, end))
        return [neuron.ThresholdOp.create(operands=values, properties=properties, result_types=[result_type])]

    check_layer([element], build, "generic")


@given(ranges, st.data())
@settings(max_examples=50, deadline=None)
def test_table(element: IntType, data: st.DataObject) -> None:
    count = element.high - element.low + 1
    table = data.draw(st.lists(st.integers(-20, 20), min_size=count, max_size=count))

    def build(values: list[SSAValue]) -> list[Operation]:
        result_type = IntType(min(table), max(table))
        properties = {"table": NumbersAttr.of(table)}
        return [neuron.TableOp.create(operands=values, properties=properties, result_types=[result_type])]

    check_layer([element], build, "xilinx")


@given(
    ranges,
    st.lists(st.integers(-300, 300).filter(bool), min_size=1, max_size=12),
    st.integers(-100, 100),
    st.sampled_from(["xilinx", "generic"]),
    st.booleans(),
    st.sampled_from(["balanced", "delay"]),
)
@settings(max_examples=200, deadline=None)
def test_sum(
    element: IntType, coefficients: list[int], constant: int, target: str, tables: bool, minimize: Goal
) -> None:
    def build(values: list[SSAValue]) -> list[Operation]:
        low, high = neuron.interval(values, coefficients, constant)
        return [neuron.SumOp.of(values, coefficients, constant, IntType(low, high))]

    check_layer([element] * len(coefficients), build, target, tables, minimize)


@given(
    st.tuples(st.integers(-9, 6), st.integers(0, 12)).map(lambda pair: IntType(pair[0], pair[0] + pair[1])),
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=3),
    st.integers(-20, 20),
)
@example(IntType(-8, 7), [(0, True), (0, True), (0, False)], 0)  # two of the ones that complements want meet
@example(IntType(-8, 7), [(0, True), (2, True), (5, False)], 0)
@settings(max_examples=300, deadline=None)
def test_a_carry_save_row(element: IntType, terms: list[tuple[int, bool]], constant: int) -> None:
    """Every order of shifts and signs of three summands."""
    coefficients = [(-1 if negative else 1) << shift for shift, negative in terms]
    constant = constant if len(terms) == 2 else 0

    def build(values: list[SSAValue]) -> list[Operation]:
        low, high = neuron.interval(values, coefficients, constant)
        return [neuron.SumOp.of(values, coefficients, constant, IntType(low, high))]

    check_layer([element] * len(coefficients), build, "xilinx", minimize="delay")


@given(ranges, st.lists(st.integers(-70, 70).filter(bool), min_size=4, max_size=30), st.integers(-500, 500))
@example(IntType(-1, 0), [1, -1, 2, -2, 4], 0)  # nothing but signs
@example(IntType(0, 1), [1] * 30, 0)
@example(IntType(0, 15), [64] * 7, 1)  # low bits that pass by
@settings(max_examples=150, deadline=None)
def test_a_heap(element: IntType, coefficients: list[int], constant: int) -> None:
    """Sums of many words, of all signs and shifts."""
    check_layer(
        [element] * len(coefficients), lambda values: [sum_of(values, coefficients, constant)], "xilinx", False, "delay"
    )


def add_reader(operations: list[Operation], shared: bool) -> list[Operation]:
    """A sum and its activation, and where the sum is to be shared one more reader of it."""
    if shared:
        values = [operation.results[0] for operation in operations]
        low, high = neuron.interval(values, [1, 2], 0)
        operations.append(neuron.SumOp.of(values, [1, 2], 0, IntType(low, high)))
    return operations


def sum_of(values: list[SSAValue], coefficients: list[int], constant: int) -> neuron.SumOp:
    return neuron.SumOp.of(values, coefficients, constant, IntType(*neuron.interval(values, coefficients, constant)))


factors = st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=2)


@given(
    ranges,
    factors,
    st.integers(0, 3),
    st.integers(-100, 100),
    st.integers(0, 5),
    st.integers(-70, 70),
    st.sampled_from(list(RoundingMode)),
    ranges,
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=600, deadline=None)
def test_requantized_sum(
    element: IntType,
    coefficients: list[int],
    zeros: int,
    constant: int,
    shift: int,
    offset: int,
    mode: RoundingMode,
    target: IntType,
    shared: bool,
    tables: bool,
) -> None:
    """Offsets move into the sum unless it is shared; sums whose low bits are always the same have no ties, or all."""
    properties = {
        "offset": IntegerAttr(offset, i64),
        "shift": IntegerAttr(shift, i64),
        "rounding": StringAttr(mode.value),
    }

    def build(values: list[SSAValue]) -> list[Operation]:
        total = sum_of(values, [each << zeros for each in coefficients], constant)
        activation = neuron.RequantizeOp.create(operands=[total.result], properties=properties, result_types=[target])
        return add_reader([total, activation], shared)

    check_layer([element] * len(coefficients), build, "xilinx", tables)


@given(
    ranges,
    factors,
    st.integers(-100, 100),
    st.lists(st.fractions(0, 1), min_size=1, max_size=20),
    st.integers(-9, 9),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_thresholds_of_a_sum(
    element: IntType,
    coefficients: list[int],
    constant: int,
    places: list[Fraction],
    base: int,
    falling: bool,
    shared: bool,
    tables: bool,
) -> None:
    """Thresholds move with the sum, and falling ones may negate it."""

    def build(values: list[SSAValue]) -> list[Operation]:
        total = sum_of(values, coefficients, constant)
        source = lbir.range_of(total.result)
        thresholds = sorted(source.low + int(place * (source.high - source.low)) for place in places)
        end = base + (-len(thresholds) if falling else len(thresholds))
        properties = {
            "thresholds": NumbersAttr.of(thresholds),
            "base": IntegerAttr(base, i64),
            "falling": IntegerAttr(int(falling), i64),
        }
        activation = neuron.ThresholdOp.create(
            operands=[total.result], properties=properties, result_types=[IntType(min(base, end), max(base, end))]
        )
        return add_reader([total, activation], shared)

    check_layer([element] * len(coefficients), build, "generic", tables)


@given(st.integers(1, 1 << 40))
def test_signed_digits_are_canonical(number: int) -> None:
    """They add up, and no two neighbours are both used, which makes them the fewest."""
    digits = signed_digits(number)
    assert sum((-1 if negative else 1) << shift for shift, negative in digits) == number
    shifts = [shift for shift, _ in digits]
    assert all(after - before >= 2 for before, after in itertools.pairwise(shifts))


@given(st.integers(1, 40), st.sampled_from([2, 3]))
def test_rows_are_as_few_as_can_be(count: int, arity: int) -> None:
    """`count` operands take ceil((count - 1) / (arity - 1)) rows, all of them full but one."""
    rows = sum_in_rows([Operand(index, 0, 1) for index in range(count)], 0, arity, count)
    assert len(rows) == max(1, -(-(count - 1) // (arity - 1)))
