"""
Runs in the peers' own environment: builds described networks with da4ml or Alkaid and writes Verilog.

    python generate.py PEER SETTINGS DESCRIPTION FOLDER

SETTINGS is JSON, `{"hard_dc": 2, "fuse_ternary": true}`, with `"stages": N` for a pipeline of one part by Alkaid
without registers at its ports; DESCRIPTION is what `benchmarks.integer_network.save` wrote,
one network a part. FOLDER gets `part0.v`, … with modules `part0`, …, the peer's library modules, and `parts.json`:
each part's port formats as [signed, integer bits, fraction bits] an element, and what the peer says of its design.
"""

import importlib
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


class Peer:
    """The calls that differ between da4ml and Alkaid."""

    def __init__(self, name: str):
        self.name = name
        trace, self.verilog = importlib.import_module(f"{name}.trace"), f"{name}.codegen.rtl.verilog"
        self.array: Any = trace.FixedVariableArray if name == "da4ml" else trace.FVArray
        self.trace: Any = trace.comb_trace if name == "da4ml" else trace.trace

    def rounding(self, mode: str) -> str:
        """The peer's word for a rounding mode: da4ml has no ties to even, so it gets the nearest that it has."""
        if mode == "floor":
            return "TRN"
        if mode == "half_even":
            return "RND" if self.name == "da4ml" else "RND_CONV"
        raise SystemExit(f"{self.name} doesn't round {mode}")

    def logic(self, inputs: Any, outputs: Any, fuse_ternary: bool) -> Any:
        """The traced design, with Alkaid's fusion to adders of three operands if that is asked for."""
        logic = self.trace(inputs, outputs, keep_dead_inputs=True)
        if fuse_ternary:
            passes = importlib.import_module(f"{self.name}.trace.passes")
            fused = passes.dead_code_elimin(passes.fuse_ternary_adders(logic), keep_dead_inputs=True)
            logic = passes.add_surrogate(fused, _skip_op8_cost=True)
        return logic

    def formats(self, logic: Any, side: str) -> list[list[int]]:
        """[signed, integer bits, fraction bits] of each element of the port `inp` or `out`."""
        if self.name == "da4ml":
            minimal = importlib.import_module("da4ml.types").minimal_kif
            return [[int(number) for number in minimal(each)] for each in getattr(logic, f"{side}_qint")]
        return [[int(number) for number in each] for each in np.array(getattr(logic, f"{side}_kifs")).T]

    def write_pipeline(self, logic: Any, stages: int, folder: Path) -> int:
        """Verilog of Alkaid's own pipeline of one part with so many stages; its register bits."""
        pipeline = importlib.import_module("alkaid.trace.pipeline")
        rtl = importlib.import_module("alkaid.codegen.rtl.rtl_model")
        machine = pipeline.to_pipeline(logic, n_stages=stages, verbose=False, reg_inp=False, reg_out=False)
        model = rtl.RTLModel(machine, folder / "project", prj_name="part0")
        model.write()
        source = folder / "project" / "src"
        for path in sorted([*source.glob("*.v"), *source.glob("static/*.v")]):
            if path.stem != "part0_wrapper":
                (folder / path.name).write_text(path.read_text())
        return int(model.reg_bits)

    def write(self, logics: list[Any], folder: Path) -> None:
        """Verilog of the parts, the tables that Alkaid shares between them, and the library modules they use."""
        code = importlib.import_module(f"{self.verilog}.comb")
        texts = {f"part{number}.v": code.comb_logic_gen(logic, f"part{number}") for number, logic in enumerate(logics)}
        if self.name == "alkaid":
            texts["tables.v"] = importlib.import_module(f"{self.verilog}.lookup").lookup_source(logics)
        for source in sorted((Path(str(code.__file__)).parent / "source").glob("*.v")):
            if any(f"{source.stem} #(" in text for text in texts.values()):
                texts[f"library_{source.name}"] = source.read_text()
        for name, text in texts.items():
            if text.strip():
                (folder / name).write_text(text)


def build(peer: Peer, part: dict[str, Any], arrays: Any, settings: dict[str, Any]) -> Any:
    """The peer's design of one part."""
    ones = np.ones(part["inputs"])
    inputs = peer.array.from_lhs(
        ones * part["low"], ones * part["high"], ones, solver_options={"hard_dc": settings["hard_dc"]}
    )
    values = inputs
    for step in part["steps"]:
        rows = values[arrays[step["gather"]]]
        if step["kind"] == "maximum":
            values = np.max(rows, axis=1)
            continue
        sums = rows @ arrays[step["weights"]].astype(np.float64)
        if arrays[step["bias"]].any():
            sums = sums + arrays[step["bias"]].astype(np.float64)
        activation = step["activation"]
        if activation is not None and activation["kind"] == "rounding":
            bits, signed = activation["bits"], int(activation["signed"])
            ones = np.ones(sums.shape, np.int64)
            if activation["shift"]:
                sums = sums * 2.0 ** -activation["shift"]
            mode = peer.rounding(activation["mode"])
            sums = sums.quantize(ones * signed, ones * (bits - signed), ones * 0, "SAT", mode)
        elif activation is not None:
            sums = sums >= 0  # the one level is in the bias
        values = sums.reshape(-1)
    return peer.logic(inputs, values[arrays[part["order"]]], settings.get("fuse_ternary", False))


def main(name: str, settings: dict[str, Any], description: Path, folder: Path) -> None:
    """Builds every part of a description and writes the folder."""
    peer, start = Peer(name), time.process_time()
    with np.load(description, allow_pickle=False) as arrays:
        parts = json.loads(str(arrays["description"]))
        logics = [build(peer, part, arrays, settings) for part in parts]
    seconds = time.process_time() - start
    folder.mkdir(parents=True, exist_ok=True)
    stages = settings.get("stages")
    registers = 0
    if stages is None:
        peer.write(logics, folder)
    elif len(logics) == 1:
        registers = peer.write_pipeline(logics[0], stages, folder)
    else:
        raise SystemExit("a pipeline of several parts")
    entry = {
        "version": version(name),
        "seconds": round(seconds, 2),
        "cost": float(sum(logic.cost for logic in logics)),
        "registers": registers,
        "depth": float(sum(logic.latency[1] for logic in logics)),
        "parts": [{side: peer.formats(logic, side) for side in ("inp", "out")} for logic in logics],
    }
    (folder / "parts.json").write_text(json.dumps(entry))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
