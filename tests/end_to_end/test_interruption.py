"""Ctrl-C and SIGTERM: status 130 at once, no traceback, and nothing left behind, at whatever moment they come."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import c4ml_xdsl as c4ml
from c4ml_xdsl.output_folder import MARKS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals can't be sent to a process there")
MODELS = Path(__file__).parent.parent / "models"
LARGE = MODELS / "cnn_dwsep_perch_fp" / "model.onnx"
COMMAND = "from c4ml_xdsl.tools.entry import main; main()"


class Run:
    """A command in folders of its own, so that what it leaves is found."""

    def __init__(self, folder: Path, *arguments: object):
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        environment = os.environ | {"TMPDIR": str(self.scratch), "C4ML_CACHE": str(self.scratch / "cache")}
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, arguments)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=self.log,
            text=True,
            start_new_session=True,  # a signal reaches it alone, as it is sent by kill
        )

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def wait_for(self, moment: Callable[["Run"], bool]) -> None:
        end = time.monotonic() + 60
        while not moment(self):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)

    def interrupt(self, number: signal.Signals) -> float:
        start = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(20)
        took = time.monotonic() - start
        assert status == 130, self.said()
        assert "Traceback" not in self.said()
        assert self.said().rstrip().endswith("interrupted")
        return took

    def left(self) -> tuple[list[str], list[str]]:
        """Files, other than the cache's folders, and processes."""
        files = [str(path) for path in self.scratch.rglob("*") if path.is_file() or path.name.startswith("build_")]
        files += [path.name for path in self.scratch.iterdir() if path.name != "cache"]
        processes: list[str] = []
        for path in Path("/proc").glob("[0-9]*/environ") if sys.platform == "linux" else ():
            try:
                if str(self.scratch).encode() in path.read_bytes():
                    processes.append((path.parent / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return files, processes


def logged(phase: str) -> Callable[[Run], bool]:
    return lambda run: f"{phase}:" in run.said()


def building(tool: str) -> Callable[[Run], bool]:
    """A simulator's folder has something of the tool in it."""
    return lambda run: any(run.scratch.rglob(tool))


def older_package(folder: Path) -> Path:
    """What a compile would replace, with a file of the user's in it."""
    folder.mkdir()
    for name in (*MARKS, "mine.txt"):
        (folder / name).write_text("mine")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("moment", ["import", "neuron-compress-sums"])
def test_compile(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    """Early, and while compiled code searches on all cores for minutes; what was there is untouched."""
    target = older_package(tmp_path / "out")
    run = Run(tmp_path, "compile", LARGE, "-o", target, "--effort", "max", "--log-level", "info")
    run.wait_for(logged(moment))
    assert run.interrupt(number) < 5
    assert run.left() == ([], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "out", "scratch"]
    assert sorted(path.name for path in target.iterdir()) == sorted([*MARKS, "mine.txt"])


def test_simulate_while_children_compile(tmp_path: Path) -> None:
    if shutil.which("verilator") is None:
        pytest.skip("verilator isn't installed")
    circuit = c4ml.compile(MODELS / "cnn1d_pot" / "model.onnx", effort="fast", verify=False)
    circuit.package(tmp_path / "out")
    with np.load(MODELS / "cnn1d_pot" / "golden.npz") as archive:
        np.save(tmp_path / "x.npy", archive["x"][:4])
    y = tmp_path / "y.npy"
    for index, moment in enumerate(("c4ml_verilator_*", "unit0.cpp")):
        folder = tmp_path / str(index)
        folder.mkdir()
        run = Run(folder, "simulate", tmp_path / "out", "-i", tmp_path / "x.npy", "-o", y, "--simulator", "verilator")
        run.wait_for(building(moment))
        time.sleep(0.1)  # the child is at work
        assert run.interrupt(signal.SIGINT) < 5
        assert run.left() == ([], [])
        assert not y.exists()


def test_an_interrupted_package_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between moving the old folder away and the new one to its place, which is when most is at stake."""
    circuit = c4ml.compile(MODELS / "cnn1d_pot" / "model.onnx", effort="fast", verify=False)
    target = older_package(tmp_path / "out")
    rename = Path.rename

    def interrupted(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        circuit.package(target)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in target.iterdir()) == sorted([*MARKS, "mine.txt"])
