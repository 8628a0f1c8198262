"""The model that a circuit was compiled from, kept for what looks at its tensors later."""

import os
from functools import cached_property
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import InputDataError
from c4ml_xdsl.frontend import ModelSource, import_model, load_model
from c4ml_xdsl.interpreters.qonnx import graph_of
from c4ml_xdsl.transforms.convert_qonnx_to_lbir import convert_graph
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.summary import TensorForm
from c4ml_xdsl.transforms.qonnx_fold_constants import QonnxFoldConstants
from c4ml_xdsl.transforms.qonnx_infer_shapes import QonnxInferShapes


class Reference:
    """
    The QONNX graph behind a circuit. It is read again when it is asked for, unless the compile has kept it anyway.

    A file that has changed since then is refused.
    """

    def __init__(self, source: ModelSource, weights: str | None, input_type: str | None):
        """Keeps where the model is, not the model."""
        self._source, self._weights, self._input_type = source, weights, input_type
        self._stamp = self._stamp_of_file()

    def _stamp_of_file(self) -> tuple[int, int] | None:
        """A file's size and time of change, None for what is no file."""
        if not isinstance(self._source, str | os.PathLike):
            return None
        try:
            status = Path(self._source).stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def keep(self, graph: ModuleOp) -> None:
        """Takes the module of the graph, with shapes and folded constants, that the compile has copied for itself."""
        self.__dict__["module"] = graph

    @cached_property
    def module(self) -> ModuleOp:
        """The graph with shapes and folded constants; raises InputDataError where the file isn't the same any more."""
        if self._stamp_of_file() != self._stamp:
            raise InputDataError(f"{self._source} has changed since it was compiled", remedy="Compile it again.")
        module = import_model(load_model(self._source, self._weights))
        for each in (QonnxInferShapes(), QonnxFoldConstants()):
            each.apply(Context(), module)
        return module

    @cached_property
    def forms(self) -> dict[str, TensorForm]:
        """The tensors of the model that are scaled integers of the network, by name."""
        forms: dict[str, TensorForm] = {}
        convert_graph(graph_of(self.module), self._input_type, forms=forms)
        return forms


def tensors_of_nodes(graph: qonnx.GraphOp) -> dict[str, str]:
    """The first output tensor of each node by what the node is called, where no other node is called the same."""
    found: dict[str, str | None] = {}
    for node in graph.body.block.ops:
        if isinstance(node, qonnx.NodeOp) and node.output_names is not None and node.output_names.data:
            tensor = node.output_names.data[0].data
            found[node.label] = None if node.label in found else tensor
    return {label: tensor for label, tensor in found.items() if tensor}
