"""What `c4ml` starts: it can be interrupted before the command line, which takes a moment, is there."""

from c4ml_xdsl.tools.interruption import interruptible


def main() -> None:
    """Runs the command line."""
    with interruptible():
        from c4ml_xdsl.tools.c4ml import main as command

        command()
