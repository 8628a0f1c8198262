"""Numbers and shapes as the page writes them."""

from collections.abc import Sequence
from typing import Any, cast

THIN_SPACE = "\u202f"


def count(number: int) -> str:
    """An integer with its digits in groups of three: 12 345."""
    return f"{number:,}".replace(",", THIN_SPACE).replace("-", "\u2212")


def real(number: float) -> str:
    """A real number in at most six digits."""
    return f"{number:.6g}".replace("-", "\u2212")


def nanoseconds(number: float) -> str:
    """A time, in picosecond steps."""
    return f"{number:.3f}".rstrip("0").rstrip(".").replace("-", "\u2212") + f"{THIN_SPACE}ns"


def of_shape(shape: Sequence[int]) -> str:
    """A shape: 4×8×8, or `scalar`."""
    return "×".join(map(str, shape)) or "scalar"


def of_range(low: int, high: int) -> str:
    """The integers from one to another, or the only one."""
    return count(low) if low == high else f"{count(low)} … {count(high)}"


def plural(number: int, one: str, many: str = "") -> str:
    """A number of things: 1 bit, 2 bits."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def of_numbers(numbers: Any, many: str) -> str:
    """A scale or zero point: one number, or how many there are."""
    listed = cast("list[float]", numbers) if isinstance(numbers, list) else [float(numbers)]
    return real(listed[0]) if len(listed) == 1 else plural(len(listed), many, many)


def shortened(text: str, most: int) -> str:
    """A text without its middle, where it is longer than so many characters."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def printable(text: str) -> str:
    """A text without what controls how text is shown, or can't be written as UTF-8."""
    return "".join("\ufffd" if _controls(ord(each)) else each for each in text)


def _controls(code: int) -> bool:
    """Control characters but tab and newline, marks that turn the direction of writing, halves of surrogate pairs."""
    if code < 0x20:
        return code not in (0x09, 0x0A)
    turns = code in (0x061C, 0x200E, 0x200F) or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069
    return turns or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code & 0xFFFE == 0xFFFE
