"""Which folders a package may take the place of."""

from collections.abc import Iterable
from pathlib import Path

from c4ml_xdsl.errors import OptionError

MARKS = ("ports.json", "report.json", "rtl")
"""What a package has, and by which it is known."""
SHOWN = 3
"""Names of files that an error lists."""


def check_output_folder(folder: Path, kept: Iterable[Path] = ()) -> None:
    """
    Refuses what isn't to be replaced: files, folders of other things, the current folder, and those that hold `kept`.

    A folder that isn't there, is empty, or is a package already may be written. Raises OptionError.
    """
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder} is a file", remedy="Give a folder to write to.")
    if not folder.exists():
        return
    whole = folder.resolve()
    if whole == Path.cwd() or whole in Path.cwd().parents:
        raise OptionError(
            f"{folder} is the current folder, or one that it lies in, which a package would replace",
            remedy="Give a folder below it.",
        )
    for path in kept:
        if whole in path.resolve().parents:
            raise OptionError(
                f"{folder} holds {path.name}, and a package would replace all of it", remedy="Give a new folder."
            )
    names = sorted(each.name for each in folder.iterdir())
    if names and not all(mark in names for mark in MARKS):
        more = ", …" if len(names) > SHOWN else ""
        raise OptionError(
            f"{folder} holds files that no compile wrote ({', '.join(names[:SHOWN])}{more}), and a package would "
            "replace all of it",
            remedy="Give a new or an empty folder.",
        )
