"""
Mutations of ONNX files: the same bytes for the same seed.

Some damage the bytes of a file, some any field of its messages, and some are aimed: they keep a file well-formed and
change what a compiler trusts, such as shapes, scales, names and attributes.
"""

import functools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from c4ml_xdsl.dialects import qonnx

REPOSITORY = Path(__file__).parent.parent.parent
LARGEST_FILE = 100_000
"""The most bytes of a file that is mutated, so that thousands of them take minutes."""

CUSTOM = "qonnx.custom_op.general"
NOT_TEXT = "q7NotText7q"
"""Stands for bytes that aren't UTF-8, which protobuf doesn't let one set."""

INTEGERS = (
    0, 0, 1, 1, -1, -1, 2, 3, 4, 7, 8, 16, 24, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, -2, -3, -128, 1000, 4096,
    65535, 65536, 1 << 20, 1 << 24, 1 << 28, (1 << 31) - 1, -(1 << 31), 1 << 31, 1 << 32, 10**9, 3 * 10**9, 10**12,
    1 << 53, (1 << 62), (1 << 63) - 1, -(1 << 63),
)  # fmt: skip
FLOATS = (
    0.0, -0.0, 1.0, -1.0, 0.5, 2.7, -0.3, 1e-3, 1e-7, 1e-30, 1e-38, 1e-45, 1e6, 1e9, 1e20, 1e30, 3.4e38, -3.4e38,
    float("nan"), float("inf"), float("-inf"), 2.0**31, 2.0**24 + 2, 1 / 3, 255.0, 8.0, 3.0, 2.0, 64.0,
)  # fmt: skip
TEXTS = (
    "", " ", "a", "\n" * 9, "a\nb\nc\nd\ne\nf\ng\nh", "\x00", "\x1b[31mred", "x" * 5000, "y" * 300, "é", "日本",
    "/etc/passwd", "%s{0}{x}", '"', "'; //", "module", "wire", "endmodule", "1", "input", "out", "_", "a.b/c:0",
    "\\", "\u2028", "\u202e", NOT_TEXT, "x0", "c0", "t0", "NOTSET", "SAME_UPPER", "ROUND", "HALF_UP", "NHWC",
)  # fmt: skip
ATTRIBUTES = (
    "axis", "axes", "kernel_shape", "pads", "strides", "dilations", "group", "perm", "keepdims", "alpha", "beta",
    "epsilon", "to", "mode", "blocksize", "rounding_mode", "signed", "narrow", "auto_pad", "ceil_mode", "k", "transA",
    "transB", "out_scale", "out_bias", "out_dtype", "data_layout", "allowzero", "count_include_pad", "value", "repeats",
    "split", "num_outputs", "start", "end", "output_dtype", "block_size", "largest", "sorted", "training_mode",
    "noop_with_empty_axes", "select_last_index", "output_shape", "scales", "starts", "ends", "min", "max", "kernel",
)  # fmt: skip
DTYPES = (np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64, np.bool_, np.uint64, np.int16)

Graph = onnx.GraphProto
Mutation = Callable[[onnx.ModelProto, random.Random], None]


@functools.cache
def corpus() -> tuple[tuple[str, bytes], ...]:
    """The files that are mutated: the repository's small models, among them random ones of all operators."""
    paths = [*(REPOSITORY / "tests").rglob("*.onnx"), *(REPOSITORY / "examples").rglob("*.onnx")]
    return tuple(
        (str(path.relative_to(REPOSITORY)), path.read_bytes())
        for path in sorted(paths)
        if path.stat().st_size <= LARGEST_FILE
    )


def mutated(number: int) -> tuple[str, bytes]:
    """The mutated file of a seed, and what was done to which file."""
    r = random.Random(number)
    name, data = r.choice(corpus())
    done = [name]
    if r.random() < 0.75:
        model = onnx.ModelProto.FromString(data)
        for _ in range(r.choice((1, 1, 1, 2, 3, 5))):
            mutation = r.choice(FIELD_MUTATIONS)
            mutation(model, r)
            done.append(mutation.__name__)
        data = model.SerializeToString()
        while NOT_TEXT.encode() in data:
            data = data.replace(NOT_TEXT.encode(), r.choice((b"\xff", b"\xc3", b"\x80")) * len(NOT_TEXT), 1)
    if len(done) == 1 or r.random() < 0.05:
        for _ in range(r.choice((1, 1, 1, 2, 4, 20))):
            mutation = r.choice(BYTE_MUTATIONS)
            data = mutation(data, r)
            done.append(mutation.__name__)
    return ": ".join((done[0], ", ".join(done[1:]))), data


