"""What the tensors of a network and the outputs of a design's layers are called, and how they lie in the ports."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.hw import Value, unpack
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.stages import stages_of
from c4ml_xdsl.transforms.convert_neuron_to_hw import AXES, OPERATIONS
from c4ml_xdsl.transforms.neuron_drop_unread import UNREAD


def network_names(network: lbir.NetworkOp, tensors: Mapping[str, str]) -> dict[SSAValue, str]:
    """
    A name for every value of a network, each another one.

    The last value that comes of a node of the model has the name of the node's output in `tensors`, which holds it by
    what the node is called, else that of the node. Others are called after it, or after what they are computed of.
    """
    names: dict[SSAValue, str] = {}
    taken: set[str] = set()

    def give(value: SSAValue, wanted: str) -> None:
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}#{count}"
        taken.add(name)
        names[value] = name

    for port, argument in zip(network.inputs, network.body.block.args, strict=True):
        give(argument, port.tensor.data)
    operations = [each for each in network.body.block.ops if isinstance(each, lbir.LayerOp)]
    # an output is called what its port is, whatever else would be called so
    for port, value in zip(network.outputs, network.output_op.operands, strict=True):
        if value not in names:
            give(value, port.tensor.data)
    left = Counter(each.label for each in operations if each.node is not None)
    for operation in operations:
        wanted = f"{names[operation.operands[0]]}.{operation.name.removeprefix('lbir.')}"
        if operation.node is not None:
            left[operation.label] -= 1
            wanted = tensors.get(operation.label, operation.label)
            if left[operation.label]:
                wanted += f".{operation.name.removeprefix('lbir.')}"
        if operation.results[0] not in names:
            give(operation.results[0], wanted)
    return names


@dataclass(frozen=True)
class LayerOutput:
    """The tensor that the instances of a module give: each gives a row of it."""

    module: str
    node: str
    """The node of the model that the layer comes of, the last one where several were put together."""
    tensor: str
    shape: tuple[int, ...]
    """That of the network's tensor."""
    axes: tuple[int, ...]
    """The tensor's axes in the order in which rows count its elements."""
    bits: int
    signed: bool
    instances: tuple[str, ...]
    """In the order of their rows."""
    stage: int
    """How many cycles after the inputs it is there."""
    unread: tuple[int, ...] = ()
    """Which elements of a row nothing reads: the modules give a constant there."""

    def elements(self) -> Integers:
        """The tensor's elements, counted row-major, that each instance gives: (instances, elements)."""
        numbers = np.arange(int(np.prod(self.shape, dtype=np.int64))).reshape(self.shape)
        return numbers.transpose(self.axes).reshape(len(self.instances), -1)

    def rows_of(self, values: Mapping[str, Value], samples: int) -> Integers:
        """What the instances give, by their names, as integers: (samples, instances, elements)."""
        size = self.elements().shape[1]
        rows = [unpack(values[name], size, self.bits, self.signed) for name in self.instances]
        return np.stack(rows, axis=1)[self.stage : self.stage + samples]

    def tensor_of(self, rows: Integers) -> Integers:
        """The tensor (samples, *shape) that rows make up."""
        ordered = rows.reshape(len(rows), *(self.shape[axis] for axis in self.axes))
        return ordered.transpose(0, *(int(axis) + 1 for axis in np.argsort(self.axes)))

    def tensor_beside(self, rows: Integers, want: Integers) -> Integers:
        """The tensor that rows make up, with what is wanted at elements that nothing reads."""
        found, tensor = self.tensor_of(rows), np.reshape(want, (len(want), *self.shape))
        if not self.unread:
            return found
        idle = np.zeros(self.elements().shape, np.int64)
        idle[:, list(self.unread)] = 1
        return np.where(self.tensor_of(idle[None])[0] == 1, tensor, found)

    def to_json(self) -> dict[str, Any]:
        """The entry of a layer in report.json; instances and stages stand elsewhere."""
        return {
            "node": self.node,
            "tensor": self.tensor,
            "shape": list(self.shape),
            "axes": list(self.axes),
            "bits": self.bits,
            "signed": self.signed,
            "unread": list(self.unread),
        }

    @classmethod
    def from_json(cls, module: str, entry: Mapping[str, Any], instances: Sequence[str], stage: int) -> "LayerOutput":
        """The output of a layer's entry; raises KeyError, TypeError or ValueError for what is none."""
        return cls(
            module,
            str(entry["node"]),
            str(entry["tensor"]),
            tuple(map(int, entry["shape"])),
            tuple(map(int, entry["axes"])),
            int(entry["bits"]),
            bool(entry["signed"]),
            tuple(instances),
            stage,
            tuple(map(int, entry["unread"])),
        )


def layer_outputs(
    network_module: ModuleOp, design: ModuleOp, top: str, tensors: Mapping[str, str]
) -> list[LayerOutput]:
    """The outputs of all modules that say what they stand for, in the order of the network."""
    network = network_of(network_module)
    operations = list(network.body.block.ops)
    names = network_names(network, tensors)
    modules = {each.sym_name.data: each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp)}
    instances: dict[str, list[str]] = {}
    for operation in modules[top].body.block.ops:
        if isinstance(operation, hw.InstanceOp):
            instances.setdefault(operation.module_name.string_value(), []).append(operation.instance_name.data)
    found: list[tuple[int, LayerOutput]] = []
    for name, module in modules.items():
        positions, axes = module.attributes.get(OPERATIONS), module.attributes.get(AXES)
        if name not in instances or not isinstance(positions, lbir.NumbersAttr) or not positions.data:
            continue
        operation = operations[positions.data[-1]]
        value = operation.results[0]
        shape, element = lbir.shape_of(value), lbir.range_of(value)
        order = axes.data if isinstance(axes, lbir.NumbersAttr) else range(len(shape))
        output = LayerOutput(
            name,
            operation.label if isinstance(operation, lbir.LayerOp) else names[operation.results[0]],
            names[value],
            shape,
            tuple(order),
            element.bits,
            element.signed,
            tuple(instances[name]),
            stages_of(module)[1],
            unread.data if isinstance(unread := module.attributes.get(UNREAD), lbir.NumbersAttr) else (),
        )
        found.append((positions.data[-1], output))
    return [output for _, output in sorted(found, key=lambda each: each[0])]
