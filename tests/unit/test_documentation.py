"""The IR before and after in every pass's docstring is what the pass does."""

import re
import textwrap

import pytest
from xdsl.parser import Parser
from xdsl.passes import PassPipeline

from c4ml_xdsl.dialects import full_context
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
