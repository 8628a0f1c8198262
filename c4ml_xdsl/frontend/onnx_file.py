"""
Reads ONNX files, which are untrusted input: everything is checked before it is used, in bounded time and memory.

What is refused here is refused as a file: damaged, too large, with data outside of it, with subgraphs, with infinities.
Whether a sound model can be compiled is for later passes to say.
"""

import math
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto

from c4ml_xdsl.errors import ModelFileError

MAXIMUM_FILE_BYTES = 512 << 20
MAXIMUM_NODES = 100_000
MAXIMUM_TENSORS = 500_000
MAXIMUM_ELEMENTS = 1 << 26
"""The most elements that a tensor may have, be it a constant or a value that is computed."""
MAXIMUM_LIST_LENGTH = 1 << 20
"""The most entries that a list in an attribute may have."""
MAXIMUM_RANK = 16
MAXIMUM_NAME_LENGTH = 4096

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAXIMUM_FIELDS = 4_000_000
_SCANNED_FROM_BYTES = 1 << 20

_EXPORT_AGAIN = "Export the model again, or copy the whole file again."


@runtime_checkable
class HoldsModel(Protocol):
    """An object that wraps a model, such as qonnx's `ModelWrapper`."""

    model: Any


ModelSource: TypeAlias = str | os.PathLike[str] | bytes | onnx.ModelProto | HoldsModel


def load_onnx(source: ModelSource) -> onnx.ModelProto:
    """
    Reads a model from a path, from a file's bytes, or from an object that is or holds a `ModelProto`.

    Raises ModelFileError when it can't be read, is damaged, or isn't a model.
    """
    if isinstance(source, onnx.ModelProto):
        model, what = source, "the model"
    elif isinstance(source, bytes):
        what = "the file"
        model = _parse(source, what)
    elif isinstance(source, str | os.PathLike):
        what = str(source)
        model = _parse(_read(Path(source)), what)
    elif isinstance(getattr(source, "model", None), onnx.ModelProto):
        model, what = source.model, "the model"
    else:
        raise ModelFileError(
            f"a {type(source).__name__} isn't a model",
            remedy="Give a path, the bytes of an ONNX file, a ModelProto or a qonnx ModelWrapper.",
        )
    check_model(model, what)
    return model


def _read(path: Path) -> bytes:
    """The bytes of a file that isn't too large."""
    try:
        if not path.exists():
            raise ModelFileError(f"{path}: no such file")
        if not path.is_file():
            raise ModelFileError(f"{path}: not a file")
        size = path.stat().st_size
        if size > MAXIMUM_FILE_BYTES:
            raise ModelFileError(f"{path}: {size >> 20} MB, and {MAXIMUM_FILE_BYTES >> 20} MB is the limit")
        with path.open("rb") as file:
            return file.read(MAXIMUM_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: can't be read: {error}") from error


def _parse(data: bytes, what: str) -> onnx.ModelProto:
    """The model that a file's bytes hold."""
    if len(data) > MAXIMUM_FILE_BYTES:
        raise ModelFileError(f"{what}: {len(data) >> 20} MB, and {MAXIMUM_FILE_BYTES >> 20} MB is the limit")
    if len(data) >= _SCANNED_FROM_BYTES:
        _check_parsed_size(data, what)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf's implementations raise different kinds
        raise ModelFileError(f"{what}: not an ONNX file, or a damaged one", remedy=_EXPORT_AGAIN) from error
    return model


# Size when parsed ------------------------------------------------------------------------------------------------

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _OTHER, _NUMBERS = range(7)
# For each kind of message the fields that hold further ones, and the fields that hold many numbers.
_NESTED_FIELDS: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH, 8: _OTHER, 14: _OTHER, 20: _OTHER, 25: _OTHER, 26: _OTHER},
    _GRAPH: {1: _NODE, 5: _TENSOR, 11: _OTHER, 12: _OTHER, 13: _OTHER, 14: _OTHER, 15: _OTHER, 16: _OTHER},
    _NODE: {5: _ATTRIBUTE, 9: _OTHER, 10: _OTHER},
    _ATTRIBUTE: {5: _TENSOR, 10: _TENSOR, 7: _NUMBERS, 8: _NUMBERS},
    _TENSOR: {4: _NUMBERS, 5: _NUMBERS, 7: _NUMBERS, 10: _NUMBERS, 11: _NUMBERS, 13: _OTHER, 16: _OTHER},
    _OTHER: {},
}


