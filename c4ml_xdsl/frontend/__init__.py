"""Reading models: ONNX and QKeras files into the `qonnx` dialect."""

from c4ml_xdsl.frontend.model_file import load_model
from c4ml_xdsl.frontend.onnx_file import ModelSource
from c4ml_xdsl.frontend.onnx_import import import_model, parse_onnx

__all__ = ["ModelSource", "import_model", "load_model", "parse_onnx"]
