"""
Imports Keras models with the layers of QKeras, without TensorFlow: `load_keras` makes an ONNX model of them.

The ONNX model has the standard operators and QONNX's quantisers; `import_model` reads it as any other. Layers are
computed as Keras does at inference. What can't be expressed exactly is refused, naming the layer.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import onnx

from c4ml_xdsl.errors import ModelFileError, UnsupportedModelError
from c4ml_xdsl.frontend.keras_activations import apply_activation
from c4ml_xdsl.frontend.keras_config import NETWORKS, Layer, Network, Options, Reference, read_network
from c4ml_xdsl.frontend.keras_file import KerasFile, read_keras_file
from c4ml_xdsl.frontend.keras_graph import GraphBuilder, Value
from c4ml_xdsl.frontend.keras_shapes import IDENTITIES, SHAPE_LAYERS
from c4ml_xdsl.frontend.keras_weighted import WEIGHTED_LAYERS, Context
from c4ml_xdsl.frontend.onnx_file import checked_size


def load_keras(path: Path, weights: Path | None = None) -> onnx.ModelProto:
    """
    The ONNX model for a Keras model in a `.h5`, `.keras` or JSON file; JSON needs its file of `weights`.

    Inputs and outputs have Keras's layout, a batch of 1 and the names of Keras's layers. Raises ModelFileError where a
    file can't be read, is damaged or too large, or h5py isn't installed, and UnsupportedModelError, naming the layer,
    for what can't be expressed exactly.
    """
    return keras_to_onnx(read_keras_file(path, weights))


def keras_to_onnx(file: KerasFile) -> onnx.ModelProto:
    """The ONNX model for what has been read from files; raises what `load_keras` raises."""
    try:
        network = read_network(
            file.config.nested("config"),
            file.config.text("class_name"),
            shape=file.config.nested("build_config").get("input_shape") if file.config.get("build_config") else None,
        )
        return _Importer(file, network).model()
    except RecursionError as error:
        raise ModelFileError(f"{file.config.label}: its configuration is nested too deep") from error


class _Importer:
    """Turns a network's layers into nodes, each as soon as its inputs are known."""

    def __init__(self, file: KerasFile, network: Network):
        self.network = network
        self.graph = GraphBuilder(network.name)
        self.context = Context(self.graph, file.weights, file.keras_major)

    def model(self) -> onnx.ModelProto:
        inputs: list[Value] = []
        for reference in self.network.inputs:
            layer = _layer(self.network, reference)
            inputs.append(self.graph.input(layer.name, _input_shape(layer)))
        outputs = self.run(self.network, inputs)
        names = [each.layer for each in self.network.outputs]
        return self.graph.model(zip(names, outputs, strict=True))

    def run(self, network: Network, inputs: Sequence[Value]) -> list[Value]:
        """The values of a network's outputs for given inputs."""
        if len(inputs) != len(network.inputs):
            raise ModelFileError(f"{network.name}: {len(inputs)} inputs, where the model has {len(network.inputs)}")
        values: dict[Reference, Value] = {}
        for reference, value in zip(network.inputs, inputs, strict=True):
            values[reference] = value
        pending = [
            (layer, index, call)
            for layer in network.layers.values()
            if layer.kind != "InputLayer"
            for index, call in enumerate(layer.calls)
        ]
        while pending:
            waiting: list[tuple[Layer, int, tuple[Reference, ...]]] = []
            for layer, index, call in pending:
                if all(each in values for each in call):
                    results = self.layer(layer, [values[each] for each in call])
                    for position, result in enumerate(results):
                        checked_size(result.shape, layer.name)
                        values[Reference(layer.name, index, position)] = result
                else:
                    waiting.append((layer, index, call))
            if len(waiting) == len(pending):
                break
            pending = waiting
        for reference in network.outputs:
            if reference not in values:
                stuck = pending[0][0].name if pending else reference.layer
                raise ModelFileError(
                    f"{stuck}: its inputs don't come from the model's inputs", remedy="Save the model again."
                )
        return [values[each] for each in network.outputs]

    def layer(self, layer: Layer, inputs: list[Value]) -> list[Value]:
        """The outputs of one call of a layer."""
        _check_dtype(layer)
        if layer.kind in NETWORKS:
            scope = (*layer.scope, layer.name)
            inner = read_network(
                layer.options, layer.kind, scope, layer.position, shape=list(inputs[0].shape) if inputs else None
            )
            return self.run(inner, inputs)
        if not inputs:
            raise ModelFileError(f"{layer.name}: it has no inputs", remedy="Save the model again.")
        if layer.kind in IDENTITIES:
            return [inputs[0]]
        merge = SHAPE_LAYERS.get(layer.kind)
        if merge is not None:
            return [merge(self.context, layer, inputs)]
        if len(inputs) != 1:
            if layer.kind in WEIGHTED_LAYERS or layer.kind in _ACTIVATIONS:
                raise ModelFileError(f"{layer.name}: {len(inputs)} inputs, where {layer.kind} has one")
        elif layer.kind in WEIGHTED_LAYERS:
            value = WEIGHTED_LAYERS[layer.kind](self.context, layer, inputs[0])
            return [self.activated(layer, value)]
        elif layer.kind in _ACTIVATIONS:
            return [self.activated(layer, inputs[0])]
        raise UnsupportedModelError(
            layer.name,
            f"the layer {layer.kind} isn't supported",
            remedy=_REMEDIES.get(
                layer.kind, "Build the model without it; docs/operators.md lists the layers that can be read."
            ),
        )

    def activated(self, layer: Layer, value: Value) -> Value:
        """The value behind the activation that a layer's options name."""
        return apply_activation(
            self.graph,
            value,
            layer.options.get("activation"),
            layer.name,
            qkeras=layer.kind.startswith("Q"),
            keras_major=self.context.keras_major,
        )


