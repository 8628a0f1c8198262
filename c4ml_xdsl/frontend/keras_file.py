"""
Reads the files of Keras models, which are untrusted input: their configuration and their weights.

Three forms are read: `.h5` (Keras's legacy HDF5), `.keras` (an archive of JSON and HDF5), and JSON from
`model.to_json()` beside a file of weights (`.h5` of either layout). Sizes are checked before anything is allocated, and
nothing in a file is executed.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.errors import ModelFileError
from c4ml_xdsl.frontend.keras_config import Layer, Options
from c4ml_xdsl.frontend.onnx_file import MAXIMUM_ELEMENTS, MAXIMUM_FILE_BYTES, checked_size

MAXIMUM_CONFIG_BYTES = 64 << 20
"""The most bytes that a model's configuration may have."""

_SAVE_AGAIN = "Save the model again, or copy the whole file again."
_MAXIMUM_OBJECTS = 100_000
_MAXIMUM_DEPTH = 32


@dataclass(frozen=True)
class KerasFile:
    """A model's configuration, its weights, and the major version of the Keras that wrote it."""

    config: Options
    weights: "KerasWeights"
    keras_major: int


def read_keras_file(path: Path, weights: Path | None = None) -> KerasFile:
    """
    Reads a model from `path`; `weights` names the file of weights where `path` is JSON, and overrides it elsewhere.

    Raises ModelFileError where a file is missing, damaged, too large, or isn't a Keras model, and where h5py isn't
    installed.
    """
    data = _read(path)
    # Each form is told by its first bytes: suffixes are often wrong.
    if data.startswith(b"PK"):
        config, stored, version = _read_archive(data, str(path))
    elif data.startswith(b"\x89HDF"):
        stored = KerasWeights(data, str(path))
        config, version = stored.attribute("model_config"), stored.attribute("keras_version")
        if config is None:
            raise ModelFileError(
                f"{path}: holds weights but no model",
                remedy="Save the whole model (model.save), or give the model's JSON and this file as its weights.",
            )
    else:
        config, stored, version = _decoded(data, str(path)), None, None
        if weights is None:
            raise ModelFileError(f"{path}: JSON holds no weights", remedy="Give the file of weights too.")
    options = Options(str(path), _json_object(config, str(path)))
    if weights is not None:
        stored = KerasWeights(_read(weights), str(weights))
    assert stored is not None
    version = options.text("keras_version", version or "2")
    return KerasFile(options, stored, 3 if version.startswith("3") else 2)


def _read(path: Path) -> bytes:
    """The bytes of a file that isn't too large."""
    try:
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file")
        with path.open("rb") as file:
            data = file.read(MAXIMUM_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: can't be read: {error}") from error
    if len(data) > MAXIMUM_FILE_BYTES:
        raise ModelFileError(f"{path}: more than the {MAXIMUM_FILE_BYTES >> 20} MB that are the limit")
    return data


def _read_archive(data: bytes, what: str) -> tuple[str, "KerasWeights", str | None]:
    """The configuration, weights and Keras version of a `.keras` archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            config = _decoded(_member(archive, "config.json", MAXIMUM_CONFIG_BYTES, what), what)
            weights = _member(archive, "model.weights.h5", MAXIMUM_FILE_BYTES, what)
            metadata = _json_object(_decoded(_member(archive, "metadata.json", 1 << 20, what), what), what)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelFileError(f"{what}: a damaged archive: {error}", remedy=_SAVE_AGAIN) from error
    except Exception as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{what}: a damaged archive", remedy=_SAVE_AGAIN) from error  # zlib's own errors
    return config, KerasWeights(weights, what), Options(what, metadata).text("keras_version", "2")


def _member(archive: zipfile.ZipFile, name: str, limit: int, what: str) -> bytes:
    """One file of an archive, whose declared and true sizes must not exceed a limit."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ModelFileError(
            f"{what}: has no {name} inside", remedy="Save it with model.save('model.keras')."
        ) from None
    too_large = ModelFileError(f"{what}: {name} inside is larger than {limit >> 20} MB")
    if info.file_size > limit:
        raise too_large
    with archive.open(info) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise too_large
    return data


def _decoded(data: bytes, what: str) -> str:
    if len(data) > MAXIMUM_CONFIG_BYTES:
        raise ModelFileError(f"{what}: a configuration of more than {MAXIMUM_CONFIG_BYTES >> 20} MB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{what}: not a Keras model", remedy=_SAVE_AGAIN) from error


