"""`circuit.trace(x)`: every tensor of each level, and the first one that differs between two of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from c4ml_xdsl.circuit import Circuit, given_stream
from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.differences import Difference, difference, differing, integer_difference
from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters import qonnx as qonnx_interpreter
from c4ml_xdsl.interpreters.hw import HwInterpreter, Instance, Value, unpack
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.layer_outputs import LayerOutput, layer_outputs, network_names
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import Port
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.summary import TensorForm

Level: TypeAlias = Literal["model", "lbir", "hw"]
LEVELS: tuple[Level, ...] = ("model", "lbir", "hw")


@dataclass(frozen=True)
class Trace:
    """
    The tensors of a circuit's levels, by the model's names for them, each (samples, *shape).

    What the model computes between two quantisers is one step of `lbir`, and what `lbir` computes in one layer is one
    of `hw`, so later levels have fewer tensors. A name means the same tensor in each level.
    """

    model: dict[str, NDArray[Any]]
    """The tensors of the QONNX model in its own units; empty where the model isn't at hand."""
    lbir: dict[str, Integers]
    """The integer tensors; those that the model has no name for are called after the tensor they come of."""
    hw: dict[str, Integers]
    """
    What the modules of the design give as integers, put together from all instances.

    Elements that nothing reads aren't built: they are those of `lbir`.
    """
    instances: dict[str, Integers]
    """The same as the instances of each module have it, by the module's name: (samples, instances, elements)."""
    forms: Mapping[str, tuple[str, TensorForm]] = field(repr=False)
    """The tensors of the model that are scaled integers: their names in `lbir`, scales and zero points."""
    outputs: Mapping[str, Port] = field(repr=False)
    ambiguous: Mapping[str, NDArray[np.bool_]] = field(repr=False)
    """The samples in which float error may decide the step to a tensor of the model, by its name."""

    def __getitem__(self, tensor: str) -> dict[Level, NDArray[Any]]:
        """A tensor in the levels that have it; raises KeyError where none has."""
        found: dict[Level, NDArray[Any]] = {
            level: tensors[tensor] for level, tensors in self._levels() if tensor in tensors
        }
        if not found:
            raise KeyError(tensor)
        return found

    def __iter__(self) -> Iterator[str]:
        """The names of all tensors, each once."""
        return iter(dict.fromkeys(name for _, tensors in self._levels() for name in tensors))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _levels(self) -> list[tuple[Level, dict[str, NDArray[Any]]]]:
        return [(level, cast("dict[str, NDArray[Any]]", getattr(self, level))) for level in LEVELS]

    def values(self, tensor: str, level: Literal["lbir", "hw"] = "lbir") -> NDArray[np.float64]:
        """
        A tensor of the model as what a level has it as, in the model's units.

        Raises KeyError where the level hasn't got it or the model doesn't say its scale.
        """
        found: dict[str, Integers] = getattr(self, level)
        if tensor in self.outputs:
            return self.outputs[tensor].values(found[tensor])
        name, form = self.forms[tensor]
        integers = found[name]
        # the model's batch axis of 1, which samples have taken, counts in the forms
        batch = (1,) * (form.scale.ndim - integers.ndim + 1)
        values = (integers.reshape(len(integers), *batch, *integers.shape[1:]) - form.zero_point) * form.scale
        return values.reshape(self.model[tensor].shape if tensor in self.model else integers.shape)

    def first_difference(self, before: Level | None = None, after: Level | None = None) -> Difference | None:
        """
        The first tensor, in the order in which it is computed, that differs between two levels; None where none does.

        Without levels the model is compared with `lbir` and that with `hw`. Integers must be equal; what the model has
        in floats must be the integers' value within float error, but in samples that float error itself decides.
        """
        if before is None and after is None:
            pairs: list[tuple[Level, Level]] = [("model", "lbir"), ("lbir", "hw")]
        else:
            first, second = before or "model", after or "hw"
            if first not in LEVELS or second not in LEVELS or LEVELS.index(first) >= LEVELS.index(second):
                raise InputDataError(
                    f"{first} and {second} are no levels in order", remedy=f"Choose two of {', '.join(LEVELS)}."
                )
            pairs = [(first, second)]
        return next((found for pair in pairs for found in self._differences(*pair)), None)

    def _differences(self, before: Level, after: Level) -> Iterator[Difference]:
        if before == "lbir":
            for tensor, want in self.lbir.items():
                if tensor in self.hw:
                    found = integer_difference(tensor, before, after, self.hw[tensor], want)
                    if found is not None:
                        yield found
            return
        integers: dict[str, Integers] = getattr(self, after)
        excused = np.zeros(len(next(iter(integers.values()))), np.bool_)
        """Samples where the model may have decided otherwise than exact arithmetic, as far as the order has come."""
        for tensor, want in self.model.items():
            port, marked = self.outputs.get(tensor), self.ambiguous[tensor]
            name = tensor if port is not None else self.forms[tensor][0] if tensor in self.forms else None
            if name not in integers:
                excused = excused | marked
                continue
            scale = np.asarray(port.scale) if port is not None else self.forms[tensor][1].scale
            step = 1.0 if port is not None and port.after else float(np.min(np.abs(scale)))
            got = self.values(tensor, "lbir" if after == "lbir" else "hw")
            differs = differing(got, want, step)
            found = difference(tensor, before, after, got, want, differs, excused | marked)
            if found is not None:
                yield found
            excused = excused | (marked & differs.reshape(len(differs), -1).any(axis=1))

    def __str__(self) -> str:
        """A table: each tensor, its shape, and its least and greatest value in each level."""
        rows: list[tuple[str, ...]] = [("tensor", "shape", *LEVELS)]
        for tensor in self:
            found = self[tensor]
            shape = "×".join(map(str, next(iter(found.values())).shape[1:])) or "1"
            ranges = (f"{found[each].min():.6g} to {found[each].max():.6g}" if each in found else "" for each in LEVELS)
            rows.append((tensor, shape, *ranges))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        samples = len(next(iter(self.lbir.values())))
        return "\n".join([f"{samples} samples", *lines])


