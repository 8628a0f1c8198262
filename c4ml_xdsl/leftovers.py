"""
What must not outlive an interrupted command: child processes, scratch folders and threads that nobody waits for.

Within Python an interruption cleans up by itself, as it leaves `with` blocks. The command line can't wait for that
where compiled code runs in between: it calls `remove_leftovers` and ends the process.
"""

import os
import shutil
import subprocess
import tempfile
import threading
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
        super().__init__(prefix=prefix, dir=parent, ignore_cleanup_errors=True)
        self._remembered = self.name
        _folders.add(self.name)

    def cleanup(self) -> None:
        """Removes it."""
        super().cleanup()
        _folders.discard(self._remembered)


@contextmanager
def worker_threads() -> Generator[ThreadPoolExecutor]:
    """Threads for all cores. An error or interruption doesn't wait for what still runs, and starts no more."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def run_process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs a command in a folder and captures what it prints; an interruption ends it. Raises OSError."""
    with _lock:
        if _leaving:
            raise InterruptedError("the command is being interrupted")
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        _processes.add(process)
    try:
        output, errors = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        _processes.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def remove_leftovers() -> None:
    """Ends all child processes and removes all scratch folders; from now on none are started."""
    global _leaving
    with _lock:
        _leaving = True
        processes = list(_processes)
    for process in processes:
        with suppress(OSError):
            process.kill()
    for process in processes:
        with suppress(OSError, subprocess.TimeoutExpired):
            process.wait(timeout=2)
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)
