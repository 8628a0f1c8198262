"""
Streams frames through packages' AXI-Stream wrappers, with random stalls on all sides: python -m tests.streams.run

Each design is packaged for each width of a beat, and the package's own cocotb bench runs in Icarus Verilog: random
stalls on every stream, each by itself, then the full rate, then frames of wrong lengths.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import click

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import Circuit
from tests.streams.networks import two_by_three

MODELS = Path(__file__).parent.parent / "models"
WIDTHS = (8, 32, 64, 512)
DESIGNS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "combinational": (None, {}),
    "pipelined": (None, {"clock_ns": 2.5}),
    "valid": (None, {"latency": 3, "valid": True, "register_inputs": True}),
    "jets": ("c4ml_lhcjets_bw2", {"clock_ns": 4.0}),
}
"""A stored model (the small network of two inputs and three outputs without one), and how it is compiled."""


@dataclass(frozen=True)
class Streamed:
    """A run of a package's bench."""

    passed: bool
    frames: int
    cycles: int
    seconds: float
    log: str


@lru_cache
def design(name: str) -> Circuit:
    """A compiled design."""
    model, options = DESIGNS[name]
    source = two_by_three() if model is None else MODELS / model / "model.onnx"
    return c4ml.compile(source, effort="fast", **options)


def stream(folder: Path, frames: int, seed: int = 1) -> Streamed:
    """Runs the cocotb bench of the wrapper in a package."""
    (bench,) = (path for path in (folder / "tb").glob("test_*_axis.py"))
    environment = os.environ | {"FRAMES": str(frames), "SEED": str(seed), "NO_COLOR": "1"}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, bench], env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    log = done.stdout + done.stderr
    found = re.search(r"(\d+) frames in (\d+) cycles", log)
    passed = done.returncode == 0 and found is not None
    return Streamed(passed, *(map(int, found.groups()) if found else (0, 0)), seconds, log)


@click.command()
@click.option(
    "--frames", default=10_000, show_default=True, help="Frames with random stalls for each design and width."
)
@click.option("--width", "widths", multiple=True, type=int, default=WIDTHS, show_default=True)
@click.option("--design", "names", multiple=True, type=click.Choice(list(DESIGNS)), default=list(DESIGNS))
@click.option("--seed", default=1, show_default=True)
def main(frames: int, widths: tuple[int, ...], names: tuple[str, ...], seed: int) -> None:
    """Exits with 1 where a bench fails."""
    if shutil.which("iverilog") is None:
        raise click.ClickException("Icarus Verilog isn't installed")
    failed = False
    with tempfile.TemporaryDirectory(prefix="c4ml_streams_") as scratch:
        for name in names:
            for width in widths:
                folder = Path(scratch) / f"{name}_{width}"
                design(name).package(folder, axis_width=width)
                result = stream(folder, frames, seed)
                verdict = "passed" if result.passed else "FAILED"
                click.echo(
                    f"{name}, {width} bits a beat: {verdict}, {result.frames} frames in {result.cycles} cycles, "
                    f"{result.seconds:.0f} s"
                )
                if not result.passed:
                    failed = True
                    click.echo(result.log[-3000:])
                shutil.rmtree(folder)
    sys.exit(failed)


if __name__ == "__main__":
    main()
