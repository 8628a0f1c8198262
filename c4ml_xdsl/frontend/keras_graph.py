"""
Builds the ONNX graph of a Keras model.

Keras keeps channels last, ONNX's convolutions and poolings want them first. A value knows in which of the two layouts
its tensor is and is transposed only where the other one is needed, so transposes between such layers never arise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from c4ml_xdsl.frontend.keras_codes import Codes

OPSET = 20
QONNX_DOMAIN = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Value:
    """
    A tensor of the Keras model: its tensor in the graph and its shape as Keras has it, the batch first and 1.

    `first` says that the tensor in the graph has the last axis of `shape` as its second one.
    """

    tensor: str
    shape: tuple[int, ...]
    first: bool = False

    def with_tensor(self, tensor: str) -> "Value":
        """The same shape and layout with another tensor."""
        return Value(tensor, self.shape, self.first)

    def axis(self, axis: int) -> int:
        """The axis of the tensor in the graph for an axis of the Keras shape."""
        axis %= len(self.shape)
        if not self.first or axis == 0:
            return axis
        return 1 if axis == len(self.shape) - 1 else axis + 1


class GraphBuilder:
    """Collects the nodes and constants of a graph; every node is named after the Keras layer it belongs to."""

    def __init__(self, name: str):
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.names: set[str] = set()
        self.other_layout: dict[str, str] = {}
        self.renamed: dict[str, str] = {}

    def unique(self, name: str) -> str:
        """A name that nothing in the graph has yet."""
        chosen, count = name, 0
        while chosen in self.names:
            count += 1
            chosen = f"{name}_{count}"
        self.names.add(chosen)
        return chosen

    def input(self, name: str, shape: tuple[int, ...]) -> Value:
        """A further input of the graph."""
        tensor = self.unique(name)
        self.inputs.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape))
        return Value(tensor, shape)

    def constant(self, array: NDArray[Any] | float, name: str) -> str:
        """A constant tensor; numbers become float32 scalars."""
        tensor = self.unique(name)
        values = np.asarray(array, np.float32) if isinstance(array, float | int) else np.ascontiguousarray(array)
        self.initializers.append(numpy_helper.from_array(values.reshape(np.shape(array)), tensor))
        return tensor

    def node(self, operator: str, inputs: Sequence[str], label: str, **attributes: Any) -> str:
        """A node for the layer `label`; returns its output."""
        name = self.unique(f"{label}_{operator}")
        domain = QONNX_DOMAIN if operator in ("Quant", "BipolarQuant") else ""
        output = self.unique(f"{name}_out")
        node = helper.make_node(operator, list(inputs), [output], name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def binary(self, operator: str, x: str, number: NDArray[np.float32] | np.float32 | float, label: str) -> str:
        """A node of a tensor and a constant."""
        return self.node(operator, [x, self.constant(np.asarray(number, np.float32), f"{label}_{operator}_by")], label)

    def quant(
        self,
        x: str,
        label: str,
        *,
        scale: NDArray[np.float32],
        bits: int,
        signed: bool,
        narrow: bool = False,
        rounding: str = "ROUND",
    ) -> str:
        """A quantiser; one signed bit makes it a BipolarQuant."""
        constants = [self.constant(np.asarray(scale, np.float32), f"{label}_scale")]
        if bits == 1 and signed:
            return self.node("BipolarQuant", [x, *constants], label)
        constants += [self.constant(0.0, f"{label}_zero_point"), self.constant(float(bits), f"{label}_bits")]
        return self.node(
            "Quant", [x, *constants], label, signed=int(signed), narrow=int(narrow), rounding_mode=rounding
        )

    def weights(self, codes: Codes, label: str, name: str) -> str:
        """Quantised weights: a constant and the quantiser that gives back exactly its values."""
        tensor = self.constant(codes.values, f"{label}_{name}")
        return self.quant(
            tensor,
            f"{label}_{name}",
            scale=codes.scale,
            bits=codes.bits,
            signed=codes.signed,
            narrow=codes.narrow,
        )

    def last(self, value: Value, label: str) -> str:
        """The value's tensor as Keras has it, channels last."""
        return self._other(value, label) if value.first else value.tensor

    def first(self, value: Value, label: str) -> str:
        """The value's tensor with the channels as the second axis."""
        return value.tensor if value.first or len(value.shape) < 3 else self._other(value, label)

    def _other(self, value: Value, label: str) -> str:
        """The value's tensor in the layout that it isn't in, which is made once."""
        found = self.other_layout.get(value.tensor)
        if found is None:
            rank = len(value.shape)
            order = (0, *range(2, rank), 1) if value.first else (0, rank - 1, *range(1, rank - 1))
            found = self.node("Transpose", [value.tensor], label, perm=list(order))
            self.other_layout[value.tensor] = found
            self.other_layout[found] = value.tensor
        return found

    def model(self, outputs: Iterable[tuple[str, Value]]) -> onnx.ModelProto:
        """The finished model with outputs of the given names."""
        infos: list[onnx.ValueInfoProto] = []
        for name, value in outputs:
            source = self.last(value.with_tensor(self.renamed.get(value.tensor, value.tensor)), name)
            output = self.unique(name)
            if source in {each.name for each in (*self.inputs, *infos)}:
                self.nodes.append(helper.make_node("Identity", [source], [output], name=self.unique(f"{name}_output")))
            else:
                self._rename(source, output)
            infos.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, value.shape))
        graph = helper.make_graph(self.nodes, self.name, self.inputs, infos, self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX_DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="c4ml-xdsl")

    def _rename(self, old: str, new: str) -> None:
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == old:
                        names[index] = new
        # Another output may be the same tensor, or its transpose.
        self.renamed[old] = new
        self.other_layout = {
            (new if key == old else key): (new if value == old else value) for key, value in self.other_layout.items()
        }
