"""`compile`: from a QONNX model to a checked circuit."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.circuits.adder_graph.budget import Effort
from c4ml_xdsl.circuits.cost import TARGETS, Target
from c4ml_xdsl.data_sheets import clock_limit
from c4ml_xdsl.errors import OptionError, UnsupportedModelError, VerificationError, nearest, unknown_choice
from c4ml_xdsl.frontend import ModelSource, import_model, load_model
from c4ml_xdsl.garbage_collection import without_garbage_collection
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.interpreters.qonnx import graph_of
from c4ml_xdsl.layer_outputs import layer_outputs
from c4ml_xdsl.ports import interface_of, ports_of
from c4ml_xdsl.prediction import Prediction, predict
from c4ml_xdsl.proofs import LayerProof, prove, prove_pipeline
from c4ml_xdsl.reference import Reference, tensors_of_nodes
from c4ml_xdsl.report import (
    add_outputs,
    add_proofs,
    add_registers,
    critical_path,
    critical_stage,
    layers_of,
    stages_of_design,
    versions,
)
from c4ml_xdsl.strategies import OWN_STRATEGIES, require_known
from c4ml_xdsl.tensors import quantiser_ranges, tensors_of
from c4ml_xdsl.text_files import write_text
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw
from c4ml_xdsl.transforms.convert_qonnx_to_lbir import convert_graph
from c4ml_xdsl.transforms.convert_qonnx_to_lbir.summary import NodeSummary
from c4ml_xdsl.transforms.hw_insert_registers import HwInsertRegisters
from c4ml_xdsl.transforms.hw_schedule_stages import HwScheduleStages
from c4ml_xdsl.verification import check_levels

logger = logging.getLogger("c4ml_xdsl")

DEFAULT_VECTORS = 256
LARGEST_DEVICE = 4_000_000
"""LUTs of the largest FPGAs: what is predicted to need more is refused unless --max-luts allows it."""
REPORT_VERSION = 1
"""The version of what report.json holds, as report_schema.json says it."""
MOST_CYCLES = 1000
"""The longest latency that can be asked for; no network has so many levels of logic."""


CHOICES = {
    "minimize": ("area", "delay", "balanced"),
    "target": TARGETS,
    "effort": ("fast", "normal", "max"),
}
"""The values of the options that have a few."""


@dataclass(frozen=True)
class CompileOptions:
    """What `c4ml compile` can be told; names and values are those of the command line."""

    minimize: Literal["area", "delay", "balanced"] = "balanced"
    strategy: str = "auto"
    """auto, direct, shared, table, compressor, or the name of another package's: `c4ml_xdsl.strategies`."""
    target: Target = "xilinx"
    effort: Literal["fast", "normal", "max"] = "normal"
    top: str | None = None
    vectors: int = DEFAULT_VECTORS
    verify: bool = True
    input_type: str | None = None
    max_luts: int | None = None
    weights: str | None = None
    clock_ns: float | None = None
    latency: int | None = None
    valid: bool = False
    register_inputs: bool = False
    register_outputs: bool = False

    def stages(self) -> tuple[ModulePass, ...]:
        """The passes that make a pipeline of the design; none for a combinational one."""
        registers = self.register_inputs or self.register_outputs
        if self.clock_ns is None and not self.latency and not registers and not self.valid:
            return ()
        schedule = HwScheduleStages(
            self.clock_ns, self.latency, self.register_inputs, self.register_outputs, self.target
        )
        return schedule, HwInsertRegisters(self.valid)

    def pipeline(self) -> ConvertQonnxToHw:
        """The default pipeline with these options."""
        registers = int(self.register_inputs) + int(self.register_outputs)
        return ConvertQonnxToHw(
            input_type=self.input_type,
            strategy=self.strategy,
            target=self.target,
            minimize=self.minimize,
            effort=self.effort,
            top=self.top,
            clock_ns=self.clock_ns,
            latency=None if self.latency is None else max(0, self.latency - registers),
        )


