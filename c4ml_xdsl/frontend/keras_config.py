"""
The configuration of a Keras model: its layers and how they are connected.

Keras 2 writes connections as nested lists of `[layer, call, tensor, arguments]`, Keras 3 as tensors with a
`keras_history`; a Sequential model has none.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, cast

from c4ml_xdsl.errors import ModelFileError, UnsupportedModelError

MAXIMUM_LAYERS = 20_000
NETWORKS = ("Sequential", "Functional", "Model")
"""The classes of models, which may also be layers of a model."""

_SAVE_AGAIN = "Save the model again, or copy the whole file again."
_MAXIMUM_DEPTH = 16
_MAXIMUM_NAME_LENGTH = 1000


@dataclass(frozen=True)
class Options:
    """
    The entries of a configuration, each read as the type that it must have.

    Reading raises ModelFileError, with `label` in front, for an entry of another type and for one that is missing and
    has no default. An entry that is null counts as missing.
    """

    label: str
    entries: Mapping[str, object]

    def get(self, name: str) -> object:
        """An entry as it is, None where it is missing."""
        return self.entries.get(name)

    def wrong(self, name: str, wanted: str) -> ModelFileError:
        """The error for an entry that isn't what it must be."""
        value = repr(self.get(name))
        shown = value if len(value) <= 80 else value[:79] + "…"
        return ModelFileError(f"{self.label}: {name} is {shown}, not {wanted}", remedy=_SAVE_AGAIN)

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        value = default if self.get(name) is None else self.get(name)
        if not isinstance(value, str) or len(value) > _MAXIMUM_NAME_LENGTH:
            raise self.wrong(name, "a text")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """A truth value; Keras also writes 0 and 1."""
        value = default if self.get(name) is None else self.get(name)
        if value not in (False, True):
            raise self.wrong(name, "true or false")
        return bool(value)

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number of at most 31 bits."""
        value = default if self.get(name) is None else self.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or abs(value) >= 1 << 31:
            raise self.wrong(name, "a whole number")
        return int(value)

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        value = default if self.get(name) is None else self.get(name)
        if not isinstance(value, int | float) or not abs(value) < 3e38:
            raise self.wrong(name, "a number")
        return float(value)

    def integers(self, name: str, count: int | None = None, default: int | None = None) -> tuple[int, ...]:
        """A list of `count` whole numbers; one number stands for `count` equal ones."""
        value = self.get(name)
        if value is None and default is not None:
            value = default
        if isinstance(value, int) and count is not None:
            value = [value] * count
        if not isinstance(value, list):
            raise self.wrong(name, "a list of whole numbers")
        numbers = tuple(
            int(each) for each in cast(list[object], value) if isinstance(each, int) and abs(each) < 1 << 31
        )
        if len(numbers) != len(cast(list[object], value)) or (count is not None and len(numbers) != count):
            raise self.wrong(name, f"a list of {'' if count is None else f'{count} '}whole numbers")
        return numbers

    def nested(self, name: str) -> "Options":
        """A configuration inside of this one."""
        return Options(self.label, _mapping(self.get(name), self.label, name))


class Reference(NamedTuple):
    """A tensor: the layer that gives it, which of the layer's calls, which of the call's outputs."""

    layer: str
    call: int
    tensor: int


@dataclass(frozen=True)
class Layer:
    """
    A layer: its class, its options, and the tensors that each of its calls reads.

    `scope` names the models that it lies in, without the outermost; `position` is where Keras's newer files keep its
    weights.
    """

    kind: str
    name: str
    options: Options
    calls: tuple[tuple[Reference, ...], ...]
    scope: tuple[str, ...]
    position: tuple[str, ...]

    def unsupported(self, reason: str, remedy: str) -> UnsupportedModelError:
        """The error for a layer that can't be compiled."""
        return UnsupportedModelError(self.name, reason, remedy=remedy)


@dataclass(frozen=True)
class Network:
    """A model: layers by name, and the tensors that are its inputs and outputs."""

    name: str
    layers: Mapping[str, Layer]
    inputs: tuple[Reference, ...]
    outputs: tuple[Reference, ...]


def read_network(
    config: Options, kind: str, scope: tuple[str, ...] = (), position: tuple[str, ...] = (), shape: object = None
) -> Network:
    """
    The network that a model's configuration (its `config`, not what stands around it) describes.

    `shape` is the shape of the input where the configuration itself has none. Raises ModelFileError for configurations
    that aren't sound and UnsupportedModelError for models of a class of their own.
    """
    name = config.text("name", "model")
    if kind not in NETWORKS or not isinstance(config.get("layers"), list):
        raise UnsupportedModelError(
            name, f"a model of the class {kind} can't be read", remedy="Build it as a Sequential or Functional model."
        )
    if len(scope) > _MAXIMUM_DEPTH:
        raise ModelFileError(f"{name}: models within models, {_MAXIMUM_DEPTH} deep")
    entries = cast(list[object], config.get("layers"))
    if not 0 < len(entries) <= MAXIMUM_LAYERS:
        raise ModelFileError(f"{name}: {len(entries)} layers, where 1 to {MAXIMUM_LAYERS} can be read")
    if kind == "Sequential":
        entries = _with_input(config, entries, shape)
    layers: dict[str, Layer] = {}
    classes: Counter[str] = Counter()
    for entry in entries:
        whole = Options(name, _mapping(entry, name, "a layer"))
        layer_kind = whole.text("class_name")
        options = whole.nested("config")
        layer_name = whole.text("name", options.text("name", layer_kind))
        snake = _snake_case(layer_kind)
        place = f"{snake}_{classes[snake]}" if classes[snake] else snake
        classes[snake] += 1
        calls = _calls(whole.get("inbound_nodes"), layer_name)
        layer = Layer(
            layer_kind,
            layer_name,
            Options(layer_name, options.entries),
            calls,
            scope,
            (*position, "layers", place),
        )
        if layer_name in layers:
            raise ModelFileError(f"{layer_name}: two layers have this name", remedy=_SAVE_AGAIN)
        layers[layer_name] = layer
    if kind == "Sequential":
        order = list(layers)
        for before, after in pairwise(order):
            layers[after] = _called(layers[after], (Reference(before, 0, 0),))
        return Network(name, layers, (Reference(order[0], 0, 0),), (Reference(order[-1], 0, 0),))
    outputs = _references(config.get("output_layers"), name)
    # Keras 2 counts the call that made a nested model as its first, and these references count with it.
    own = {layer.name for layer in layers.values() if _counts_its_own_call(layer)}

    def counted(references: Sequence[Reference]) -> tuple[Reference, ...]:
        return tuple(each._replace(call=each.call - 1) if each.layer in own else each for each in references)

    if own:
        layers = {key: _called(layer, *map(counted, layer.calls)) for key, layer in layers.items()}
    return Network(name, layers, _references(config.get("input_layers"), name), counted(outputs))