# Bytes -----------------------------------------------------------------------------------------------------------


def flip(data: bytes, r: random.Random) -> bytes:
    """One bit."""
    if not data:
        return data
    at = r.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << r.randrange(8))]) + data[at + 1 :]


def overwrite(data: bytes, r: random.Random) -> bytes:
    """Some bytes."""
    at, some = (
        r.randrange(len(data) + 1),
        r.choice((b"\x00", b"\xff", b"\x80", b"\x7f", r.randbytes(1), r.randbytes(8))),
    )
    return data[:at] + some + data[at + len(some) :]


def insert(data: bytes, r: random.Random) -> bytes:
    """Some more bytes."""
    at, length = r.randrange(len(data) + 1), r.choice((1, 2, 5, 10, 300))
    return data[:at] + r.choice((b"\x00" * length, b"\xff" * length, r.randbytes(length))) + data[at:]


def delete(data: bytes, r: random.Random) -> bytes:
    """Fewer bytes."""
    at = r.randrange(len(data) + 1)
    return data[:at] + data[at + r.choice((1, 2, 5, 100)) :]


def truncate(data: bytes, r: random.Random) -> bytes:
    """A beginning only."""
    return data[: r.randrange(len(data) + 1)]


def repeat(data: bytes, r: random.Random) -> bytes:
    """A part twice, which protobuf merges if it is a message."""
    start, stop = sorted(r.randrange(len(data) + 1) for _ in range(2))
    return data[:stop] + data[start:]


def flip_early(data: bytes, r: random.Random) -> bytes:
    """One bit among the first nodes rather than among the weights."""
    return flip(data[:4000], r) + data[4000:]


BYTE_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip, flip, flip_early, flip_early, overwrite, overwrite, insert, delete, truncate, repeat,
)  # fmt: skip


# Any field -------------------------------------------------------------------------------------------------------


def _messages(message: Message, found: dict[str, list[Message]]) -> dict[str, list[Message]]:
    found.setdefault(message.DESCRIPTOR.name, []).append(message)
    for field, value in message.ListFields():
        if field.type == Field.TYPE_MESSAGE:
            for each in value if isinstance(value, (list, tuple)) or hasattr(value, "add") else [value]:
                _messages(each, found)
    return found


def _hostile(field: Any, r: random.Random, found: dict[str, list[Message]]) -> Any:
    match field.type:
        case Field.TYPE_FLOAT | Field.TYPE_DOUBLE:
            return r.choice(FLOATS)
        case Field.TYPE_STRING:
            return _text(r, found)
        case Field.TYPE_BYTES:
            return r.choice((b"", b"\xff", b"ROUND", b"\n" * 9, r.randbytes(r.randrange(40))))
        case Field.TYPE_ENUM:
            return r.choice([each.number for each in field.enum_type.values])
        case Field.TYPE_UINT64:
            return r.choice(INTEGERS) % (1 << 64)
        case Field.TYPE_INT32:
            return (r.choice(INTEGERS) + (1 << 31)) % (1 << 32) - (1 << 31)
        case _:
            return r.choice(INTEGERS)


def _text(r: random.Random, found: dict[str, list[Message]]) -> str:
    if r.random() < 0.4:
        return r.choice(TEXTS)
    names = [name for node in found.get("NodeProto", []) for name in (*node.input, *node.output, node.op_type)]
    return r.choice(names or TEXTS)


