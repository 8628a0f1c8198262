"""
The pass `convert-qonnx-to-lbir`.

The modules of this folder are rooms of one conversion: `real` knows tensors of real numbers as exact chains on
integers, `conversion` holds the state, the others handle operators.
"""

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, NoneType
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException

from c4ml_xdsl.dialects import lbir, qonnx
from c4ml_xdsl.errors import UnsupportedModelError
from c4ml_xdsl.interpreters.qonnx import constant_of, evaluate, graph_of
from c4ml_xdsl.numerics.chain import step_count
from c4ml_xdsl.transforms.convert_qonnx_to_lbir import (
    elementwise,
    joins,
    linear,
    movement,
    outputs,
    pooling,
    quantisers,
)
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.conversion import MAXIMUM_STEPS, Conversion, Handler
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.inputs import declared_types, raw_node, start_inputs
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.real import prefixed
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.summary import (
    NodeSummary,
    TensorForm,
    summarise,
    tensor_forms,
)

HANDLERS: dict[str, Handler] = {
    **quantisers.HANDLERS,
    **linear.HANDLERS,
    **pooling.HANDLERS,
    **elementwise.HANDLERS,
    **joins.HANDLERS,
    **movement.HANDLERS,
    **outputs.HANDLERS,
}
"""What converts each operator that may stand behind a quantiser."""


@dataclass(frozen=True)
class ConvertQonnxToLbir(ModulePass):
    """
    Makes an integer network of a quantised graph; run it after shapes are known and constants are folded.

    Scales and zero points move to the ports and into the elementwise chains (`lbir.activate`), which hold every real
    operation between an accumulator and the next quantiser as the model has it. A bipolar activation is one bit, 1 for
    x >= 0. `input_type` declares inputs that have no quantiser: `[TENSOR=]TYPE[:SCALE[:ZERO_POINT]]`, several
    separated by semicolons, TYPE in qonnx's names (INT4, UINT8, BIPOLAR).

    Before:
    ```mlir
    qonnx.graph @g opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x2xf32>) {
      %s = qonnx.initializer "s" dense<0.5> : tensor<f32>
      %z = qonnx.initializer "z" dense<0.0> : tensor<f32>
      %b = qonnx.initializer "b" dense<4.0> : tensor<f32>
      %q = qonnx.Quant "q" (%x, %s, %z, %b) {signed = 1, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("q": tensor<1x2xf32>)
      %r = qonnx.Relu "act" (%q) : (tensor<1x2xf32>) -> ("r": tensor<1x2xf32>)
      %c = qonnx.initializer "c" dense<2.0> : tensor<f32>
      %y = qonnx.Quant "q2" (%r, %s, %z, %c) {signed = 0, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("y": tensor<1x2xf32>)
      qonnx.return %y : tensor<1x2xf32>
    }
    ```
    After `convert-qonnx-to-lbir`:
    ```mlir
    lbir.network @g inputs [#lbir.port<"x" bits 4 range [-8, 7] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 2 range [0, 3] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
    ^bb0(%x: tensor<1x2x!lbir.int<-8, 7>>):
      %0 = lbir.activate %x steps [#lbir.step<mul dense<0.5> : tensor<1xf64>>, #lbir.step<max dense<0.0> : tensor<1xf64>>, #lbir.step<div dense<0.5> : tensor<1xf64>>, #lbir.step<max dense<0.0> : tensor<1xf64>>, #lbir.step<min dense<3.0> : tensor<1xf64>>, #lbir.step<round half_even>] node "q2" : tensor<1x2x!lbir.int<-8, 7>> -> tensor<1x2x!lbir.int<0, 3>>
      lbir.output %0 : tensor<1x2x!lbir.int<0, 3>>
    }
    ```
    """  # noqa: E501

    name = "convert-qonnx-to-lbir"

    input_type: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        graph = graph_of(op)
        network = convert_graph(graph, self.input_type)
        block = op.body.block
        block.insert_op_before(network, graph)
        graph.detach()
        graph.erase()


