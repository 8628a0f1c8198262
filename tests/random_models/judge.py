"""What a random model must show: it is exact at every level, or refused by name and reason."""

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import onnx

import c4ml_xdsl as c4ml
from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.errors import OptionError, UnsupportedModelError
from c4ml_xdsl.verification import check_rtl


@dataclass
class Tally:
    """How many models came out how, and how often each operator was in one that is exact."""

    outcomes: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def merge(self, other: "Tally") -> None:
        """Adds another count."""
        self.outcomes += other.outcomes
        self.operators += other.operators
        self.reasons += other.reasons


STRATEGIES, GOALS = ("shared", "auto", "table", "compressor"), ("area", "balanced", "delay")
REGISTERS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"clock_ns": 4.0, "valid": True},
    {"latency": 3, "register_inputs": True},
    {"latency": 2, "register_outputs": True, "valid": True},
)
"""Those that a model is built with depend on the model alone, so that a fault is found again."""


def judge(
    model: onnx.ModelProto,
    tally: Tally,
    *,
    vectors: int = 48,
    simulator: str | None = None,
    strategy: str | None = None,
) -> None:
    """
    Compiles a model, which compares reference, lbir and hw; with `simulator` the Verilog too.

    Strategy, goal and registers are the same for the same model, unless a strategy is given. Where the clock can't be
    met, the circuit has none.

    Raises VerificationError or AssertionError for a fault; anything else that is raised is a crash.
    """
    refusal: UnsupportedModelError | None = None
    circuit: Circuit | None = None
    digest = zlib.crc32(model.SerializeToString(deterministic=True))
    if strategy is None:  # most of these models are so small that tables would be all that is tested
        strategy = STRATEGIES[digest % 3]
    goal = GOALS[digest // 3 % 3]
    options: dict[str, Any] = {"vectors": vectors, "effort": "fast", "strategy": strategy, "minimize": goal}
    try:
        try:
            circuit = c4ml.compile(model, **options, **REGISTERS[digest // 9 % len(REGISTERS)])
        except OptionError as error:
            if "more than the clock" not in error.message:
                raise
            circuit = c4ml.compile(model, **options)
        tally.outcomes["registered"] += circuit.report["latency_cycles"] > 0
    except UnsupportedModelError as error:
        refusal = error
    if refusal is not None:
        names = {name for node in model.graph.node for name in (node.name, *node.output)}
        names |= {entry.name for entry in model.graph.input}
        assert refusal.node in names, f"refused without a node: {refusal}"
        assert refusal.reason, f"refused without a reason: {refusal}"
        tally.outcomes["refused"] += 1
        tally.reasons[refusal.reason] += 1
        return
    assert circuit is not None
    if simulator is not None:
        check_rtl(circuit, circuit.simulator(simulator), simulator, vectors)
        tally.outcomes["simulated"] += 1
    tally.outcomes["exact"] += 1
    tally.outcomes["ambiguous"] += any(entry.get("ambiguous") for entry in circuit.report["verified"])
    tally.operators.update({node.op_type for node in model.graph.node})