def any_field(model: onnx.ModelProto, r: random.Random) -> None:
    """A field of a message is cleared, given another value, or changed as a list."""
    found = _messages(model, {})
    message = r.choice(found[r.choice(sorted(found))])
    field = r.choice(message.DESCRIPTOR.fields)
    if r.random() < 0.6 and message.ListFields():
        field = r.choice([each for each, _ in message.ListFields()])
    values, is_message = getattr(message, field.name), field.type == Field.TYPE_MESSAGE
    others = found.get(field.message_type.name, []) if is_message else []
    # A copy, as a message may become a part of itself; those of large ones would grow without end.
    other = next((each for each in r.sample(others, len(others)) if each.ByteSize() < 20_000), None)
    other = None if other is None else type(other).FromString(other.SerializeToString())
    if not field.is_repeated if hasattr(field, "is_repeated") else field.label != Field.LABEL_REPEATED:
        if r.random() < 0.2:
            message.ClearField(field.name)
        elif not is_message:
            setattr(message, field.name, _hostile(field, r, found))
        elif other is None:
            values.SetInParent()
        else:
            values.CopyFrom(other)
        return
    at = r.randrange(len(values)) if len(values) else 0
    match r.choice(("clear", "remove", "remove", "duplicate", "change", "change", "add", "many", "swap")):
        case "clear":
            message.ClearField(field.name)
        case "remove" if len(values):
            del values[at]
        case "duplicate" if len(values):
            if is_message:
                values.add().CopyFrom(values[at])
            else:
                values.append(values[at])
        case "swap" if len(values):
            last = values.pop()
            values.insert(at, last)
        case "change" if len(values) and not is_message:
            values[at] = _hostile(field, r, found)
        case "many" if not is_message:
            values.extend([_hostile(field, r, found)] * r.choice((3, 20, 3000)))
        case _:
            if not is_message:
                values.append(_hostile(field, r, found))
            elif other is None:
                values.add()
            else:
                values.add().CopyFrom(other)


# Names and connections -------------------------------------------------------------------------------------------


def _tensors(graph: Graph) -> list[str]:
    names = [name for node in graph.node for name in (*node.input, *node.output)]
    return [*names, *(each.name for each in graph.initializer), *(each.name for each in graph.input)] or ["x"]


def _node(graph: Graph, r: random.Random) -> onnx.NodeProto:
    return r.choice(graph.node) if graph.node else graph.node.add()


def connections(model: onnx.ModelProto, r: random.Random) -> None:
    """Inputs and outputs of a node are swapped, doubled, left out or taken from anywhere; cycles may come about."""
    graph = model.graph
    node = _node(graph, r)
    ends = node.input if r.random() < 0.75 else node.output
    at = r.randrange(len(ends)) if len(ends) else 0
    match r.choice(("reverse", "duplicate", "remove", "pop", "empty", "other", "other", "other", "own", "many", "add")):
        case "reverse":
            ends[:] = list(ends)[::-1]
        case "duplicate" if len(ends):
            ends.append(ends[at])
        case "remove" if len(ends):
            del ends[at]
        case "pop" if len(ends):
            ends.pop()
        case "empty" if len(ends):
            ends[at] = ""
        case "other" if len(ends):
            ends[at] = r.choice(_tensors(graph))
        case "own" if len(ends) and len(node.output):
            ends[at] = node.output[0]
        case "many" if len(ends):
            ends.extend([ends[at]] * r.choice((5, 100, 3000)))
        case _:
            ends.append(r.choice([*_tensors(graph), "new"]))


def rename(model: onnx.ModelProto, r: random.Random) -> None:
    """A tensor gets another name everywhere, or almost everywhere."""
    old, new, missed = r.choice(_tensors(model.graph)), r.choice(TEXTS), 0.0 if r.random() < 0.8 else 0.3
    for node in model.graph.node:
        for ends in (node.input, node.output):
            for index, name in enumerate(ends):
                if name == old and r.random() >= missed:
                    ends[index] = new
    for each in (*model.graph.initializer, *model.graph.input, *model.graph.output, *model.graph.value_info):
        if each.name == old and r.random() >= missed:
            each.name = new


def node_name(model: onnx.ModelProto, r: random.Random) -> None:
    """A node's or the graph's name."""
    target = model.graph if r.random() < 0.2 else _node(model.graph, r)
    target.name = r.choice([*TEXTS, *(node.name for node in model.graph.node)])


