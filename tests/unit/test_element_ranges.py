"""Ranges of single elements, in the proofs and in the neurons: they hold what occurs; what is unread is not built."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, IntegerType, ModuleOp, i32
from xdsl.ir import SSAValue

from c4ml_xdsl.compiler import import_model, load_model
from c4ml_xdsl.dialects import comb, lbir, neuron
from c4ml_xdsl.interpreters.lbir import network_of, run
from c4ml_xdsl.layer_outputs import layer_outputs
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.proofs import prove
from c4ml_xdsl.proofs.element_ranges import element_ranges
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw
from c4ml_xdsl.transforms.lbir_unroll_neurons import LbirUnrollNeurons
from c4ml_xdsl.transforms.neuron_drop_unread import UNREAD
from c4ml_xdsl.transforms.neuron_infer_ranges import NeuronInferRanges
from tests.mutated_circuits.networks import inputs, lowered, network, requantize

MODELS = sorted((Path(__file__).parents[1] / "models").glob("*/model.onnx"))


def folded(path: Path) -> ModuleOp:
    """A model's folded network."""
    module = import_model(load_model(path))
    for each in ConvertQonnxToHw().to_lbir():
        each.apply(Context(), module)
    return module


def samples(module: ModuleOp, count: int) -> dict[str, Integers]:
    """Random inputs, and those at either end of their range."""
    random, given = np.random.default_rng(1), dict[str, Integers]()
    chosen = network_of(module)
    for port, value in zip(chosen.inputs, chosen.body.block.args, strict=True):
        low, high = lbir.range_of(value).low, lbir.range_of(value).high
        x = random.integers(low, high + 1, (count, *lbir.shape_of(value)))
        ends = random.random(x.shape)
        given[port.tensor.data] = np.where(ends < 0.2, low, np.where(ends > 0.8, high, x))
    return given


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_what_occurs_is_in_the_range(path: Path) -> None:
    module = folded(path)
    ranges = element_ranges(network_of(module))

    def observe(value: SSAValue, x: Integers) -> None:
        low, high = ranges[value]
        assert np.all((low <= x) & (x <= high))
        element = lbir.range_of(value)
        assert element.low <= low.min() <= high.max() <= element.high

    run(module, samples(module, 100), observe)


def test_ranges_of_one_layer_are_what_occurs() -> None:
    """Elements of one layer from independent inputs: both ends occur, for every kind of operation."""
    a, b = inputs(((1, 3), -2, 1), ((1, 3), 0, 2))
    weights = np.array([[1, -2, 0], [0, 0, 3], [-1, -1, -1]])
    dense = lbir.DenseOp(a, weights, np.array([1, 0, -2]), "fc")
    clipped = requantize(dense.result, 1, "half_even", -1, 2)
    added = lbir.AddOp([a, b], [np.array([2, -1, 0]), np.array([1, 1, -3])], np.array([0, 5, 1]))
    product, larger = lbir.MultiplyOp(a, b), lbir.MaximumOp(a, b)
    table = lbir.TableOp(a, np.array([[3, 0, 0, 5]]), "table")
    operations = [dense, clipped, added, product, larger, table]
    module = network([a, b], operations, [each.results[0] for each in operations])
    ranges = element_ranges(network_of(module))
    every = list(itertools.product(range(-2, 2), repeat=3)), list(itertools.product(range(3), repeat=3))
    pairs = np.array([[*x, *y] for x, y in itertools.product(*every)])
    names = [port.tensor.data for port in network_of(module).inputs]
    seen: dict[SSAValue, Integers] = {}
    run(module, {names[0]: pairs[:, :3], names[1]: pairs[:, 3:]}, lambda value, x: seen.update({value: x}))
    for operation in operations:
        x = seen[operation.results[0]]
        assert np.array_equal(ranges[operation.results[0]], [x.min(axis=0), x.max(axis=0)]), operation.name


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_narrowed_neurons_compute_the_same(path: Path) -> None:
    before = folded(path)
    LbirUnrollNeurons().apply(Context(), before)
    after = before.clone()
    NeuronInferRanges().apply(Context(), after)
    after.verify()
    given, results = samples(before, 100), list[list[Integers]]()
    for module in (before, after):
        results.append([])
        run(module, given, lambda _, x, seen=results[-1]: seen.append(x))
    assert all(np.array_equal(*each) for each in zip(*results, strict=True))


