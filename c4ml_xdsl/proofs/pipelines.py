"""
Proves that a design with registers is a design without them, some cycles later.

Both are read as graphs of bits: extracts, concatenations and registers are wires. Each module has to compute the same
graph in both, whatever its operations mean, and all bits that meet in an operation, an instance or at the outputs have
to have come through the same number of registers.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from c4ml_xdsl.control_ports import CONTROL, IN_VALID, OUT_VALID, RESET
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.stages import stages_of

Bits = list[tuple[int, int]]
"""Of each bit, the lowest first, the number of what it computes and the registers before it; ANY for a constant."""
ANY = -1


class _Unequal(Exception):
    """The message says which module isn't the same, and where."""


@dataclass
class PipelineProof:
    """`reasons` say what differs, if anything does."""

    reasons: list[str] = field(default_factory=list[str])
    latencies: dict[str, int] = field(default_factory=dict[str, int])
    """The registers between each module's inputs and outputs."""
    constant: dict[str, list[list[bool]]] = field(default_factory=dict[str, list[list[bool]]])
    """Of each module's outputs the bits that never change, for which registers don't count."""
    registers: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """A module's register bits in each of the stages behind its inputs; control isn't counted."""


def prove_pipeline(plain: ModuleOp, pipelined: ModuleOp) -> PipelineProof:
    """Compares two designs module by module; the top module comes last. Nothing is raised for what is wrong."""
    proof, numbers = PipelineProof(), dict[Hashable, int]()
    before, after = _modules(plain), _modules(pipelined)
    if list(before) != list(after):
        return PipelineProof(["the designs have different modules"])
    for name in before:
        try:
            plain_graph = PipelineProof(latencies=dict.fromkeys(before, 0), constant=proof.constant)
            want = _Graph(before[name], numbers, plain_graph).run()
            graph = _Graph(after[name], numbers, proof)
            got = graph.run()
            if [[number for number, _ in bits] for bits in want] != [[number for number, _ in bits] for bits in got]:
                raise _Unequal(f"{name}: the outputs aren't those of the design without registers")
            first, last = stages_of(after[name])
            proof.constant[name] = [[stage == ANY for _, stage in bits] for bits in got]
            proof.latencies[name] = last - first
            proof.registers[name] = graph.registers
            if graph.together("the outputs", got) not in (None, last - first):
                raise _Unequal(f"{name}: the outputs aren't {last - first} cycles behind the inputs")
            if OUT_VALID in _ports(after[name], False):
                _check_valid(after[name], proof.latencies[name])
        except _Unequal as error:
            proof.reasons.append(str(error))
            proof.latencies.setdefault(name, 0)
    return proof


def _modules(design: ModuleOp) -> dict[str, hw.HWModuleOp]:
    return {each.sym_name.data: each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp)}


def _ports(module: hw.HWModuleOp, inputs: bool) -> list[str]:
    ports = module.module_type.ports.data
    return [port.port_name.data for port in ports if port.dir.data.is_input_like() == inputs]


