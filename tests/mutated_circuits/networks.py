"""Small networks of every kind of layer, with so few input bits that a circuit can be run on all inputs."""

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.ir import Block, Operation, Region, SSAValue

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.dialects.lbir import IntType
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw


def network(inputs: Sequence[SSAValue], operations: Sequence[Operation], outputs: Sequence[SSAValue]) -> ModuleOp:
    """A network of operations on the arguments of a block."""
    block = inputs[0].owner
    assert isinstance(block, Block)
    block.add_ops([*operations, lbir.OutputOp(outputs)])
    ports = [
        [lbir.PortAttr.of(f"{letter}{i}", lbir.range_of(value), [1.0], [0.0]) for i, value in enumerate(values)]
        for letter, values in (("x", inputs), ("y", outputs))
    ]
    module = ModuleOp([lbir.NetworkOp("net", ports[0], ports[1], Region(block))])
    module.verify()
    return module


def requantize(x: SSAValue, shift: int, rounding: str, low: int, high: int, offset: Sequence[int] = (0,)) -> Operation:
    """A requantisation, by channel where there are several offsets."""
    shape = [1] * len(lbir.shape_of(x))
    shape[1] = len(offset)
    return lbir.RequantizeOp.create(
        operands=[x],
        result_types=[lbir.tensor_of(lbir.shape_of(x), low, high)],
        properties={
            "offset": lbir.dense(np.array(offset, np.int64).reshape(shape)),
            "shift": IntegerAttr(shift, i64),
            "rounding": StringAttr(rounding),
            "node": StringAttr("act"),
        },
    )


def threshold(x: SSAValue, rows: Integers) -> Operation:
    """Thresholds of each channel."""
    shape = (1, rows.shape[0], *(1,) * (len(lbir.shape_of(x)) - 2))
    ones = lbir.dense(np.ones(shape, np.int64))
    return lbir.ThresholdOp.create(
        operands=[x],
        result_types=[lbir.tensor_of(lbir.shape_of(x), 0, rows.shape[1])],
        properties={
            "thresholds": lbir.dense(np.sort(rows).reshape(*shape, -1)),
            "base": lbir.dense(np.zeros(shape, np.int64)),
            "ascending": ones,
            "node": StringAttr("act"),
        },
    )


def inputs(*tensors: tuple[Sequence[int], int, int]) -> Sequence[SSAValue]:
    """Arguments of a new block: shape, lowest and highest integer each."""
    return Block(arg_types=[lbir.tensor_of(*each) for each in tensors]).args


def _weights(random: np.random.Generator, *shape: int) -> Integers:
    return random.integers(-7, 8, shape)


def dense(random: np.random.Generator) -> ModuleOp:
    """Sums alone."""
    (x,) = inputs(((1, 3), -4, 3))
    layer = lbir.DenseOp(x, _weights(random, 3, 3), random.integers(-9, 9, 3), "fc")
    return network([x], [layer], [layer.result])


def dense_requantize(random: np.random.Generator) -> ModuleOp:
    """Sums and requantisations, each time in another rounding mode."""
    (x,) = inputs(((1, 3), -4, 3))
    layer = lbir.DenseOp(x, _weights(random, 3, 3), random.integers(-9, 9, 3), "fc")
    mode = str(random.choice(["half_even", "half_up", "floor", "ceil", "down"]))
    activation = requantize(layer.result, 2, mode, int(random.integers(-4, 1)), 7, random.integers(-3, 4, 3).tolist())
    return network([x], [layer, activation], [activation.results[0]])


def dense_threshold(random: np.random.Generator) -> ModuleOp:
    """Sums and thresholds."""
    (x,) = inputs(((1, 4), 0, 7))
    layer = lbir.DenseOp(x, _weights(random, 3, 4), random.integers(-9, 9, 3), "fc")
    activation = threshold(layer.result, random.integers(-30, 40, (3, 3)))
    return network([x], [layer, activation], [activation.results[0]])


def binary(random: np.random.Generator) -> ModuleOp:
    """A population count and a sign."""
    (x,) = inputs(((1, 11), 0, 1))
    layer = lbir.DenseOp(x, random.choice([-1, 1], (2, 11)), random.integers(-2, 3, 2), "fc")
    activation = threshold(layer.result, random.integers(-1, 2, (2, 1)))
    return network([x], [layer, activation], [activation.results[0]])