def compile(
    model: ModelSource,
    *,
    progress: Callable[[str], None] | None = None,
    expect: Callable[[Mapping[str, float]], None] | None = None,
    dump_ir: str | Path | None = None,
    **options: Any,
) -> Circuit:
    """
    Compiles a model: a path (QONNX or QKeras), bytes, an `onnx.ModelProto` or a qonnx `ModelWrapper`.

    The options are the fields of `CompileOptions`. The circuit is proved to compute what the integer network says, as
    far as the report tells, and the result is compared with the model on random vectors unless `verify` is False.
    `progress` is told the name of each phase as it begins, `expect` how many seconds each is expected to take, once
    that is known. `dump_ir` is a folder for the IR after each pass, in numbered files. The logger `c4ml_xdsl` is told
    how long each phase took, and at the level debug how many operations there are after each pass.

    Raises ModelFileError, UnsupportedModelError or OptionError where the model can't be compiled, and VerificationError
    where the result isn't what the model computes.
    """
    fields = CompileOptions.__dataclass_fields__
    for name in options:
        if name not in fields:
            meant = nearest(name, fields)
            remedy = f"Did you mean {meant}?" if meant else f"Options are: {', '.join(fields)}."
            raise OptionError(f"compile: unexpected option {name}", remedy=remedy)
    given = CompileOptions(**options)
    for name, allowed in CHOICES.items():
        if getattr(given, name) not in allowed:
            raise unknown_choice(name, getattr(given, name), allowed)
    require_known(given.strategy)
    if given.clock_ns is not None and given.latency is not None:
        raise OptionError("both clock_ns and latency", remedy="Give the clock and get the latency, or the other way.")
    if given.clock_ns is not None and not 0 < given.clock_ns < 1e6:
        raise OptionError(f"clock_ns={given.clock_ns}", remedy="Give the clock's period in nanoseconds.")
    if given.latency is not None and not 0 <= given.latency <= MOST_CYCLES:
        raise OptionError(f"latency={given.latency}", remedy=f"Give 0 to {MOST_CYCLES} cycles.")
    if given.vectors < 1:
        raise OptionError(f"vectors={given.vectors}", remedy="Give at least 1, or no verification.")
    with without_garbage_collection():
        return _compile(model, given, progress, expect, None if dump_ir is None else Path(dump_ir))


