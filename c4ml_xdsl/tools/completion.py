"""`c4ml completion`: the script that lets a shell complete our commands, options, their values and files."""

import click
from click.shell_completion import get_completion_class

from c4ml_xdsl.tools.choices import Choice

VARIABLE = "_C4ML_COMPLETE"
"""With it set, c4ml answers the shell's script instead of running."""


@click.command()
@click.argument("shell", type=Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """
    Prints the script that makes SHELL complete commands, options, their values and files.

    \b
    bash: echo 'eval "$(c4ml completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(c4ml completion zsh)"' >> ~/.zshrc
    fish: c4ml completion fish > ~/.config/fish/completions/c4ml.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    command = ctx.find_root().command
    click.echo(kind(command, {}, "c4ml", VARIABLE).source())
