"""Options with a few values: a misspelt one is answered with the nearest."""

from collections.abc import Iterable
from typing import Any

import click

from c4ml_xdsl.errors import nearest


def did_you_mean(value: Any, choices: Iterable[object]) -> str:
    """The end of a message for a value that is no choice: the one that was probably meant, if any."""
    meant = nearest(str(value), map(str, choices))
    return "" if meant is None else f" Did you mean {meant!r}?"


class Choice(click.Choice[str]):
    """A `click.Choice` that says which of its values was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """The message for a value that is none of them."""
        return super().get_invalid_choice_message(value, ctx) + did_you_mean(value, self.choices)