def _compile(
    model: ModelSource,
    options: CompileOptions,
    progress: Callable[[str], None] | None,
    expect: Callable[[Mapping[str, float]], None] | None,
    dump_ir: Path | None,
) -> Circuit:
    seconds: dict[str, float] = {}
    dumped = 0
    context = Context()

    @contextmanager
    def phase(name: str) -> Generator[None]:
        if progress is not None:
            progress(name)
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        seconds[name] = round(seconds.get(name, 0.0) + took, 4)
        logger.info("%s: %.3f s", name, took)

    def dump(name: str, module: ModuleOp) -> None:
        nonlocal dumped
        if dump_ir is None:
            return
        dumped += 1
        try:
            dump_ir.mkdir(parents=True, exist_ok=True)
            write_text(dump_ir / f"{dumped:02}-{name}.mlir", f"{module!s}\n")
        except OSError as error:
            raise OptionError(f"{dump_ir} can't be written: {error.strerror}") from error

    def run(passes: tuple[ModulePass, ...], module: ModuleOp) -> None:
        for each in passes:
            with phase(each.name):
                each.apply(context, module)
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("after %s: %s", each.name, count_operations(module))
            dump(each.name, module)

    with phase("import"):
        module = import_model(load_model(model, options.weights))
    dump("import", module)
    names = list(graph_of(module).inputs)
    pipeline = options.pipeline()
    reference = Reference(model, options.weights, options.input_type)
    front, back = pipeline.to_lbir(), pipeline.to_hw()
    run(front[:2], module)
    tensors = tensors_of_nodes(graph_of(module))
    if options.verify:
        reference.keep(module.clone())
    run(front[2:-1], module)
    quantisers = quantiser_ranges(module)
    run(front[-1:], module)
    module.verify()
    prediction = predict(module, options.target, options.effort)
    _refuse_too_large(prediction, options.max_luts)
    if expect is not None:
        expect(prediction.phases(options.verify))
    lbir = module.clone()
    run(back, module)
    tops = [each for each in module.body.block.ops if isinstance(each, hw.HWModuleOp)]
    top = tops[-1]
    with phase("estimate"):
        strategy = "shared" if options.strategy in OWN_STRATEGIES and options.strategy != "direct" else "direct"
        layers = layers_of(module, top.sym_name.data, options.target, strategy)
        critical = critical_path(module, top.sym_name.data, options.target)
        totals = {"lut": sum(layer["lut"] for layer in layers), "ff": 0, "delay_ns": round(critical["delay_ns"], 3)}
    if options.max_luts is not None and totals["lut"] > options.max_luts:
        raise OptionError(
            f"the design takes about {totals['lut']} LUTs, more than --max-luts {options.max_luts}",
            remedy="Allow more, quantise to fewer bits or prune the model.",
        )
    with phase("prove"):
        proofs = prove(lbir, module)
    _refuse_refuted(proofs)
    stages: list[dict[str, Any]] = []
    if passes := options.stages():
        plain, module = module, module.clone()
        schedule, insert = passes
        run((schedule,), module)
        with phase("estimate"):
            stages = stages_of_design(
                module, top.sym_name.data, options.target, options.register_inputs, options.register_outputs
            )
        run((insert,), module)
        with phase("prove"):
            pipeline = prove_pipeline(plain, module)
        if pipeline.reasons:
            raise VerificationError(f"the pipeline isn't the circuit that it is made of: {pipeline.reasons[0]}")
        add_registers(module, pipeline, layers, stages, totals)
        critical = critical_stage(stages)
        top = [each for each in module.body.block.ops if isinstance(each, hw.HWModuleOp)][-1]
    circuit = Circuit(lbir, module, top.sym_name.data, ports_of(top), {}, interface_of(top), tensors, reference)
    add_outputs(layers, layer_outputs(lbir, module, circuit.top, tensors))
    with phase("verilog"):
        lines = sum(text.count("\n") for text in circuit.sources.values())
    verified: list[dict[str, Any]] = []
    if options.verify:
        with phase("verify"):
            checked = check_levels(reference.module, circuit, options.vectors)
        verified, circuit.golden = checked.entries, checked.golden
    entries = {
        direction: [p.to_json() for p in circuit.ports if p.direction == direction] for direction in ("input", "output")
    }
    with phase("tensors"):
        names_of_ports = {direction: [each["name"] for each in ports] for direction, ports in entries.items()}
        tensors = tensors_of(lbir, module, quantisers, names_of_ports["input"], names_of_ports["output"])
    limit = clock_limit(options.target)
    circuit.report.update(
        {
            "report_version": REPORT_VERSION,
            "versions": versions(),
            "top": circuit.top,
            "options": {
                "minimize": options.minimize,
                "strategy": options.strategy,
                "target": options.target,
                "effort": options.effort,
                "clock_ns": options.clock_ns,
                "latency": options.latency,
                "valid": options.valid,
                "register_inputs": options.register_inputs,
                "register_outputs": options.register_outputs,
            },
            "inputs": entries["input"],
            "outputs": entries["output"],
            "tensors": tensors,
            "layers": layers,
            "proved": add_proofs(layers, proofs),
            "totals": totals,
            "stages": stages,
            "critical_path": critical,
            "data_sheet": None if limit is None else limit.to_json(),
            "verilog_lines": lines,
            "latency_cycles": circuit.interface.latency,
            "initiation_interval": 1,
            "seconds": seconds,
            "warnings": _warnings(verified) + _unread(lbir, names),
            "verified": verified,
        }
    )
    return circuit


def count_operations(module: ModuleOp) -> str:
    """How many operations of each dialect a module has, in words."""
    counts = Counter(operation.name.split(".")[0] for operation in module.walk() if operation is not module)
    return ", ".join(f"{count} {dialect}" for dialect, count in sorted(counts.items()))


