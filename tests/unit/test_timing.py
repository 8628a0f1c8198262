"""Timing bit by bit: chains of rows as they were measured, and what the order of bits means."""

import pytest
from xdsl.dialects import hw
from xdsl.dialects.builtin import ArrayAttr, IntegerType, StringAttr
from xdsl.ir import Block, Region, SSAValue

from c4ml_xdsl.circuits.timing import Cell, Timing, library_of
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.timing import delay_of
from c4ml_xdsl.transforms.comb_builder import CombBuilder


def module_of(port: SSAValue, builder: CombBuilder, result: SSAValue, block: Block) -> hw.HWModuleOp:
    ports = [
        hw.ModulePort(StringAttr(name), value.type, hw.DirectionAttr(direction))  # type: ignore[arg-type]
        for name, value, direction in (("x", port, hw.Direction.INPUT), ("y", result, hw.Direction.OUTPUT))
    ]
    builder.finish(block)
    block.add_op(hw.OutputOp([result]))
    return hw.HWModuleOp(StringAttr("m"), hw.ModuleType(ArrayAttr(ports)), Region(block))


def chain(rows: int, width: int, operands: int) -> hw.HWModuleOp:
    """Rows that each add one or two new words to the row before."""
    words = 1 + rows * (operands - 1)
    block = Block(arg_types=[IntegerType(words * width)])
    builder = CombBuilder()
    values = [builder.extract(block.args[0], index * width, width) for index in range(words)]
    total, highest = values.pop(0), (1 << width) - 1
    for _ in range(rows):
        highest += (operands - 1) * ((1 << width) - 1)
        bits = highest.bit_length()
        added = [builder.fit(values.pop(0), False, bits) for _ in range(operands - 1)]
        total = builder.add([builder.fit(total, False, bits), *added])
    return module_of(block.args[0], builder, total, block)


MEASURED = {
    (3, 2): [2087, 3064, 4274, 5207, 7185],
    (3, 4): [2331, 3986, 5267, 6289, 8157],
    (3, 8): [2445, 4326, 5981, 7636, 10094],
    (2, 2): [1096, 1983, 2615, 3247, 4643],
    (2, 4): [1288, 2297, 3124, 3821, 5129],
    (2, 8): [1402, 2689, 3586, 4483, 6025],
}
"""Picoseconds of chains of 1, 2, 3, 4 and 6 rows, by the operands of a row and their bits, after synthesis."""


@pytest.mark.parametrize(("operands", "width"), MEASURED)
def test_chains_take_what_was_measured(operands: int, width: int) -> None:
    for rows, measured in zip((1, 2, 3, 4, 6), MEASURED[operands, width]):
        assert delay_of(chain(rows, width, operands), "xilinx") == pytest.approx(measured / 1000, rel=0.18)
        if rows == 1:
            assert delay_of(chain(rows, width, operands), "xilinx") == measured / 1000


def test_a_late_bit_takes_the_fast_pin() -> None:
    block = Block(arg_types=[IntegerType(7)])
    builder = CombBuilder()
    bits = [builder.extract(block.args[0], place, 1) for place in range(7)]
    first = builder.append(comb.TruthTableOp.of(bits[:2], [0, 1, 1, 0]))
    last = builder.append(comb.TruthTableOp.of([*bits[2:], first], [1] + [0] * 63))
    late = 2 * 0.3 + 0.238 + 0.127
    assert delay_of(module_of(block.args[0], builder, last, block), "xilinx") == pytest.approx(max(late, 0.3 + 0.642))


def test_a_lut_takes_in_what_is_before_it_as_far_as_its_inputs_last() -> None:
    def delay(inner: int) -> float:
        """A LUT of `inner` bits, whose output and two more bits another one takes the majority of."""
        block = Block(arg_types=[IntegerType(inner + 2)])
        builder = CombBuilder()
        bits = [builder.extract(block.args[0], place, 1) for place in range(inner + 2)]
        late = builder.append(comb.TruthTableOp.of(bits[:inner], [0] * (2**inner - 1) + [1]))
        pairs = [(late, bits[-1]), (late, bits[-2]), (bits[-1], bits[-2])]
        majority = builder.logic(comb.OrOp, *(builder.logic(comb.AndOp, *pair) for pair in pairs))
        return delay_of(module_of(block.args[0], builder, majority, block), "xilinx")

    assert delay(4) == pytest.approx(0.3 + 0.642)
    assert delay(5) == pytest.approx(2 * 0.3 + 0.631 + 0.127)  # it reads the late bit once, by its fastest pin


def test_rows_of_three_are_two_rows_on_the_target_generic() -> None:
    assert delay_of(chain(1, 4, 3), "generic") == pytest.approx(delay_of(chain(2, 4, 2), "generic"), rel=0.1)


def test_a_pipeline_on_ecp5_counts_its_registers_time() -> None:
    table = Timing(library_of("ecp5"))
    table.add_step()
    bit = table.add_inputs(1)
    table.add_step()
    inner = table.add_cell(Cell.LUT, [[bit]], 1)
    table.add_step(registers=1)
    table.add_cell(Cell.LUT, [[inner]], 1)
    ahead, behind = (path.delay for path in table.paths([0, 0, 1]))
    assert behind - ahead == 525  # from the clock to the output, and the set-up time
    stages, _ = table.earliest(behind - 1, [0, 0, 0])
    assert stages == [0, 0, 2]  # it takes longer by itself


def test_a_row_on_ecp5_takes_as_long_as_its_cells() -> None:
    wire, into, through, out = 1.65, 0.447, 0.071, 0.443
    assert delay_of(chain(1, 1, 2), "ecp5") == pytest.approx(wire + 0.690)  # the carry comes out in the same cell
    assert delay_of(chain(1, 7, 2), "ecp5") == pytest.approx(wire + into + 2 * through + out)  # eight bits, four cells
    assert delay_of(chain(1, 4, 3), "ecp5") > delay_of(chain(1, 4, 2), "ecp5")
