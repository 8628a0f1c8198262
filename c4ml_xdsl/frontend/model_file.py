"""Reads a model of any kind that the compiler knows, by its file's suffix."""

import os
from pathlib import Path

import onnx

from c4ml_xdsl.errors import OptionError
from c4ml_xdsl.frontend.onnx_file import ModelSource, load_onnx

KERAS_SUFFIXES = (".h5", ".hdf5", ".keras", ".json")
"""The suffixes of the files that hold a Keras model."""


def load_model(source: ModelSource, weights: str | os.PathLike[str] | None = None) -> onnx.ModelProto:
    """
    Reads a QONNX model from a path, from a file's bytes, or from an object that is or holds a `ModelProto`.

    A path to a QKeras model (`.h5`, `.keras`, or `.json` with its `weights` in a file of their own) is translated.

    Raises ModelFileError when it can't be read, is damaged, or isn't a model, UnsupportedModelError for a QKeras layer
    that can't be expressed, and OptionError for `weights` beside a model that has its own.
    """
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in KERAS_SUFFIXES:
        from c4ml_xdsl.frontend.keras_import import load_keras

        return load_keras(Path(source), None if weights is None else Path(weights))
    if weights is not None:
        raise OptionError("only QKeras models have their weights in a file of their own", remedy="Leave them out.")
    return load_onnx(source)
