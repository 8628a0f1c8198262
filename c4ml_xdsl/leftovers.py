"""
What must not outlive an interrupted command: child processes, scratch folders and threads that nobody waits for.

Within Python an interruption cleans up by itself, as it leaves `with` blocks. The command line can't wait for that
where compiled code runs in between: it calls `remove_leftovers` and ends the process.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

_lock = threading.Lock()
_processes: set["subprocess.Popen[str]"] = set()
_folders: set[str] = set()
_leaving = False


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A folder that is gone with the object, the `with` block or the command, whichever ends first."""

    def __init__(self, prefix: str, parent: str | os.PathLike[str] | None = None):
        """Makes it in `parent`, by default where the platform has its temporary files."""
        with _lock:
            _refuse_while_leaving()
            super().__init__(prefix=prefix, dir=parent, ignore_cleanup_errors=True)
            _folders.add(self.name)

    def cleanup(self) -> None:
        """Removes it."""
        super().cleanup()
        if not os.path.exists(self.name):
            _folders.discard(self.name)


@contextmanager
def worker_threads() -> Generator[ThreadPoolExecutor]:
    """Threads for all cores. An error or interruption doesn't wait for what still runs, and starts no more."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        if not isinstance(error, Exception):
            end_processes()
        raise
    pool.shutdown()


def run_process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """
    Runs a command in a folder, where its temporary files are too, and captures what it prints.

    An interruption ends it with all that it has started. Raises OSError where it can't be run.
    """
    variables = dict(os.environ if environment is None else environment)
    variables.update(dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(folder)))
    with _lock:
        _refuse_while_leaving()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # compilers start others: one signal ends them all
        )
        _processes.add(process)
    try:
        output, errors = process.communicate()
    except BaseException:
        _end(process)
        raise
    finally:
        _processes.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _refuse_while_leaving() -> None:
    if _leaving:
        raise InterruptedError("the command is being interrupted")


def _end(process: "subprocess.Popen[str]") -> None:
    """Ends a process and all that it has started."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError, subprocess.TimeoutExpired):
        process.wait(timeout=2)


def end_processes() -> None:
    """Ends all child processes that run."""
    for process in list(_processes):
        _end(process)


def remove_leftovers() -> None:
    """Ends all child processes and removes all scratch folders; from now on none are started."""
    global _leaving
    with _lock:
        _leaving = True
    end_processes()
    for folder in list(_folders):
        for _ in range(5):  # a thread may still write there
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.exists(folder):
                break
            time.sleep(0.05)
