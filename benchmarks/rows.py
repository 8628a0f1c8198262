"""Builds one design of one case, checks it, and measures it."""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

import c4ml_xdsl
from benchmarks import peer_designs
from benchmarks.cases import REPOSITORY, Case
from benchmarks.designs import Design, OurDesign, PeerDesign
from benchmarks.errors import BenchmarkError
from benchmarks.integer_network import Integers, describe, lower_to_lbir, run, with_nearest, with_ties_up
from benchmarks.results import Row
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.ports import Port, port_of
from c4ml_xdsl.simulators.icarus import IcarusSimulator

VECTORS = 64
"""Samples that each design is simulated on: the lowest input, the highest, and random ones."""
MEASURE = Path(__file__).parent / "measure_verilog.py"


def measure_row(case: Case, design: Design, flows: str, known: Sequence[Row] = ()) -> Row:
    """
    The entry of the results for one design of one case.

    What is known of a design of the same Verilog isn't measured again.

    Raises BenchmarkError or one of the compiler's errors where it can't be built, is wrong, or isn't measured.
    """
    model = case.load()
    module = lower_to_lbir(model)
    network = network_of(module)
    source = port_of("x", "input", network.inputs.data[0], lbir.shape_of(network.body.block.args[0]))
    result = port_of("y", "output", network.outputs.data[0], lbir.shape_of(network.output_op.operands[0]))
    x = source.random(VECTORS, np.random.default_rng(0))
    wanted = lbir_interpreter.run(module, {source.tensor: x})[result.tensor].reshape(VECTORS, -1)
    if isinstance(design, OurDesign):
        row, sources, top, ports = _ours(model, design)
    else:
        described = with_nearest(describe(module)) if design.nearest else describe(module)
        built = peer_designs.build(design.peer, design.settings, described, "top", source, result)
        row, sources = _peers(design, built), built.sources
        top, ports = "top", [source, result]
    row["digest"] = _digest(sources)
    row["flow"] = flows
    for other in known:
        if other.get("digest") == row["digest"] and other["flow"] == flows:
            return {**row, **{key: other[key] for key in ("exact", "mismatches", "vectors", "flows")}}
    start = time.perf_counter()
    got = IcarusSimulator(sources, top, ports).run({source.tensor: x})[result.tensor]
    wrong = _mismatches(got, wanted)
    # da4ml rounds ties up only: where that is the whole difference, the row says that it isn't exact
    rounds_up = isinstance(design, PeerDesign) and design.peer == "da4ml"
    if wrong and not (rounds_up and not _mismatches(got, run(with_ties_up(describe(module)), x))):
        raise BenchmarkError(f"wrong in {wrong} of {VECTORS} vectors")
    row.update(exact=not wrong, mismatches=wrong, vectors=VECTORS)
    row["seconds"]["simulate"] = round(time.perf_counter() - start, 2)
    start = time.perf_counter()
    row["flows"] = measure(sources, top, flows)
    row["seconds"]["measure"] = round(time.perf_counter() - start, 2)
    return row


def _mismatches(got: Integers, wanted: Integers) -> int:
    return int((got.reshape(len(wanted), -1) != wanted).any(axis=1).sum())


def _ours(model: bytes, design: OurDesign) -> tuple[Row, dict[str, str], str, list[Port]]:
    start = time.perf_counter()
    circuit = c4ml_xdsl.compile(model, top="top", **design.options)
    seconds = time.perf_counter() - start
    report = circuit.report
    row: Row = {
        "commit": _commit(),
        "versions": {"c4ml-xdsl": c4ml_xdsl.__version__, "pyosys": version("pyosys")},
        "seconds": {"solve": round(seconds, 2)},
        "estimate": {"lut": report["totals"]["lut"], "delay_ns": report["totals"]["delay_ns"]},
        "adders": sum(layer["adders"] for layer in report["layers"]),
        "proved": f"{report['proved']['proved']} of {report['proved']['modules']}",
    }
    return row, circuit.sources, circuit.top, circuit.ports


def _peers(design: PeerDesign, built: peer_designs.PeerVerilog) -> Row:
    return {
        "commit": _commit(),
        "versions": {design.peer: built.version, "pyosys": version("pyosys")},
        "seconds": {"solve": built.seconds},
        "own": {"cost": built.cost, "depth": built.depth},
    }


def measure(sources: dict[str, str], top: str, flows: str) -> dict[str, dict[str, int]]:
    """
    LUT sites, LUTs, flip-flops and delay in ps of a design by each of some flows (a comma list, or "all").

    Raises BenchmarkError with what the measuring script says.
    """
    with tempfile.TemporaryDirectory(prefix="c4ml_measure_") as scratch:
        paths = [Path(scratch) / name for name in sources]
        for path, text in zip(paths, sources.values(), strict=True):
            path.write_text(text)
        command = [sys.executable, str(MEASURE), "--top", top, "--flow", flows, "--no-aig", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise BenchmarkError(f"not measured: {done.stderr.strip()[-300:]}") from None
    if "error" in answer:
        raise BenchmarkError(f"not measured: {answer['error'][:300]}")
    each = answer.get("flows") or {answer["flow"]: answer}
    return {
        flow: {
            "sites": figures["lut_sites"],
            "lut": figures["lut"],
            "ff": figures["ff"],
            "delay_ps": figures["delay_ps"],
        }
        for flow, figures in each.items()
    }


def _digest(sources: dict[str, str]) -> str:
    """A number for a design's Verilog and what measures it."""
    text = json.dumps([version("pyosys"), MEASURE.read_text(), sorted(sources.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _commit() -> str:
    """The commit of the repository, with a + where files of it were changed."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
