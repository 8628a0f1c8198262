"""
Jets for the tagger: the real data set where it can be fetched, and a synthetic one in its place.

The real one is hls4ml_lhc_jets_hlf (OpenML 42468): 830,000 simulated jets of LHC proton-proton collisions in five
classes, 16 high-level observables each. `openml` fetches it through scikit-learn.

The synthetic one is *like* it: the same classes and observables, drawn from a few latent variables a class (mass,
number of prongs, multiplicity) and smeared, so that classes overlap about as the real ones do. It is no physics, and
accuracies on it say nothing of the real data; it lets everything run offline, the same in every run.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

CLASSES = ("g", "q", "w", "z", "t")
"""Jets from gluons, light quarks, W bosons, Z bosons and top quarks."""

FEATURES = (
    "zlogz", "c1_b0_mmdt", "c1_b1_mmdt", "c1_b2_mmdt", "c2_b1_mmdt", "c2_b2_mmdt", "d2_b1_mmdt", "d2_b2_mmdt",
    "d2_a1_b1_mmdt", "d2_a1_b2_mmdt", "m2_b1_mmdt", "m2_b2_mmdt", "n2_b1_mmdt", "n2_b2_mmdt", "mass_mmdt",
    "multiplicity",
)  # fmt: skip
"""The observables, in the order of the real data set."""

LIMIT, STEP = 4.0, 1 / 32
"""Standardised values are clipped to ±LIMIT and rounded to multiples of STEP, so that they store small and exactly."""


def synthetic(samples: int, seed: int = 20260101) -> tuple[Floats, Labels]:
    """Observables (samples, 16), standardised, and classes; the same for the same seed."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(CLASSES), samples)
    momentum = generator.normal(1000.0, 60.0, samples)  # GeV

    def by_class(*values: float) -> NDArray[np.float64]:
        return np.array(values)[labels]

    # bosons and tops have a mass peak; gluons and quarks a falling spectrum, and so has what a jet lost
    peak = generator.normal(by_class(1, 1, 80.4, 91.2, 172.8), by_class(0, 0, 5.0, 5.0, 15.0))
    spectrum = by_class(58, 36, 60, 60, 85) * generator.gamma(1.6, 0.75, samples)
    partial = generator.random(samples) < by_class(1, 1, 0.16, 0.16, 0.24)
    mass = np.maximum(np.where(partial, spectrum, peak), 2.0)

    prongs = by_class(1.0, 1.0, 2.0, 2.0, 3.0) + generator.normal(0, 0.55, samples)
    multiplicity = generator.gamma(9.0, by_class(66, 40, 37, 40, 60) / 9.0) + 0.06 * (mass - 80)
    multiplicity = np.maximum(np.rint(multiplicity), 4)

    def smear(width: float) -> NDArray[np.float64]:
        return generator.normal(0, width, samples)

    opening = mass / momentum
    columns = [
        -np.log(multiplicity) * (0.85 + smear(0.05)),  # zlogz
        0.48 * np.log(multiplicity) / 4 + smear(0.02),  # c1, from the energy and angles of pairs
        1.1 * opening * (1 + smear(0.12)),
        opening**2 * (1 + smear(0.10)),
        0.16 - 0.035 * prongs + 0.25 * opening + smear(0.022),  # c2, from triples
        0.06 - 0.020 * prongs + 0.30 * opening + smear(0.016),
    ]
    for base, slope, noise in ((2.2, 0.42, 0.25), (2.6, 0.75, 0.45), (1.9, 0.35, 0.24), (2.4, 0.62, 0.42)):  # d2
        columns.append(np.exp(np.log(base) - slope * (prongs - 2) / 2 + smear(noise)))
    for base, slope, noise in ((0.14, 0.016, 0.016), (0.09, 0.015, 0.013), (0.30, 0.045, 0.04), (0.26, 0.05, 0.05)):
        columns.append(base - slope * (prongs - 2) + 0.08 * opening + smear(noise))  # m2, n2
    columns += [mass * (1 + smear(0.025)), multiplicity + smear(1.5)]
    return _on_grid(np.stack(columns, axis=1)), labels.astype(np.int64)


def openml() -> tuple[Floats, Labels]:
    """The real data, standardised, in its own order; scikit-learn keeps it once fetched. Raises OSError offline."""
    from sklearn.datasets import fetch_openml

    fetched = fetch_openml(data_id=42468, as_frame=True, parser="auto")
    table = fetched.data[list(FEATURES)].to_numpy(np.float64)
    labels = np.array([CLASSES.index(str(each)) for each in fetched.target], np.int64)
    return _on_grid(table), labels


def load(source: Literal["synthetic", "openml"], samples: int) -> tuple[Floats, Labels]:
    """At most so many jets of a source, in random order that is the same in every run."""
    if source == "synthetic":
        return synthetic(samples)
    x, labels = openml()
    chosen = np.random.default_rng(0).permutation(len(x))[:samples]
    return x[chosen], labels[chosen]


def _on_grid(table: NDArray[np.float64]) -> Floats:
    """Each column to mean 0 and deviation 1, clipped and rounded."""
    scaled = (table - table.mean(axis=0)) / table.std(axis=0)
    return (np.rint(np.clip(scaled, -LIMIT, LIMIT) / STEP) * STEP).astype(np.float32)