def _called(layer: Layer, *calls: tuple[Reference, ...]) -> Layer:
    return Layer(layer.kind, layer.name, layer.options, calls, layer.scope, layer.position)


def _counts_its_own_call(layer: Layer) -> bool:
    inner = layer.options.get("layers")
    if layer.kind not in NETWORKS or not isinstance(inner, list) or not inner:
        return False
    first = cast(list[object], inner)[0]
    if not isinstance(first, Mapping) or cast(Mapping[str, object], first).get("class_name") != "InputLayer":
        return False
    return "batch_shape" not in _mapping(cast(Mapping[str, object], first).get("config"), layer.name, "its input")


def _with_input(config: Options, entries: list[object], shape: object) -> list[object]:
    """The layers of a Sequential model behind an InputLayer, which its first layer's configuration may stand for."""
    first = Options(config.label, _mapping(entries[0], config.label, "a layer"))
    if first.text("class_name") == "InputLayer":
        return entries
    options = first.nested("config")
    for given in (
        options.get("batch_input_shape"),
        options.get("batch_shape"),
        config.get("build_input_shape"),
        shape,
    ):
        if given is not None:
            name = f"{options.text('name', 'model')}_input"
            return [{"class_name": "InputLayer", "config": {"batch_input_shape": given, "name": name}}, *entries]
    raise ModelFileError(
        f"{config.text('name', 'model')}: the shape of the input isn't in the file",
        remedy="Begin the model with an Input layer, or call model.build(shape) before saving it.",
    )


def _mapping(value: object, label: str, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ModelFileError(f"{label}: {what} isn't a configuration", remedy=_SAVE_AGAIN)
    return cast(Mapping[str, object], value)


def _calls(nodes: object, label: str) -> tuple[tuple[Reference, ...], ...]:
    """The tensors that each call of a layer reads."""
    if nodes is None:
        return ()
    if not isinstance(nodes, list):
        raise ModelFileError(f"{label}: its connections aren't a list", remedy=_SAVE_AGAIN)
    calls: list[tuple[Reference, ...]] = []
    for node in cast(list[object], nodes):
        if isinstance(node, dict):
            call = cast(dict[str, object], node)
            found = tuple(_tensors(call.get("args"), label))
            _check_arguments(call.get("kwargs"), label)
            calls.append(found)
        else:
            calls.append(_references(node, label))
    return tuple(calls)


def _references(value: object, label: str) -> tuple[Reference, ...]:
    """Keras 2's nested lists of tensors; one tensor may stand without the list around it."""
    if isinstance(value, dict):  # several inputs by their names
        value = list(cast(dict[str, object], value).values())
    if not isinstance(value, list) or not value:
        raise ModelFileError(f"{label}: its connections aren't a list", remedy=_SAVE_AGAIN)
    entries = cast(list[object], value)
    match entries:
        case [str() as layer, int() as call, int() as tensor, *rest]:
            for arguments in rest:
                _check_arguments(arguments, label)
            return (Reference(layer, call, tensor),)
        case _:
            if any(isinstance(each, str | int) for each in entries):
                raise ModelFileError(f"{label}: a connection isn't [layer, call, tensor]", remedy=_SAVE_AGAIN)
            return tuple(reference for each in entries for reference in _references(each, label))


def _tensors(value: object, label: str, depth: int = 0) -> list[Reference]:
    """The tensors among the arguments of a call, as Keras 3 writes them."""
    if depth > _MAXIMUM_DEPTH:
        raise ModelFileError(f"{label}: its arguments are nested too deep", remedy=_SAVE_AGAIN)
    if isinstance(value, list):
        return [found for each in cast(list[object], value) for found in _tensors(each, label, depth + 1)]
    if isinstance(value, dict):
        options = Options(label, cast(dict[str, object], value))
        if options.get("class_name") == "__keras_tensor__":
            return list(_references(options.nested("config").get("keras_history"), label))
    return []


def _check_arguments(arguments: object, label: str) -> None:
    """Refuses calls with arguments that change what the layer computes."""
    if arguments in (None, {}):
        return
    entries = _mapping(arguments, label, "its arguments")
    for name, value in entries.items():
        if value is not None and not (name == "training" and value is False):
            raise UnsupportedModelError(
                label, f"is called with the argument {name}", remedy="Call the layer with tensors only."
            )


def _snake_case(name: str) -> str:
    """The name that Keras's newer files derive from a class's name."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