class _Graph:
    """One module's bits. `numbers` are those of all that is computed, the same for the same in both designs."""

    def __init__(self, module: hw.HWModuleOp, numbers: dict[Hashable, int], proof: PipelineProof):
        self.module, self.numbers, self.proof = module, numbers, proof
        self.bits: dict[SSAValue, Bits] = {}
        self.registers: list[int] = []

    def run(self) -> list[Bits]:
        """The bits of the outputs that carry tensors."""
        block = self.module.body.block
        for name, argument in zip(_ports(self.module, True), block.args, strict=True):
            if not isinstance(argument.type, seq.ClockType):
                self.bits[argument] = self.new(("port", name), comb.width_of(argument), 0)
        for operation in block.ops:
            if isinstance(operation, hw.OutputOp):
                named = zip(_ports(self.module, False), operation.operands, strict=True)
                return [self.bits[value] for name, value in named if name not in CONTROL]
            try:
                self.operation(operation)
            except KeyError:
                name = self.module.sym_name.data
                raise _Unequal(f"{name}: {operation.name} reads what is made behind it") from None
        raise _Unequal(f"{self.module.sym_name.data} has no outputs")

    def new(self, key: Hashable, width: int, stage: int) -> Bits:
        """The bits of something that is computed."""
        return [(self.numbers.setdefault((key, place), len(self.numbers)), stage) for place in range(width)]

    def operation(self, operation: Operation) -> None:
        """The bits of an operation's results."""
        bits = self.bits
        match operation:
            case hw.ConstantOp(result=result):
                value = operation.value.value.data
                ones = [value >> place & 1 for place in range(comb.width_of(result))]
                bits[result] = [(self.numbers.setdefault(("constant", one), len(self.numbers)), ANY) for one in ones]
            case comb.ExtractOp(input=source, result=result):
                low = operation.low_bit.value.data
                bits[result] = bits[source][low : low + comb.width_of(result)]
            case comb.ConcatOp(inputs=parts, result=result):
                bits[result] = [bit for part in reversed(parts) for bit in bits[part]]
            case comb.ReplicateOp(input=source, result=result):
                bits[result] = bits[source] * (comb.width_of(result) // comb.width_of(source))
            case seq.CompRegOp(input=source, data=result) if operation.reset is None:
                bits[result] = [(number, stage if stage == ANY else stage + 1) for number, stage in bits[source]]
                self.count(bits[result])
            case seq.CompRegOp(data=result):  # control, of which no tensor's bit depends
                bits[result] = self.new(("control", id(operation)), comb.width_of(result), ANY)
            case hw.InstanceOp():
                self.instance(operation)
            case _:
                stage = self.together(f"{operation.name} ({operation.results[0].name_hint})", self.given(operation))
                for index, result in enumerate(operation.results):
                    key = (operation.name, *operation.properties.values(), self.read(operation), index)
                    bits[result] = self.new(key, _width(result), ANY if stage is None else stage)

    def instance(self, operation: hw.InstanceOp) -> None:
        """The bits of an instance's results."""
        name = operation.module_name.string_value()
        stage = self.together(operation.instance_name.data, self.given(operation))
        latency = self.proof.latencies.get(name)
        if latency is None:
            raise _Unequal(f"{self.module.sym_name.data} has an instance of {name}, which isn't before it")
        names = [each.data for each in operation.arg_names if each.data not in CONTROL]
        for index, result in enumerate(operation.results):
            key = ("instance", name, *names, self.read(operation), index)
            behind = ANY if stage is None else stage + latency
            constant = self.proof.constant[name][index]
            self.bits[result] = [
                (number, ANY if never else stage)
                for (number, stage), never in zip(self.new(key, _width(result), behind), constant, strict=True)
            ]

    def given(self, operation: Operation) -> list[Bits]:
        """The bits of an operation's operands, but for a clock."""
        return [self.bits[each] for each in operation.operands if not isinstance(each.type, seq.ClockType)]

    def read(self, operation: Operation) -> tuple[tuple[int, ...], ...]:
        """What an operation's operands compute."""
        return tuple(tuple(number for number, _ in bits) for bits in self.given(operation))

    def together(self, what: str, words: Sequence[Bits]) -> int | None:
        """The number of registers before all the bits of some words; None where all are constant."""
        found = {stage for bits in words for _, stage in bits if stage != ANY}
        if len(found) > 1:
            raise _Unequal(
                f"{self.module.sym_name.data}: what {what} reads is behind {min(found)} to {max(found)} registers"
            )
        return next(iter(found), None)

    def count(self, bits: Bits) -> None:
        """Counts the bits of a register."""
        for _, stage in bits:
            self.registers += [0] * (stage - len(self.registers))
            if stage != ANY:
                self.registers[stage - 1] += 1


def _width(value: SSAValue) -> int:
    return comb.width_of(value) if hasattr(value.type, "width") else 1


def _check_valid(top: hw.HWModuleOp, latency: int) -> None:
    """Raises where `out_valid` isn't `in_valid` that many cycles later, low after a reset."""
    arguments = dict(zip(_ports(top, True), top.body.block.args, strict=True))
    output = top.body.block.last_op
    assert output is not None
    value = output.operands[_ports(top, False).index(OUT_VALID)]
    stages = 0
    while isinstance(value.owner, seq.CompRegOp):
        register, stages = value.owner, stages + 1
        low = register.reset_value.owner if register.reset_value is not None else None
        if register.reset is not arguments[RESET] or not isinstance(low, hw.ConstantOp) or low.value.value.data:
            raise _Unequal(f"{top.sym_name.data}: a register of {OUT_VALID} isn't low after {RESET}")
        value = register.input
    if value is not arguments[IN_VALID] or stages != latency:
        raise _Unequal(f"{top.sym_name.data}: {OUT_VALID} isn't {IN_VALID} {latency} cycles later")
