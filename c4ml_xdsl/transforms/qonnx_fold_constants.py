"""The pass `qonnx-fold-constants`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation
from xdsl.passes import ModulePass

from c4ml_xdsl.dialects import qonnx
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.interpreters.qonnx import (
    Array,
    constant_of,
    evaluate,
    evaluate_outputs,
    graph_of,
    quantise,
    quantiser_bits,
)


@dataclass(frozen=True)
class QonnxFoldConstants(ModulePass):
    """
    Evaluates what doesn't depend on the inputs, in float32 as ONNX runs it.

    A quantised parameter (of a Quant, or of a DequantizeLinear) keeps its integers: it becomes a
    `qonnx.quantized_constant`, also through a transpose or reshape. Shapes of static tensors fold, Identity, Dropout
    and casts between floats vanish, and so does what nobody reads.

    Before:
    ```mlir
    qonnx.graph @g opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x2xf32>) {
      %a = qonnx.initializer "a" dense<2.0> : tensor<f32>
      %n = qonnx.Neg "neg" (%a) : (tensor<f32>) -> ("n": tensor<f32>)
      %i = qonnx.Identity "same" (%x) : (tensor<1x2xf32>) -> ("i": tensor<1x2xf32>)
      %y = qonnx.Mul "mul" (%i, %n) : (tensor<1x2xf32>, tensor<f32>) -> ("y": tensor<1x2xf32>)
      qonnx.return %y : tensor<1x2xf32>
    }
    ```
    After `qonnx-fold-constants`:
    ```mlir
    qonnx.graph @g opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x2xf32>) {
      %n = qonnx.initializer "n" dense<-2.0> : tensor<f32>
      %y = qonnx.Mul "mul" (%x, %n) : (tensor<1x2xf32>, tensor<f32>) -> ("y": tensor<1x2xf32>)
      qonnx.return %y : tensor<1x2xf32>
    }
    ```
    """

    name = "qonnx-fold-constants"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        graph = graph_of(op)
        block = graph.body.block
        _erase_unread(block)  # it may be invalid
        for operation in list(block.ops):
            if not isinstance(operation, qonnx.NodeOp):
                continue
            if isinstance(operation, qonnx.IdentityOp | qonnx.DropoutOp | qonnx.CastOp) and (
                operation.operands[0].type == operation.output.type
            ):
                operation.output.replace_all_uses_with(operation.operands[0])
                continue
            with np.errstate(all="ignore"):
                constants = _folded(operation)
                for each in constants:
                    _require_finite(operation, each)
            for result, folded in zip(operation.results, constants, strict=False):
                block.insert_op_before(folded, operation)
                result.replace_all_uses_with(folded.results[0])
        _erase_unread(block)


def _erase_unread(block: Block) -> None:
    for operation in reversed(list(block.ops)):
        if not isinstance(operation, qonnx.ReturnOp) and not any(each.uses for each in operation.results):
            operation.detach()
            operation.erase()


def _require_finite(node: qonnx.NodeOp, constant: Operation) -> None:
    array = constant_of(constant)
    if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UnsupportedModelError(
            node.label,
            "computes a constant that is infinite or not a number",
            remedy="Check the scales and other parameters that it is computed from.",
        )


def _folded(node: qonnx.NodeOp) -> Sequence[Operation]:
    """The constants that a node computes, one an output; none where it depends on the inputs."""
    tensor = node.output_names.data[0].data if node.output_names else None
    if isinstance(node, qonnx.ShapeOp):
        shape = qonnx.static_shape(node.operands[0])
        if shape is None:
            return ()
        return (qonnx.InitializerOp(evaluate(node, [np.broadcast_to(np.float32(0), shape)]), tensor),)
    producers = [value.owner for value in node.operands]
    if not all(isinstance(each, qonnx.InitializerOp | qonnx.QuantizedConstantOp | qonnx.NoneOp) for each in producers):
        return ()
    arrays: list[Array | None] = [constant_of(each) if isinstance(each, Operation) else None for each in producers]
    if isinstance(node, qonnx.QuantOp | qonnx.IntQuantOp | qonnx.BipolarQuantOp):
        codes = np.asarray(quantise(node, arrays))
        bipolar = isinstance(node, qonnx.BipolarQuantOp)
        scale, zero = arrays[1], np.zeros((), np.float32) if bipolar else arrays[2]
        assert scale is not None
        assert zero is not None
        bits = 1 if bipolar or arrays[3] is None else quantiser_bits(node, arrays[3])
        constant = qonnx.QuantizedConstantOp(
            codes.astype(np.int64),
            _fitting(scale, codes.ndim),
            _fitting(zero, codes.ndim),
            bits=bits,
            signed=bipolar or bool(node.int_attribute("signed")),
            narrow=not bipolar and bool(node.int_attribute("narrow")),
            node_name=node.label,
            tensor_name=tensor,
        )
        return (constant,)
    if isinstance(node, qonnx.DequantizeLinearOp):
        return (_dequantized(node, arrays, tensor),)
    source = producers[0] if producers else None
    if isinstance(source, qonnx.QuantizedConstantOp) and isinstance(node, qonnx.TransposeOp | qonnx.ReshapeOp):
        if isinstance(node, qonnx.TransposeOp) or (source.scale_array.size == 1 == source.zero_point_array.size):
            arrays = arrays[1:]
            rank = source.code_array.ndim
            moved = [
                evaluate(node, [each, *arrays])
                if isinstance(node, qonnx.TransposeOp) or index == 0
                else each.reshape(())
                for index, each in enumerate(
                    (source.code_array, *(_spread(x, rank) for x in (source.scale_array, source.zero_point_array)))
                )
            ]
            constant = qonnx.QuantizedConstantOp(
                moved[0],
                moved[1],
                moved[2],
                bits=source.bit_width,
                signed=source.signed is not None,
                narrow=source.narrow is not None,
                node_name=node.label,
                tensor_name=tensor,
            )
            return (constant,)
    return [qonnx.InitializerOp(array, tensor) for array in evaluate_outputs(node, arrays)]


def _dequantized(node: qonnx.DequantizeLinearOp, arrays: list[Array | None], tensor: str | None) -> Operation:
    """The quantised constant that a DequantizeLinear makes of integers."""
    codes, scale = arrays[0], arrays[1]
    assert codes is not None
    assert scale is not None
    evaluate(node, arrays)  # says what doesn't fit, naming the node
    zero = arrays[2] if len(arrays) > 2 and arrays[2] is not None else np.zeros(scale.shape, codes.dtype)
    axis = node.int_attribute("axis", 1) % max(codes.ndim, 1)
    shape = [-1 if each == axis else 1 for each in range(codes.ndim)]
    scale, zero = (each if each.size == 1 else each.reshape(shape) for each in (scale, zero))
    return qonnx.QuantizedConstantOp(
        codes.astype(np.int64),
        _fitting(scale, codes.ndim),
        _fitting(zero, codes.ndim),
        bits=codes.dtype.itemsize * 8,
        signed=codes.dtype.kind == "i",
        narrow=False,
        node_name=node.label,
        tensor_name=tensor,
    )


def _spread(array: Array, rank: int) -> Array:
    """An array with leading axes of 1 up to a rank."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _fitting(array: Array, rank: int) -> Array:
    """Drops leading axes of 1 beyond a rank; a single element becomes a scalar."""
    array = np.asarray(array.astype(np.float32))
    return array.reshape(()) if array.size == 1 else array.reshape(array.shape[max(0, array.ndim - rank) :])