def _check_parsed_size(data: bytes, what: str) -> None:
    """
    Refuses files whose messages would take far more memory than their bytes.

    An empty message takes two bytes in a file and a hundred in memory. So the fields of the messages that a model may
    have in any number are counted first, following protobuf's wire format and keeping nothing.
    """
    too_many = ModelFileError(f"{what}: more than {_MAXIMUM_FIELDS} entries, which no model needs")
    damaged = ModelFileError(f"{what}: not an ONNX file, or a damaged one", remedy=_EXPORT_AGAIN)
    fields = 0
    packed_bytes = 0
    pending = [(_MODEL, 0, len(data))]

    def varint(position: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while position < end and shift < 70:
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, position
            shift += 7
        raise damaged

    while pending:
        kind, position, end = pending.pop()
        nested = _NESTED_FIELDS[kind]
        while position < end:
            fields += 1
            if fields > _MAXIMUM_FIELDS:
                raise too_many
            key, position = varint(position, end)
            match key & 7:
                case 0:
                    _, position = varint(position, end)
                case 1:
                    position += 8
                case 5:
                    position += 4
                case 2:
                    length, position = varint(position, end)
                    if length > end - position:
                        raise damaged
                    inner = nested.get(key >> 3)
                    if inner == _NUMBERS:
                        packed_bytes += length
                        if packed_bytes > MAXIMUM_ELEMENTS:
                            raise ModelFileError(f"{what}: its lists of numbers are too long")
                    elif inner == _OTHER:
                        # Small messages of small fields: a bound on their number will do.
                        fields += length // 2 if length < 1 << 20 else _MAXIMUM_FIELDS
                    elif inner is not None:
                        pending.append((inner, position, position + length))
                    position += length
                case _:
                    raise damaged
        if position > end:
            raise damaged


# Structure -------------------------------------------------------------------------------------------------------


def text(value: object, what: str, limit: int = MAXIMUM_NAME_LENGTH) -> str:
    """A text from a file, fit for a message: protobuf hands out bytes where they aren't UTF-8."""
    if not isinstance(value, str):
        raise ModelFileError(f"{what} isn't text", remedy=_EXPORT_AGAIN)
    if len(value) > limit:
        raise ModelFileError(f"{what} is {len(value)} characters long, and {limit} is the limit")
    if _CONTROL_CHARACTERS.search(value):
        raise ModelFileError(f"{what} has control characters: {value[:80]!r}", remedy="Export the model without them.")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAXIMUM_NAME_LENGTH and not _CONTROL_CHARACTERS.search(value)


def node_label(node: onnx.NodeProto, index: int) -> str:
    """What a message calls a node: its name, else its first output, else its operator and place in the file."""
    for candidate in (node.name, *node.output[:1]):
        if candidate and _is_text(candidate):
            return candidate
    operator = text(node.op_type, f"the operator of node {index}")
    return f"{operator or 'a node without operator'} (node {index} of the file)"


def check_model(model: onnx.ModelProto, what: str) -> None:
    """
    Checks a model's structure as far as nothing large has to be touched: counts, names, data outside of the file.

    Raises ModelFileError, naming the node or tensor.
    """
    if not model.HasField("graph") or not model.graph.node:
        raise ModelFileError(f"{what}: not an ONNX model, or one without nodes", remedy=_EXPORT_AGAIN)
    graph = model.graph
    if len(graph.node) > MAXIMUM_NODES:
        raise ModelFileError(f"{what}: {len(graph.node)} nodes, and {MAXIMUM_NODES} is the limit")
    tensors = len(graph.initializer) + len(graph.input) + len(graph.output) + len(graph.value_info)
    if tensors > MAXIMUM_TENSORS:
        raise ModelFileError(f"{what}: {tensors} tensors, and {MAXIMUM_TENSORS} is the limit")
    if graph.sparse_initializer:
        name = text(graph.sparse_initializer[0].values.name, "the name of a sparse tensor")
        raise ModelFileError(f"tensor {name}: sparse tensors can't be read", remedy="Store it as a dense initializer.")
    if not graph.output:
        raise ModelFileError(f"{what}: the model has no output", remedy=_EXPORT_AGAIN)
    _check_names("initializer", [each.name for each in graph.initializer])
    _check_names("input", [each.name for each in graph.input])
    _check_names("output", [each.name for each in graph.output])
    for tensor in graph.initializer:
        _check_inside(tensor, f"tensor {tensor.name}")
    connections = 0
    for index, node in enumerate(graph.node):
        label = node_label(node, index)
        connections += len(node.input) + len(node.output)
        if connections > MAXIMUM_TENSORS * 4:
            raise ModelFileError(f"{what}: more connections between its nodes than any model needs")
        for value in (*node.input, *node.output):
            text(value, f"{label}: the name of an input or output")
        text(node.op_type, f"{label}: its operator")
        text(node.domain, f"{label}: its domain")
        text(node.name, f"{label}: its name")
        if not node.op_type:
            raise ModelFileError(f"{label}: the node has no operator", remedy=_EXPORT_AGAIN)
        for attribute in node.attribute:
            _check_attribute(attribute, label)
        twice = Counter(attribute.name for attribute in node.attribute).most_common(1)
        if twice and twice[0][1] > 1:
            raise ModelFileError(f"{label}: the attribute {twice[0][0]} is given twice", remedy=_EXPORT_AGAIN)


def _check_names(kind: str, names: list[str]) -> None:
    for name in names:
        if not text(name, f"the name of an {kind}"):
            raise ModelFileError(f"an {kind} has no name", remedy=_EXPORT_AGAIN)
    for name, count in Counter(names).items():
        if count > 1:
            raise ModelFileError(f"tensor {name}: {count} {kind}s have this name", remedy=_EXPORT_AGAIN)


def _check_inside(tensor: TensorProto, what: str) -> None:
    """Refuses a tensor whose data lies in another file, which would be a path chosen by the model's author."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ModelFileError(
            f"{what}: its data lies in another file, which isn't read",
            remedy="Save the model with its data inside: onnx.save_model(model, path, save_as_external_data=False).",
        )


_VALUE_FIELDS: dict[int, str] = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
}
_SCALAR_FIELDS = ("f", "i", "s", "t", "g", "sparse_tensor", "tp")
_LIST_FIELDS = ("floats", "ints", "strings", "tensors", "graphs", "sparse_tensors", "type_protos")


def _check_attribute(attribute: AttributeProto, label: str) -> None:
    """Checks that an attribute has a name, a kind that can be read, and values of that kind only."""
    name = text(attribute.name, f"{label}: the name of an attribute")
    what = f"{label}: attribute {name}"
    if not name:
        raise ModelFileError(f"{label}: an attribute has no name", remedy=_EXPORT_AGAIN)
    present = [field for field in _SCALAR_FIELDS if attribute.HasField(field)]
    present += [field for field in _LIST_FIELDS if len(getattr(attribute, field))]
    if "g" in present or "graphs" in present or attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise ModelFileError(
            f"{what}: subgraphs (If, Loop, Scan) aren't read",
            remedy="Export the model without control flow, for example with fixed input shapes.",
        )
    if attribute.ref_attr_name:
        raise ModelFileError(f"{what}: refers to a function's attribute", remedy="Inline the model's functions.")
    field = _VALUE_FIELDS.get(attribute.type)
    if field is None:
        raise ModelFileError(f"{what}: a kind of attribute that isn't read", remedy=_EXPORT_AGAIN)
    if any(other != field for other in present):
        raise ModelFileError(f"{what}: its value isn't of the kind that it claims", remedy=_EXPORT_AGAIN)
    if field in _LIST_FIELDS and len(getattr(attribute, field)) > MAXIMUM_LIST_LENGTH:
        raise ModelFileError(f"{what}: more than {MAXIMUM_LIST_LENGTH} entries")
    if field == "t":
        _check_inside(attribute.t, what)


def attribute_value(
    attribute: AttributeProto, what: str
) -> int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | NDArray[Any]:
    """
    The Python value of an attribute that `check_model` has accepted.

    Raises ModelFileError for numbers that aren't finite, text that isn't UTF-8 and damaged tensors; `what` names it.
    """
    match attribute.type:
        case AttributeProto.INT:
            return attribute.i
        case AttributeProto.FLOAT:
            return _finite(attribute.f, what)
        case AttributeProto.STRING:
            return _decoded(attribute.s, what)
        case AttributeProto.INTS:
            return tuple(attribute.ints)
        case AttributeProto.FLOATS:
            return tuple(_finite(each, what) for each in attribute.floats)
        case AttributeProto.STRINGS:
            return tuple(_decoded(each, what) for each in attribute.strings)
        case AttributeProto.TENSOR:
            return tensor_array(attribute.t, what)
        case _:
            raise ModelFileError(f"{what}: a kind of attribute that isn't read")


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise ModelFileError(f"{what}: is infinite or not a number", remedy="Export the model with finite values.")
    return value


def _decoded(value: bytes, what: str) -> str:
    try:
        return text(value.decode(), what)
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{what}: isn't text", remedy=_EXPORT_AGAIN) from error


# Tensors ---------------------------------------------------------------------------------------------------------


_DTYPES: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.INT8: np.dtype(np.int8),
    TensorProto.INT16: np.dtype(np.int16),
    TensorProto.INT32: np.dtype(np.int32),
    TensorProto.INT64: np.dtype(np.int64),
    TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.UINT16: np.dtype(np.uint16),
    TensorProto.UINT32: np.dtype(np.uint32),
    TensorProto.UINT64: np.dtype(np.uint64),
    TensorProto.BOOL: np.dtype(np.bool_),
    TensorProto.INT4: np.dtype(np.int8),
    TensorProto.UINT4: np.dtype(np.uint8),
}
_FOUR_BITS = (TensorProto.INT4, TensorProto.UINT4)


def element_dtype(data_type: int) -> np.dtype[Any] | None:
    """The numpy type for elements of an ONNX type (four-bit integers in eight bits), None for what isn't read."""
    return _DTYPES.get(data_type)


def element_type_name(data_type: int) -> str:
    """ONNX's name for an element type, or its number where it has none."""
    return TensorProto.DataType.Name(data_type) if data_type in TensorProto.DataType.values() else str(data_type)


def tensor_array(tensor: TensorProto, what: str) -> NDArray[Any]:
    """
    The values of a tensor in a file.

    The shape is compared with the data before anything is allocated. Raises ModelFileError, with `what` as the tensor's
    name, for data outside of the file, unknown element types, damaged data, infinities and NaN.
    """
    _check_inside(tensor, what)
    dtype = element_dtype(tensor.data_type)
    if dtype is None:
        raise ModelFileError(
            f"{what}: elements of type {element_type_name(tensor.data_type)} can't be read",
            remedy="Export the model with float32 parameters.",
        )
    if tensor.HasField("segment"):
        raise ModelFileError(f"{what}: is stored in segments, which nothing writes", remedy=_EXPORT_AGAIN)
    count = checked_size(tensor.dims, what)
    if tensor.HasField("raw_data"):
        array = _raw_values(tensor, dtype, count, what)
    else:
        array = _listed_values(tensor, dtype, count, what)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelFileError(
            f"{what}: holds infinity or NaN",
            remedy="Look at how the model was trained: a parameter has diverged, or was never set.",
        )
    return array.reshape(tuple(tensor.dims))


def checked_size(dimensions: Any, what: str) -> int:
    """How many elements a shape has; raises ModelFileError where it is negative or too large."""
    if len(dimensions) > MAXIMUM_RANK:
        raise ModelFileError(f"{what}: has {len(dimensions)} dimensions, and {MAXIMUM_RANK} is the limit")
    shape = tuple(dimensions)
    if any(dimension < 0 for dimension in shape):
        raise ModelFileError(f"{what}: the shape {list(shape)} has a negative dimension")
    # A dimension of zero must not hide others that nothing could hold.
    if math.prod(max(dimension, 1) for dimension in shape) > MAXIMUM_ELEMENTS:
        raise ModelFileError(f"{what}: the shape {list(shape)} has more than {MAXIMUM_ELEMENTS} elements")
    return math.prod(shape)


def _wrong_length(what: str, shape: Any, found: int, unit: str) -> ModelFileError:
    return ModelFileError(
        f"{what}: the shape {list(shape)} doesn't fit its {found} {unit} of data", remedy=_EXPORT_AGAIN
    )


def _raw_values(tensor: TensorProto, dtype: np.dtype[Any], count: int, what: str) -> NDArray[Any]:
    raw = tensor.raw_data
    expected = (count + 1) // 2 if tensor.data_type in _FOUR_BITS else count * dtype.itemsize
    if len(raw) != expected:
        raise _wrong_length(what, tensor.dims, len(raw), "bytes")
    if tensor.data_type in _FOUR_BITS:
        return _four_bit_values(np.frombuffer(raw, np.uint8), dtype, count)
    if dtype == np.bool_:
        return np.frombuffer(raw, np.uint8) != 0
    return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype)


