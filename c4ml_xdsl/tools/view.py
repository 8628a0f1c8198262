"""`c4ml view`: the model as a graph in the browser, by netron."""

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from c4ml_xdsl.errors import ModelFileError, OptionError


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the local server; a free one by default.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def view(model: Path, port: int | None, no_browser: bool) -> None:
    """
    Shows MODEL as a graph in the browser until Ctrl-C.

    It is served by netron on this machine alone: pip install netron.
    """
    if not model.is_file():
        raise ModelFileError(f"{model}: there is no such file")
    try:
        netron: Any = import_module("netron")
    except ImportError as error:
        raise OptionError(
            "netron, which shows models, isn't installed", remedy="Install it: pip install netron."
        ) from error
    try:
        host, used = netron.start(str(model), ("localhost", port) if port else None, browse=not no_browser)
    except OSError as error:
        raise OptionError(f"port {port} can't be used: {error.strerror}", remedy="Give another --port.") from error
    click.echo(f"{model} is shown at http://{host}:{used} until Ctrl-C")
    netron.wait()
