"""Importing Keras models: QKeras's own results come out exactly, and what can't be is refused with a typed error."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from xdsl.context import Context

from c4ml_xdsl.errors import C4mlError, ModelFileError, UnsupportedModelError
from c4ml_xdsl.frontend import import_model
from c4ml_xdsl.frontend.keras_codes import dyadic_codes, quantise_weights
from c4ml_xdsl.frontend.keras_import import load_keras
from c4ml_xdsl.frontend.keras_quantizers import parse_quantizer
from c4ml_xdsl.interpreters.qonnx import run
from c4ml_xdsl.transforms.qonnx_infer_shapes import QonnxInferShapes

h5py = pytest.importorskip("h5py", reason="h5py isn't installed: the extra `qkeras` brings it")

FOLDER = Path(__file__).parents[2] / "models" / "qkeras"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))
ROUNDED = {"dense_auto", "binary_net", "ternary_net", "linear_net", "plain_layers"}
"""The models that end in real numbers which float32 rounds: a scale that isn't a power of two, a softmax."""

Config = dict[str, Any]


def load(name: str) -> onnx.ModelProto:
    for suffix in (".h5", ".keras"):
        if (FOLDER / f"{name}{suffix}").exists():
            return load_keras(FOLDER / f"{name}{suffix}")
    return load_keras(FOLDER / f"{name}.json", FOLDER / f"{name}.weights.h5")


def outputs(model: onnx.ModelProto, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """What a model gives for a batch, by the compiler's own reference in float64."""
    module = import_model(model)
    QonnxInferShapes().apply(Context(), module)
    module.verify()
    names = [each.name for each in model.graph.input]
    return list(run(module, dict(zip(names, inputs, strict=True))).values())


def golden(name: str, letter: str) -> list[NDArray[Any]]:
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return [arrays[key] for key in arrays.files if key.startswith(letter)]


@pytest.mark.parametrize("name", NAMES)
def test_gives_what_qkeras_gives(name: str) -> None:
    found, expected = outputs(load(name), golden(name, "x")), golden(name, "y")
    for y, reference in zip(found, expected, strict=True):
        assert y.shape == reference.shape
        if name in ROUNDED:
            assert np.abs(y - reference).max() <= 1e-6 * np.abs(reference).max()
        else:
            assert np.array_equal(y, reference)


def test_there_are_models_in_every_form() -> None:
    assert len(NAMES) >= 16
    assert all(list(FOLDER.glob(f"*{suffix}")) for suffix in (".h5", ".keras", ".json", ".weights.h5"))


@pytest.mark.parametrize("name", NAMES)
def test_nodes_carry_the_names_of_layers_and_kernels_are_quantised(name: str) -> None:
    graph = load(name).graph
    assert all(node.name for node in graph.node)
    assert len({node.name for node in graph.node}) == len(graph.node)
    constants = {each.name for each in graph.initializer}
    for node in graph.node:
        if node.op_type in ("MatMul", "Conv"):
            assert node.input[1] not in constants, node.name
    # No transpose undoes another.
    producers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        source = producers.get(node.input[0])
        assert not (node.op_type == "Transpose" and source is not None and source.op_type == "Transpose"), node.name


# Other forms of the same models ----------------------------------------------------------------------------------


def edited(path: Path, name: str, edit: Callable[[Config], None]) -> Path:
    """The archive of a model with its configuration changed."""
    target = path / f"{name}.keras"
    with zipfile.ZipFile(FOLDER / f"{name}.keras") as source, zipfile.ZipFile(target, "w") as archive:
        for member in source.namelist():
            data = source.read(member)
            if member == "config.json":
                config = json.loads(data)
                edit(config)
                data = json.dumps(config).encode()
            archive.writestr(member, data)
    return target


def layer(config: Config, name: str) -> Config:
    return next(each for each in config["config"]["layers"] if each["config"]["name"] == name)


def test_json_takes_its_weights_from_a_whole_model_too(tmp_path: Path) -> None:
    path = FOLDER / "conv2d.h5"
    with h5py.File(path) as file:
        (tmp_path / "conv2d.json").write_text(file.attrs["model_config"])
    (found,) = outputs(load_keras(tmp_path / "conv2d.json", path), golden("conv2d", "x"))
    assert np.array_equal(found, golden("conv2d", "y")[0])


def test_connections_may_be_written_as_keras_3_writes_them(tmp_path: Path) -> None:
    def tensor(reference: list[Any]) -> Config:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": reference[:3]}}

    def edit(config: Config) -> None:
        for each in config["config"]["layers"]:
            if each["class_name"] == "InputLayer":
                each["config"]["batch_shape"] = each["config"].pop("batch_input_shape")
            if each["inbound_nodes"]:
                tensors = [tensor(reference) for reference in each["inbound_nodes"][0]]
                arguments = [tensors] if len(tensors) > 1 else tensors
                each["inbound_nodes"] = [{"args": arguments, "kwargs": {}}]
            each["config"]["dtype"] = {"class_name": "DTypePolicy", "config": {"name": "float32"}}

    (found,) = outputs(load_keras(edited(tmp_path, "residual", edit)), golden("residual", "x"))
    assert np.array_equal(found, golden("residual", "y")[0])


def test_a_dense_layer_with_a_folded_normalisation(tmp_path: Path) -> None:
    """A QDenseBatchnorm gives what a QConv2DBatchnorm gives over one pixel."""
    with zipfile.ZipFile(FOLDER / "pointwise_batchnorm.keras") as archive:
        config = json.loads(archive.read("config.json"))
        source = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 6]
    folded = layer(config, "fc1")
    folded["class_name"] = "QDenseBatchnorm"
    folded["config"] |= {"units": 4, "axis": [1]}
    with h5py.File(tmp_path / "weights.h5", "w") as target:
        source.copy("layers/q_conv2d_batchnorm", target.create_group("layers"), "q_dense_batchnorm")
        kernel = target["layers/q_dense_batchnorm/vars/0"][()].reshape(6, 4)
        del target["layers/q_dense_batchnorm/vars/0"]
        target["layers/q_dense_batchnorm/vars/0"] = kernel
    (tmp_path / "model.json").write_text(json.dumps(config))
    x, y = golden("pointwise_batchnorm", "x")[0], golden("pointwise_batchnorm", "y")[0]
    (found,) = outputs(load_keras(tmp_path / "model.json", tmp_path / "weights.h5"), [x.reshape(-1, 6)])
    assert np.array_equal(found, y.reshape(-1, 4))


