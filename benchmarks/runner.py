"""Runs many rows, each in a process of its own, so that one that fails or takes too long ends alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.cases import REPOSITORY, Case
from benchmarks.designs import Design
from benchmarks.results import Row, load_results, store_row

Task = tuple[Case, Design]


def pending(tasks: Sequence[Task], path: Path, flows: str, again: bool) -> list[Task]:
    """The tasks that have no finished row by these flows yet; all of them for `again`."""
    results = load_results(path)

    def finished(case: Case, design: Design) -> bool:
        row = results.get(case.name, {}).get(design.name)
        return row is not None and "error" not in row and row["flow"] == flows

    return [(case, design) for case, design in tasks if again or not finished(case, design)]


def run_tasks(
    tasks: Sequence[Task], path: Path, flows: str, jobs: int, timeout: float, tell: Callable[[Case, Design, Row], None]
) -> None:
    """Measures tasks by so many processes, stores every row as it comes, errors too, and tells of it."""
    lock = threading.Lock()

    def work(task: Task) -> None:
        case, design = task
        row = run_row(case.name, design.name, path, flows, timeout)
        with lock:
            store_row(path, case.name, design.name, row)
            tell(case, design, row)

    with ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(work, tasks):
            pass


def run_row(case: str, design: str, path: Path, flows: str, timeout: float) -> Row:
    """One row by `python -m benchmarks row`."""
    return run_command(["row", case, design, "--flow", flows, "--known", str(path)], timeout)


def run_named(
    group: str,
    command: str,
    names: Sequence[str],
    options: Sequence[str],
    path: Path,
    again: bool,
    jobs: int,
    tell: Callable[[str], None],
    timeout: float = 1800.0,
) -> None:
    """Measures, by `python -m benchmarks COMMAND NAME`, what a group of the results has no finished row of."""
    lock = threading.Lock()
    known = load_results(path).get(group, {})

    def work(name: str) -> None:
        row = run_command([command, name, *options], timeout)
        with lock:
            store_row(path, group, name, row)
            tell(f"{name}: {row.get('error') or str(row['total_seconds']) + ' s'}")

    with ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(work, [name for name in names if again or name not in known or "error" in known[name]]):
            pass


def run_command(arguments: Sequence[str], timeout: float) -> Row:
    """The row that `python -m benchmarks` prints, or what went wrong; after `timeout` seconds all of it is ended."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
    )
    try:
        output, messages = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {timeout:g} s"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    try:
        return {**json.loads(output), "total_seconds": round(time.perf_counter() - start, 1)}
    except ValueError:
        last = (messages.strip().splitlines() or [f"exit status {process.returncode}"])[-1]
        return {"error": last[:300]}
