"""Compiling grows as the network does, and the benchmark that says so measures what it says."""

import time
from collections.abc import Callable

import numpy as np
import pytest

import c4ml_xdsl as c4ml
from benchmarks.scale import PARTS, ScaleCase, measure_scale, multiplications, scale_cases, scale_table
from benchmarks.scale_models import dense_model, image_model
from benchmarks.scale_simulation import measure_simulation, mixtures, simulation_names
from c4ml_xdsl.compiler import check_model


def test_a_row_adds_up() -> None:
    case = ScaleCase("image", 8, "fast", lambda: image_model(8, (3, 6, 6)), vectors=16)
    row = measure_scale(case)
    assert row["macs"] == 6 * 6 * 6 * 27 + 1 * 6 * 54
    assert sum(row["parts"].values()) == pytest.approx(row["seconds"], abs=0.01)
    assert all(row["parts"][part] > 0 for part in PARTS)
    assert row["proved"] == "4 of 4"
    (shown,) = scale_table({"scale": {"image-8-fast": row, "dense-32-fast": {"error": "too slow"}}}).rows
    assert f"{1e6 * row['seconds'] / row['macs']:.1f}" in shown


def test_names_are_those_of_one_case() -> None:
    names = [*(case.name for case in scale_cases()), *simulation_names()]
    assert len(names) == len(set(names))
    assert measure_simulation("start: --version")["seconds"] < 5
    samples = np.arange(6, dtype=np.float32).reshape(3, 2)
    mixed = mixtures(samples, 7)
    assert np.array_equal(mixed[:3], samples)
    assert len(mixed) == 7
    assert all(value in samples[:, place] for row in mixed for place, value in enumerate(row))


@pytest.mark.parametrize(
    ("make", "sizes"),
    [(dense_model, (40, 120)), (lambda size: image_model(size, (3, 4, 4)), (16, 44))],
    ids=["dense", "image"],
)
def test_time_grows_no_faster_than_the_network(make: Callable[[int], bytes], sizes: tuple[int, int]) -> None:
    """Per multiplication, nine times the network takes at most twice as long: what is quadratic takes nine times."""
    c4ml.compile(make(16), effort="fast", verify=False)
    seconds: list[float] = []
    for size in sizes:
        model = make(size)
        start = time.process_time()
        circuit = c4ml.compile(model, effort="fast", verify=False)
        seconds.append((time.process_time() - start) / multiplications(circuit))
    assert seconds[1] < 2 * seconds[0]


def test_predictions_are_within_a_factor_of_two() -> None:
    """LUTs, where nothing but the network decides; seconds depend on the machine and aren't tested."""
    for model in (dense_model(32), dense_model(96), image_model(16, (3, 8, 8))):
        prediction = check_model(model, effort="fast").prediction
        assert prediction is not None
        built = c4ml.compile(model, effort="fast", verify=False).report["totals"]["lut"]
        assert built / 2 < prediction.lut < 2 * built
