"""Estimates of a design's size and delay and what is proved of it, layer by layer, for `report.json`."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.circuits.cost import Cost, Target, comparison_cost, logic_cost, row_cost, table_cost
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.proofs import LayerProof
from c4ml_xdsl.transforms.convert_neuron_to_hw import TABLES


def estimate(module: hw.HWModuleOp, target: Target) -> tuple[Cost, int]:
    """The cost of one module without its instances, and its number of adders; delays add up along the longest path."""
    arrival: dict[SSAValue, float] = {}
    lut = adders = 0
    merged: set[Operation] = set()
    for operation in module.body.block.ops:
        start = max((arrival.get(operand, 0.0) for operand in operation.operands), default=0.0)
        cost = Cost(0, 0.0)
        match operation:
            case comb.AddOp() | comb.SubOp():
                user = next(iter(operation.result.uses), None)
                if operation.result.has_one_use() and user is not None and isinstance(user.operation, comb.SubOp):
                    merged.add(operation)
                if operation not in merged:
                    adders += 1
                    cost = row_cost(comb.width_of(operation.result), _row_operands(operation, merged), target)
            case comb.ICmpOp():
                constant = isinstance(operation.rhs.owner, hw.ConstantOp)
                cost = comparison_cost(comb.width_of(operation.lhs), constant)
            case comb.MuxOp() if not isinstance(operation.true_value.owner, hw.ConstantOp):
                cost = logic_cost(comb.width_of(operation.result))
            case comb.TruthTableOp():
                cost = table_cost(len(operation.inputs))
            case _:
                pass
        lut += cost.lut
        for result in operation.results:
            arrival[result] = start + cost.delay_ns
    return Cost(lut, max(arrival.values(), default=0.0)), adders


def _row_operands(operation: Operation, merged: set[Operation]) -> int:
    count = 0
    for operand in operation.operands:
        owner = operand.owner
        if isinstance(owner, Operation) and owner in merged:
            count += _row_operands(owner, merged)
        elif not (isinstance(owner, hw.ConstantOp) and owner.value.value.data == 0):
            count += 1
    return count


def layers_of(module: ModuleOp, top: str, target: Target, strategy: str) -> list[dict[str, Any]]:
    """One entry a layer: name, op, strategy, instances, and of all of them adders, LUT sites and flip-flops; delay."""
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
                }
            )
    return entries


def _strategy(module: hw.HWModuleOp, strategy: str, adders: int) -> str:
    """How a layer is built: tables, adders, or both."""
    arithmetic = strategy if adders else "direct"
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
