"""Compares the levels of a design on the same vectors: model = lbir = hw = RTL."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp, StringAttr

from c4ml_xdsl.circuit import Circuit, Simulator, given_stream
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.errors import VerificationError
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters import qonnx as qonnx_interpreter
from c4ml_xdsl.interpreters.hw import HwInterpreter, Value, unpack
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.packaging.golden import FEW_VECTORS, GoldenVectors, choose, golden_vectors
from c4ml_xdsl.ports import Port
from c4ml_xdsl.stages import stages_of
from c4ml_xdsl.transforms.convert_neuron_to_hw import AXES, NODE

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
    undecided = np.zeros(len(ambiguous), np.bool_)
    for port in circuit.ports:
        if port.direction == "output":
            got = port.values(results[port.tensor])
            want = np.asarray(expected[port.tensor], np.float64).reshape(got.shape)
            step = 1.0 if port.after else float(np.min(np.abs(port.scale)))
            tolerance = 1e-3 * step + 1e-6 * np.abs(want)
            differs = np.any((np.abs(got - want) > tolerance).reshape(len(got), -1), axis=1)
            undecided |= differs & ambiguous
            wrong = np.flatnonzero(differs & ~ambiguous)
            if wrong.size:
                first = int(wrong[0])
                raise VerificationError(
                    f"{port.tensor}: lbir differs from the model in {wrong.size} of {len(got)} samples, "
                    f"first in sample {first}: {_short(got[first])} instead of {_short(want[first])}"
                )

    return undecided


def compare_integers(level: str, before: str, got: Mapping[str, Integers], want: Mapping[str, Integers]) -> None:
    """Two levels' integers by tensor name; raises VerificationError at the first tensor that differs."""
    for name, expected in want.items():
        if name not in got:
            continue
        actual = got[name].reshape(len(expected), -1)
        expected = expected.reshape(len(expected), -1)
        wrong = np.flatnonzero(np.any(actual != expected, axis=1))
        if wrong.size:
            first = int(wrong[0])
            raise VerificationError(
                f"{name}: {level} differs from {before} in {wrong.size} of {len(expected)} samples, first in sample "
                f"{first}: {_short(actual[first])} instead of {_short(expected[first])}"
            )


def run_hw_layers(
    circuit: Circuit, vectors: Mapping[str, Integers], expected: Mapping[str, Integers]
) -> dict[str, Integers]:
    """
    The hw level's outputs, its layers compared with those of lbir on the way.

    Raises VerificationError at the first layer that differs.
    """
    layers = [op for op in lbir_interpreter.network_of(circuit.lbir).body.block.ops if isinstance(op, lbir.LayerOp)]
    counts = Counter(layer.label for layer in layers if layer.node is not None)
    # names in a model need not be unique: what two layers are called says nothing of either
    ranges = {layer.label: lbir.range_of(layer.results[0]) for layer in layers if counts[layer.label] == 1}
    interpreter = HwInterpreter(circuit.hw)
    trace: dict[str, list[Value]] = {}
    ins = [port for port in circuit.ports if port.direction == "input"]
    samples, latency = len(next(iter(vectors.values()))), circuit.interface.latency
    given = given_stream(vectors, ins, latency)
    outputs = interpreter.run(circuit.top, given, trace)
    for name, rows in trace.items():
        attributes = interpreter.modules[name].attributes
        node, axes = attributes.get(NODE), attributes.get(AXES)
        if not isinstance(node, StringAttr) or node.data not in expected or node.data not in ranges:
            continue
        want, element = expected[node.data], ranges[node.data]
        if isinstance(axes, lbir.NumbersAttr):
            want = want.transpose(0, *(axis + 1 for axis in axes.data))
        size = want[0].size // len(rows)
        stage = stages_of(interpreter.modules[name])[1]
        got = np.concatenate([unpack(row, size, element.bits, element.signed) for row in rows], axis=1)
        got = got[stage : stage + samples]
        compare_integers("hw", "lbir", {node.data: got}, {node.data: want})
    return {
        port.tensor: unpack(outputs[port.name], port.elements, port.bits, port.signed)[latency:]
        for port in circuit.ports
        if port.direction == "output"
    }


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
    lbir_trace: dict[str, Integers] = {}
    lbir_results = lbir_interpreter.run(circuit.lbir, vectors, lbir_trace)
    undecided = compare_reference(graph, circuit, vectors, lbir_results)
    hw_results = run_hw_layers(circuit, vectors, lbir_trace)
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


def _short(values: Any) -> str:
    flat = np.asarray(values).reshape(-1)
    return str([round(float(each), 6) for each in flat[:4]]) + ("…" if flat.size > 4 else "")
