"""AXI-Stream beats: how frames are cut into them, and how many answers must have a place."""

from c4ml_xdsl.errors import OptionError

DEFAULT_AXIS_WIDTH = 32
MOST_AXIS_WIDTH = 1 << 16


def check_axis_width(width: int) -> None:
    """Raises OptionError unless a beat of so many bits is possible: a multiple of 8."""
    if not 8 <= width <= MOST_AXIS_WIDTH or width % 8:
        raise OptionError(f"axis_width={width}", remedy=f"Give a multiple of 8, from 8 to {MOST_AXIS_WIDTH} bits.")


def beats_of(bits: int, width: int) -> int:
    """The beats of a frame."""
    return max(1, -(-bits // width))


def places_for(latency: int, interval: int) -> int:
    """
    The answers that an output must have room for, so that a frame can start every `interval` cycles.

    A place is taken when a frame enters the circuit. `latency` cycles later the answer is there, one cycle later it is
    seen to be waiting, and with the next one, when nothing holds it up, its place is seen to be free.
    """
    return -(-(latency + 2) // interval)
