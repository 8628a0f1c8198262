"""The bar that a terminal shows while a model is compiled: the phase, how far it is, and about how long it takes."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class PhaseBar:
    """Is told phases as they begin, and what they are expected to take once that is known."""

    def __init__(self) -> None:
        self.phase, self.expected = "starting", dict[str, float]()
        self._began, self._done = time.monotonic(), 0.0
        self._spinner = Spinner("dots")

    def __call__(self, phase: str) -> None:
        """A phase begins; what the one before was expected to take is done."""
        self._done += self.expected.get(self.phase, 0.0)
        self.phase, self._began = phase, time.monotonic()

    def expect(self, seconds: Mapping[str, float]) -> None:
        """The seconds of the phases from here on."""
        self.expected, self._done = dict(seconds), 0.0

    def completed(self) -> float:
        """Of the expected seconds those that are over; a phase that takes longer waits at its end."""
        within = min(time.monotonic() - self._began, self.expected.get(self.phase, 0.0))
        return min(self._done + within, self.total)

    @property
    def total(self) -> float:
        """All expected seconds."""
        return sum(self.expected.values())

    def left(self) -> str:
        """The time left, in words."""
        if not self.expected:
            return ""
        seconds = self.total - self.completed()
        return f"about {seconds / 60:.0f} min left" if seconds > 99 else f"about {max(1, round(seconds))} s left"

    def render(self) -> RenderableType:
        """The line that is shown now."""
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self.total, completed=self.completed(), width=30) if self.expected else Text("")
        line.add_row(self._spinner, Text(self.phase), bar, Text(self.left()))
        return Group(line)


@contextmanager
def phase_bar(shown: bool) -> Generator[PhaseBar | None]:
    """A bar on the terminal; None where standard error is none or none is wanted."""
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield None
        return
    bar = PhaseBar()
    with Live(get_renderable=bar.render, console=console, refresh_per_second=8, transient=True):
        yield bar
