"""Rows of adders in shorter parts are the same sums, whatever is subtracted."""

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from c4ml_xdsl.dialects import comb, hardware_context
from c4ml_xdsl.interpreters.hw import HwInterpreter
from c4ml_xdsl.timing import DesignTiming
from c4ml_xdsl.transforms.comb_split_rows import CombSplitRows

ROWS = {
    "a + b": "%y = comb.add %a, %b : {t}",
    "a - b": "%y = comb.sub %a, %b : {t}",
    "a + b + c": "%y = comb.add %a, %b, %c : {t}",
    "a + b - c": "%s = comb.add %a, %b : {t}\n%y = comb.sub %s, %c : {t}",
    "a - b - c": "%s = comb.sub %a, %b : {t}\n%y = comb.sub %s, %c : {t}",
}


def design(row: str, width: int) -> ModuleOp:
    text = ROWS[row].format(t=f"i{width}")
    source = (
        f"hw.module @m(in %a: i{width}, in %b: i{width}, in %c: i{width}, out y: i{width}) {{\n{text}\n"
        f"hw.output %y : i{width}\n}}"
    )
    return Parser(hardware_context(), source).parse_module()


@pytest.mark.parametrize("target", ["xilinx", "generic"])
@pytest.mark.parametrize("clock", [1.3, 1.6, 2.1])
@pytest.mark.parametrize("row", ROWS)
def test_the_parts_are_the_sum(row: str, clock: float, target: str) -> None:
    random = np.random.default_rng(5)
    split = 0
    for width in (5, 9, 16, 33, 45):
        module = design(row, width)
        given = {name: random.integers(0, 1 << width, 400, np.int64) for name in "abc"}
        for name in "abc":
            given[name][:8] = np.array([0, 1, (1 << width) - 1, 1 << (width - 1)] * 2)
        want = HwInterpreter(module).run("m", given)["y"]
        before = len(list(module.walk()))
        CombSplitRows(clock, target).apply(Context(), module)  # type: ignore[arg-type]
        module.verify()
        np.testing.assert_array_equal(HwInterpreter(module).run("m", given)["y"], want)
        split += len(list(module.walk())) > before
        timing = DesignTiming(module.body.block.ops, "m", target)  # type: ignore[arg-type]
        rows = [step for operation, step in timing.step_of.items() if isinstance(operation, comb.AddOp | comb.SubOp)]
        assert max(timing.timing.alone(step) for step in rows) <= clock * 1000
    assert split


def test_tops_of_instances_are_left_alone() -> None:
    module = design("a + b", 40)
    top = Parser(
        hardware_context(),
        str(module.body.block.first_op)
        + "\nhw.module @t(in %a: i40, out y: i40) {\n"
        + '%0 = hw.instance "i" @m(a: %a: i40, b: %a: i40, c: %a: i40) -> (y: i40)\nhw.output %0 : i40\n}',
    ).parse_module()
    CombSplitRows(2.0).apply(Context(), top)
    kernel, outer = (each for each in top.body.block.ops if isinstance(each, hw.HWModuleOp))
    assert sum(isinstance(each, comb.AddOp) for each in kernel.body.block.ops) > 1
    assert len(list(outer.body.block.ops)) == 2
