"""What a conversion has made of each node, for `c4ml check`."""

from dataclasses import dataclass

import numpy as np

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
