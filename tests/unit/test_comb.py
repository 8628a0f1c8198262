"""Every comb operation: its folder, the hw interpreter and the Verilog in Icarus agree."""

import itertools
import shutil

import numpy as np
import pytest
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.parser import Parser

from c4ml_xdsl.dialects import comb, full_context
from c4ml_xdsl.interpreters.hw import HwInterpreter, pack
from c4ml_xdsl.ports import Port
from c4ml_xdsl.simulators.icarus import IcarusSimulator
from c4ml_xdsl.targets.verilog import print_module

OPERATIONS = {
    **{f"comb.{name} %a, %b : i4": 4 for name in ("add", "mul", "sub", "and", "or", "xor", "shl", "shru", "shrs")},
    **{f"comb.icmp {predicate} %a, %b : i4": 1 for predicate in comb.PREDICATES},
    "comb.add %a, %b, %a : i4": 4,
    "comb.parity %a : i4": 1,
    "comb.extract %a from 1 : (i4) -> i2": 2,
    "comb.concat %b, %a : i4, i4": 8,
    "comb.replicate %a : (i4) -> i12": 12,
    "comb.mux %c, %a, %b : i4": 4,
    "comb.truth_table %c, %d -> [false, true, true, false]": 1,
}
"""Operations, and the width of what they give."""

PAIRS = np.array(list(itertools.product(range(16), range(16))))


def design(operation: str) -> ModuleOp:
    """A module around one operation."""
    output = f"i{OPERATIONS[operation]}"
    text = f"""
    hw.module @m(in %a: i4, in %b: i4, out y: {output}) {{
      %c = comb.extract %a from 3 : (i4) -> i1
      %d = comb.extract %b from 0 : (i4) -> i1
      %y = {operation}
      hw.output %y : {output}
    }}"""
    module = Parser(full_context(), text).parse_module()
    module.verify()
    return module


def folded(operation: str, a: int, b: int) -> int:
    """What the folder makes of constant operands, unsigned."""
    module = Parser(
        full_context(),
        f"""
        %a = hw.constant {comb.signed(a, 4)} : i4
        %b = hw.constant {comb.signed(b, 4)} : i4
        %c = hw.constant {"true" if a >> 3 else "false"}
        %d = hw.constant {"true" if b & 1 else "false"}
        %y = {operation}
        """,
    ).parse_module()
    last = module.body.block.last_op
    assert isinstance(last, comb.Foldable)
    values = last.fold()
    assert values is not None
    assert isinstance(values[0], IntegerAttr)
    return values[0].value.data & ((1 << comb.width_of(last.results[0])) - 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_folder_and_interpreter_agree(operation: str) -> None:
    module = design(operation)
    a, b = PAIRS.T
    found = HwInterpreter(module).run("m", {"a": pack(a[:, None], 4), "b": pack(b[:, None], 4)})["y"]
    assert [folded(operation, *pair) for pair in PAIRS[::7].tolist()] == list(np.asarray(found)[::7])


def test_verilog_agrees() -> None:
    """All operations as modules of one design, each an output of the top."""
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog isn't installed")
    for operation in OPERATIONS:
        module = design(operation)
        top = module.body.block.first_op
        assert isinstance(top, hw.HWModuleOp)
        ports = [
            Port(name, direction, name, (1,), bits, False, (1.0,), (0.0,), 0, (1 << bits) - 1)
            for name, direction, bits in (("a", "input", 4), ("b", "input", 4), ("y", "output", OPERATIONS[operation]))
        ]
        simulator = IcarusSimulator({"m.v": "".join(print_module(top))}, "m", ports)
        inputs = {"a": PAIRS[:, :1], "b": PAIRS[:, 1:]}
        want = HwInterpreter(module).run("m", {name: pack(each, 4) for name, each in inputs.items()})["y"]
        np.testing.assert_array_equal(simulator.run(inputs)["y"][:, 0], want, err_msg=operation)
