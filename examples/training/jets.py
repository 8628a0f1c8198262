"""
Trains a tagger of jets, 16-64-32-32-5, and makes a circuit of it.

    python -m pip install '.[train]'
    python examples/training/jets.py --out build/jets

Weights and activations have 4 bits and power-of-two scales, three quarters of the weights are pruned. `--data openml`
takes the real data set, which scikit-learn fetches; the default is a synthetic one like it (jets_data.py).
"""

from itertools import pairwise

import brevitas.nn as qnn
from fitting import Split, seed_everything, train_model
from jets_data import load
from quantisers import Activations, Biases, Inputs, Scores, Weights
from to_silicon import finish, options
from torch import Tensor, nn


class JetTagger(nn.Module):
    """Four dense layers; every tensor between them is an integer of few bits times a power of two."""

    def __init__(self, bits: int, input_bits: int = 8, output_bits: int = 8):
        super().__init__()
        sizes = (16, 64, 32, 32, 5)
        layers: list[nn.Module] = [qnn.QuantIdentity(Inputs, bit_width=input_bits, return_quant_tensor=True)]
        for number, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
            layers.append(
                qnn.QuantLinear(
                    inputs, outputs, bias=True, weight_quant=Weights, weight_bit_width=bits, bias_quant=Biases,
                    return_quant_tensor=True,
                )
            )  # fmt: skip
            if number < len(sizes) - 1:
                layers.append(qnn.QuantReLU(Activations, bit_width=bits, return_quant_tensor=True))
        layers.append(qnn.QuantIdentity(Scores, bit_width=output_bits))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """The scores (samples, 5)."""
        return self.layers(x)


def main() -> None:
    """Trains, then goes on to the circuit."""
    parser = options(__doc__ or "", epochs=30, prune_rate=0.75, weight_bits=4, learning_rate=5e-3, scope="layer")
    parser.add_argument("--data", choices=["synthetic", "openml"], default="synthetic")
    parser.add_argument("--samples", type=int, default=60_000, help="jets at most; a sixth of them is for the test")
    arguments = parser.parse_args()
    seed_everything(arguments.seed)
    x, labels = load(arguments.data, arguments.samples)
    cut = len(x) // 6
    model = JetTagger(arguments.bits)
    train_model(
        model, Split(x[cut:], labels[cut:]), epochs=arguments.epochs, prune_rate=arguments.prune_rate,
        scope=arguments.prune_scope, learning_rate=arguments.learning_rate, seed=arguments.seed,
    )  # fmt: skip
    finish(model, Split(x[:cut], labels[:cut]), arguments)


if __name__ == "__main__":
    main()
