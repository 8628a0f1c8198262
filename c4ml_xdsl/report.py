"""Estimates of a design's size and delay and what is proved of it, layer by layer, for `report.json`."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp, StringAttr

from c4ml_xdsl import __version__
from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.circuits.timing import stage_permille
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.estimates import count_registered_parities, estimate
from c4ml_xdsl.layer_outputs import LayerOutput
from c4ml_xdsl.proofs import LayerProof, PipelineProof
from c4ml_xdsl.stages import stages_of
from c4ml_xdsl.timing import DesignTiming, Step
from c4ml_xdsl.transforms.considered import Alternative, alternatives_of
from c4ml_xdsl.transforms.convert_neuron_to_hw import COUNTERS, TABLES
from c4ml_xdsl.transforms.hw_schedule_stages import read_stages
from c4ml_xdsl.transforms.neuron_build_sums import STRATEGY
from c4ml_xdsl.transforms.neuron_share_sums import SEARCH


def layers_of(module: ModuleOp, top: str, target: Target, strategy: str) -> list[dict[str, Any]]:
    """
    One entry a layer: name, op, strategy, instances, and of all of them adders, LUT sites and flip-flops; delay.

    Where sums share adders, `search` has the sites of these, in one instance, before the search, after half of its
    iterations and in the end. `considered` has the ways to build it that passes compared.
    """
    entries: list[dict[str, Any]] = []
    instances = Counter(
        operation.module_name.string_value()
        for each in module.body.block.ops
        if isinstance(each, hw.HWModuleOp)
        for operation in each.body.block.ops
        if isinstance(operation, hw.InstanceOp)
    )
    for each in module.body.block.ops:
        if isinstance(each, hw.HWModuleOp) and each.sym_name.data != top:
            cost, adders = estimate(each, target)
            comment, count = each.attributes.get("comment"), instances[each.sym_name.data]
            entries.append(
                {
                    "name": each.sym_name.data,
                    "op": cast(StringAttr, comment).data if comment is not None else "",
                    "strategy": _strategy(each, strategy, adders),
                    "instances": count,
                    "adders": adders * count,
                    "lut": cost.lut * count,
                    "ff": 0,
                    "delay_ns": round(cost.delay_ns, 3),
                    "considered": [_considered(way) for way in alternatives_of(each)],
                }
            )
            search = each.attributes.get(SEARCH)
            if isinstance(search, lbir.NumbersAttr):
                # what more iterations would gain is less than what the second half of these did
                entries[-1]["search"] = dict(zip(("greedy", "halfway", "sites"), search.data, strict=True))
    return entries


def _considered(way: Alternative) -> dict[str, Any]:
    """An alternative's entry."""
    entry: dict[str, Any] = {
        "strategy": way.strategy,
        "lut": way.lut,
        "values": way.values,
        "chosen": way.chosen,
    }
    if way.delay is not None:
        entry["delay_ns"] = way.delay / 1000
    return entry


def critical_path(module: ModuleOp, top: str, target: Target) -> dict[str, Any]:
    """The longest path through a combinational design, and its delay."""
    design = DesignTiming(module.body.block.ops, top, target, collapse=True)
    (path,) = design.timing.paths([0] * design.timing.steps)
    return _path_entry(None, path.delay / 1000, [_step_name(design.steps[step]) for step in path.steps])


