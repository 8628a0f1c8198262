"""
Imports an ONNX model into the `qonnx` dialect, one operation per node.

Nothing is decided here: operators that the dialect doesn't know become `qonnx.unknown`, and types are taken from the
file as far as it states them. The one exception is that QONNX's channels-last operators, which are defined as their
standard counterparts between two transpositions, are written in just that way.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from xdsl.dialects.builtin import DYNAMIC_INDEX, FunctionType, IntegerType, ModuleOp, Signedness, TensorType
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import ModelFileError, UnsupportedModelError
from c4ml_xdsl.frontend.onnx_file import (
    MAXIMUM_RANK,
    attribute_value,
    check_model,
    element_dtype,
    load_onnx,
    node_label,
    tensor_array,
    text,
)

__all__ = ["import_model", "parse_onnx"]

AttributeValue: TypeAlias = int | float | str | tuple[Any, ...] | NDArray[Any]

ONNX_DOMAINS = ("", "ai.onnx")
CUSTOM_DOMAINS = (
    "onnx.brevitas",
    "finn",
    "finn.custom_op",
    "finn.custom_op.general",
    "qonnx",
    "qonnx.custom_op",
    "qonnx.custom_op.general",
)
CHANNELS_LAST_DOMAINS = ("qonnx.custom_op.channels_last", "finn.custom_op.channels_last")
MICROSOFT_OPERATORS = ("Gelu", "QuantizeLinear", "DequantizeLinear")
"""Operators of onnxruntime's own domain that mean what the standard ones of the same name mean."""

IGNORED_ATTRIBUTES = ("onnx_opset_version", "doc_string")
"""Attributes that exporters add to any node and that change nothing."""

_FOUR_BIT_TYPES: dict[int, IntegerType] = {
    TensorProto.INT4: IntegerType(4),
    TensorProto.UINT4: IntegerType(4, Signedness.UNSIGNED),
}


def import_model(model: onnx.ModelProto, name: str | None = None) -> ModuleOp:
    """
    Imports a model as a module with one `qonnx.graph`.

    The graph is called `name`, or else what the model calls it. Nodes are put in an order that can be run, the file's
    own order where it is one.

    Raises ModelFileError where the file isn't a sound model, and UnsupportedModelError where a node of a known operator
    has attributes that it can't have. Both name the node or tensor.
    """
    check_model(model, "the model")
    return ModuleOp([_Importer(model, name).graph()])


def parse_onnx(data: bytes, name: str = "model") -> ModuleOp:
    """The module that an ONNX file's bytes hold; for `c4ml-opt`, which reads `.onnx` files with it."""
    return import_model(load_onnx(data), name)


