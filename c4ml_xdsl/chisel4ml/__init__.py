"""
For those who come from chisel4ml: the same names, without a server.

```python
from c4ml_xdsl.chisel4ml.transform import qonnx_to_lbir
from c4ml_xdsl.chisel4ml import generate

lbir_model = qonnx_to_lbir(qonnx_model)
accelerators = generate.accelerators(lbir_model, minimize="delay")
circuit = generate.circuit(accelerators, lbir_model, use_verilator=True)
circuit(np.zeros(16))
```

Calls take and give the model's units; `circuit.integers(x)` gives what chisel4ml's calls gave.
"""
