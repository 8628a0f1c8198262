"""
A design of `hw` and `comb` operations as steps for the timing analysis, bit by bit.

A step is what registers can't part: an operation, with the sum inside it that it makes a row of three; all input ports
of a module; all its output ports. Extracts, concatenations and constants are wires. A module's steps stand for those of
all its instances, whose inputs are there when the last of them is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.circuits.cost import Target, row_operands
from c4ml_xdsl.circuits.timing import Cell, Timing, library_of
from c4ml_xdsl.dialects import comb

Bits = list[int]
"""The numbers of a value's bits in the analysis, the lowest bit first."""
ZERO, ONE = -1, -2
"""Bits that never change."""
LUT_BITS = 6
"""The inputs of a LUT, up to which yosys' own comparisons with constants are one."""


class DesignError(Exception):
    """A design whose hierarchy isn't one top module with instances of modules that have none, or that has registers."""


@dataclass(frozen=True)
class Step:
    """What a step is: a module's operation, or where there is none its input or output ports."""

    module: str
    role: Literal["operation", "inputs", "outputs"]
    operation: Operation | None = None


class DesignTiming:
    """
    The steps of a top module and of the modules that it has instances of.

    `registered_inputs` and `registered_outputs` say that a register lies behind each of the top's inputs and before
    each of its outputs. With `collapse` LUTs take in LUTs before them, as synthesis does where no register parts them.
    Raises DesignError for deeper hierarchies, and where instances of one module feed each other.
    """

    def __init__(
        self,
        modules: Iterable[Operation],
        top: str,
        target: Target,
        registered_inputs: bool = False,
        registered_outputs: bool = False,
        collapse: bool = False,
    ):
        self.target: Target = target
        self.modules = {each.sym_name.data: each for each in modules if isinstance(each, hw.HWModuleOp)}
        self.timing = Timing(library_of(target), collapse)
        self.steps: list[Step] = []
        self.step_of: dict[Operation, int] = {}
        """The steps of operations that aren't wires."""
        self.inputs_of: dict[str, int] = {}
        """The step of each module's inputs."""
        self.outputs_of: dict[str, int] = {}
        """The step of each module's outputs."""
        self._bits: dict[SSAValue, Bits] = {}
        self._instances = 1
        self._module = top
        for each in self.modules.values():
            if any(isinstance(operation, seq.CompRegOp) for operation in each.body.block.ops):
                raise DesignError(f"{each.sym_name.data} has registers already")
        module = self.modules[top]
        self.inputs_of[top] = self._step(Step(top, "inputs"))
        for argument in module.body.block.args:
            width = comb.width_of(argument)
            first = self.timing.add_inputs(width)
            self._bits[argument] = list(range(first, first + width))
        if registered_inputs:
            self._step(Step(top, "inputs"), registers=1)
            for argument in module.body.block.args:
                self._bits[argument] = self._wires([[bit] for bit in self._bits[argument]])
        self._operations(module)
        self._outputs(module, registers=int(registered_outputs))

    def delays(self, stages: Sequence[int] | None = None) -> list[float]:
        """Nanoseconds of each stage's longest path; without stages there is one."""
        return [path.delay / 1000 for path in self.timing.paths(stages or [0] * self.timing.steps)]

    def _step(self, step: Step, registers: int = 0) -> int:
        self.steps.append(step)
        return self.timing.add_step(self._instances, registers)

    def _cell(self, kind: Cell, columns: Sequence[Sequence[int]], width: int, negative: int = 0) -> Bits:
        first = self.timing.add_cell(kind, [[max(bit, -1) for bit in column] for column in columns], width, negative)
        return list(range(first, first + width))

    def _wires(self, columns: Sequence[Sequence[int]]) -> Bits:
        return self._cell(Cell.WIRES, columns, len(columns))

    def _operations(self, module: hw.HWModuleOp) -> None:
        groups: dict[str, list[hw.InstanceOp]] = {}
        for operation in module.body.block.ops:
            if isinstance(operation, hw.InstanceOp):
                groups.setdefault(operation.module_name.string_value(), []).append(operation)
        inner: dict[Operation, list[tuple[Bits, bool]]] = {}
        for operation in module.body.block.ops:
            if isinstance(operation, hw.InstanceOp):
                # the instances of one module stand together, behind all that they read
                name = operation.module_name.string_value()
                if name in groups:
                    self._kernel(name, groups.pop(name), module.sym_name.data)
            elif operation.results:
                self._operation(operation, inner)

    def _outputs(self, module: hw.HWModuleOp, registers: int = 0) -> list[Bits]:
        name = module.sym_name.data
        self.outputs_of[name] = self._step(Step(name, "outputs"), registers)
        last = module.body.block.last_op
        assert last is not None
        return [self._wires([[bit] for bit in self._bits[each]]) for each in last.operands]

    def _kernel(self, name: str, instances: Sequence[hw.InstanceOp], parent: str) -> None:
        """A module with all its instances."""
        if name not in self.modules:
            raise DesignError(f"{parent} has an instance of {name}, which isn't there")
        if parent != self._module:
            raise DesignError(f"{parent}, which is no top module, has an instance of {name}")
        module = self.modules[name]
        self._instances = len(instances)
        self.inputs_of[name] = self._step(Step(name, "inputs"))
        try:
            for argument, *given in zip(module.body.block.args, *(each.operands for each in instances), strict=True):
                columns = zip(*(self._bits[value] for value in given), strict=True)
                self._bits[argument] = self._wires([list(dict.fromkeys(column)) for column in columns])
        except KeyError as error:
            raise DesignError(f"instances of {name} read each other's results") from error
        self._operations(module)
        outputs = self._outputs(module)
        self._instances = 1
        for each in instances:
            self._bits.update(zip(each.results, outputs, strict=True))

    def _operation(self, operation: Operation, inner: dict[Operation, list[tuple[Bits, bool]]]) -> None:
        """
        The bits of an operation's result.

        `inner` has the words of sums of two that a subtraction alone reads, and whether they are subtracted: together
        they are a row of three.
        """
        result, bits = operation.results[0], self._bits
        match operation:  # the most frequent ones first
            case comb.ConcatOp():
                bits[result] = [bit for part in reversed(operation.inputs) for bit in bits[part]]
            case comb.ExtractOp():
                low = operation.low_bit.value.data
                bits[result] = bits[operation.input][low : low + comb.width_of(result)]
            case comb.ReplicateOp():
                part = bits[operation.input]
                bits[result] = part * (comb.width_of(result) // len(part))
            case hw.ConstantOp():
                value = operation.value.value.data
                bits[result] = [ONE if value >> place & 1 else ZERO for place in range(comb.width_of(result))]
            case comb.AddOp() | comb.SubOp():
                first, is_difference = operation.operands[0].owner, isinstance(operation, comb.SubOp)
                words = [
                    (bits[each], is_difference and index == 1)
                    for index, each in enumerate(operation.operands)
                    if each in bits
                ]
                if is_difference and isinstance(first, Operation) and first in inner:
                    self._row(operation, [*inner.pop(first), *words], [first])
                elif row_operands(self.target) == 3 and _is_inner(operation):
                    inner[operation] = words
                else:
                    self._row(operation, words, [])
            case _:
                self.step_of[operation] = self._step(Step(self._name_of(operation), "operation", operation))
                bits[result] = self._logic(operation, [bits[operand] for operand in operation.operands])

    def _name_of(self, operation: Operation) -> str:
        parent = operation.parent_op()
        return parent.sym_name.data if isinstance(parent, hw.HWModuleOp) else ""

    def _row(self, operation: Operation, words: list[tuple[Bits, bool]], parts: Sequence[Operation]) -> None:
        """A row of adders: LUTs in front of a carry chain, with majorities between them where it adds three words."""
        step = self._step(Step(self._name_of(operation), "operation", operation))
        for each in (operation, *parts):
            self.step_of[each] = step
        width = comb.width_of(operation.results[0])
        words = [word for word in words if any(bit != ZERO for bit in word[0])]
        most = row_operands(self.target)
        while len(words) > most:
            words = [(self._chain(words[:most], width), False), *words[most:]]
        self._bits[operation.results[0]] = self._chain(words, width) if words else [ZERO] * width

    def _chain(self, words: Sequence[tuple[Bits, bool]], width: int) -> Bits:
        """A carry chain, from the lowest bit on that isn't one word's alone."""
        start = 0
        while start < width:
            alive = [negative for word, negative in words if word[start] != ZERO]
            if len(alive) > 1 or any(alive):
                break
            start += 1
        passed = [[word[place] for word, _ in words if word[place] != ZERO] for place in range(start)]
        ordered = [word for word, negative in words if not negative] + [word for word, negative in words if negative]
        columns = [[word[place] for word in ordered] for place in range(start, width)]
        subtracted = sum(negative for _, negative in words)
        kind = Cell.ROW_OF_THREE if len(words) > 2 else Cell.ROW
        below = self._wires(passed) if passed else []
        return below + (self._cell(kind, columns, width - start, subtracted) if columns else [])

    def _logic(self, operation: Operation, known: Sequence[Bits]) -> Bits:
        columns = list(zip(*known, strict=True)) if len({len(word) for word in known}) == 1 else []
        match operation:
            case comb.TruthTableOp():
                return self._cell(Cell.LUT, [[word[0] for word in known]], 1)
            case comb.MuxOp():
                return self._cell(
                    Cell.LUT, [(known[0][0], a, b) for a, b in zip(known[1], known[2], strict=True)], len(known[1])
                )
            case comb.ICmpOp():
                return self._comparison(operation, columns)
            case comb.OrOp() if len(known) == 3:
                return self._cell(Cell.LUT, columns, len(columns))  # the majority of three words
            case comb.AndOp() | comb.OrOp() | comb.XorOp():
                return self._cell(Cell.MERGED, columns, len(columns))
            case _:
                result = operation.results[0]
                width = comb.width_of(result) if isinstance(result.type, IntegerType) else 1
                reading = [[bit for word in known for bit in word], *[[]] * (len(known[0]) - 1)]
                return self._cell(Cell.PRODUCT, reading, width)

    def _comparison(self, operation: comb.ICmpOp, columns: Sequence[Sequence[int]]) -> Bits:
        """The carry of a subtraction, or a LUT where a comparison with a constant reads as few bits as that has."""
        words = list(zip(*columns, strict=True))
        for constant, other in (words, words[::-1]):
            if all(bit in (ZERO, ONE) for bit in constant):
                bound = sum((bit == ONE) << place for place, bit in enumerate(constant))
                greater = operation.mnemonic[1:] == ("gt" if constant is words[1] else "lt")
                less_or_equal = operation.mnemonic[1:] == ("le" if constant is words[1] else "ge")
                bound += greater or less_or_equal  # x > c is x >= c + 1
                start = 0 if operation.mnemonic in ("eq", "ne") else (bound & -bound).bit_length() - 1
                read = [bit for bit in other[max(start, 0) :] if bit not in (ZERO, ONE)]
                if len(read) <= LUT_BITS:
                    return self._cell(Cell.LUT, [read], 1)
                columns = columns[max(start, 0) :]
        return self._cell(Cell.CARRY, columns, 1)


def _is_inner(operation: comb.AddOp | comb.SubOp) -> bool:
    """Whether a sum of two is what a subtraction, which alone reads it, takes something from."""
    if len(operation.operands) != 2 or not operation.result.has_one_use():
        return False
    use = next(iter(operation.result.uses))
    return isinstance(use.operation, comb.SubOp) and use.index == 0


def delay_of(module: hw.HWModuleOp, target: Target) -> float:
    """Nanoseconds from a module's inputs to its last output; the module has no instances."""
    return DesignTiming([module], module.sym_name.data, target, collapse=True).delays()[0]
