"""
The long run: `python -m tests.mutated_files.run --count 5000 --seed 0 --workers 2`.

Files that fail are saved with their seeds. Every run with the same seed makes the same files.
"""

import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click

from tests.mutated_files.judge import Verdict, judge_apart
from tests.mutated_files.mutations import corpus, mutated


def _run(number: int) -> tuple[int, str, Verdict]:
    done, data = mutated(number)
    return number, done, judge_apart(data)


@click.command()
@click.option("--count", default=5000, help="Files.")
@click.option("--seed", "first", default=0, help="The first file's seed; each further file has the next one.")
@click.option("--workers", default=2)
@click.option("--folder", default="mutated_failures", help="Where failing files go.")
def main(count: int, first: int, workers: int, folder: str) -> None:
    """Mutated files: each must compile or be refused, within 10 seconds and 1 GB."""
    start = time.monotonic()
    outcomes, reasons, faults = Counter[str](), Counter[str](), 0
    longest, largest = (0.0, 0), (0.0, 0)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=corpus) as pool:
        for number, done, verdict in pool.map(_run, range(first, first + count), chunksize=8):
            outcomes[verdict.outcome] += 1
            longest = max(longest, (verdict.seconds, number))
            largest = max(largest, (verdict.megabytes, number))
            if verdict.fault:
                faults += 1
                path = Path(folder) / f"{number}.onnx"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(mutated(number)[1])
                path.with_suffix(".txt").write_text(f"{done}\n{verdict.outcome}\n{verdict.text}\n")
                click.echo(f"seed {number}: {verdict.outcome}: {done}\n{verdict.text[-1500:].strip()}\n")
            elif verdict.text:
                reasons[verdict.text.splitlines()[0].rpartition(": ")[2][:60]] += 1
    for reason, number in reasons.most_common(20):
        click.echo(f"refused {number}: {reason}")
    click.echo(f"longest {longest[0]:.1f} s (seed {longest[1]}), largest {largest[0]:.0f} MB (seed {largest[1]})")
    click.echo(f"{dict(outcomes.most_common())} in {time.monotonic() - start:.0f} s")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