def _json_object(text: str, what: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{what}: its configuration isn't JSON", remedy=_SAVE_AGAIN) from error
    if not isinstance(value, dict):
        raise ModelFileError(f"{what}: its configuration isn't a Keras model's", remedy=_SAVE_AGAIN)
    return cast(Mapping[str, object], value)


class KerasWeights:
    """
    The weights in an HDF5 file, in Keras's legacy layout (by names) or in its newer one (by position).

    Raises ModelFileError where the file is damaged or h5py isn't installed; messages call it `what`.
    """

    def __init__(self, data: bytes, what: str):
        try:
            self.h5py: Any = import_module("h5py")  # which has no type information
        except ImportError as error:
            raise ModelFileError(
                f"{what}: reading Keras models needs h5py",
                remedy="Install it: pip install h5py.",
            ) from error
        if len(data) > MAXIMUM_FILE_BYTES:
            raise ModelFileError(f"{what}: more than the {MAXIMUM_FILE_BYTES >> 20} MB that are the limit")
        self.what = what
        with self._errors():
            self.file: Any = self.h5py.File(io.BytesIO(data), "r")
            root: Any = self._child(self.file, "model_weights") or self.file
            self.by_position = self._child(root, "layers") is not None
        self.root = root
        self.elements = 0

    def attribute(self, name: str) -> str | None:
        """An attribute of the whole file, which must be one text; None where there is none."""
        with self._errors():
            if name not in self.file.attrs:
                return None
            # An array of texts could refer to the same large text many times.
            if self.file.attrs.get_id(name).shape != ():
                raise ModelFileError(f"{self.what}: {name} isn't one text", remedy=_SAVE_AGAIN)
            value = self.file.attrs[name]
        if isinstance(value, bytes):
            return _decoded(value, self.what)
        if not isinstance(value, str):
            raise ModelFileError(f"{self.what}: {name} isn't text", remedy=_SAVE_AGAIN)
        return value

    def of_layer(self, layer: Layer, variables: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.float32]]:
        """
        A layer's weights by the names of its variables.

        `variables` gives the names in Keras's order, for the layer itself ("") and for layers inside it by the
        attribute that holds them. Raises ModelFileError where one is missing.
        """
        found: dict[str, NDArray[np.float32]] = {}
        with self._errors():
            if self.by_position:
                for inside, names in variables.items():
                    group: Any = self.root
                    for part in (*layer.position, *filter(None, [inside]), "vars"):
                        group = None if group is None else self._child(group, part)
                    for index, name in enumerate(names):
                        dataset = None if group is None else self._child(group, str(index))
                        if dataset is not None:
                            found[name] = self._array(dataset, f"{layer.name}/{name}")
            else:
                wanted = {name for names in variables.values() for name in names}
                path = [*layer.scope, layer.name]
                group = self._child(self.root, path[0])
                for parts, dataset in self._datasets(group) if group is not None else ():
                    name = parts[-1].split(":")[0]
                    # A layer of a nested model is told by its name, as the model's group holds them all.
                    if name in wanted and all(each in parts for each in path[1:]):
                        if name in found:
                            raise ModelFileError(f"{layer.name}: {self.what} has two weights {name}")
                        found[name] = self._array(dataset, f"{layer.name}/{name}")
        for names in variables.values():
            for name in names:
                if name not in found:
                    raise ModelFileError(
                        f"{layer.name}: {self.what} has no weight {name} for this layer",
                        remedy="Give the weights that belong to this model.",
                    )
        return found

    def _child(self, group: Any, name: str) -> Any:
        """A member of a group, None where there is none; links out of the file aren't followed."""
        if not isinstance(group, self.h5py.Group):
            raise ModelFileError(f"{self.what}: {name} isn't in a group", remedy=_SAVE_AGAIN)
        if "/" in name or name in ("", "."):
            # Layers may be named with slashes; the file then has groups within groups.
            parts = [each for each in name.split("/") if each not in ("", ".")]
            for part in parts:
                group = None if group is None else self._child(group, part)
            return group if parts else None
        link = group.get(name, getlink=True)
        if link is None:
            return None
        if not isinstance(link, self.h5py.HardLink):
            raise ModelFileError(f"{self.what}: {name} is a link, which isn't followed", remedy=_SAVE_AGAIN)
        return group.get(name)

    def _datasets(self, group: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        """All datasets below a group, with the names that lead to them."""
        pending: list[tuple[tuple[str, ...], Any]] = [((), group)]
        count = 0
        while pending:
            parts, item = pending.pop()
            count += 1
            if count > _MAXIMUM_OBJECTS or len(parts) > _MAXIMUM_DEPTH:
                raise ModelFileError(f"{self.what}: more groups than any model needs")
            if isinstance(item, self.h5py.Dataset):
                yield parts, item
            else:
                pending += [((*parts, str(name)), self._child(item, str(name))) for name in item]

    def _array(self, dataset: Any, what: str) -> NDArray[np.float32]:
        """The values of a dataset, which must be float32 and finite and lie inside of the file."""
        if not isinstance(dataset, self.h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise ModelFileError(f"{self.what}: {what} isn't an array in this file", remedy=_SAVE_AGAIN)
        if dataset.shape is None or dataset.dtype != np.float32:
            raise ModelFileError(
                f"{self.what}: {what} has elements of type {dataset.dtype}",
                remedy="Save the model with float32 weights.",
            )
        self.elements += checked_size(dataset.shape, f"{self.what}: {what}")
        if self.elements > MAXIMUM_ELEMENTS:
            raise ModelFileError(f"{self.what}: more than {MAXIMUM_ELEMENTS} weights")
        array = np.asarray(dataset[()], np.float32)
        if not np.isfinite(array).all():
            raise ModelFileError(
                f"{self.what}: {what} holds infinity or NaN", remedy="Look at how the model was trained."
            )
        return array

    def _errors(self) -> "_Hdf5Errors":
        return _Hdf5Errors(self.what)


class _Hdf5Errors:
    """Turns the errors that h5py raises for damaged files into ModelFileError."""

    def __init__(self, what: str):
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, MemoryError)):
            raise ModelFileError(f"{self.what}: a damaged HDF5 file", remedy=_SAVE_AGAIN) from error
