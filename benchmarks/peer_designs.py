"""Builds a case with da4ml or Alkaid, which run in an environment of their own."""

import json
import os
import subprocess
import tempfile
import venv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.integer_network import IntegerNetwork, Integers, Layer, Maximum, Thresholds, save
from benchmarks.peer_top import PartFormats, top_module
from c4ml_xdsl.cache import cache_folder
from c4ml_xdsl.ports import Port

SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class PeerVerilog:
    """A peer's design with our ports, and what the peer says of it."""

    sources: dict[str, str]
    version: str
    seconds: float
    cost: float
    depth: float
    registers: int = 0


def peers_folder() -> Path:
    """The peers' virtual environment: `$C4ML_PEERS`, else in our cache folder."""
    return Path(os.environ.get("C4ML_PEERS") or cache_folder() / "benchmark-peers")


def peers_python() -> Path | None:
    """The peers' interpreter, None where they aren't installed."""
    python = peers_folder() / "bin" / "python"
    return python if python.is_file() else None


def install_peers() -> None:
    """Makes the environment and installs the peers' pinned versions with pip."""
    folder = peers_folder()
    venv.create(folder, with_pip=True)
    requirements = str(SCRIPTS / "requirements.txt")
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "-r", requirements], check=True)


def parts_of(network: IntegerNetwork) -> list[tuple[IntegerNetwork, Integers | None]]:
    """
    A network cut behind each activation of several thresholds, which the peers can't say: (part, levels) in order.

    `levels` (elements, levels) belong to the part's outputs, None at the network's end. One threshold is the sign of a
    sum, which the peers know, so it moves to the bias.
    """
    parts: list[tuple[IntegerNetwork, Integers | None]] = []
    inputs, low, high, steps = network.inputs, network.low, network.high, list[Layer | Maximum]()
    for number, step in enumerate(network.steps):
        levels = step.activation.levels if isinstance(step, Layer) and isinstance(step.activation, Thresholds) else None
        if levels is None:
            steps.append(step)
            continue
        assert isinstance(step, Layer)
        if levels.shape[1] == 1:
            sign = Thresholds(np.zeros_like(levels))
            steps.append(replace(step, bias=step.bias - levels[:, 0], activation=sign))
            continue
        steps.append(replace(step, activation=None))
        part = IntegerNetwork(inputs, low, high, tuple(steps), np.arange(step.size))
        parts.append((part, np.tile(levels, (len(step.gather), 1))))
        inputs, low, high, steps = step.size, 0, levels.shape[1], []
        assert number + 1 < len(network.steps) or np.array_equal(network.order, np.arange(step.size))
    if steps or not parts:
        parts.append((IntegerNetwork(inputs, low, high, tuple(steps), network.order), None))
    return parts


def build(
    peer: str, settings: dict[str, Any], network: IntegerNetwork, top: str, source: Port, result: Port
) -> PeerVerilog:
    """
    The peer's Verilog for a network, under a top module with our ports.

    Raises BenchmarkError where the peers aren't installed or the peer refuses.
    """
    python = peers_python()
    if python is None:
        raise BenchmarkError("the peers aren't installed: python -m benchmarks peers-install")
    parts = parts_of(network)
    with tempfile.TemporaryDirectory(prefix="c4ml_peer_") as scratch:
        folder = Path(scratch)
        save([part for part, _ in parts], folder / "description.npz")
        command = [str(python), str(SCRIPTS / "generate.py"), peer, json.dumps(settings)]
        done = subprocess.run(
            [*command, str(folder / "description.npz"), str(folder / "out")],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BenchmarkError(f"{peer} failed: {last[:300]}")
        entry = json.loads((folder / "out" / "parts.json").read_text())
        sources = {path.name: path.read_text() for path in sorted((folder / "out").glob("*.v"))}
    formats = [PartFormats(part["inp"], part["out"]) for part in entry["parts"]]
    sources[f"{top}.v"] = top_module(top, source, result, parts, formats, "stages" in settings)
    return PeerVerilog(sources, entry["version"], entry["seconds"], entry["cost"], entry["depth"], entry["registers"])