def test_a_kernel_on_a_grid_needs_no_quantiser() -> None:
    codes = dyadic_codes(np.asarray([[0.75, -0.25], [0.0, 1.5]], np.float32))
    assert codes is not None
    assert codes.codes.tolist() == [[3, -1], [0, 6]]
    assert (codes.scale.item(), codes.bits) == (0.25, 4)
    assert dyadic_codes(np.asarray([1 / 3, 0.5], np.float32)) is None


# Refusals --------------------------------------------------------------------------------------------------------


def refused(name: str, tmp_path: Path, edit: Callable[[Config], None]) -> C4mlError:
    with pytest.raises(C4mlError) as caught:
        load_keras(edited(tmp_path, name, edit))
    return caught.value


def test_unquantised_kernels_are_refused_with_a_remedy(tmp_path: Path) -> None:
    error = refused("dense_auto", tmp_path, lambda config: layer(config, "fc1")["config"].pop("kernel_quantizer"))
    assert isinstance(error, UnsupportedModelError)
    assert error.node == "fc1"
    assert "isn't quantised" in str(error)
    assert "kernel_quantizer" in str(error)


@pytest.mark.parametrize("kind", ["Lambda", "LSTM", "TFOpLambda", "QConv2DTranspose"])
def test_unknown_layers_are_refused(kind: str, tmp_path: Path) -> None:
    error = refused("dense_auto", tmp_path, lambda config: layer(config, "fc2").update(class_name=kind))
    assert isinstance(error, UnsupportedModelError)
    assert error.node == "fc2"
    assert kind in str(error)