def _listed_values(tensor: TensorProto, dtype: np.dtype[Any], count: int, what: str) -> NDArray[Any]:
    """The values of a tensor that is stored as a list of numbers, in the list that its element type asks for."""
    match tensor.data_type:
        case TensorProto.FLOAT:
            values, stored = tensor.float_data, np.float32
        case TensorProto.DOUBLE:
            values, stored = tensor.double_data, np.float64
        case TensorProto.INT64:
            values, stored = tensor.int64_data, np.int64
        case TensorProto.UINT32 | TensorProto.UINT64:
            values, stored = tensor.uint64_data, np.uint64
        case _:
            values, stored = tensor.int32_data, np.int32
    expected = (count + 1) // 2 if tensor.data_type in _FOUR_BITS else count
    if len(values) != expected:
        raise _wrong_length(what, tensor.dims, len(values), "elements")
    array = np.fromiter(values, stored, len(values))
    if tensor.data_type in _FOUR_BITS:
        return _four_bit_values(_narrowed(array, np.dtype(np.uint8), what), dtype, count)
    if tensor.data_type == TensorProto.FLOAT16:
        return _narrowed(array, np.dtype(np.uint16), what).view(np.float16)
    return _narrowed(array, dtype, what)


def _narrowed(array: NDArray[Any], dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """The same integers in a narrower type; integers that it can't hold mean a damaged file."""
    if dtype == np.bool_:
        return array != 0
    narrow = array.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(narrow, array):
        raise ModelFileError(f"{what}: an element is out of its type's range", remedy=_EXPORT_AGAIN)
    return narrow


def _four_bit_values(packed: NDArray[np.uint8], dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Unpacks four-bit integers, of which a byte holds two, the first one in its lower half."""
    halves = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[:count]
    if dtype == np.int8:
        return ((halves ^ 8).astype(np.int8) - 8).astype(np.int8)
    return halves
