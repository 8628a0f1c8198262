"""From a trained network to a packaged circuit: what the scripts of this folder share."""

import argparse
import contextlib
import io
import logging
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from fitting import Split, evaluate
from levels import Level, circuit_levels, compare, installed_simulator, reference_level, summary
from pruning import Scope, sparsity
from torch import nn

import c4ml_xdsl as c4ml

STORED_SAMPLES = 1000
"""Samples of the unseen data that are stored beside the model, at most."""


def options(
    description: str, *, epochs: int, prune_rate: float, weight_bits: int, learning_rate: float, scope: Scope
) -> argparse.ArgumentParser:
    """The options that the scripts have in common; the arguments are their defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for model.onnx, golden.npz and the circuits")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--prune-rate", type=float, default=prune_rate, help="share of the weights that become 0")
    parser.add_argument("--prune-scope", choices=["layer", "global"], default=scope)
    parser.add_argument("--bits", type=int, default=weight_bits, help="bits of weights and activations")
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clock-ns", type=float, default=3.0, help="clock period of the pipelined variant")
    parser.add_argument("--effort", choices=["fast", "normal", "max"], default="normal")
    return parser


def export(model: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    """Writes the trained network as QONNX, without what an export says of the machine that it ran on."""
    torch.manual_seed(0)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        exported = export_qonnx(model, args=torch.zeros(1, *shape))
    for holder in (exported, exported.graph, *exported.graph.node, *exported.graph.value_info,
                   *exported.graph.initializer, *exported.graph.input, *exported.graph.output):  # fmt: skip
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")
    onnx.save(exported, path)


def finish(model: nn.Module, test: Split, arguments: argparse.Namespace) -> None:
    """Exports, compiles, compares every level on the unseen data, and packages: DIR/circuit and DIR/pipeline."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "model.onnx"
    trained = Level("trained in torch", evaluate(model, test.x).astype(np.float64))
    export(model, test.x.shape[1:], path)
    print(f"\nexported; {sparsity(model):.1%} of the quantised weights are 0")

    start = time.perf_counter()
    circuit = c4ml.compile(path, minimize="delay", effort=arguments.effort)
    print(f"compiled and proved in {time.perf_counter() - start:.1f} s\n{summary(circuit)}\n")

    reference = reference_level(path, test.x)
    simulator = installed_simulator()
    if simulator is None:
        print("note: neither Verilator nor Icarus is installed, so the Verilog itself isn't run")
    compare([trained, reference, *circuit_levels(circuit, test.x, simulator)], test.labels)

    pipeline = c4ml.compile(path, minimize="delay", effort=arguments.effort, clock_ns=arguments.clock_ns, valid=True)
    print(f"\nfor a clock of {arguments.clock_ns} ns:\n{summary(pipeline)}\n")
    compare([reference, *circuit_levels(pipeline, test.x, simulator)], test.labels)

    stored = slice(0, STORED_SAMPLES)
    np.savez_compressed(
        arguments.out / "golden.npz",
        x=test.x[stored],
        y=reference.scores[stored].astype(np.float32),
        labels=test.labels[stored].astype(np.uint8),
    )
    circuit.package(arguments.out / "circuit")
    pipeline.package(arguments.out / "pipeline")
    print(f"\nwrote {path}, golden.npz, circuit and pipeline beside it")