def test_neurons_that_are_constant_take_nothing_across_layers() -> None:
    """
    Two of four neurons of the first layer are always 0, as rectified sums of negative weights are.

    They aren't built, nothing of the second layer reads them, and the third layer's constant neuron isn't built either.
    """
    (x,) = inputs(((1, 4), 0, 15))
    weights = np.array([[3, -5, 7, 1], [-3, -5, 0, -1], [5, 3, -2, 7], [0, -1, 0, -7]])
    first = lbir.DenseOp(x, weights, np.zeros(4, np.int64), "first")
    rectified = requantize(first.result, 3, "floor", 0, 15)
    second = lbir.DenseOp(
        rectified.results[0], np.array([[1, 9, 2, 9], [0, 9, 0, 9], [5, 0, -3, 7]]), np.array([1, 2, 3]), "second"
    )
    module = network([x], [first, rectified, second], [second.result])
    for each in ConvertQonnxToHw().to_hw()[:2]:
        each.apply(Context(), module)
    layers = [each for each in module.body.block.ops if isinstance(each, neuron.LayerOp)]
    constants = [isinstance(each.owner, neuron.ConstantOp) for each in layers[0].yielded]
    assert constants == [False, True, False, True]
    assert [bool(each.uses) for each in layers[1].body.block.args] == [True, False, True, False]
    constants = [isinstance(each.owner, neuron.ConstantOp) for each in layers[1].yielded]
    assert constants == [False, True, False]


def test_neurons_that_nothing_reads_are_not_built() -> None:
    """
    The second layer reads two of three neurons of the first, in a convolution.

    The module gives a constant for the other one; the proofs find that nothing reads it, and a design in which it is
    read isn't proved. Comparisons of levels don't stumble over it.
    """
    (x,) = inputs(((1, 1, 4), -4, 3))
    first = lbir.ConvOp(x, np.array([[[3, -5]], [[7, 5]], [[1, -3]]]), np.zeros(3, np.int64), [1], [1], 1, "first")
    second = lbir.ConvOp(first.result, np.array([[[1], [0], [3]]]), np.zeros(1, np.int64), [1], [1], 1, "second")
    module = network([x], [first, second], [second.result])
    design = lowered(module)
    assert [each.status for each in prove(module, design)] == ["proved"] * 3
    layer, _, top = (each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp))
    assert layer.attributes[UNREAD] == lbir.NumbersAttr.of([1])
    (output,) = layer_outputs(module, design, top.sym_name.data, {})[:1]
    assert output.unread == (1,)
    want = np.arange(9).reshape(1, 1, 3, 3)
    rows = np.arange(100, 109).reshape(1, 3, 3)
    beside = output.tensor_beside(rows, want)
    assert np.array_equal(beside[0, 0], [[100, 103, 106], [3, 4, 5], [102, 105, 108]])
    # something in the top reads one bit of it
    instance = next(each for each in top.body.block.ops if isinstance(each, hw.InstanceOp))
    width = lbir.range_of(first.result).bits
    extract = comb.ExtractOp.create(
        operands=[instance.results[0]], properties={"lowBit": IntegerAttr(width, i32)}, result_types=[IntegerType(1)]
    )
    block = top.body.block
    block.insert_op_after(extract, instance)
    block.insert_op_after(comb.AddOp.create(operands=[extract.result] * 2, result_types=[IntegerType(1)]), extract)
    assert [each.status for each in prove(module, design)] == ["refuted", "proved", "proved"]


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_ranks_that_ranges_decide(largest: bool, seed: int) -> None:
    """Indices of the first elements lie in their ranges, and what reads them is proved where these are narrow."""
    random = np.random.default_rng(seed)
    (x,) = inputs(((1, 3), -4, 3))
    dense = lbir.DenseOp(x, random.integers(-2, 3, (4, 3)), np.array([0, 90, -90, 9]), "scores")
    top = lbir.TopKOp(dense.result, np.triu(random.integers(-3, 4, (4, 4)), 1), largest, 3, "top")
    last = lbir.DenseOp(top.result, random.integers(-3, 4, (2, 3)), np.array([1, 2]), "last")
    module = network([x], [dense, top, last], [last.result])
    ranges = element_ranges(network_of(module))[top.result]
    every = np.array(list(itertools.product(range(-4, 4), repeat=3)))
    seen: dict[SSAValue, Integers] = {}
    run(module, {network_of(module).inputs.data[0].tensor.data: every}, lambda value, y: seen.update({value: y}))
    assert np.all((ranges[0] <= seen[top.result]) & (seen[top.result] <= ranges[1]))
    first = 1 if largest else 2  # that of the largest or smallest bias; the others are undecided, but for the last
    assert ranges.reshape(2, 3).tolist() == [[first, 0, 0], [first, 3, 3]]
    design = lowered(module)
    assert [each.status for each in prove(module, design)] == ["proved"] * 4
