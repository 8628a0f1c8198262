"""chisel4ml's `transform`: from QONNX to LBIR."""

from dataclasses import dataclass

import onnx
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.frontend import ModelSource, import_model, load_model
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw


@dataclass(frozen=True)
class LbirModel:
    """A network of integer tensors, and the model that it came from."""

    module: ModuleOp
    """The `lbir.network`, folded."""
    source: onnx.ModelProto
    input_type: str | None = None

    def __str__(self) -> str:
        return str(self.module)


def qonnx_to_lbir(model: ModelSource, *, input_type: str | None = None) -> LbirModel:
    """
    Converts a qonnx `ModelWrapper` (or ModelProto, or path) to LBIR.

    Raises ModelFileError and UnsupportedModelError as `c4ml_xdsl.compile`.
    """
    source = load_model(model)
    module = import_model(source)
    for each in ConvertQonnxToHw(input_type=input_type).to_lbir():
        each.apply(Context(), module)
    return LbirModel(module, source, input_type)