def trace_model(
    module: ModuleOp, inputs: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.bool_]]]:
    """Every tensor that the graph computes of the inputs, by name; and the samples that float error may decide."""
    graph = qonnx_interpreter.graph_of(module)
    names: dict[SSAValue, str] = {}
    for node in graph.body.block.ops:
        if isinstance(node, qonnx.NodeOp) and node.output_names is not None:
            names.update((value, name.data) for name, value in zip(node.output_names, node.results, strict=False))
    names.update((value, name) for name, value in graph.outputs.items())
    samples = len(next(iter(inputs.values())))
    found: dict[str, NDArray[Any]] = dict(inputs)
    marks = {name: np.zeros(samples, np.bool_) for name in inputs}

    def observe(value: SSAValue, array: NDArray[Any], marked: NDArray[np.bool_]) -> None:
        if names.get(value):
            found[names[value]], marks[names[value]] = array, marked

    results = qonnx_interpreter.run(module, inputs, ambiguous=np.zeros(samples, np.bool_), observe=observe)
    for name, array in results.items():  # what doesn't depend on the inputs
        found.setdefault(name, array)
        marks.setdefault(name, np.zeros(samples, np.bool_))
    return found, marks


def trace_lbir(module: ModuleOp, inputs: Mapping[str, Integers]) -> dict[SSAValue, Integers]:
    """Every tensor of the network by its value, each (samples, *its shape)."""
    found: dict[SSAValue, Integers] = {}
    lbir_interpreter.run(module, inputs, found.__setitem__)
    return found


def trace_hw(
    design: ModuleOp,
    top: str,
    ports: Sequence[Port],
    latency: int,
    layers: Sequence[LayerOutput],
    inputs: Mapping[str, Integers],
) -> tuple[dict[str, Integers], dict[str, Integers]]:
    """
    What the instances of each module give by its name, (samples, instances, elements), and the design's outputs.

    `latency` and the layers' stages are taken off: an entry of the batch is one sample.
    """
    interpreter = HwInterpreter(design)
    results_of: dict[SSAValue, str] = {
        operation.results[0]: operation.instance_name.data
        for operation in interpreter.modules[top].body.block.ops
        if isinstance(operation, hw.InstanceOp)
    }
    given: dict[str, Value] = {}

    def observe(_: Sequence[Instance], value: SSAValue, result: Value) -> None:
        if value in results_of:
            given[results_of[value]] = result

    ins = [port for port in ports if port.direction == "input"]
    samples = len(next(iter(inputs.values())))
    results = interpreter.run(top, given_stream(inputs, ins, latency), observe)
    outputs = {
        port.tensor: unpack(results[port.name], port.elements, port.bits, port.signed)[latency:]
        for port in ports
        if port.direction == "output"
    }
    return {layer.module: layer.rows_of(given, samples) for layer in layers}, outputs


def trace(circuit: Circuit, integers: Mapping[str, Integers], values: Mapping[str, NDArray[Any]]) -> Trace:
    """The trace of a circuit on integers at its ports, and on the values, with an axis of samples, that they are of."""
    network = network_of(circuit.lbir)
    names = network_names(network, circuit.tensors)
    samples = len(next(iter(integers.values())))
    shapes = {name: lbir.shape_of(value) for value, name in names.items()}

    def plain(name: str, array: Integers) -> Integers:
        shape = shapes[name]
        return array.reshape(samples, *(shape[1:] if shape[:1] == (1,) else shape))

    found = trace_lbir(circuit.lbir, integers)
    network_tensors = {name: plain(name, found[value]) for value, name in names.items()}
    ordered = {names[value]: network_tensors[names[value]] for value in found}
    layers = layer_outputs(circuit.lbir, circuit.hw, circuit.top, circuit.tensors)
    rows, results = trace_hw(circuit.hw, circuit.top, circuit.ports, circuit.interface.latency, layers, integers)
    modules = {
        layer.tensor: plain(layer.tensor, layer.tensor_beside(rows[layer.module], network_tensors[layer.tensor]))
        for layer in layers
    }
    outputs = {port.tensor: port for port in circuit.ports if port.direction == "output"}
    for port, value in zip(network.outputs, network.output_op.operands, strict=True):
        tensor, name = port.tensor.data, names[value]
        ordered.setdefault(tensor, ordered[name])
        modules[tensor] = results[tensor].reshape(ordered[tensor].shape)
    model: dict[str, NDArray[Any]] = {}
    marks: dict[str, NDArray[np.bool_]] = {}
    forms: dict[str, tuple[str, TensorForm]] = {}
    if circuit.reference is not None:
        model, marks = trace_model(circuit.reference.module, values)
        for port in circuit.ports:
            if port.direction == "input":
                marks[port.tensor] = ~port.decided(values[port.tensor])
        operations = list(network.body.block.ops)
        for tensor, form in circuit.reference.forms.items():
            value = (
                network.body.block.args[form.argument]
                if form.argument is not None
                else operations[form.operation or 0].results[0]
            )
            forms[tensor] = names[value], form
    return Trace(model, ordered, modules, rows, forms, outputs, marks)