def outputs(model: onnx.ModelProto, r: random.Random) -> None:
    """The graph's outputs: any tensor, one of them twice, none."""
    graph = model.graph
    match r.choice(("any", "any", "more", "more", "twice", "none")):
        case "any" if len(graph.output):
            graph.output[0].CopyFrom(helper.make_tensor_value_info(r.choice(_tensors(graph)), TensorProto.FLOAT, None))
        case "twice" if len(graph.output):
            graph.output.append(graph.output[0])
        case "none":
            del graph.output[:]
        case _:
            graph.output.append(helper.make_tensor_value_info(r.choice(_tensors(graph)), TensorProto.FLOAT, None))


def inputs(model: onnx.ModelProto, r: random.Random) -> None:
    """The graph's inputs: their shapes and types, one more, none."""
    graph = model.graph
    sizes = [r.choice((*INTEGERS, 1, 2, 3, 4, "N")) for _ in range(r.choice((0, 1, 2, 2, 3, 4, 5, 17)))]
    element = r.choice((TensorProto.FLOAT, TensorProto.FLOAT, *TensorProto.DataType.values()))
    if r.random() < 0.2 or not len(graph.input):
        graph.input.append(helper.make_tensor_value_info(r.choice(["more", *_tensors(graph)]), element, sizes))
        return
    chosen = r.choice(graph.input)
    dimensions = chosen.type.tensor_type.shape.dim
    match r.choice(("shape", "size", "size", "size", "type", "none", "unknown", "sequence")):
        case "size" if len(dimensions):
            r.choice(dimensions).dim_value = r.choice(INTEGERS)
        case "type":
            chosen.type.tensor_type.elem_type = element
        case "none":
            graph.input.remove(chosen)
        case "unknown":
            chosen.ClearField("type")
        case "sequence":
            chosen.type.sequence_type.elem_type.tensor_type.elem_type = element
        case _:
            chosen.CopyFrom(helper.make_tensor_value_info(chosen.name, element, sizes))


# Operators -------------------------------------------------------------------------------------------------------


def operator(model: onnx.ModelProto, r: random.Random) -> None:
    """Another operator or domain."""
    node = _node(model.graph, r)
    if r.random() < 0.8:
        node.op_type = r.choice((*sorted(qonnx.OPERATORS), "If", "Loop", "Scan", "LSTM", "Nonsense", *TEXTS[:10]))
    if r.random() < 0.4:
        node.domain = r.choice(("", "ai.onnx", CUSTOM, "com.microsoft", "qonnx.custom_op.channels_last", *TEXTS))


def _value(r: random.Random) -> Any:
    return r.choice(
        (
            lambda: r.choice(INTEGERS),
            lambda: r.choice(FLOATS),
            lambda: r.choice(TEXTS).encode(),
            lambda: [r.choice((*INTEGERS, 0, 1, 2)) for _ in range(r.randrange(1, 9))],
            lambda: [r.choice(INTEGERS)] * r.choice((1, 2, 4, 8, 2000)),
            lambda: [r.choice(FLOATS) for _ in range(r.randrange(1, 6))],
            lambda: numpy_helper.from_array(np.full(r.choice(((), (1,), (2, 2))), r.randrange(9), r.choice(DTYPES))),
        )
    )()


def attribute(model: onnx.ModelProto, r: random.Random) -> None:
    """An attribute of a node is changed, removed or added: other numbers, or a value of another kind."""
    node = _node(model.graph, r)
    having = [each for each in model.graph.node if len(each.attribute)]
    if having and r.random() < 0.7:
        node = r.choice(having)
        chosen = r.choice(node.attribute)
        match r.choice(("number", "number", "number", "number", "remove", "kind", "text")):
            case "remove":
                node.attribute.remove(chosen)
            case "number" if chosen.type == AttributeProto.INT:
                chosen.i = r.choice(INTEGERS)
            case "number" if chosen.type == AttributeProto.INTS and len(chosen.ints):
                chosen.ints[r.randrange(len(chosen.ints))] = r.choice(INTEGERS)
            case "number" if chosen.type == AttributeProto.FLOAT:
                chosen.f = r.choice(FLOATS)
            case "text" if chosen.type == AttributeProto.STRING:
                chosen.s = r.choice(TEXTS).encode()
            case _:
                chosen.CopyFrom(helper.make_attribute(chosen.name, _value(r)))
        return
    operation = qonnx.OPERATORS.get(node.op_type)
    names = sorted(qonnx.attribute_table(operation)) if operation is not None else []
    name = r.choice(names) if names and r.random() < 0.8 else r.choice(ATTRIBUTES)
    node.attribute.append(helper.make_attribute(name, _value(r)))