class _Importer:
    """Builds one graph; it holds the values of the tensors seen so far."""

    def __init__(self, model: onnx.ModelProto, name: str | None):
        self.model = model
        self.proto = model.graph
        self.name = name or text(self.proto.name, "the graph's name") or "model"
        self.opset = _opset(model)
        self.types = {
            info.name: _value_type(info)
            for info in (*self.proto.value_info, *self.proto.output)
            if isinstance(info.name, str)
        }
        self.values: dict[str, SSAValue] = {}
        self.block = Block()
        self.none: SSAValue | None = None
        # The ranks of values whose types don't give them.
        self.ranks: dict[SSAValue, int] = {}

    def graph(self) -> qonnx.GraphOp:
        constants = {tensor.name for tensor in self.proto.initializer}
        inputs = [info for info in self.proto.input if info.name not in constants]
        self.block = Block(arg_types=[_input_type(info) for info in inputs])
        for info, argument in zip(inputs, self.block.args, strict=True):
            self.define(info.name, argument)
        for tensor in self.proto.initializer:
            self.add_initializer(tensor)
        for index, node in _in_running_order(self.proto.node, self.values):
            self.add_node(index, node)
        output_names = [info.name for info in self.proto.output]
        for each in output_names:
            if each not in self.values:
                raise ModelFileError(
                    f"tensor {each}: no node produces this output of the model", remedy="Export the model again."
                )
        outputs = [self.values[each] for each in output_names]
        self.block.add_op(qonnx.ReturnOp(outputs))
        return qonnx.GraphOp(
            self.name,
            [info.name for info in inputs],
            output_names,
            FunctionType.from_lists(self.block.arg_types, [each.type for each in outputs]),
            Region(self.block),
            opset=self.opset,
        )

    def define(self, name: str, value: SSAValue) -> None:
        """Makes a value known under a tensor's name, and lets it keep the name in text where that is possible."""
        self.values[name] = value
        if SSAValue.is_valid_name(name):
            value.name_hint = name

    def add_initializer(self, tensor: TensorProto) -> None:
        array = tensor_array(tensor, f"tensor {tensor.name}")
        dense = qonnx.dense_from_array(array, _FOUR_BIT_TYPES.get(tensor.data_type))
        initializer = qonnx.InitializerOp(dense, tensor.name)
        self.block.add_op(initializer)
        self.define(tensor.name, initializer.output)

    def operand(self, name: str) -> SSAValue:
        """The value of a node's input; an empty name stands for an input that is left out."""
        if name:
            return self.values[name]
        if self.none is None:
            none = qonnx.NoneOp()
            self.block.add_op(none)
            self.none = none.output
        return self.none

    def add_node(self, index: int, node: onnx.NodeProto) -> None:
        label = node_label(node, index)
        inputs = list(node.input)
        while inputs and not inputs[-1]:
            inputs.pop()
        attributes: dict[str, AttributeValue] = {
            attribute.name: attribute_value(attribute, f"{label}: attribute {attribute.name}")
            for attribute in node.attribute
            if attribute.name not in IGNORED_ATTRIBUTES
        }
        operands = [self.operand(each) for each in inputs]
        channels_last = node.domain in CHANNELS_LAST_DOMAINS
        operation_class = _operation_class(node)
        if operation_class is None:
            operation_class = qonnx.UnknownOp
            attributes = {
                "op_type": node.op_type,
                "domain": node.domain,
                "attributes_text": _attributes_text(attributes),
            }
            channels_last = False
        if channels_last:
            # The weights of a convolution are channels-last too.
            moved = 2 if operation_class is qonnx.ConvOp else 1
            operands = [
                self.transposed(each, label, to_last=False) if position < moved else each
                for position, each in enumerate(operands)
            ]
        output_types = [self.types.get(each, qonnx.UNKNOWN_TYPE) for each in node.output]
        operation = self.checked(
            operation_class,
            label,
            operands,
            [qonnx.UNKNOWN_TYPE] * len(output_types) if channels_last else output_types,
            attributes,
            node_name=node.name or None,
            output_names=list(node.output),
        )
        self.block.add_op(operation)
        results: Iterable[SSAValue] = operation.results
        if channels_last:
            results = [
                self.transposed(each, label, to_last=True, output_type=output_type)
                for each, output_type in zip(operation.results, output_types, strict=True)
            ]
        for each, result in zip(node.output, results, strict=True):
            if each:
                self.define(each, result)

    def checked(
        self,
        operation_class: type[qonnx.NodeOp],
        label: str,
        operands: Sequence[SSAValue],
        output_types: Sequence[Attribute],
        attributes: Mapping[str, AttributeValue],
        *,
        node_name: str | None,
        output_names: Sequence[str],
    ) -> qonnx.NodeOp:
        """A node, if its attributes and numbers of inputs and outputs are what its operator has."""
        operator = operation_class.name.removeprefix("qonnx.")
        table = qonnx.attribute_table(operation_class)
        for each, value in attributes.items():
            if each not in table:
                raise UnsupportedModelError(
                    label,
                    f"{operator} with the attribute {each} isn't known",
                    remedy="Remove the attribute, or export the model for an opset up to 21.",
                )
            try:
                table[each].to_property(value)
            except VerifyException as error:
                raise UnsupportedModelError(
                    label,
                    f"attribute {each} of {operator} {error}",
                    remedy="Look at the exporter's option that sets this attribute.",
                ) from error
        for each in qonnx.required_attributes(operation_class):
            if each not in attributes:
                raise UnsupportedModelError(
                    label, f"{operator} must have the attribute {each}", remedy="Export the model again."
                )
        operation = operation_class(operands, output_types, attributes, node_name=node_name, output_names=output_names)
        try:
            operation.verify()
        except VerifyException as error:
            reason = str(error).strip().splitlines()[-1]
            raise UnsupportedModelError(label, reason, remedy="Export the model again.") from error
        return operation

    def transposed(
        self,
        value: SSAValue,
        label: str,
        *,
        to_last: bool,
        output_type: Attribute = qonnx.UNKNOWN_TYPE,
    ) -> SSAValue:
        """A value with its channels moved from the last axis to the second or back; its rank must be known."""
        rank = self.rank(value)
        if rank is None:
            raise UnsupportedModelError(
                label,
                "the rank of a channels-last operand isn't in the file",
                remedy="Run onnx's or qonnx's shape inference on the model first.",
            )
        order = (0, *range(2, rank), 1) if to_last else (0, rank - 1, *range(1, rank - 1))
        operation = qonnx.TransposeOp([value], [output_type], {"perm": order}, node_name=f"{label}_layout")
        self.block.add_op(operation)
        self.ranks[operation.output] = rank
        return operation.output

    def rank(self, value: SSAValue) -> int | None:
        """The number of a value's dimensions, as far as it is known."""
        value_type = value.type
        if isinstance(value_type, TensorType):
            return len(cast("TensorType[Attribute]", value_type).get_shape())
        return self.ranks.get(value)


