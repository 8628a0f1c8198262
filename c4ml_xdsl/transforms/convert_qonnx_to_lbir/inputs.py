"""The network's inputs: ports made of quantisers, of declared types and of integer tensors."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.errors import OptionError, UnsupportedModelError
from c4ml_xdsl.interpreters.qonnx import Array, constant_of
from c4ml_xdsl.numerics.chain import Step, evaluate
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import Conversion, Raw
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.movement import MOVES, move, pad_amounts
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.quantisers import Quantiser, integer_type_of, quantiser_of
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import Real, exact_floats, fractions_of, full_rank

QUANTISERS = (qonnx.QuantOp, qonnx.IntQuantOp, qonnx.BipolarQuantOp, qonnx.QuantizeLinearOp)
AFFINE = (qonnx.MulOp, qonnx.AddOp, qonnx.SubOp, qonnx.DivOp)


def start_inputs(c: Conversion, declared: dict[str, Quantiser]) -> None:
    """Makes ports of the inputs whose type is declared or integer; the others wait for their quantisers."""
    for name, value in c.graph.inputs.items():
        shape = qonnx.static_shape(value)
        if shape is None:
            raise UnsupportedModelError(name, "the input has no static shape", remedy="Run qonnx-infer-shapes first.")
        known = declared.get(name) or _integer_input(name, value)
        if known is None:
            c.raws[value] = Raw(shape, name)
        else:
            c.reals[value] = known.real(Real(_port(c, Raw(shape, name), known, None)))


def _integer_input(name: str, value: SSAValue) -> Quantiser | None:
    """The quantiser that an integer tensor stands for; None for a tensor of floats."""
    integer = integer_type_of(value)
    if integer is None:
        return None
    width, signed = integer
    if width > 32:
        raise UnsupportedModelError(
            name,
            f"the input's integers have {width} bits",
            remedy=f"Declare the range that occurs, as in --input-type {name}=UINT8",
        )
    low, high = qonnx.integer_range(width, signed=signed, narrow=False)
    return Quantiser((), low, high, np.ones(()), np.zeros(()), "ROUND")


def raw_node(c: Conversion, node: qonnx.NodeOp) -> None:
    """A node in front of the inputs' quantisers."""
    data = c.data(node)
    raws = [c.raws[value] for value in data]
    if isinstance(node, MOVES) and (len(raws) == 1 or isinstance(node, qonnx.ConcatOp)):
        if isinstance(node, qonnx.SplitOp):
            c.refuse(node, "an input is split in front of its quantiser", "Quantise the input as a whole.")
        shape = qonnx.static_shape(node.output)
        assert shape is not None
        c.raws[node.output] = Raw(shape, node=node, sources=tuple(raws))
        return
    if isinstance(node, QUANTISERS) and len(raws) == 1:
        quantiser = quantiser_of(c, node, len(raws[0].shape))
        if isinstance(node, qonnx.QuantizeLinearOp):
            quantiser = _with_clip(node, quantiser)
            c.set(node, _quantised(c, raws[0], quantiser, node))
        else:
            c.set(node, quantiser.real(_quantised(c, raws[0], quantiser, node)))
        return
    if isinstance(node, qonnx.CastOp) and len(raws) == 1 and node.int_attribute("to") in (1, 10, 11):
        c.raws[node.output] = raws[0]
        return
    if isinstance(node, AFFINE) and len(raws) == 1:
        changed = _affine(c, node, raws[0], data[0])
        if changed is not None:
            c.raws[node.output] = changed
            return
    names = list(dict.fromkeys(name for raw in raws for name in raw.inputs))
    c.refuse(
        node,
        f"{node.operator} gets {', '.join(map(repr, names))}, an input without a quantiser",
        f"Quantise the input in the model, or declare its type: --input-type {names[0]}=UINT8:0.00390625",
    )


def _with_clip(node: qonnx.QuantizeLinearOp, quantiser: Quantiser) -> Quantiser:
    """The quantiser with the range of the Clip that alone reads it, as QCDQ exports make them narrow."""
    reader = next(iter(node.output.uses)).operation if node.output.has_one_use() else None
    if not isinstance(reader, qonnx.ClipOp):
        return quantiser
    bounds = [quantiser.low, quantiser.high]
    for index in (1, 2):
        value = reader.input(index)
        constant = None if value is None or not isinstance(value.owner, Operation) else constant_of(value.owner)
        if constant is None or constant.size != 1 or constant.item() != int(constant.item()):
            return quantiser
        bounds[index - 1] = min(max(int(constant.item()), quantiser.low), quantiser.high)
    return replace(quantiser, low=bounds[0], high=max(bounds))


