"""The pass `comb-split-rows`."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.circuits.timing import Cell, Timing, library_of
from c4ml_xdsl.circuits.timing.schedule import ClockError, least_latency, shortest_clock
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.timing import DesignTiming
from c4ml_xdsl.transforms.comb_builder import CombBuilder
from c4ml_xdsl.transforms.hw_schedule_stages import top_of

WIDEST = 1 << 10
"""No row has more bits."""
SHORTEST = 4
"""A chain of fewer bits isn't worth its carry."""


@dataclass(frozen=True)
class CombSplitRows(ModulePass):
    """
    Makes shorter steps of rows of adders that take longer than a clock period, so that registers can part them.

    With `latency` instead of `clock-ns` it is the shortest period at which the design with its split rows has outputs
    after that many cycles, to 1 %; without such a period, as where it has few cycles, rows stay whole.

    A row of three becomes a carry-save adder: parity and majority of the three, and a row of two. Of a row of two that
    takes longer the low bits are added first, and the high ones with the carry of these, which goes into both words as
    a bit below.

    Before:
    ```mlir
    hw.module @m(in %a: i20, in %b: i20, out o: i20) {
      %0 = comb.add %a, %b : i20
      hw.output %0 : i20
    }
    ```
    After `comb-split-rows{clock-ns=1.7}`:
    ```mlir
    hw.module @m(in %a: i20, in %b: i20, out o: i20) {
      %0 = comb.extract %a from 0 : (i20) -> i10
      %1 = hw.constant false
      %2 = comb.concat %1, %0 : i1, i10
      %3 = comb.extract %b from 0 : (i20) -> i10
      %4 = comb.concat %1, %3 : i1, i10
      %5 = comb.add %2, %4 : i11
      %6 = comb.extract %5 from 0 : (i11) -> i10
      %7 = comb.extract %5 from 10 : (i11) -> i1
      %8 = comb.extract %a from 10 : (i20) -> i10
      %9 = comb.concat %8, %7 : i10, i1
      %10 = comb.extract %b from 10 : (i20) -> i10
      %11 = comb.concat %10, %7 : i10, i1
      %12 = comb.add %9, %11 : i11
      %13 = comb.extract %12 from 1 : (i11) -> i10
      %14 = comb.concat %13, %6 : i10, i10
      hw.output %14 : i20
    }
    ```
    """

    name = "comb-split-rows"

    clock_ns: float | None = None
    target: Target = "xilinx"
    latency: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        clock = int(self.clock_ns * 1000) if self.clock_ns is not None else self._shortest(op)
        if clock:
            _split_rows(op, clock, self.target)

    def _shortest(self, op: ModuleOp) -> int:
        """The shortest clock in picoseconds for the latency at which there are rows to split, or 0."""
        if self.latency is None:
            raise PassFailedException("comb-split-rows needs a clock or a latency")
        timing = _timing(op, self.target)
        longest = max(timing.alone(step) for step in range(timing.steps))
        low, high = 0, min(longest, shortest_clock(timing, self.latency))
        found = 0
        while high - low > max(1, high // 100):
            # the first try is just below what whole rows reach: mostly it fails, and no other would do
            middle = (low + high) // 2 if found else high - 1
            split = op.clone()
            _split_rows(split, middle, self.target)
            try:
                reached = least_latency(_timing(split, self.target), middle) <= self.latency
            except ClockError:
                reached = False
            if reached:
                high = found = middle
            elif not found:
                return 0
            else:
                low = middle
        return found


def _timing(op: ModuleOp, target: Target) -> Timing:
    """The steps of a whole design."""
    return DesignTiming(op.body.block.ops, top_of(op).sym_name.data, target).timing


def _split_rows(op: ModuleOp, clock: int, target: Target) -> None:
    """Splits the rows that take longer than a clock of so many picoseconds."""
    longest = _longest_chain(clock, target)
    for module in op.body.block.ops:
        if isinstance(module, hw.HWModuleOp) and not any(
            isinstance(each, hw.InstanceOp) for each in module.body.block.ops
        ):
            design = DesignTiming([module], module.sym_name.data, target)
            members: dict[int, list[Operation]] = {}
            for operation, step in design.step_of.items():
                members.setdefault(step, []).append(operation)
            for step, (row, *parts) in members.items():
                if isinstance(row, comb.AddOp | comb.SubOp) and design.timing.alone(step) > clock:
                    _split(row, parts, longest)


def _longest_chain(clock: int, target: Target) -> int:
    """The bits of a row of two that takes no more than a clock of so many picoseconds."""

    def delay(width: int) -> int:
        timing = Timing(library_of(target))
        timing.add_step()
        bit = timing.add_inputs(1)
        step = timing.add_step()
        timing.add_cell(Cell.ROW, [[bit, bit]] * width, width)
        return timing.alone(step)

    return bisect_right(range(1, WIDEST + 1), clock, key=delay)


def _split(row: comb.AddOp | comb.SubOp, parts: Sequence[Operation], longest: int) -> None:
    """Replaces a row, with the sum of two that it takes something from, if that is a part of it."""
    words: list[tuple[SSAValue, bool]] = []
    for operation in (*parts, row):
        for index, operand in enumerate(operation.operands):
            if operand.owner not in parts:
                words.append((operand, isinstance(operation, comb.SubOp) and index == 1))
    added = [word for word, negative in words if not negative]
    taken = [word for word, negative in words if negative]
    if len(words) not in (2, 3) or not added or longest < SHORTEST:
        return
    builder = CombBuilder()
    if len(words) == 2:
        total = _chains(builder, words[0][0], words[1][0], bool(taken), longest)
    elif len(taken) == 2:  # a - b - c is the inverse of ~a + b + c
        total = builder.invert(_carry_save(builder, [builder.invert(added[0]), *taken], False, longest))
    else:
        total = _carry_save(builder, [*added, *map(builder.invert, taken)], bool(taken), longest)
    block = row.parent_block()
    assert block is not None
    block.insert_ops_before(builder.operations, row)
    if total.name_hint is None:
        total.name_hint = row.result.name_hint
    row.result.replace_all_uses_with(total)
    for operation in (row, *reversed(parts)):
        operation.detach()
        operation.erase()


def _carry_save(builder: CombBuilder, words: Sequence[SSAValue], carry: bool, longest: int) -> SSAValue:
    """The sum of three words and a carry, as that of their parity and majority."""
    width = comb.width_of(words[0])
    pairs = [builder.logic(comb.AndOp, words[i], words[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    majority = builder.logic(comb.OrOp, *pairs)
    parity = builder.logic(comb.XorOp, *words)
    low = builder.constant(int(carry), 1)
    above = builder.concat([builder.extract(majority, 0, width - 1), low]) if width > 1 else low
    return _chains(builder, parity, above, False, longest)


def _chains(builder: CombBuilder, left: SSAValue, right: SSAValue, negative: bool, longest: int) -> SSAValue:
    """The sum or difference of two words, in chains of so many bits at most."""
    width = comb.width_of(left)
    if width <= longest:
        return builder.sub(left, right) if negative else builder.add([left, right])
    count = -(-width // (longest - 2))  # with a bit each for the carry into a chain and out of it
    size = -(-width // count)
    carry = builder.constant(1, 1) if negative else None
    pieces: list[SSAValue] = []
    for low in range(0, width, size):
        own = min(size, width - low)
        last = low + own == width
        operands: list[SSAValue] = []
        for word, invert in ((left, False), (right, negative)):
            part = builder.extract(word, low, own)
            above = [] if last else [builder.constant(0, 1)]
            operands.append(
                builder.concat([*above, builder.invert(part) if invert else part, *([] if carry is None else [carry])])
            )
        total = builder.add(operands)
        start = int(carry is not None)
        pieces.append(builder.extract(total, start, own))
        carry = None if last else builder.extract(total, start + own, 1)
    return builder.concat(pieces[::-1])
