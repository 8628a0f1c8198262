"""Ctrl-C and SIGTERM end a command at once, with status 130, and leave nothing behind."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

STATUS = 130
"""What a shell calls a command that was interrupted."""
PATIENCE = 1.0
"""Seconds that Python code has to leave its `with` blocks; compiled code never gets to know of a signal."""


class Interruption(BaseException):
    """What a signal raises: no KeyboardInterrupt, which libraries turn into something else."""


@contextmanager
def interruptible() -> Generator[None]:
    """
    Commands run in this. A signal raises Interruption; where it doesn't get through in time, the process ends anyway.

    Only the main thread can do that; elsewhere, and within another one of these, it does nothing.
    """
    own = threading.current_thread() is threading.main_thread()
    if not own or signal.getsignal(signal.SIGINT) is _raise:
        yield
        return
    told, reader = socket.socketpair()
    told.setblocking(False)
    before = {number: signal.signal(number, _raise) for number in (signal.SIGINT, signal.SIGTERM)}
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    try:
        yield
    except Interruption:
        _leave()
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()


def _raise(number: int, frame: object) -> None:
    """Raises once; what comes later is already being done."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Interruption


def _watch(reader: socket.socket) -> None:
    """Waits for a signal, which wakes this thread up whatever the main one does."""
    with reader, suppress(OSError):
        while data := reader.recv(16):
            if data[0] in (signal.SIGINT, signal.SIGTERM):
                time.sleep(PATIENCE)
                _leave()


def _leave() -> None:
    """Ends the process without waiting for threads, after what it must not leave behind."""
    from c4ml_xdsl.leftovers import remove_leftovers

    remove_leftovers()
    with suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")  # a progress bar hides the cursor
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
    os._exit(STATUS)
