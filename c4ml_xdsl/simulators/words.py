"""Packed ports as 32-bit words, which is how simulators take and give them."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.ports import Port

Words: TypeAlias = NDArray[np.uint32]


def words_of(width: int) -> int:
    """The words that hold so many bits."""
    return -(-width // 32)


def pack(integers: Integers, port: Port) -> Words:
    """Integers (samples, elements) as words (samples, words), element 0 in the least significant bits."""
    shifts = np.arange(port.bits, dtype=np.int64)
    bits = ((integers[:, :, None] >> shifts) & 1).astype(np.uint8).reshape(len(integers), -1)
    packed = np.zeros((len(integers), words_of(port.width) * 4), np.uint8)
    packed[:, : -(-port.width // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return packed.view(np.uint32)


def unpack(words: Words, port: Port) -> Integers:
    """Words (samples, words) as integers (samples, elements)."""
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")[:, : port.width]
    shaped = bits.reshape(len(words), port.elements, port.bits).astype(np.int64)
    weights = np.int64(1) << np.arange(port.bits, dtype=np.int64)
    if port.signed:
        weights[-1] = -weights[-1]
    return shaped @ weights
