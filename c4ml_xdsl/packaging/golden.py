"""Golden vectors: integers at a circuit's inputs and what its outputs must be, from a level above the circuit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import Port
from c4ml_xdsl.simulators.words import pack

MOST_VECTORS = 64
"""How many a package holds of those that a compile compared."""
FEW_VECTORS = 16
"""How many are computed for a package whose compile compared none."""

Reference: TypeAlias = Literal["qonnx", "lbir"]
ORIGINS: dict[Reference, str] = {
    "qonnx": "the QONNX model, which the compile ran on these inputs",
    "lbir": "the integer network (lbir), interpreted: this compile ran no QONNX model",
}
"""Where expected outputs come from, in words; never from the circuit."""


@dataclass(frozen=True)
class GoldenVectors:
    """
    Integers (samples, elements) by the ports' names.

    The first samples are the inputs' lowest and highest values, the next ones mixtures of both.
    """

    integers: Mapping[str, Integers]
    reference: Reference

    @property
    def samples(self) -> int:
        """The number of vectors."""
        return min((len(each) for each in self.integers.values()), default=0)

    @property
    def origin(self) -> str:
        """Where the expected outputs come from, in words."""
        return ORIGINS[self.reference]

    def words(self, port: Port) -> list[str]:
        """A port's packed values in hexadecimal, one a sample, element 0 in the least significant bits."""
        digits = -(-port.width // 4)
        packed = pack(self.integers[port.name], port)
        return [row.tobytes()[::-1].hex()[-digits:] for row in packed]


def golden_vectors(
    ports: Sequence[Port], inputs: Mapping[str, Integers], outputs: Mapping[str, Integers], reference: Reference
) -> GoldenVectors:
    """Integers by tensor name, as a level other than the circuit has them, as golden vectors."""
    known = {"input": inputs, "output": outputs}
    integers = {port.name: np.asarray(known[port.direction][port.tensor]) for port in ports}
    return GoldenVectors({name: each.reshape(len(each), -1) for name, each in integers.items()}, reference)


def choose(vectors: GoldenVectors, agreed: NDArray[np.bool_]) -> GoldenVectors | None:
    """The first samples among those that `agreed` marks; None where there are none."""
    chosen = np.flatnonzero(agreed)[:MOST_VECTORS]
    if not chosen.size:
        return None
    return replace(vectors, integers={name: each[chosen] for name, each in vectors.integers.items()})