def stack(model: onnx.ModelProto, r: random.Random) -> None:
    """A chain of nodes behind a tensor: a deep one, or one that doubles the tensor each time."""
    graph = model.graph
    source = r.choice(_tensors(graph))
    kind, length = r.choice((("Relu", 3000), ("Add", 200), ("Concat", 40), ("Mul", 40), ("Identity", 3000), ("Exp", 9)))
    nodes, last = list[onnx.NodeProto](), source
    for index in range(length):
        given = [last, last] if kind in ("Add", "Concat", "Mul") else [last]
        options = {"axis": r.choice((0, 1, -1))} if kind == "Concat" else {}
        nodes.append(helper.make_node(kind, given, [f"stack{index}"], **options))
        last = f"stack{index}"
    _replace_reads(graph, source, last, r)
    graph.node.extend(nodes)


def _replace_reads(graph: Graph, old: str, new: str, r: random.Random) -> None:
    ends = [(node.input, index) for node in graph.node for index, name in enumerate(node.input) if name == old]
    if ends:
        where, index = r.choice(ends)
        where[index] = new
    elif len(graph.output):
        graph.output[0].name = new


def huge(model: onnx.ModelProto, r: random.Random) -> None:
    """A node that would make elements by the billions, or a strange number of them, of what a file states briefly."""
    graph = model.graph
    source, number = r.choice(_tensors(graph)), len(graph.node)
    numbers = [r.choice((*INTEGERS, 1, 1, 1, 1)) for _ in range(r.choice((1, 2, 2, 3, 4)))]
    given, options = [source, f"huge{number}"], dict[str, Any]()
    values: Any = np.asarray(numbers, np.int64)
    kind = r.choice(
        ("ConstantOfShape", "Expand", "Tile", "Reshape", "Pad", "Resize", "Upsample", "Range", "OneHot", "Gather",
         "Slice", "Split", "TopK", "MaxPool", "AveragePool", "Conv", "Unsqueeze", "DepthToSpace", "Trilu", "Im2Col")
    )  # fmt: skip
    match kind:
        case "ConstantOfShape":
            given = given[1:]
        case "Resize":
            given = [source, "", *([given[1]] if r.random() < 0.5 else ["", given[1]])]
            values = values if len(given) > 3 else np.asarray([r.choice(FLOATS) for _ in numbers], np.float32)
        case "Upsample":
            values = np.asarray([r.choice(FLOATS) for _ in numbers], np.float32)
        case "Range":
            given = [given[1], f"limit{number}", given[1]]
            values = np.asarray(r.choice(INTEGERS), np.int64)
            graph.initializer.append(numpy_helper.from_array(np.asarray(r.choice(INTEGERS), np.int64), given[1]))
        case "Conv":
            values = np.ones((1, 1, *[min(abs(each), 40) for each in numbers[:3]]), np.float32)
            options = {"pads": [r.choice(INTEGERS)] * (2 * (values.ndim - 2))}
        case "MaxPool" | "AveragePool" | "Im2Col":
            given = given[:1]
            name = "kernel_size" if kind == "Im2Col" else "kernel_shape"
            options = {name: numbers, "pads": [r.choice(INTEGERS)] * (2 * len(numbers))}
        case "DepthToSpace":
            given, options = given[:1], {"blocksize": numbers[0]}
        case "Slice":
            given = [source, *[given[1]] * r.choice((2, 3, 4))]
        case _:
            pass
    graph.initializer.append(numpy_helper.from_array(values, f"huge{number}"))
    _replace_reads(graph, source, f"behind{number}", r)
    domain = CUSTOM if kind == "Im2Col" else ""
    graph.node.append(helper.make_node(kind, given, [f"behind{number}"], domain=domain, **options))