_ACTIVATIONS = ("Activation", "QActivation")

_REMEDIES: Mapping[str, str] = {
    "Lambda": "Replace it by layers: the code inside of a Lambda isn't read.",
    "TFOpLambda": "Use the layer for the operation, such as Add or Multiply, instead of a TensorFlow function.",
    "SlicingOpLambda": "Build the model without indexing of tensors.",
    "PruneLowMagnitude": "Remove the pruning wrappers with tensorflow_model_optimization's strip_pruning first.",
    "QAdaptiveActivation": "Replace it by a QActivation with the integer bits that training has found.",
}


def _layer(network: Network, reference: Reference) -> Layer:
    layer = network.layers.get(reference.layer)
    if layer is None or layer.kind != "InputLayer":
        raise ModelFileError(f"{reference.layer}: an input of the model isn't an input layer")
    return layer


def _input_shape(layer: Layer) -> tuple[int, ...]:
    """The shape of an input with a batch of 1."""
    options = layer.options
    _check_dtype(layer)
    name = "batch_shape" if options.get("batch_input_shape") is None else "batch_input_shape"
    given = options.get(name)
    # The batch is null where it is free.
    known = Options(options.label, {name: cast(list[object], given)[1:]} if isinstance(given, list) else {})
    shape = known.integers(name) if known.entries and None not in cast(list[object], known.get(name)) else (0,)
    if any(each < 1 for each in shape):
        raise layer.unsupported(
            "the shape of the input isn't known", "Build the model with a fixed shape; only the batch may be free."
        )
    checked_size(shape, layer.name)
    return (1, *shape)


def _check_dtype(layer: Layer) -> None:
    """Refuses layers that compute in another type than float32."""
    match layer.options.get("dtype"):
        case None | "float32" | {"config": {"name": "float32"}}:
            return
        case other:
            raise layer.unsupported(f"it computes in {str(other)[:80]}", "Build the model in float32.")
