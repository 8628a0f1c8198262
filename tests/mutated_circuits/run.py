"""
Plants faults and compares the checker's verdicts with all inputs.

`python -m tests.mutated_circuits.run --count 500` is the long run.
"""

import sys
from collections import Counter
from dataclasses import dataclass, field

import click
import numpy as np
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from c4ml_xdsl.circuit import NumpySimulator
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.ports import ports_of
from c4ml_xdsl.proofs import prove
from tests.mutated_circuits.mutations import mutate
from tests.mutated_circuits.networks import NETWORKS, all_inputs, lowered


@dataclass
class Outcome:
    """What has become of some faults."""

    verdicts: Counter[str] = field(default_factory=Counter[str])
    """`refuted`, `not proved`, `equivalent` (proved, and equal on all inputs), and how many of each mutation."""
    mistakes: list[str] = field(default_factory=list[str])
    """Faults that a proof overlooked, and refuted circuits that are right."""


def same(network: ModuleOp, design: ModuleOp) -> bool:
    """Whether network and design agree on all inputs."""
    top = [each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp)][-1]
    x = all_inputs(network)
    want = lbir_interpreter.run(network, x)
    got = NumpySimulator(design, top.sym_name.data, ports_of(top)).run(x)
    return all(
        np.array_equal(got[name].reshape(len(each), -1), each.reshape(len(each), -1)) for name, each in want.items()
    )


def run(count: int, seed: int = 0) -> Outcome:
    """Plants so many faults, one at a time, in networks of all kinds."""
    outcome = Outcome()
    random = np.random.default_rng(seed)
    while sum(outcome.verdicts.values()) < count:
        for build in NETWORKS:
            network = build(random)
            target = "xilinx" if random.integers(2) else "generic"
            strategy = str(random.choice(["shared", "table", "compressor"]))
            design = lowered(network, target, strategy, "delay" if random.integers(3) == 0 else "balanced")
            proofs = prove(network, design)
            if any(proof.status != "proved" for proof in proofs):
                outcome.mistakes.append(f"{build.__name__}: not proved without a fault: {proofs}")
            for _ in range(6):
                mutant = design.clone()
                name = mutate(mutant, random)
                mutant.verify()
                statuses = {proof.status for proof in prove(network, mutant)}
                status = next(each for each in ("refuted", "not proved", "proved") if each in statuses)
                equal = same(network, mutant)
                if status == "proved" and not equal:
                    outcome.mistakes.append(f"{build.__name__}, {name}: proved, but wrong\n{mutant}")
                if status == "refuted" and equal and len(list(mutant.body.block.ops)) == 2:
                    outcome.mistakes.append(f"{build.__name__}, {name}: refuted, but right\n{mutant}")
                kind = "equivalent" if equal else "wrong"
                outcome.verdicts[f"{kind}, {status}"] += 1
    return outcome


@click.command()
@click.option("--count", default=500, help="Faults.")
@click.option("--seed", default=0)
def main(count: int, seed: int) -> None:
    """Planted faults: none may be proved, unless the circuit is still right for all inputs."""
    outcome = run(count, seed)
    for verdict, number in sorted(outcome.verdicts.items()):
        click.echo(f"{number:6} {verdict}")
    for mistake in outcome.mistakes:
        click.echo(mistake)
    sys.exit(1 if outcome.mistakes else 0)


if __name__ == "__main__":
    main()
