"""`compile`: from a QONNX model to a checked circuit."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.dialects import lbir as lbir_dialect
from c4ml_xdsl.errors import OptionError
from c4ml_xdsl.frontend import ModelSource, import_model, load_model
from c4ml_xdsl.garbage_collection import without_garbage_collection
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.interpreters.qonnx import graph_of
from c4ml_xdsl.ports import ports_of
from c4ml_xdsl.report import layers_of
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw
from c4ml_xdsl.verification import check_levels

DEFAULT_VECTORS = 256


@dataclass(frozen=True)
class CompileOptions:
    """What `c4ml compile` can be told; names and values are those of the command line."""

    minimize: Literal["area", "delay", "balanced"] = "balanced"
    strategy: Literal["auto", "direct"] = "auto"
    target: Literal["xilinx", "generic"] = "xilinx"
    effort: Literal["fast", "normal", "max"] = "normal"
    top: str | None = None
    vectors: int = DEFAULT_VECTORS
    verify: bool = True
    input_type: str | None = None
    max_luts: int | None = None

    def pipeline(self) -> ConvertQonnxToHw:
        """The default pipeline with these options."""
        return ConvertQonnxToHw(
            input_type=self.input_type,
            strategy=self.strategy,
            target=self.target,
            minimize=self.minimize,
            top=self.top,
        )


def compile(
    model: ModelSource,
    *,
    progress: Callable[[str], None] | None = None,
    dump_ir: str | Path | None = None,
    **options: Any,
) -> Circuit:
    """
    Compiles a model: a path, bytes, an `onnx.ModelProto` or a qonnx `ModelWrapper`.

    The options are the fields of `CompileOptions`. The result is compared with the model on random vectors unless
    `verify` is False. `progress` is told the name of each phase, `dump_ir` is a folder for the IR after each pass.

    Raises ModelFileError, UnsupportedModelError or OptionError where the model can't be compiled, and VerificationError
    where the result isn't what the model computes.
    """
    try:
        given = CompileOptions(**options)
    except TypeError as error:
        raise OptionError(f"compile: {error}".replace("CompileOptions.__init__() ", "")) from error
    for name, allowed in (
        ("minimize", ("area", "delay", "balanced")),
        ("strategy", ("auto", "direct")),
        ("target", ("xilinx", "generic")),
        ("effort", ("fast", "normal", "max")),
    ):
        if getattr(given, name) not in allowed:
            raise OptionError(f"{name}={getattr(given, name)!r}", remedy=f"Choose one of {', '.join(allowed)}.")
    if given.vectors < 1:
        raise OptionError(f"vectors={given.vectors}", remedy="Give at least 1, or no verification.")
    with without_garbage_collection():
        return _compile(model, given, progress, None if dump_ir is None else Path(dump_ir))


def _compile(
    model: ModelSource, options: CompileOptions, progress: Callable[[str], None] | None, dump_ir: Path | None
) -> Circuit:
    seconds: dict[str, float] = {}
    context = Context()

    @contextmanager
    def phase(name: str) -> Generator[None]:
        if progress is not None:
            progress(name)
        start = time.perf_counter()
        yield
        seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - start, 4)

    def run(passes: tuple[ModulePass, ...], module: ModuleOp) -> None:
        for each in passes:
            with phase(each.name):
                each.apply(context, module)
            if dump_ir is not None:
                dump_ir.mkdir(parents=True, exist_ok=True)
                (dump_ir / f"{len(seconds):02}-{each.name}.mlir").write_text(f"{module}\n")

    with phase("import"):
        module = import_model(load_model(model))
    names = list(graph_of(module).inputs)
    pipeline = options.pipeline()
    graph: ModuleOp | None = None
    front, back = pipeline.to_lbir(), pipeline.to_hw()
    run(front[:2], module)
    if options.verify:
        graph = module.clone()
    run(front[2:], module)
    module.verify()
    lbir = module.clone()
    run(back, module)
    tops = [each for each in module.body.block.ops if isinstance(each, hw.HWModuleOp)]
    top = tops[-1]
    circuit = Circuit(lbir, module, top.sym_name.data, ports_of(top), {})
    layers = layers_of(module, circuit.top, options.target)
    totals = {
        "lut": sum(layer["lut"] for layer in layers),
        "ff": 0,
        "delay_ns": round(sum(layer["delay_ns"] for layer in layers), 3),
    }
    if options.max_luts is not None and totals["lut"] > options.max_luts:
        raise OptionError(
            f"the design takes about {totals['lut']} LUTs, more than --max-luts {options.max_luts}",
            remedy="Allow more, quantise to fewer bits or prune the model.",
        )
    with phase("verilog"):
        lines = sum(text.count("\n") for text in circuit.sources.values())
    verified: list[dict[str, Any]] = []
    if graph is not None:
        with phase("verify"):
            verified = check_levels(graph, circuit, options.vectors)
    entries = {
        direction: [p.to_json() for p in circuit.ports if p.direction == direction] for direction in ("input", "output")
    }
    circuit.report.update(
        {
            "top": circuit.top,
            "options": {"minimize": options.minimize, "strategy": options.strategy, "target": options.target},
            "inputs": entries["input"],
            "outputs": entries["output"],
            "layers": layers,
            "totals": totals,
            "verilog_lines": lines,
            "latency_cycles": 0,
            "initiation_interval": 1,
            "seconds": seconds,
            "warnings": _warnings(verified) + _unread(lbir, names),
            "verified": verified,
        }
    )
    return circuit


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


def check_model(model: ModelSource, input_type: str | None = None) -> list[dict[str, Any]]:
    """
    The layers of a model that can be compiled, with the exact range of each result, without building anything large.

    Raises what `compile` raises for a model that can't be.
    """
    module = import_model(load_model(model))
    for each in ConvertQonnxToHw(input_type=input_type).to_lbir():
        each.apply(Context(), module)
    layers: list[dict[str, Any]] = []
    for operation in network_of(module).body.block.ops:
        if isinstance(operation, lbir_dialect.LayerOp):
            element = lbir_dialect.range_of(operation.results[0])
            layers.append(
                {
                    "name": operation.label,
                    "op": operation.name.removeprefix("lbir."),
                    "shape": list(lbir_dialect.shape_of(operation.results[0])),
                    "range": [element.low, element.high],
                    "bits": element.bits,
                }
            )
    return layers