@pytest.mark.parametrize(
    "quantizer",
    [
        "bernoulli()",
        "quantized_ulaw(4)",
        "quantized_po2(4)",
        "quantized_bits(4,0,1,alpha='auto')",
        "quantized_bits(4,0,1,qnoise_factor=0.5)",
        "quantized_bits(4,0,1,alpha=-1.0)",
        "quantized_bits(99)",
        "quantized_relu(4,1,0,0.3)",
        "quantized_relu(4,1,relu_upper_bound=1.3,is_quantized_clip=False)",
        "ternary(alpha=1.0,threshold=0.0)",
        "quantized_bits(4,colour=1)",
        "no_such_quantizer(4)",
        "no_such_activation",
    ],
)
def test_activations_without_an_exact_form_are_refused(quantizer: str, tmp_path: Path) -> None:
    error = refused("dense_auto", tmp_path, lambda config: layer(config, "in")["config"].update(activation=quantizer))
    assert isinstance(error, UnsupportedModelError)
    assert error.node == "in"
    assert error.remedy


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "quantized_bits(__import__('os'))",
        "quantized_bits(4).__class__",
        "(lambda: 1)()",
        "quantized_bits(*[4])",
        "quantized_bits(**{'bits': 4})",
        "quantized_bits(2**9**9)",
        "quantized_bits(4,",
        "quantized_bits(" + "[" * 900 + ")",
        "quantized_bits(" + "9" * 5000 + ")",
        "quantized_bits(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20)",
        "4",
        "",
    ],
)
def test_only_literal_quantisers_are_read(text: str) -> None:
    with pytest.raises(ModelFileError) if text not in ("4", "") else pytest.raises(AssertionError):
        assert not isinstance(parse_quantizer(text, "layer"), str)


@pytest.mark.parametrize("wrong", [{}, {"bits": "four"}, {"bits": None}, {"bits": [4]}, {"integer": 1e300}])
def test_wrong_parameters_of_quantisers_are_refused(wrong: Config) -> None:
    config = {"class_name": "quantized_bits", "config": wrong}
    quantizer = parse_quantizer(config, "layer")
    assert quantizer is not None
    assert not isinstance(quantizer, str)
    if wrong:
        with pytest.raises(C4mlError):
            quantise_weights(quantizer, np.ones((2, 2), np.float32))


def test_weights_that_belong_to_another_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="sep2d"):
        load_keras(FOLDER / "separable.json", FOLDER / "stochastic_net.weights.h5")
    error = refused("dense_auto", tmp_path, lambda config: layer(config, "fc1")["config"].update(units=7))
    assert isinstance(error, ModelFileError)


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    def check(data: bytes, suffix: str = ".h5", weights: Path | None = None) -> str:
        path = tmp_path / f"file{suffix}"
        path.write_bytes(data)
        with pytest.raises(ModelFileError) as caught:
            load_keras(path, weights)
        return str(caught.value)

    whole = (FOLDER / "dense_bits.h5").read_bytes()
    assert "damaged" in check(whole[: len(whole) // 2])
    assert "no model" in check((FOLDER / "separable.weights.h5").read_bytes())
    assert "weights" in check((FOLDER / "separable.json").read_bytes(), ".json")
    assert check(b"[]", ".json", FOLDER / "separable.weights.h5")
    assert check(b"[" * 100_000, ".json", FOLDER / "separable.weights.h5")
    assert check(b"\xff\xfe", ".json", FOLDER / "separable.weights.h5")
    assert check(b"PK\x03\x04 nothing", ".keras")
    with pytest.raises(ModelFileError, match="no such file"):
        load_keras(tmp_path / "missing.h5")


def test_archives_that_unpack_to_more_than_the_limit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("config.json", "w") as member:
            for _ in range(65):
                member.write(b" " * (1 << 20))
        archive.writestr("metadata.json", "{}")
    with pytest.raises(ModelFileError, match="larger than"):
        load_keras(path)


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink(str(FOLDER / "stochastic_net.weights.h5"), "layers")
    with pytest.raises(ModelFileError, match="link"):
        load_keras(FOLDER / "stochastic_net.json", path)


def test_damaged_files_never_raise_other_errors(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    config = (FOLDER / "stochastic_net.json").read_text()
    weights = FOLDER / "stochastic_net.weights.h5"
    for _ in range(60):
        data = bytearray(config.encode())
        for _ in range(3):
            data[rng.integers(len(data))] = rng.integers(32, 127)
        (tmp_path / "model.json").write_bytes(data)
        try:
            load_keras(tmp_path / "model.json", weights)
        except C4mlError:
            pass
    # Every entry of a configuration in turn becomes something else.
    original = json.loads(config)
    for index in range(len(original["config"]["layers"])):
        for key in original["config"]["layers"][index]["config"]:
            for wrong in (None, -1, True, "x", [1], [], {"a": 1}, [[["x", 0, 0]]]):
                changed = json.loads(config)
                changed["config"]["layers"][index]["config"][key] = wrong
                (tmp_path / "model.json").write_text(json.dumps(changed))
                try:
                    load_keras(tmp_path / "model.json", weights)
                except C4mlError:
                    pass


def test_without_h5py_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ModelFileError, match="qkeras"):
        load("dense_bits")
