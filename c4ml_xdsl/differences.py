"""Where two levels of a design say something else of the same tensor."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c4ml_xdsl.numerics.chain import Integers


@dataclass(frozen=True)
class Difference:
    """One tensor that differs between two levels, and the first element of the first sample where it does."""

    tensor: str
    before: str
    """The level that is right by definition."""
    after: str
    """The level that is compared with it."""
    samples: int
    wrong: int
    """How many of the samples differ."""
    sample: int
    index: tuple[int, ...]
    """The element within the sample."""
    got: NDArray[Any]
    """The sample's tensor in `after`."""
    want: NDArray[Any]
    """The sample's tensor in `before`."""

    def __str__(self) -> str:
        return (
            f"{self.tensor}: {self.after} differs from {self.before} in {self.wrong} of {self.samples} samples, first "
            f"in sample {self.sample}{self._element}: {_short(self.got[self.index])} instead of "
            f"{_short(self.want[self.index])}"
        )

    @property
    def _element(self) -> str:
        if not self.index:
            return ""
        return f", element {self.index[0] if len(self.index) == 1 else list(self.index)}"


def difference(
    tensor: str,
    before: str,
    after: str,
    got: NDArray[Any],
    want: NDArray[Any],
    differs: NDArray[np.bool_],
    excused: NDArray[np.bool_] | None = None,
) -> Difference | None:
    """The difference of two batches of a tensor where `differs`, of their shape, says so, but in excused samples."""
    flat = differs.reshape(len(differs), -1)
    samples = flat.any(axis=1)
    wrong = np.flatnonzero(samples if excused is None else samples & ~excused)
    if not wrong.size:
        return None
    first = int(wrong[0])
    place = np.unravel_index(int(np.argmax(flat[first])), differs.shape[1:]) if differs.ndim > 1 else ()
    index = tuple(int(each) for each in place)
    return Difference(tensor, before, after, len(flat), wrong.size, first, index, got[first], want[first])


def integer_difference(tensor: str, before: str, after: str, got: Integers, want: Integers) -> Difference | None:
    """The difference of two batches of integers, which may have different shapes behind the axis of samples."""
    actual = got.reshape(want.shape)
    return difference(tensor, before, after, actual, want, actual != want)


def differing(got: NDArray[np.float64], want: NDArray[Any], step: float) -> NDArray[np.bool_]:
    """Where two batches in the model's units differ by more than float64 is off; `step` is that of the integers."""
    return np.abs(got - want) > 1e-3 * step + 1e-6 * np.abs(want)


def _short(value: Any) -> str:
    return f"{round(float(value), 6):g}"
