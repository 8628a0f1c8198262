"""The errors of c4ml-xdsl.

Everything that a user can cause derives from `C4mlError`: a command line turns it into a short message and an
exit status, a Python caller can catch it by kind. A message names the node, tensor or file at fault, says why, and
`remedy` says what to do about it.
"""

import difflib
from collections.abc import Iterable


class C4mlError(Exception):
    """
    An error that a user can act on.

    `exit_status` is what the command line ends with: 1 when an input is refused, 3 when a result failed its own
    verification.
    """

    exit_status = 1

    def __init__(self, message: str, *, remedy: str | None = None):
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message}\n{self.remedy}"


class ModelFileError(C4mlError):
    """The file isn't a model that can be read: truncated, not ONNX, too large, external data, malformed."""


class UnsupportedModelError(C4mlError):
    """
    The model is valid but can't be compiled.

    `node` is the name of the node (or, where it has none, of its first output tensor) that is at fault.
    """

    def __init__(self, node: str, reason: str, *, remedy: str | None = None):
        super().__init__(f"{node}: {reason}", remedy=remedy)
        self.node = node
        self.reason = reason


class OptionError(C4mlError):
    """An option's value can't be honoured."""


class StrategyError(C4mlError):
    """A lowering strategy of another package can't be loaded, failed, or left a layer that isn't valid."""


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The name that a misspelt one was most likely meant to be, None where none is like it."""
    matches = difflib.get_close_matches(given.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown_choice(option: str, given: object, choices: Iterable[str]) -> OptionError:
    """The error for a value that is none of an option's choices, with the one that is nearest."""
    allowed = list(choices)
    meant = nearest(given, allowed) if isinstance(given, str) else None
    guess = "" if meant is None else f"Did you mean {meant}? "
    return OptionError(f"{option}={given!r}", remedy=f"{guess}Choose one of {', '.join(allowed)}.")


class InputDataError(C4mlError):
    """Data handed to a circuit or simulator has the wrong shape, type or name."""


class SimulatorUnavailableError(C4mlError):
    """A simulator that was asked for isn't installed."""


class SimulationError(C4mlError):
    """A simulator rejected the RTL or failed while running it."""


class VerificationError(C4mlError):
    """A result differs from its reference; the message names the first tensor that differs."""

    exit_status = 3
