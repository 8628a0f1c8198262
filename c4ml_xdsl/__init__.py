"""
c4ml-xdsl: a compiler from quantized neural networks in QONNX to bit-exact, fully unrolled Verilog.

```python
import c4ml_xdsl as c4ml

circuit = c4ml.compile("model.onnx")
y = circuit(x)
circuit.package("out/")
```
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from c4ml_xdsl.circuit import Circuit
    from c4ml_xdsl.compiler import CompileOptions, compile

__version__ = "0.1.0"
__all__ = ["Circuit", "CompileOptions", "__version__", "compile"]

_HOMES = {"Circuit": "circuit", "CompileOptions": "compiler", "compile": "compiler"}


def __getattr__(name: str) -> Any:
    """Loads what is exported at its first use, so that `import c4ml_xdsl` is quick."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"c4ml_xdsl.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
