"""
Trains a convolutional network on scikit-learn's handwritten digits of 8x8 pixels, and makes a circuit of it.

    python -m pip install '.[train]'
    python examples/training/digits_cnn.py --out build/digits_cnn

Its layers are those of chisel4ml's network for MNIST: a convolution, a pool, a depthwise convolution, a pool, two dense
layers. Weights and activations have 4 bits and power-of-two scales, half of the weights are pruned.
"""

import brevitas.nn as qnn
import numpy as np
from fitting import Split, seed_everything, train_model
from quantisers import Activations, Biases, Pixels, Scores, Weights
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from to_silicon import finish, options
from torch import Tensor, nn


class DigitsCnn(nn.Module):
    """8x8 pixels, sixteenths from 0 to 15/16, to ten scores."""

    def __init__(self, bits: int, channels: int = 12, hidden: int = 32, output_bits: int = 8):
        super().__init__()
        quantised = {
            "bias": True, "weight_quant": Weights, "weight_bit_width": bits, "bias_quant": Biases,
            "return_quant_tensor": True,
        }  # fmt: skip

        def relu() -> nn.Module:
            return qnn.QuantReLU(Activations, bit_width=bits, return_quant_tensor=True)

        self.layers = nn.Sequential(
            qnn.QuantIdentity(Pixels, bit_width=4, return_quant_tensor=True),
            qnn.QuantConv2d(1, channels, 3, padding=1, **quantised),
            relu(),
            nn.MaxPool2d(2),
            qnn.QuantConv2d(channels, channels, 3, padding=1, groups=channels, **quantised),
            relu(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            qnn.QuantLinear(4 * channels, hidden, **quantised),
            relu(),
            qnn.QuantLinear(hidden, 10, **quantised),
            qnn.QuantIdentity(Scores, bit_width=output_bits),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The scores (samples, 10)."""
        return self.layers(x)


def main() -> None:
    """Trains, then goes on to the circuit."""
    arguments = options(
        __doc__ or "", epochs=100, prune_rate=0.5, weight_bits=4, learning_rate=0.01, scope="global"
    ).parse_args()
    seed_everything(arguments.seed)
    images, labels = load_digits(return_X_y=True)
    pixels = (np.minimum(images, 15) / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    train_x, test_x, train_y, test_y = train_test_split(pixels, labels, test_size=360, random_state=0, stratify=labels)
    model = DigitsCnn(arguments.bits)
    train_model(
        model, Split(train_x, train_y.astype(np.int64)), epochs=arguments.epochs, prune_rate=arguments.prune_rate,
        scope=arguments.prune_scope, batch_size=64, learning_rate=arguments.learning_rate, seed=arguments.seed,
    )  # fmt: skip
    finish(model, Split(test_x, test_y.astype(np.int64)), arguments)


if __name__ == "__main__":
    main()