def _opset(model: onnx.ModelProto) -> int | None:
    """The version of the default operator set; a file may list several sets, in any order."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ONNX_DOMAINS]
    if not versions:
        return None
    version = max(versions)
    if not 1 <= version <= 1000:
        raise ModelFileError(f"the model's opset is {version}, which doesn't exist", remedy="Export the model again.")
    return version


def _operation_class(node: onnx.NodeProto) -> type[qonnx.NodeOp] | None:
    """
    The operation for a node, None where the dialect has none.

    Files name QONNX's domain in several ways, and some leave it out, so a custom operator is known by its name alone
    in any of these domains; ONNX's own operators are known in ONNX's domain.
    """
    if node.domain in CHANNELS_LAST_DOMAINS:
        return qonnx.OPERATORS[node.op_type] if node.op_type in ("Conv", "MaxPool", "BatchNormalization") else None
    if node.op_type in qonnx.CUSTOM_OPERATORS:
        known = node.domain in ONNX_DOMAINS or node.domain in CUSTOM_DOMAINS
    elif node.domain == "com.microsoft":
        known = node.op_type in MICROSOFT_OPERATORS
    else:
        known = node.domain in ONNX_DOMAINS
    return qonnx.OPERATORS.get(node.op_type) if known else None


def _attributes_text(attributes: Mapping[str, AttributeValue]) -> str:
    """An unknown node's attributes for messages, shortened where they are long."""
    entries = (f"{name} = {value!r}" for name, value in attributes.items())
    return ", ".join(entry if len(entry) <= 80 else entry[:79] + "…" for entry in entries)


def _value_type(info: onnx.ValueInfoProto) -> Attribute:
    """The type that a file gives a tensor, as far as it does; dimensions without a number are dynamic."""
    if not info.type.HasField("tensor_type"):
        return qonnx.UNKNOWN_TYPE
    tensor = info.type.tensor_type
    element_type: Attribute | None = _FOUR_BIT_TYPES.get(tensor.elem_type)
    dtype = element_dtype(tensor.elem_type)
    if element_type is None and dtype is not None:
        element_type = qonnx.element_type_of(dtype)
    if element_type is None or not tensor.HasField("shape") or len(tensor.shape.dim) > MAXIMUM_RANK:
        return qonnx.UNKNOWN_TYPE
    # Some exporters write 0 or -1 for a dimension that they don't know.
    return TensorType(
        element_type,
        [
            each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else DYNAMIC_INDEX
            for each in tensor.shape.dim
        ],
    )


def _input_type(info: onnx.ValueInfoProto) -> Attribute:
    """The type of a model's input, which must be a tensor."""
    if info.type.WhichOneof("value") not in (None, "tensor_type"):
        raise ModelFileError(
            f"tensor {info.name}: this input of the model isn't a tensor but a {info.type.WhichOneof('value')}",
            remedy="Export the model with tensors as inputs.",
        )
    return _value_type(info)


def _in_running_order(
    nodes: Sequence[onnx.NodeProto], known: Mapping[str, SSAValue]
) -> Iterable[tuple[int, onnx.NodeProto]]:
    """
    The nodes, each after those whose outputs it reads; of those that are ready, the first in the file comes first.

    Raises ModelFileError for tensors with two producers or none, and for cycles.
    """
    producers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if name and (name in producers or name in known):
                raise ModelFileError(
                    f"tensor {name}: is produced by {node_label(node, index)} and by something else",
                    remedy="Export the model again.",
                )
            if name:
                producers[name] = index
    readers: list[list[int]] = [[] for _ in nodes]
    missing: list[int] = []
    for index, node in enumerate(nodes):
        sources: set[int] = set()
        for name in node.input:
            if name in producers:
                sources.add(producers[name])
            elif name and name not in known:
                raise ModelFileError(
                    f"{node_label(node, index)}: nothing produces its input {name}", remedy="Export the model again."
                )
        missing.append(len(sources))
        for source in sorted(sources):
            readers[source].append(index)
    ready = [index for index, count in enumerate(missing) if count == 0]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers[index]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    if len(order) != len(nodes):
        stuck = next(index for index, count in enumerate(missing) if count)
        raise ModelFileError(
            f"{node_label(nodes[stuck], stuck)}: depends on its own result", remedy="Export the model again."
        )
    return [(index, nodes[index]) for index in order]
