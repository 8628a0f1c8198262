"""Importing models: everything real is read and round-trips, everything damaged is refused with a typed error."""

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.parser import Parser

from c4ml_xdsl.dialects.qonnx import Qonnx
from c4ml_xdsl.errors import C4mlError, ModelFileError
from c4ml_xdsl.frontend import import_model, load_model, parse_onnx


def test_every_model_round_trips(models: Path) -> None:
    paths = sorted(models.rglob("model*.onnx"))
    assert paths
    for path in paths:
        if path.stat().st_size > 100_000:
            continue  # printing megabytes of weights adds nothing
        module = import_model(load_model(path))
        module.verify()
        context = Context()
        context.load_dialect(Builtin)
        context.load_dialect(Qonnx)
        assert str(Parser(context, str(module)).parse_module()) == str(module), path


def small_model() -> bytes:
    nodes = [
        helper.make_node("Relu", ["h"], ["y"], name="act"),
        helper.make_node("MatMul", ["x", "w"], ["h"], name="layer"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.ones((3, 2), np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def test_nodes_may_stand_in_any_order() -> None:
    text = str(parse_onnx(small_model(), "small"))
    assert text.index("qonnx.MatMul") < text.index("qonnx.Relu")


def test_damaged_files_are_refused_with_a_typed_error() -> None:
    good = small_model()
    rng = random.Random(1)
    for _ in range(400):
        data = bytearray(good)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        with suppress(C4mlError):
            parse_onnx(bytes(data), "damaged").verify()


def test_data_outside_of_the_file_is_refused() -> None:
    model = load_model(small_model())
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    with pytest.raises(ModelFileError, match=r"tensor w.*another file"):
        import_model(load_model(model))