def between(model: onnx.ModelProto, r: random.Random) -> None:
    """A node of any operator is put behind a tensor."""
    graph = model.graph
    source, number = r.choice(_tensors(graph)), len(graph.node)
    kind = r.choice(sorted(qonnx.OPERATORS))
    given = [source, *(r.choice(_tensors(graph)) for _ in range(r.choice((0, 0, 0, 1, 1, 2, 3))))]
    options = {r.choice(ATTRIBUTES): _value(r)} if r.random() < 0.2 else {}
    _replace_reads(graph, source, f"between{number}", r)
    domain = CUSTOM if kind in qonnx.CUSTOM_OPERATORS else ""
    graph.node.append(helper.make_node(kind, given, [f"between{number}"], domain=domain, **options))


def exchange_nodes(model: onnx.ModelProto, r: random.Random) -> None:
    """Nodes are removed, doubled, or put elsewhere in the file."""
    nodes = model.graph.node
    node = onnx.NodeProto.FromString(_node(model.graph, r).SerializeToString())
    match r.choice(("remove", "double", "move")):
        case "remove":
            nodes.remove(node)
        case "double":
            nodes.append(node)
        case _:
            nodes.remove(node)
            nodes.insert(r.randrange(len(nodes) + 1), node)


# Constants -------------------------------------------------------------------------------------------------------


def _constant(model: onnx.ModelProto, r: random.Random) -> TensorProto:
    constants = list(model.graph.initializer)
    values = [each.t for node in model.graph.node for each in node.attribute if each.type == AttributeProto.TENSOR]
    if r.random() < 0.5:  # parameters of quantisers and the like rather than weights
        small = [each for each in (*constants, *values) if math.prod(each.dims) <= 1]
        constants, values = small or constants, []
    return r.choice([*constants, *values]) if constants or values else model.graph.initializer.add()


def _array(tensor: TensorProto) -> Any:
    try:
        return numpy_helper.to_array(tensor).copy()
    except Exception:  # it is damaged already
        return np.zeros((1,), np.float32)


def _store(tensor: TensorProto, array: Any) -> None:
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(array)))
    if name:
        try:
            tensor.name = name
        except ValueError:
            tensor.name = NOT_TEXT


def values(model: onnx.ModelProto, r: random.Random) -> None:
    """Other numbers in a constant, of which some are no usable scale, bit width or shape."""
    tensor = _constant(model, r)
    array = _array(tensor)
    with np.errstate(all="ignore"):
        if array.dtype.kind == "f":
            number: Any = r.choice(FLOATS)
            moved = array * array.dtype.type(number)
        else:
            number = np.asarray(r.choice(INTEGERS)).astype(array.dtype)
            moved = array + number
        match r.choice(("all", "all", "one", "one", "moved")):
            case "all":
                array[...] = number
            case "one" if array.size:
                array.flat[r.randrange(array.size)] = number
            case _:
                array = np.asarray(moved, array.dtype)
    _store(tensor, array)


def shapes(model: onnx.ModelProto, r: random.Random) -> None:
    """Another shape of a constant, which its data fits or doesn't."""
    tensor = _constant(model, r)
    array, dimensions = _array(tensor), tensor.dims
    match r.choice(("flat", "turned", "scalar", "deep", "tiled", "empty", "one", "one", "many", "hidden")):
        case "flat":
            _store(tensor, array.reshape(-1))
        case "turned":
            _store(tensor, array.T)
        case "scalar":
            _store(tensor, array.reshape(-1)[:1].reshape(() if array.size else (0,)))
        case "deep":
            _store(
                tensor, array.reshape(*[1] * r.choice((1, 2, 5, 15)), *array.shape[-4:]) if array.ndim < 5 else array
            )
        case "tiled":
            _store(tensor, np.stack([array] * r.choice((1, 2, 3))))
        case "empty":
            _store(tensor, array.reshape(-1)[:0])
        case "one" if len(dimensions):
            dimensions[r.randrange(len(dimensions))] = r.choice(INTEGERS)
        case "hidden":
            dimensions[:] = [0, r.choice(INTEGERS), r.choice(INTEGERS)]
            tensor.raw_data = b""
        case _:
            dimensions.extend([r.choice(INTEGERS)] * r.choice((1, 2, 20, 3000)))