def _refuse_refuted(proofs: list[LayerProof]) -> None:
    """Raises VerificationError where an input is known for which the design isn't what the network says."""
    reasons = [reason for proof in proofs if proof.status == "refuted" for reason in proof.reasons]
    if reasons:
        more = f" ({len(reasons) - 1} more outputs differ or aren't proved)" if len(reasons) > 1 else ""
        raise VerificationError(f"the circuit isn't what the model computes: {reasons[0]}{more}")


def _refuse_too_large(prediction: Prediction, max_luts: int | None) -> None:
    """Refuses, before the work, what no device holds or what is far beyond the user's own limit."""
    limit = LARGEST_DEVICE if max_luts is None else 2 * max_luts  # a prediction may be off by that much
    if prediction.lut > limit:
        largest = sorted(prediction.layers, key=lambda layer: -layer.lut)[:3]
        sizes = ", ".join(f"{layer.lut} for {layer.name} ({layer.positions} times)" for layer in largest)
        remedy = "Quantise to fewer bits, prune the model, or allow more with --max-luts."
        if largest[0].positions > 1:
            remedy = f"Give {largest[0].name} a stride or fewer channels, or smaller images. " + remedy
        raise OptionError(
            f"the design is predicted to take {prediction.lut} LUTs, {sizes}; "
            f"the limit is {LARGEST_DEVICE if max_luts is None else max_luts}",
            remedy=remedy,
        )


def _warnings(verified: list[dict[str, Any]]) -> list[str]:
    """What a user should know about the comparisons."""
    return [
        f"in {entry['ambiguous']} of {entry['vectors']} vectors the model in float64 differs, where a threshold is "
        "within float error of a value that occurs; the circuit is exact there"
        for entry in verified
        if entry.get("ambiguous")
    ]


def _unread(module: ModuleOp, names: list[str]) -> list[str]:
    """The model's inputs that have no port, as nothing depends on them."""
    ports = {port.tensor.data for port in network_of(module).inputs}
    return [f"no output depends on the input {name}: it has no port" for name in names if name not in ports]


@dataclass(frozen=True)
class CheckResult:
    """What `c4ml check` says of a model."""

    nodes: list[NodeSummary]
    """Every node in order, up to one that is refused."""
    prediction: Prediction | None
    """None for a model that is refused."""
    error: UnsupportedModelError | None

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        entry: dict[str, Any] = {"supported": self.error is None, "nodes": [asdict(node) for node in self.nodes]}
        if self.error is not None:
            entry["refused"] = {"node": self.error.node, "reason": self.error.reason, "remedy": self.error.remedy}
        if self.prediction is not None:
            entry["layers"] = [asdict(layer) for layer in self.prediction.layers]
            entry["predicted"] = {
                "adders": self.prediction.adders,
                "lut": self.prediction.lut,
                "verilog_lines": self.prediction.verilog_lines,
                "seconds": self.prediction.seconds,
                "megabytes": self.prediction.megabytes,
            }
        return entry


def check_model(
    model: ModelSource,
    input_type: str | None = None,
    target: Target = "xilinx",
    weights: str | None = None,
    effort: Effort = "normal",
) -> CheckResult:
    """
    Each node of a model with the integers it is computed as, and what a compile would take, without building it.

    A model that is refused comes back with the reason; raises ModelFileError for a file that is none, OptionError for
    an `input_type` that is none.
    """
    context, nodes = Context(), list[NodeSummary]()
    with without_garbage_collection():
        try:
            module = import_model(load_model(model, weights))
            pipeline = ConvertQonnxToHw(input_type=input_type).to_lbir()
            for each in pipeline[:2]:
                each.apply(context, module)
            graph = graph_of(module)
            module.body.block.insert_op_before(convert_graph(graph, input_type, nodes), graph)
            graph.detach()
            graph.erase()
            for each in pipeline[3:]:
                each.apply(context, module)
        except UnsupportedModelError as error:
            return CheckResult(nodes, None, error)
        return CheckResult(nodes, predict(module, target, effort), None)
