"""Rows of adders in shorter parts are the same sums, whatever is subtracted."""

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.utils.exceptions import PassFailedException

from c4ml_xdsl.circuits.timing.schedule import shortest_clock
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


SUMS = """
hw.module @m(in %a: i32, in %b: i32, in %c: i32, out y: i32) {
  %s = comb.add %a, %b, %c : i32
  %y = comb.add %s, %a : i32
  hw.output %y : i32
}
"""


@pytest.mark.parametrize("latency", range(9))
def test_a_latency_gets_the_period_that_split_rows_allow(latency: int) -> None:
    """Rows are split where whole ones would need a longer period for that latency, and only there."""

    def period(module: ModuleOp) -> int:
        return shortest_clock(DesignTiming(module.body.block.ops, "m", "xilinx").timing, latency)

    whole, split = (Parser(hardware_context(), SUMS).parse_module() for _ in range(2))
    CombSplitRows(latency=latency).apply(Context(), split)
    random = np.random.default_rng(latency)
    given = {name: random.integers(0, 1 << 32, 100, np.int64) for name in "abc"}
    want = HwInterpreter(whole).run("m", given)["y"]
    np.testing.assert_array_equal(HwInterpreter(split).run("m", given)["y"], want)
    if str(split) == str(whole):
        # no clock at which rows are split does with so few cycles
        for clock in np.linspace(0.9, 0.99, 10) * period(whole) / 1000:
            other = Parser(hardware_context(), SUMS).parse_module()
            CombSplitRows(float(clock)).apply(Context(), other)
            assert str(other) == str(whole) or period(other) > 1000 * clock
    else:
        assert period(split) < period(whole)
    assert (str(split) == str(whole)) == (latency == 0)


def test_neither_clock_nor_latency() -> None:
    with pytest.raises(PassFailedException, match="needs a clock or a latency"):
        CombSplitRows().apply(Context(), design("a + b", 8))
