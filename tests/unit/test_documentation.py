"""The IR before and after in every pass's docstring is what the pass does."""

import re
import textwrap

import pytest
from xdsl.dialects.test import Test
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.passes import PassPipeline

from c4ml_xdsl.dialects import full_context, get_all_dialects, qonnx
from c4ml_xdsl.transforms import get_all_passes

EXAMPLE = re.compile(
    r"Before:\n\s*```mlir\n(?P<before>.*?)```\n\s*After `(?P<pipeline>[^`]+)`:\n\s*```mlir\n(?P<after>.*?)```", re.S
)


@pytest.mark.parametrize("name", get_all_passes())
def test_pass_does_what_its_example_shows(name: str) -> None:
    passes = get_all_passes()
    documentation = passes[name]().__doc__
    assert documentation is not None
    examples = list(EXAMPLE.finditer(documentation))
    assert examples, f"{name} shows no IR before and after"
    for example in examples:
        context = full_context()
        module = Parser(context, textwrap.dedent(example["before"])).parse_module()
        module.verify()
        pipeline = example["pipeline"]
        assert pipeline.split("{")[0] == name
        PassPipeline.parse_spec(passes, pipeline).apply(context, module)
        module.verify()
        expected = Parser(full_context(), textwrap.dedent(example["after"])).parse_module()
        expected.verify()
        assert str(module) == str(expected)


REQUIRED = {
    "Quant": " {signed = 1, narrow = 0}",
    "IntQuant": " {signed = 1, narrow = 0}",
    "Im2Col": " {stride = [1, 1], kernel_size = [2, 2]}",
    "QuantAvgPool2d": " {stride = 1, kernel = 2, ibits = 4, obits = 4, signed = 0}",
    "MaxPoolNHWC": " {kernel_shape = [2, 2], strides = [2, 2]}",
    "Cast": " {to = 1}",
    "MaxPool": " {kernel_shape = [2, 2]}",
    "AveragePool": " {kernel_shape = [2, 2]}",
    "Concat": " {axis = 1}",
    "DepthToSpace": " {blocksize = 2}",
    "SpaceToDepth": " {blocksize = 2}",
    "Constant": " {value_float = 1.0}",
}
"""Attributes that an operator can't do without."""

ENVIRONMENT = {
    "comb": '%a, %b, %c, %d = "test.op"() : () -> (i4, i4, i1, i1)',
    "neuron": '%a, %b, %c = "test.op"() : () -> (!lbir.int<-8, 7>, !lbir.int<0, 3>, !lbir.int<0, 1>)',
    "lbir": '%x, %w, %image, %scalar = "test.op"() : () -> (tensor<1x2x!lbir.int<0, 7>>, tensor<1x2x!lbir.int<0, 7>>, '
    "tensor<1x1x4x!lbir.int<0, 7>>, tensor<1x1x!lbir.int<0, 7>>)",
}
"""The values that an operation's example may read."""

OWN_OPERATIONS = [
    operation
    for dialect in ("lbir", "neuron", "comb")
    for operation in get_all_dialects()[dialect]().operations
    if operation.__module__.startswith("c4ml_xdsl")
]


@pytest.mark.parametrize("operation", OWN_OPERATIONS, ids=lambda operation: operation.name)
def test_operation_reads_as_its_example_shows(operation: type[Operation]) -> None:
    """The example holds the operation, verifies, and is printed just as it is written."""
    found = re.search(r"```mlir\n(.*?)```", operation.__doc__ or "", re.S)
    assert found is not None, f"{operation.name} shows no example"
    example = textwrap.dedent(found[1]).rstrip()
    context = full_context()
    context.load_dialect(Test)
    module = Parser(context, f"{ENVIRONMENT[operation.name.split('.')[0]]}\n{example}").parse_module()
    module.verify()
    assert any(isinstance(each, operation) for each in module.walk())
    assert textwrap.dedent("\n".join(str(module).splitlines()[2:-1])) == example


@pytest.mark.parametrize("operation", qonnx.OPERATORS.values(), ids=lambda operation: operation.name)
def test_operators_share_one_syntax(operation: type[qonnx.NodeOp]) -> None:
    """Every ONNX operator is written the same way: name, node, operands, attributes, types, outputs."""
    least, most = operation.INPUT_ARITY
    inputs, outputs = least if most == 0 else max(least, 1), max(operation.OUTPUT_ARITY.minimum, 1)
    operands = ", ".join(f"%x{index}" for index in range(inputs))
    results = ", ".join(f"%y{index}" for index in range(outputs))
    types = ", ".join(["tensor<1x2xf32>"] * inputs)
    produced = ", ".join(f'"y{index}": tensor<1x2xf32>' for index in range(outputs))
    required = REQUIRED.get(operation.name.removeprefix("qonnx."), "")
    sources = f'{operands} = "test.op"() : () -> ({types})' if inputs else ""
    text = f'{results} = {operation.name} "node" ({operands}){required} : ({types}) -> ({produced})'
    context = full_context()
    context.load_dialect(Test)
    module = Parser(context, f"{sources}\n{text}").parse_module()
    module.verify()
    parsed = next(each for each in module.walk() if isinstance(each, operation))
    assert parsed.label == "node"
    again = Parser(context, str(module)).parse_module()
    assert str(again) == str(module)