def _affine(c: Conversion, node: qonnx.NodeOp, raw: Raw, data: SSAValue) -> Raw | None:
    """A constant factor or summand in front of a quantiser, which is the port's scale or zero point."""
    index = 1 if node.operands[0] is data else 0
    array = c.float_constant(node, index, len(raw.shape))
    if index == 0 and isinstance(node, qonnx.SubOp | qonnx.DivOp):
        return None
    if array.size > 1 and (raw.node is not None or np.broadcast_shapes(array.shape, raw.shape) != raw.shape):
        return None
    constant = fractions_of(array if array.size > 1 else array.reshape(()))
    if isinstance(node, qonnx.MulOp | qonnx.DivOp):
        if not np.all(array > 0):
            c.refuse(node, "it scales the input by a number that isn't positive", "Use a positive factor.")
        factor = constant if isinstance(node, qonnx.MulOp) else 1 / constant
        return _scaled(raw, factor, fractions_of(0.0))
    return _scaled(raw, fractions_of(1.0), constant if isinstance(node, qonnx.AddOp) else -constant)


def _scaled(raw: Raw, factor: Array, summand: Array) -> Raw:
    """factor * x + summand."""
    return replace(raw, scale=raw.scale * factor, offset=raw.offset * factor + summand)


def _quantised(c: Conversion, raw: Raw, quantiser: Quantiser, node: qonnx.NodeOp) -> Real:
    """The integers that a quantiser makes of what stands in front of it; moves and quantisers change places."""
    if raw.node is None:
        return Real(_port(c, raw, quantiser, node))
    if quantiser.scale.size > 1 or quantiser.zero_point.size > 1:
        c.refuse(node, "between the input and its quantiser with channels stand moves", "Use one scale for the input.")
    # what comes behind a move is the same for all elements, and so may come in front of it
    sources = [_scaled(source, raw.scale, raw.offset) for source in raw.sources]
    parts = [_quantised(c, source, quantiser, node) for source in sources]
    if isinstance(raw.node, qonnx.PadOp) and raw.node.str_attribute("mode").lower() == "constant":
        return _padded(c, raw, quantiser, parts[0], node)
    return move(c, raw.node, parts)[0]


def _padded(c: Conversion, raw: Raw, quantiser: Quantiser, part: Real, node: qonnx.NodeOp) -> Real:
    """A Pad in front of a quantiser pads with the integer that the quantiser makes of its number."""
    assert raw.node is not None
    low, high, value = pad_amounts(c, raw.node, part.rank)
    if min((*low, *high)) < 0:
        c.refuse(raw.node, "it cuts in front of a quantiser", "Slice behind the quantiser.")
    number = exact_floats(np.asarray(fractions_of(value) * raw.scale + raw.offset, object).reshape(1))
    flat = lbir.flattened(quantiser.steps, (1,) * len(raw.shape))
    code = evaluate([Step("mul", np.zeros(1)), Step("add", number), *flat], np.zeros((1, 1), np.int64))
    return Real(c.add(lbir.PadOp(part.integers, code.reshape(()), low, high, node.label + "_padding")))


def _port(c: Conversion, raw: Raw, quantiser: Quantiser, node: qonnx.NodeOp | None) -> SSAValue:
    """The input port for integers q with (q - zero) * scale = raw.scale * x + raw.offset, as a block argument."""
    # a bipolar quantiser decides at 0, whatever its integers stand for
    zero = fractions_of(0.5 if quantiser.bipolar else quantiser.zero_point)
    low, high = quantiser.low, quantiser.high
    odd = isinstance(node, qonnx.QuantizeLinearOp) and any(each % 2 for each in zero.reshape(-1))
    shift = int(zero.reshape(-1)[0]) if odd else 0
    if odd:
        # round(x / s) + z isn't round(x / s + z) at ties where z is odd: such a port's integers come without z
        if zero.size > 1 and node is not None:
            c.refuse(node, "an input with odd zero points for channels isn't supported", "Use one for the input.")
        low, high, zero = low - shift, high - shift, fractions_of(np.zeros(()))
    zero = zero + raw.offset / fractions_of(quantiser.scale)
    # x >= 0 is 1, which is a tie rounded up once the zero point isn't 1/2
    rounding = "HALF_UP" if quantiser.bipolar and np.any(raw.offset != 0) else quantiser.rounding
    scale = fractions_of(quantiser.scale) / raw.scale
    scales, scale_axis = _along_an_axis(c, raw, scale, node)
    zeros, zero_axis = _along_an_axis(c, raw, zero, node)
    if scale_axis != zero_axis and scale_axis is not None and zero_axis is not None:
        raise UnsupportedModelError(raw.tensor, "its scales and zero points are along different axes")
    farthest = max(map(abs, scales)) * max(abs(end - each) for end in (low, high) for each in zeros)
    if farthest > float(np.finfo(np.float32).max):
        raise UnsupportedModelError(
            raw.tensor if node is None else node.label,
            "the input's values are beyond float32",
            remedy="Check the quantiser's scale and zero point.",
        )
    axis = scale_axis if scale_axis is not None else zero_axis
    element = lbir.IntType(low, high)
    port = lbir.PortAttr.of(raw.tensor, element, scales, zeros, axis=axis or 0, rounding=rounding)
    known = c.ports.get(raw.tensor)
    if known is not None:
        if known[0] != port:
            raise UnsupportedModelError(
                raw.tensor if node is None else node.label,
                f"the input {raw.tensor} has two different quantisers",
                remedy="Quantise the input once, in front of where it branches.",
            )
        value = known[1]
    else:
        value = c.block.insert_arg(lbir.tensor_of(raw.shape, low, high), len(c.block.args))
        value.name_hint = c.graph.inputs[raw.tensor].name_hint
        c.ports[raw.tensor] = port, value
    if not shift:
        return value
    return c.add(lbir.AddOp([value], [np.array(1, np.int64)], np.array(shift, np.int64), None))


