"""What a conversion has made of each node, for `c4ml check`, and of each tensor, for a trace."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import affine_form


@dataclass(frozen=True)
class NodeSummary:
    """
    One node of the model and the integers that its output is computed as.

    `scale` is one number, a list for channels, or None where the output isn't scaled integers but a function that the
    next quantiser computes exactly (then `low` and `high` are those of the function's input).
    """

    name: str
    operator: str
    support: str
    shape: tuple[int, ...] = ()
    low: int | None = None
    high: int | None = None
    bits: int | None = None
    scale: float | list[float] | None = None


def summarise(c: Conversion, node: qonnx.NodeOp) -> NodeSummary:
    """The summary of a node that has been converted."""
    value = next((each for each in node.results if each in c.reals), node.output)
    shape = qonnx.static_shape(value) or ()
    if value not in c.reals:
        return NodeSummary(node.label, node.operator, "part of the input's quantiser", shape)
    real = c.reals[value]
    element = lbir.range_of(real.integers)
    form = affine_form(real)
    scale = None if form is None else form.factors()
    support = "supported" if form is not None else "computed with the next quantiser"
    if value in c.after:
        support = f"left to the user: {c.after[value][0]}"
    numbers: float | list[float] | None = None
    if scale is not None:
        floats = [float(each) for each in np.asarray(scale, object).reshape(-1)]
        numbers = floats[0] if len(floats) == 1 else floats
    return NodeSummary(node.label, node.operator, support, shape, element.low, element.high, element.bits, numbers)


@dataclass(frozen=True)
class TensorForm:
    """
    A tensor of the model as integers of the network: (integers - zero_point) * scale.

    `argument` or `operation` numbers the network's argument or operation that gives the integers; both arrays have the
    rank of these and broadcast against them.
    """

    scale: NDArray[np.float64]
    zero_point: NDArray[np.float64]
    argument: int | None
    operation: int | None


def tensor_forms(c: Conversion, network: lbir.NetworkOp, inputs: Sequence[SSAValue]) -> dict[str, TensorForm]:
    """
    The tensors of the graph that are scaled integers of the finished network, by the model's names.

    `inputs` are what the conversion knows the network's arguments as.
    """
    positions = {operation: index for index, operation in enumerate(network.body.block.ops)}
    arguments = {argument: index for index, argument in enumerate(inputs)}
    forms: dict[str, TensorForm] = {}
    for node in c.graph.body.block.ops:
        if not isinstance(node, qonnx.NodeOp) or node.output_names is None:
            continue
        for name, value in zip(node.output_names, node.results, strict=False):
            form = affine_form(c.reals[value]) if value in c.reals and value not in c.after else None
            scale = None if form is None else form.factors()
            if form is None or scale is None:
                continue
            owner = form.integers.owner
            argument = arguments.get(form.integers)
            operation = positions.get(owner) if isinstance(owner, Operation) else None
            if argument is not None or operation is not None:
                forms[name.data] = TensorForm(
                    scale.astype(np.float64), form.zero.astype(np.float64), argument, operation
                )
    return forms