def convolution(random: np.random.Generator) -> ModuleOp:
    """One module, several instances."""
    (x,) = inputs(((1, 1, 5), 0, 3))
    layer = lbir.ConvOp(x, _weights(random, 2, 1, 2), random.integers(-9, 9, 2), [1], [1], 1, "conv")
    activation = requantize(layer.result, 1, "floor", -4, 7)
    pool = lbir.MaxPoolOp(activation.results[0], [2], [2], [1], "pool")
    return network([x], [layer, activation, pool], [pool.result])


def table(random: np.random.Generator) -> ModuleOp:
    """A table of a sum."""
    (x,) = inputs(((1, 3), -4, 3))
    layer = lbir.DenseOp(x, random.integers(-2, 3, (2, 3)), random.integers(-3, 3, 2), "fc")
    size = lbir.range_of(layer.result).high - lbir.range_of(layer.result).low + 1
    look_up = lbir.TableOp(layer.result, random.integers(-8, 8, (1, 1, size)), "act")
    return network([x], [layer, look_up], [look_up.result])


def join(random: np.random.Generator) -> ModuleOp:
    """A sum, a product and a maximum of two tensors."""
    a, b = inputs(((1, 2), -4, 3), ((1, 2), 0, 7))
    scales = [random.integers(1, 4, (1, 2)) for _ in range(2)]
    layer = lbir.AddOp([a, b], scales, np.array([[1, -2]]), "add")
    activation = requantize(layer.result, 1, "half_even", -4, 3)
    product = lbir.MultiplyOp(activation.results[0], b, "mul")
    largest = lbir.MaximumOp(product.result, a, "max")
    return network([a, b], [layer, activation, product, largest], [largest.result])


def top(random: np.random.Generator) -> ModuleOp:
    """The two largest of three."""
    (x,) = inputs(((1, 3), -4, 3))
    offsets = random.integers(-2, 3, 3)  # the order that single elements' offsets and a tie rule give
    margins = np.triu(offsets[None, :] - offsets[:, None] + random.integers(0, 2))
    layer = lbir.TopKOp(x, margins, True, 2, "top")
    return network([x], [layer], [layer.result])


def two_layers(random: np.random.Generator) -> ModuleOp:
    """A layer behind a layer."""
    (x,) = inputs(((1, 3), -4, 3))
    first = lbir.DenseOp(x, _weights(random, 3, 3), random.integers(-9, 9, 3), "fc1")
    activation = requantize(first.result, 2, "half_even", 0, 3)
    second = lbir.DenseOp(activation.results[0], _weights(random, 2, 3), random.integers(-9, 9, 2), "fc2")
    return network([x], [first, activation, second], [second.result])


NETWORKS: tuple[Callable[[np.random.Generator], ModuleOp], ...] = (
    dense,
    dense_requantize,
    dense_threshold,
    binary,
    convolution,
    table,
    join,
    top,
    two_layers,
)


def lowered(module: ModuleOp, target: str = "xilinx", strategy: str = "shared", minimize: str = "balanced") -> ModuleOp:
    """The network's design."""
    design = module.clone()
    pipeline = ConvertQonnxToHw(target=target, strategy=strategy, minimize=minimize)  # type: ignore[arg-type]
    for each in pipeline.to_hw():
        each.apply(Context(), design)
    design.verify()
    return design


def all_inputs(module: ModuleOp) -> dict[str, Integers]:
    """Every combination of the network's input elements, by tensor."""
    body = network_of(module).body.block
    ranges = [lbir.range_of(value) for value in body.args for _ in range(lbir.size_of(value))]
    grid = np.indices([each.high - each.low + 1 for each in ranges]).reshape(len(ranges), -1)
    x = grid.T + np.array([each.low for each in ranges])
    found: dict[str, Integers] = {}
    for port, value in zip(network_of(module).inputs, body.args, strict=True):
        found[port.tensor.data], x = x[:, : lbir.size_of(value)], x[:, lbir.size_of(value) :]
    return found


__all__ = ["NETWORKS", "IntType", "all_inputs", "lowered"]
