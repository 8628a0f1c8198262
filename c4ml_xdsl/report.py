"""Estimates of a design's size and delay and what is proved of it, layer by layer, for `report.json`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerType, ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.circuits.cost import (
    CARRY_NS,
    SAVE_NS,
    START_NS,
    Cost,
    Target,
    comparison_cost,
    logic_cost,
    row_cost,
    table_cost,
)
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.proofs import LayerProof
from c4ml_xdsl.transforms.convert_neuron_to_hw import COUNTERS, TABLES


@dataclass(frozen=True)
class _Arrival:
    """When a value's bits are there: bit 0 after `start` nanoseconds, each later one `slope` later, all by `end`."""

    start: float
    slope: float
    end: float

    @classmethod
    def line(cls, start: float, slope: float, width: int) -> "_Arrival":
        """So many bits one after the other."""
        return cls(start, slope, start + slope * (width - 1))


def estimate(module: hw.HWModuleOp, target: Target) -> tuple[Cost, int]:
    """
    The cost of one module without its instances, and its number of adders.

    Arrival times are those of bits: in chains of rows, the carries of one run right behind those of the one before.
    """
    arrivals: dict[SSAValue, _Arrival] = {}
    lut = adders = 0
    merged: set[Operation] = set()
    for operation in module.body.block.ops:
        if not operation.results:
            continue
        cost = Cost(0, 0.0)
        known = [arrivals.get(operand, _Arrival(0.0, 0.0, 0.0)) for operand in operation.operands]
        width = comb.width_of(operation.results[0]) if isinstance(operation.results[0].type, IntegerType) else 1
        match operation:
            case comb.ExtractOp():
                start = known[0].start + known[0].slope * operation.low_bit.value.data
                line = _Arrival.line(start, known[0].slope, width)
                arrival = _Arrival(start, line.slope, min(line.end, known[0].end))
            case comb.ConcatOp():
                arrival = _joined(operation, known)
            case comb.ReplicateOp():
                arrival = _Arrival(known[0].end, 0.0, known[0].end)
            case comb.AddOp() | comb.SubOp():
                if _is_part_of_a_row(operation, merged):
                    merged.add(operation)
                else:
                    adders += 1
                    cost = row_cost(width, _row_operands(operation, merged), target)
                start = max(each.start for each in known)
                if start <= 0.0 and cost.lut:
                    start = START_NS
                arrival = _Arrival.line(start + cost.delay_ns, CARRY_NS, width)
            case comb.XorOp() | comb.OrOp() if len(operation.operands) == 3:  # parity and majority of three words
                if isinstance(operation, comb.OrOp):
                    cost = logic_cost(width)
                start = max(each.start for each in known) + SAVE_NS
                end = max(each.end for each in known) + SAVE_NS
                arrival = _Arrival(start, max(each.slope for each in known), end)
            case comb.XorOp() | comb.AndOp() | comb.OrOp():
                slope, end = max(each.slope for each in known), max(each.end for each in known)
                arrival = _Arrival(max(each.start for each in known), slope, end)
            case _:
                cost = _choice_cost(operation)
                end = max((each.end for each in known), default=0.0) + cost.delay_ns
                arrival = _Arrival(end, 0.0, end)
        lut += cost.lut
        for result in operation.results:
            arrivals[result] = arrival
    outputs = module.body.block.last_op
    assert outputs is not None
    delay = max((arrivals[each].end for each in outputs.operands if each in arrivals), default=0.0)
    return Cost(lut, delay), adders


def _choice_cost(operation: Operation) -> Cost:
    """What compares, chooses or looks up; other operations cost nothing."""
    match operation:
        case comb.ICmpOp():
            return comparison_cost(comb.width_of(operation.lhs), isinstance(operation.rhs.owner, hw.ConstantOp))
        case comb.MuxOp() if not isinstance(operation.true_value.owner, hw.ConstantOp):
            return logic_cost(comb.width_of(operation.result))
        case comb.TruthTableOp():
            return table_cost(len(operation.inputs))
        case _:
            return Cost(0, 0.0)


def _joined(operation: comb.ConcatOp, known: Sequence[_Arrival]) -> _Arrival:
    """The arrival of values side by side, the first in the most significant bits: the latest line through a part."""
    position, slope = 0, max(each.slope for each in known)
    start = 0.0
    for operand, each in zip(reversed(operation.operands), reversed(known), strict=True):
        if each.start > 0.0 or each.slope > 0.0:
            start = max(start, each.start - slope * position)
        position += comb.width_of(operand)
    return _Arrival(start, slope, max(each.end for each in known))


def _is_part_of_a_row(operation: comb.AddOp | comb.SubOp, merged: set[Operation]) -> bool:
    """Whether a sum of two is what a subtraction, which alone reads it, takes something from."""
    if not operation.result.has_one_use() or _row_operands(operation, merged) > 2:
        return False
    user = next(iter(operation.result.uses))
    return isinstance(user.operation, comb.SubOp) and user.index == 0


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