def element_types(model: onnx.ModelProto, r: random.Random) -> None:
    """Another element type of a constant, which its data fits or doesn't."""
    tensor = _constant(model, r)
    match r.choice(("convert", "convert", "claim", "length", "lists", "texts")):
        case "convert":
            with np.errstate(all="ignore"):
                _store(tensor, _array(tensor).astype(r.choice(DTYPES)))
        case "claim":
            tensor.data_type = r.choice(TensorProto.DataType.values())
        case "length":
            tensor.raw_data = tensor.raw_data[: -r.choice((1, 2, 4))] + b"\x00" * r.choice((0, 0, 7, 8000))
        case "texts":
            tensor.string_data.append(b"\xff")
        case _:
            array = _array(tensor).reshape(-1)
            tensor.ClearField("raw_data")
            lists = (tensor.float_data, tensor.double_data, tensor.int32_data, tensor.int64_data)
            with np.errstate(all="ignore"):
                r.choice(lists).extend(array.astype(np.int32).tolist())


def not_inside(model: onnx.ModelProto, r: random.Random) -> None:
    """Data in other files, subgraphs, functions, sparse tensors, segments: what isn't read."""
    graph, tensor = model.graph, _constant(model, r)
    match r.choice(("external", "external", "subgraph", "function", "sparse", "segment", "training", "reference")):
        case "external":
            tensor.data_location = TensorProto.EXTERNAL if r.random() < 0.8 else TensorProto.DEFAULT
            tensor.external_data.add(key="location", value=r.choice(("/etc/passwd", "../x", "x", "")))
            if r.random() < 0.5:
                tensor.ClearField("raw_data")
        case "subgraph":
            inner = Graph()
            for _ in range(r.choice((1, 5, 25))):
                outer = Graph()
                outer.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner))
                inner = outer
            _node(graph, r).attribute.append(helper.make_attribute("then_branch", inner))
        case "function":
            node = _node(graph, r)
            model.functions.append(
                helper.make_function(node.domain, node.op_type, ["a"], ["b"], [node], list(model.opset_import))
            )
        case "sparse":
            sparse = graph.sparse_initializer.add()
            sparse.values.CopyFrom(tensor)
            sparse.indices.name = r.choice(_tensors(graph))
            sparse.dims.extend([r.choice(INTEGERS)] * 2)
        case "segment":
            tensor.segment.end = r.choice(INTEGERS)
        case "training":
            model.training_info.add().algorithm.CopyFrom(graph)
        case _:
            _node(graph, r).attribute.add(name=r.choice(ATTRIBUTES), ref_attr_name="q", type=AttributeProto.INT)


def versions(model: onnx.ModelProto, r: random.Random) -> None:
    """Another opset or IR version, several or none."""
    match r.choice(("other", "other", "other", "none", "more", "ir")):
        case "other" if len(model.opset_import):
            r.choice(model.opset_import).version = r.choice((*INTEGERS, *range(1, 30)))
        case "none":
            del model.opset_import[:]
        case "ir":
            model.ir_version = r.choice(INTEGERS)
        case _:
            domain = r.choice(("", "ai.onnx", CUSTOM, *TEXTS))
            model.opset_import.append(helper.make_opsetid(domain, r.choice((*INTEGERS, *range(1, 30)))))


FIELD_MUTATIONS: tuple[Mutation, ...] = (
    any_field, any_field, any_field, connections, connections, rename, node_name, outputs, inputs, inputs, operator,
    attribute, attribute, attribute, stack, huge, huge, between, between, exchange_nodes, values, values, values,
    shapes, element_types, not_inside, versions,
)  # fmt: skip
