"""Options with a few values: a misspelt one is answered with the nearest."""

from typing import Any

import click

from c4ml_xdsl.errors import nearest


class Choice(click.Choice[str]):
    """A `click.Choice` that says which of its values was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """The message for a value that is none of them."""
        message = super().get_invalid_choice_message(value, ctx)
        meant = nearest(str(value), map(str, self.choices))
        return message if meant is None else f"{message} Did you mean {meant!r}?"