def critical_stage(stages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The path of the stage that takes longest, the first one of these."""
    longest = max(stages, key=lambda stage: stage["delay_ns"])
    return _path_entry(longest["stage"], longest["delay_ns"], longest["path"])


def _path_entry(stage: int | None, delay: float, path: Sequence[str]) -> dict[str, Any]:
    return {"stage": stage, "delay_ns": delay, "path": list(path)}


def versions() -> dict[str, str]:
    """The compiler's version, and those of what decides its result."""
    return {"c4ml-xdsl": __version__, **{name: version(name) for name in ("xdsl", "onnx", "numpy", "highspy")}}


def stages_of_design(
    module: ModuleOp, top: str, target: Target, registered_inputs: bool, registered_outputs: bool
) -> list[dict[str, Any]]:
    """
    One entry a stage of a design whose operations have stages: its delay and the longest path.

    The path names a layer and the value that is made there, step by step.
    """
    design = DesignTiming(module.body.block.ops, top, target, registered_inputs, registered_outputs)
    stages, permille = read_stages(design), stage_permille(target)
    return [
        {
            "stage": stage,
            "delay_ns": path.delay * (permille if _operations(design, path.steps) > 1 else 1000) // 1000 / 1000,
            "ff": 0,
            "path": [_step_name(design.steps[step]) for step in path.steps],
        }
        for stage, path in enumerate(design.timing.paths(stages))
    ]


def _operations(design: DesignTiming, steps: Sequence[int]) -> int:
    """How many steps are operations, not ports."""
    return sum(design.steps[step].operation is not None for step in steps)


def _step_name(step: Step) -> str:
    """A step in words: its layer and what is made there."""
    if step.operation is None:
        return f"{step.module}: {step.role}"
    hint = step.operation.results[0].name_hint
    return f"{step.module}: {hint or step.operation.name}"


def add_registers(
    module: ModuleOp,
    pipeline: PipelineProof,
    layers: Sequence[dict[str, Any]],
    stages: Sequence[dict[str, Any]],
    totals: dict[str, Any],
) -> None:
    """
    Adds the registers of a pipelined design to the entries of layers and stages and to the totals, and what LUTs they
    keep apart.

    `ff` of a stage are those between it and the stage before; control is counted in the totals alone. `registers` of a
    layer are those of each of its stages, of all instances: the first one has none.
    """
    known = {layer["name"]: layer for layer in layers}
    for each in module.body.block.ops:
        if isinstance(each, hw.HWModuleOp):
            name, (first, last) = each.sym_name.data, stages_of(each)
            count = known[name]["instances"] if name in known else 1
            parities = count_registered_parities(each) * count
            totals["lut"] += parities
            if name in known:
                known[name]["lut"] += parities
                known[name]["ff"] = sum(pipeline.registers[name]) * count
                known[name]["stages"] = [first, last]
                known[name]["registers"] = [0, *(registers * count for registers in pipeline.registers[name])]
            for offset, registers in enumerate(pipeline.registers[name], start=1):
                stages[first + offset]["ff"] += registers * count
    control = sum(
        isinstance(operation, seq.CompRegOp) and operation.reset is not None
        for each in module.body.block.ops
        if isinstance(each, hw.HWModuleOp)
        for operation in each.body.block.ops
    )
    totals["ff"] = sum(stage["ff"] for stage in stages) + control
    totals["delay_ns"] = max(stage["delay_ns"] for stage in stages)


def _strategy(module: hw.HWModuleOp, strategy: str, adders: int) -> str:
    """How a layer is built: tables, adders, or both."""
    own = module.attributes.get(STRATEGY)
    if isinstance(own, StringAttr):
        return own.data
    arithmetic = "compressor" if COUNTERS in module.attributes else strategy if adders else "direct"
    if TABLES not in module.attributes:
        return arithmetic
    return f"table, {arithmetic}" if adders else "table"


def add_proofs(layers: list[dict[str, Any]], proofs: Sequence[LayerProof]) -> dict[str, Any]:
    """Adds `proof` to each layer's entry: status and reasons; the summary counts modules, the top among them."""
    known = {proof.name: proof for proof in proofs}
    for layer in layers:
        proof = known[layer["name"]]
        layer["proof"] = {"status": proof.status, "reasons": proof.reasons}
    return {
        "modules": len(proofs),
        "proved": sum(proof.status == "proved" for proof in proofs),
        "reasons": [reason for proof in proofs for reason in proof.reasons],
    }


def add_outputs(layers: Sequence[dict[str, Any]], outputs: Sequence[LayerOutput]) -> None:
    """Adds `output` to each layer's entry: the tensor that its instances give, and how it lies in their ports."""
    known = {output.module: output for output in outputs}
    for layer in layers:
        if layer["name"] in known:
            layer["output"] = known[layer["name"]].to_json()
