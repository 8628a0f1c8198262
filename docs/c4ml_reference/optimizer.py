"""The command line of c4ml-opt, from its own parser."""

import argparse

from c4ml_xdsl.tools.c4ml_opt import C4mlOptMain

from .markdown import code, join, table


def optimizer_page() -> str:
    """A table of the options; of passes, dialects and targets the other pages tell."""
    parser = argparse.ArgumentParser(prog="c4ml-opt")
    C4mlOptMain([]).register_all_arguments(parser)
    rows = [(_invocation(each), _help(each)) for each in parser._actions if each.help != argparse.SUPPRESS]  # pyright: ignore[reportPrivateUsage]
    return join(table(("argument", "meaning"), rows))


def _invocation(action: argparse.Action) -> str:
    if not action.option_strings:
        return code(action.dest)
    value = "" if action.nargs == 0 else f" {action.dest.upper()}"
    return ", ".join(code(f"{each}{value}") for each in action.option_strings)


def _help(action: argparse.Action) -> str:
    """The help text, without lists of what is installed."""
    return " ".join((action.help or "").split(" Available ")[0].split())
