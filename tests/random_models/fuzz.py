"""
The long run: `python -m tests.random_models.fuzz --count 20000 --simulate 1000`.

Failures are shrunk and saved as small .onnx files. Every run with the same seed draws the same models.
"""

import multiprocessing
import sys
import time
import traceback
from pathlib import Path

import click
import onnx
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.random_models.judge import Tally, judge
from tests.random_models.strategies import models

BATCH, DRAWN_AT_ONCE = 250, 10


def run(number: int, count: int, simulator: str | None, folder: str) -> tuple[Tally, str]:
    """One batch with its own seed; the last failing model, which is the smallest, stays in `folder`."""
    tally = Tally()
    path = Path(folder) / f"failure{number}.onnx"

    @settings(
        max_examples=min(DRAWN_AT_ONCE, count),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(models())
    def one(model: onnx.ModelProto) -> None:
        try:
            judge(model, tally, simulator=simulator)
        except BaseException:
            onnx.save(model, path)
            raise

    # Hypothesis varies what it has just drawn: many short runs give more kinds of models than a long one
    for part in range(-(-count // DRAWN_AT_ONCE)):
        try:
            seed(number * BATCH + part)(one)()
        except Exception:
            return tally, f"seed {number}: {path}\n{traceback.format_exc(limit=-6)}"
    return tally, ""


def _run(arguments: tuple[int, int, str | None, str]) -> tuple[Tally, str]:
    return run(*arguments)


@click.command()
@click.option("--count", default=2000, help="Models compared at lbir and hw level.")
@click.option("--simulate", default=0, help="Further models whose Verilog is simulated.")
@click.option("--simulator", default="icarus", type=click.Choice(["icarus", "verilator"]))
@click.option("--seed", "first", default=0, help="The first seed.")
@click.option("--workers", default=2)
@click.option("--folder", default="fuzz_failures", help="Where failing models go.")
def main(count: int, simulate: int, simulator: str, first: int, workers: int, folder: str) -> None:
    """Random models, until some number of them is exact or one is not."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    jobs = [(first + i, min(BATCH, count - i * BATCH), None, folder) for i in range(-(-count // BATCH))]
    jobs += [
        (first + 100000 + i, min(BATCH // 5, simulate - i * (BATCH // 5)), simulator, folder)
        for i in range(-(-simulate // (BATCH // 5)))
    ]
    total, failures = Tally(), list[str]()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for tally, failure in pool.imap_unordered(_run, jobs):
            total.merge(tally)
            if failure:
                failures.append(failure)
                click.echo(failure)
    click.echo(f"{dict(total.outcomes)} in {time.monotonic() - start:.0f} s")
    click.echo("operators: " + ", ".join(f"{name} {number}" for name, number in total.operators.most_common()))
    for reason, number in total.reasons.most_common(20):
        click.echo(f"refused {number}: {reason}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