def _along_an_axis(
    c: Conversion, raw: Raw, numbers: Array, node: qonnx.NodeOp | None
) -> tuple[list[float], int | None]:
    """Numbers as a port holds them: one, or one for each entry of an axis, counted without the batch axis."""
    rank = len(raw.shape)
    numbers = np.asarray(numbers, object)  # numpy makes plain numbers of arrays without axes
    full = numbers.reshape((1,) * (rank - numbers.ndim) + numbers.shape)
    long = [axis for axis, size in enumerate(full.shape) if size > 1]
    if len(long) > 1:
        raise UnsupportedModelError(
            raw.tensor if node is None else node.label, "the input's scales vary along several axes"
        )
    axis = long[0] - (1 if raw.shape[:1] == (1,) else 0) if long else None
    return [float(each) for each in full.reshape(-1)], axis


def declared_types(text: str | None, graph: qonnx.GraphOp) -> dict[str, Quantiser]:
    """
    The declared types of inputs by their names: `[TENSOR=]TYPE[:SCALE[:ZERO_POINT]]`, separated by semicolons.

    Raises OptionError for what isn't a type and for unknown inputs.
    """
    declared: dict[str, Quantiser] = {}
    names = list(graph.inputs)
    for entry in (text or "").split(";"):
        if not entry:
            continue
        name, _, rest = entry.rpartition("=")
        targets: Sequence[str] = [name] if name else names
        quantiser = _declared_type(entry, rest)
        for target in targets:
            if target not in names:
                raise OptionError(
                    f"--input-type {entry}: the model has no input {target}",
                    remedy=f"Its inputs are: {', '.join(names)}",
                )
            declared[target] = quantiser
    return declared


def _declared_type(entry: str, text: str) -> Quantiser:
    kind, *numbers = text.split(":")
    unsigned, digits = kind.upper().startswith("U"), kind.upper().removeprefix("U").removeprefix("INT")
    try:
        scale = np.float32(numbers[0]) if numbers else np.float32(1)
        zero = Fraction(numbers[1]) if len(numbers) > 1 else Fraction(0)
        bipolar = kind.upper() == "BIPOLAR"
        if bipolar:
            low, high, scale, zero = 0, 1, scale * np.float32(2), Fraction(1, 2)
        elif kind.upper() == "BINARY":
            low, high = 0, 1
        elif kind.upper() == "TERNARY":
            low, high = -1, 1
        elif digits.isdigit() and 1 <= int(digits) <= 32 and "INT" in kind.upper():
            low, high = qonnx.integer_range(int(digits), signed=not unsigned, narrow=False)
        else:
            raise ValueError
        if not (scale > 0 and np.isfinite(scale)) or len(numbers) > 2 or zero.denominator > 2:
            raise ValueError
    except (ValueError, VerifyException, ZeroDivisionError) as error:
        raise OptionError(
            f"--input-type {entry}: not a type",
            remedy="Write [TENSOR=]TYPE[:SCALE[:ZERO_POINT]], as in UINT8:0.00390625",
        ) from error
    return Quantiser((), low, high, full_rank(scale, 0), full_rank(float(zero), 0), "ROUND", bipolar)
