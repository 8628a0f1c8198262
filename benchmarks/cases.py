"""The cases: constant matrices, a binary layer, a large layer and whole networks."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.errors import BenchmarkError
from benchmarks.integer_network import lower_to_lbir
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters.lbir import network_of

REPOSITORY = Path(__file__).parent.parent
MATRICES = Path(__file__).parent / "matrices"
NETWORKS = (
    "real/fpga4hep_jets_w2a2",
    "real/fpga4hep_jets_w4a4",
    "brevitas/c4ml_lhcjets_bw2",
    "brevitas/c4ml_lhcjets_bw4",
    "digits/digits_mlp_w2a2_pot",
    "digits/digits_mlp_w4a4_pot",
    "digits/digits_bnn",
    "digits/digits_cnn_w4a4_pot",
)
LARGE_MATRICES = ("W_64x64_b4", "W_64x64_b6", "W_64x64_b8")
LARGE_NETWORKS = ("digits/digits_cnn_w4a4_pot",)
"""What a plain run leaves out, as it takes about as long as all the rest."""
LARGE_LAYER = "cnn/c4ml_cnn_mnist10k_bw4_p50"
GROUPS = ("matrices, 4-bit inputs", "matrices, 8-bit inputs", "binary layer", "networks", "large layer")
QONNX = "qonnx.custom_op.general"

Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """One function to build. `load` gives its QONNX model, or raises BenchmarkError where that isn't there."""

    name: str
    group: str
    load: Callable[[], bytes]
    default: bool
    """Whether a run without `--cases` measures it."""


def models_folder() -> Path | None:
    """The folder of the networks: `$C4ML_MODELS`, else `../shared/models` beside the repository, else None."""
    candidates = [Path(p) for p in [os.environ.get("C4ML_MODELS")] if p] + [REPOSITORY.parent / "shared" / "models"]
    return next((path for path in candidates if path.is_dir()), None)


def network_model(name: str) -> bytes:
    """The model of a network; raises BenchmarkError where it isn't there."""
    folder = models_folder()
    if folder is None or not (folder / name / "model.onnx").is_file():
        raise BenchmarkError(f"no model {name}: set C4ML_MODELS to the folder of the models")
    return (folder / name / "model.onnx").read_bytes()


def _graph(matrix: Matrix, nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.float32]]) -> bytes:
    inputs, outputs = matrix.shape
    graph = helper.make_graph(
        nodes,
        "top",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 2)]
    return helper.make_model(graph, opset_imports=opsets).SerializeToString()


def matrix_model(matrix: Matrix, bits: int, signed: bool = True) -> bytes:
    """The QONNX model of y = x · matrix, for x of so many bits and scale 1; y is the raw sum."""
    nodes = [
        helper.make_node(
            "Quant", ["x", "scale", "zero", "bits"], ["q"], "quantiser", domain=QONNX,
            signed=int(signed), narrow=0, rounding_mode="ROUND",
        ),
        helper.make_node("MatMul", ["q", "matrix"], ["y"], "product"),
    ]  # fmt: skip
    constants = {
        "scale": np.array(1, np.float32),
        "zero": np.array(0, np.float32),
        "bits": np.array(bits, np.float32),
        "matrix": matrix.astype(np.float32),
    }
    return _graph(matrix, nodes, constants)


def sign_model(matrix: Matrix) -> bytes:
    """The QONNX model of y = sign(x · matrix) for x of -1 and 1; the sign of 0 is 1."""
    nodes = [
        helper.make_node("BipolarQuant", ["x", "scale"], ["q"], "quantiser", domain=QONNX),
        helper.make_node("MatMul", ["q", "matrix"], ["s"], "product"),
        helper.make_node("BipolarQuant", ["s", "scale"], ["y"], "sign", domain=QONNX),
    ]
    return _graph(matrix, nodes, {"scale": np.array(1, np.float32), "matrix": matrix.astype(np.float32)})


def stored_matrix(name: str) -> Matrix:
    """A matrix of `benchmarks/matrices`, (inputs, outputs)."""
    return np.load(MATRICES / f"{name}.npy").astype(np.int64)


def _large_layer() -> bytes:
    """The 200 x 256 dense layer of the MNIST network, its sums alone."""
    operations = network_of(lower_to_lbir(network_model(LARGE_LAYER))).body.block.ops
    weights = next(lbir.integers(each.weights) for each in operations if isinstance(each, lbir.DenseOp))
    return matrix_model(weights.T, 4, signed=False)


def all_cases() -> list[Case]:
    """Every case, in the order of the tables."""
    cases: list[Case] = []
    names = sorted(path.stem for path in MATRICES.glob("W_*.npy"))
    for bits in (4, 8):
        for name in names:
            default = name not in LARGE_MATRICES and (bits == 4 or name.startswith("W_16x16"))
            group = f"matrices, {bits}-bit inputs"
            cases.append(
                Case(f"{name}_x{bits}", group, lambda n=name, b=bits: matrix_model(stored_matrix(n), b), default)
            )
    cases.append(Case("Wb_64x32_pm1", "binary layer", lambda: sign_model(stored_matrix("Wb_64x32_pm1")), True))
    for network in NETWORKS:
        default = network not in LARGE_NETWORKS
        cases.append(Case(network.split("/")[1], "networks", lambda n=network: network_model(n), default))
    cases.append(Case("dense_200x256", "large layer", _large_layer, False))
    return cases
