"""
Draws the models of `tests/mutated_files/models`: `python -m tests.mutated_files.draw`.

They are files, since what Hypothesis draws for a seed changes with its version and with the code around it.
"""

from pathlib import Path

import click
import onnx
from hypothesis import HealthCheck, Phase, given, seed, settings

from c4ml_xdsl.compiler import compile
from tests.random_models.strategies import models

FOLDER = Path(__file__).parent / "models"


def compiles(model: onnx.ModelProto) -> bool:
    """Whether nothing is refused."""
    try:
        compile(model, vectors=8, effort="fast")
    except Exception:  # tests/random_models finds faults with valid models
        return False
    return True


@click.command()
@click.option("--count", default=48)
def main(count: int) -> None:
    """Replaces the models: first those with operators that none before has, then the longest."""
    drawn: list[onnx.ModelProto] = []

    @seed(0)
    @settings(max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=(Phase.generate,))  # fmt: skip
    @given(models())
    def draw(model: onnx.ModelProto) -> None:
        if compiles(model):
            drawn.append(model)

    draw()
    known: set[str] = set()
    news, others = list[onnx.ModelProto](), list[onnx.ModelProto]()
    for model in drawn:
        operators = {node.op_type for node in model.graph.node}
        (others if operators <= known else news).append(model)
        known |= operators
    others.sort(key=lambda model: -len(model.graph.node))
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.onnx"):
        old.unlink()
    for number, model in enumerate((news + others)[:count]):
        onnx.save(model, FOLDER / f"{number:02}.onnx")


if __name__ == "__main__":
    main()
