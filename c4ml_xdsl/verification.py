"""Compares the levels of a design on the same vectors: model = lbir = hw = RTL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from c4ml_xdsl.circuit import Circuit, Simulator
from c4ml_xdsl.differences import difference, differing, integer_difference
from c4ml_xdsl.errors import VerificationError
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters import qonnx as qonnx_interpreter
from c4ml_xdsl.layer_outputs import layer_outputs, network_names
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.packaging.golden import FEW_VECTORS, GoldenVectors, choose, golden_vectors
from c4ml_xdsl.ports import Port
from c4ml_xdsl.trace import trace_hw

SEED = 20260101


def vectors_for(ports: list[Port], samples: int) -> dict[str, Integers]:
    """Random integers for each input by tensor name, the same ones in every run."""
    generator = np.random.default_rng(SEED)
    return {port.tensor: port.random(samples, generator) for port in ports if port.direction == "input"}


def reference_values(
    graph: ModuleOp, ports: list[Port], vectors: Mapping[str, Integers], ambiguous: NDArray[np.bool_]
) -> dict[str, Any]:
    """What the model computes in float64 for integers at its inputs; marks the samples that float error may decide."""
    values: dict[str, Any] = {}
    for port in ports:
        if port.direction == "input":
            values[port.tensor] = port.representatives(vectors[port.tensor])
    return qonnx_interpreter.run(graph, values, ambiguous=ambiguous)


def compare_reference(
    graph: ModuleOp, circuit: Circuit, vectors: Mapping[str, Integers], results: Mapping[str, Integers]
) -> NDArray[np.bool_]:
    """
    The model in float64 against integers of a level; raises VerificationError at the first tensor that differs.

    Marks the samples that differ where a quantiser's input is within float error of a threshold: there exact
    arithmetic decides, not the float execution.
    """
    ambiguous = np.zeros(len(next(iter(vectors.values()))), np.bool_)
    expected = reference_values(graph, circuit.ports, vectors, ambiguous)
    undecided = np.zeros_like(ambiguous)
    for port in circuit.ports:
        if port.direction == "output":
            step = 1.0 if port.after else float(np.min(np.abs(port.scale)))
            got = port.values(results[port.tensor])
            want = np.asarray(expected[port.tensor], np.float64).reshape(got.shape)
            differs = differing(got, want, step)
            found = difference(port.tensor, "the model", "lbir", got, want, differs, ambiguous)
            if found is not None:
                raise VerificationError(str(found))
            undecided |= differs.reshape(len(got), -1).any(axis=1) & ambiguous
    return undecided


def compare_integers(level: str, before: str, got: Mapping[str, Integers], want: Mapping[str, Integers]) -> None:
    """Two levels' integers by tensor name; raises VerificationError at the first tensor that differs."""
    for name, expected in want.items():
        if name in got:
            found = integer_difference(name, before, level, got[name], expected)
            if found is not None:
                raise VerificationError(str(found))


def run_hw_layers(
    circuit: Circuit, vectors: Mapping[str, Integers], expected: Mapping[SSAValue, Integers]
) -> dict[str, Integers]:
    """
    The hw level's outputs, its layers compared with the network's values on the way.

    Raises VerificationError at the first layer that differs, by the name of its node.
    """
    layers = layer_outputs(circuit.lbir, circuit.hw, circuit.top, {})
    rows, outputs = trace_hw(circuit.hw, circuit.top, circuit.ports, circuit.interface.latency, layers, vectors)
    names = network_names(lbir_interpreter.network_of(circuit.lbir), {})
    want = {names[value]: tensor for value, tensor in expected.items()}
    for layer in layers:
        expected_tensor = want[layer.tensor]
        given = layer.tensor_beside(rows[layer.module], expected_tensor)
        found = integer_difference(layer.node, "lbir", "hw", given, expected_tensor)
        if found is not None:
            raise VerificationError(str(found))
    return outputs


@dataclass(frozen=True)
class CheckedLevels:
    """What was compared on which vectors."""

    entries: list[dict[str, Any]]
    """The report's."""
    golden: GoldenVectors | None
    """Integers of lbir that were found to be what the QONNX model gives; None where float error decides all."""


def check_levels(graph: ModuleOp, circuit: Circuit, samples: int) -> CheckedLevels:
    """Compares model, lbir and hw on random vectors."""
    vectors = vectors_for(circuit.ports, samples)
    tensors: dict[SSAValue, Integers] = {}
    lbir_results = lbir_interpreter.run(circuit.lbir, vectors, tensors.__setitem__)
    undecided = compare_reference(graph, circuit, vectors, lbir_results)
    hw_results = run_hw_layers(circuit, vectors, tensors)
    compare_integers("hw", "lbir", hw_results, lbir_results)
    golden = choose(golden_vectors(circuit.ports, vectors, lbir_results, "qonnx"), ~undecided)
    entries = [
        {"reference": "qonnx", "level": "lbir", "vectors": samples, "seed": SEED, "ambiguous": int(undecided.sum())},
        {"reference": "lbir", "level": "hw", "vectors": samples, "seed": SEED},
    ]
    return CheckedLevels(entries, golden)


def unchecked_vectors(circuit: Circuit) -> GoldenVectors:
    """Golden vectors for a circuit that wasn't compared with its model: what its integer network gives."""
    vectors = vectors_for(circuit.ports, FEW_VECTORS)
    results = lbir_interpreter.run(circuit.lbir, vectors)
    return golden_vectors(circuit.ports, vectors, results, "lbir")


def check_rtl(circuit: Circuit, simulator: Simulator, name: str, samples: int) -> dict[str, Any]:
    """Compares the RTL with the hw level on random vectors."""
    vectors = vectors_for(circuit.ports, samples)
    want = circuit.simulator("numpy").run(vectors)
    compare_integers(f"RTL in {name}", "hw", simulator.run(vectors), want)
    return {"reference": "hw", "level": f"rtl ({name})", "vectors": samples, "seed": SEED}
