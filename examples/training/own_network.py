"""
The shortest way from a Brevitas network of one's own to its circuit: define, export, compile, compare.

    python -m pip install '.[train]'
    python examples/training/own_network.py

What a layer needs: an input with a quantiser, quantised weights and, between layers, quantised activations. Any scale
works, Brevitas' learnt ones too; powers of two (`quantisers.py`, to be copied) save the multipliers of a scale.
"""

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_qonnx
from torch import nn

import c4ml_xdsl as c4ml

network = nn.Sequential(
    qnn.QuantIdentity(bit_width=6, return_quant_tensor=True),  # the circuit's input: 6 bits
    qnn.QuantLinear(16, 24, bias=True, weight_bit_width=4),
    qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
    qnn.QuantLinear(24, 5, bias=True, weight_bit_width=4),  # raw scores
)
torch.manual_seed(0)
network.train()
network(torch.randn(256, 16))  # here goes the training; this sets the activations' scales
network.eval()

model = export_qonnx(network, args=torch.zeros(1, 16))
circuit = c4ml.compile(model, clock_ns=5, valid=True, effort="fast")
circuit.package("own_network")

samples = torch.randn(200, 16)
with torch.no_grad():
    expected = network(samples)
expected = getattr(expected, "value", expected).numpy()
scores = circuit(samples.numpy().astype(np.float64))
print(f"{circuit.interface.latency} cycles, {circuit.report['totals']['lut']} LUT")
# float32 sums of scales that aren't powers of two are off by its own rounding
print("largest difference to torch:", np.abs(scores - expected).max())
print("samples whose class differs:", int((scores.argmax(1) != expected.argmax(1)).sum()))