def convert_graph(
    graph: qonnx.GraphOp,
    input_type: str | None,
    summaries: list[NodeSummary] | None = None,
    forms: dict[str, TensorForm] | None = None,
) -> lbir.NetworkOp:
    """
    The network of integer tensors that a graph computes.

    `summaries` receives what each node has become, `forms` the tensors that are scaled integers, by name.

    Raises UnsupportedModelError for what can't be converted, with the node last in `summaries`.
    """
    c = Conversion(graph)
    try:
        start_inputs(c, declared_types(input_type, graph))
        for operation in graph.body.block.ops:
            constant = constant_of(operation)
            if constant is not None:
                c.constants[operation.results[0]] = constant
            elif isinstance(operation, qonnx.NodeOp):
                try:
                    _node(c, operation)
                except UnsupportedModelError:
                    if summaries is not None:
                        summaries.append(NodeSummary(operation.label, operation.operator, "refused"))
                    raise
                if summaries is not None:
                    summaries.append(summarise(c, operation))
        ports = [outputs.output_port(c, name, value) for name, value in graph.outputs.items()]
    except (VerifyException, OverflowError, ValueError) as error:
        raise UnsupportedModelError(graph.sym_name.data, str(error).strip().splitlines()[-1]) from error
    if not c.ports:
        raise UnsupportedModelError(graph.sym_name.data, "no output depends on an input", remedy="Export it again.")
    c.block.add_op(lbir.OutputOp([value for _, value in ports]))
    _merge_activations(c.block)
    _erase_unread(c.block)
    inputs = [c.ports[name] for name in graph.inputs if name in c.ports]
    order = [value for _, value in inputs]
    block = _with_arguments(c.block, order)
    network = lbir.NetworkOp(
        graph.sym_name.data, [port for port, _ in inputs], [port for port, _ in ports], Region(block)
    )
    if forms is not None:
        forms.update(tensor_forms(c, network, order))
    return network


def _node(c: Conversion, node: qonnx.NodeOp) -> None:
    """Converts one node; what no handler can say is said here, naming it."""
    data = c.data(node)
    if any(value in c.after for value in data):
        c.refuse(node, "nothing may follow a Softmax")
    if any(result.uses and 0 in (qonnx.static_shape(result) or ()) for result in node.results):
        c.refuse(node, "its result has no elements")
    raw = bool(data) and all(value in c.raws for value in data)
    handler = raw_node if raw else HANDLERS.get(node.operator)
    if handler is None:
        shapes = [qonnx.static_shape(value) or () for value in node.operands if not isinstance(value.type, NoneType)]
        evaluate(node, [np.zeros(shape, np.float32) for shape in shapes])  # says so where it isn't known at all
        c.refuse(node, f"the operator {node.operator} isn't supported behind a quantiser")
    missing = [] if raw else [value for value in data if value not in c.reals]
    if missing:
        names = [name for value in missing if value in c.raws for name in c.raws[value].inputs]
        remedy = f"Quantise it in the model, or declare its type: --input-type {names[0]}=UINT8" if names else ""
        c.refuse(node, f"its input {', '.join(names)} has no quantiser", remedy or "Export the model without it.")
    try:
        handler(c, node)
    except (VerifyException, OverflowError, ValueError) as error:
        if isinstance(error, UnsupportedModelError):
            raise
        reason = str(error).strip().splitlines()[-1] if str(error) else "it can't be converted"
        raise UnsupportedModelError(
            node.label, reason, remedy="Quantise its inputs to fewer bits, or export the model again."
        ) from error


def _merge_activations(block: Block) -> None:
    """An activation that alone reads another one's result is computed together with it, as one chain."""
    for operation in list(block.ops):
        if not isinstance(operation, lbir.ActivateOp):
            continue
        source = operation.input.owner
        if isinstance(source, lbir.ActivateOp) and source.result.has_one_use():
            steps = prefixed(source.chain(), operation.chain())
            if step_count(steps) > MAXIMUM_STEPS:
                continue
            operation.operands[0] = source.input
            operation.properties["steps"] = ArrayAttr([lbir.StepAttr.from_step(step) for step in steps])
            source.detach()
            source.erase()


def _erase_unread(block: Block) -> None:
    """Layers that nobody reads, as pieces of what was tried on the way."""
    for operation in reversed(list(block.ops)):
        if not isinstance(operation, lbir.OutputOp) and not any(result.uses for result in operation.results):
            operation.detach()
            operation.erase()


def _with_arguments(block: Block, order: list[SSAValue]) -> Block:
    """The block with its arguments in an order; quantisers may come in another one than the inputs."""
    if order == list(block.args):
        return block
    result = Block(arg_types=[value.type for value in order])
    for old, new in zip(order, result.args, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    operations: list[Operation] = list(block.ops)
    for operation in operations:
        operation.detach()
    result.add_ops(operations)
    return result
