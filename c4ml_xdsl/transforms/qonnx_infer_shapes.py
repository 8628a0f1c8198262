"""The pass `qonnx-infer-shapes`."""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.interpreters.onnx_kernels import MAXIMUM_ELEMENTS, multiplications
from c4ml_xdsl.interpreters.qonnx import Array, constant_of, evaluate_outputs, graph_of

MAXIMUM_PRODUCTS = 1 << 31
"""The most multiplications that a model may take for one sample."""


@dataclass(frozen=True)
class QonnxInferShapes(ModulePass):
    """
    Gives every value a static shape, by running the graph once on zeros.

    A symbolic batch dimension (the first one) becomes 1. What a shape computation yields is known, so reshapes to
    computed shapes come out static too. What no output depends on is left as it is. A model that can't be run is
    refused here, naming the node.

    Before:
    ```mlir
    qonnx.graph @g opset 20 (%x "x": tensor<?x2xf32>) -> ("y": !qonnx.unknown) {
      %y = qonnx.Relu "act" (%x) : (tensor<?x2xf32>) -> ("y": !qonnx.unknown)
      qonnx.return %y : !qonnx.unknown
    }
    ```
    After `qonnx-infer-shapes`:
    ```mlir
    qonnx.graph @g opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x2xf32>) {
      %y = qonnx.Relu "act" (%x) : (tensor<1x2xf32>) -> ("y": tensor<1x2xf32>)
      qonnx.return %y : tensor<1x2xf32>
    }
    ```
    """

    name = "qonnx-infer-shapes"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        graph = graph_of(op)
        examples: dict[SSAValue, Array | None] = {}
        elements = products = 0
        for name, argument in list(graph.inputs.items()):
            shape = _input_shape(name, argument)
            elements += math.prod(shape)
            _limit(name, elements, MAXIMUM_ELEMENTS, "elements")
            examples[argument] = np.zeros(shape, _input_type(argument))
        read = _read_operations(graph)
        for operation in list(graph.body.block.ops):
            if operation not in read:
                continue
            constant = constant_of(operation)
            if constant is not None:
                examples[operation.results[0]] = constant
            elif isinstance(operation, qonnx.NoneOp):
                examples[operation.output] = None
            elif isinstance(operation, qonnx.NodeOp):
                inputs = [examples[each] for each in operation.operands]
                products += multiplications(operation, inputs)
                _limit(operation.label, products, MAXIMUM_PRODUCTS, "multiplications")
                arrays = evaluate_outputs(operation, inputs)
                elements += sum(each.size for each in arrays)
                _limit(operation.label, elements, 2 * MAXIMUM_ELEMENTS, "elements")
                examples.update(zip(operation.results, arrays, strict=False))
        for value, example in examples.items():
            if example is not None and not (
                isinstance(value.owner, Operation) and constant_of(value.owner) is not None
            ):
                wanted = TensorType(qonnx.element_type_of(example.dtype), example.shape)
                if value.type != wanted:
                    Rewriter.replace_value_with_new_type(value, wanted)
        graph.update_function_type()


def _limit(node: str, number: int, limit: int, unit: str) -> None:
    if number > limit:
        raise UnsupportedModelError(
            node,
            f"up to here the model needs {number} {unit}, more than {limit}",
            remedy="Check the sizes of the model's inputs and nodes.",
        )


def _read_operations(graph: qonnx.GraphOp) -> set[Operation]:
    """The operations that an output depends on; what nobody reads need not be known."""
    read: set[Operation] = set()
    values: set[SSAValue] = set(graph.return_op.operands)
    for operation in reversed(list(graph.body.block.ops)):
        if any(result in values for result in operation.results):
            read.add(operation)
            values.update(operation.operands)
    return read


def _input_type(argument: SSAValue) -> np.dtype[Any]:
    """The numpy type of an input: integers stay integers, all floats are float32."""
    argument_type = argument.type
    if not isinstance(argument_type, TensorType):
        return np.dtype(np.float32)
    dtype = qonnx.dtype_of(cast("TensorType[Attribute]", argument_type).element_type)
    return np.dtype(np.float32) if dtype.kind == "f" else dtype


def _input_shape(name: str, argument: SSAValue) -> tuple[int, ...]:
    argument_type = argument.type
    if not isinstance(argument_type, TensorType):
        raise UnsupportedModelError(name, "the input has no shape", remedy="Export the model with input shapes.")
    first, *rest = argument_type.get_shape() or (1,)
    if any(dimension < 1 for dimension in rest):
        raise UnsupportedModelError(
            name, "the input has dimensions without a size", remedy="Only the batch dimension may be symbolic."
        )
    return argument_type.get_shape() and (1 if first < 0 else first, *rest)
