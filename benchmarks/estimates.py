"""
How far the report's estimates of single modules are from what the flow measures: LUT sites and delay.

Modules are the layers of networks and matrices, compiled for each goal, combinational and as pipelines; those of a
pipeline are compared as a whole, their longest stage against `delay_ps`. The held-out modules are of other models,
which nobody looked at when the model of times was made.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from xdsl.dialects import hw

import c4ml_xdsl
from benchmarks.cases import REPOSITORY, Matrix, matrix_model, network_model, sign_model, stored_matrix
from benchmarks.errors import BenchmarkError
from benchmarks.results import Results, Row
from benchmarks.rows import measure
from benchmarks.table import Table
from c4ml_xdsl.estimates import count_sites

SMALLEST = 20
"""Modules of fewer LUT sites than that aren't measured: a LUT more or less says nothing there."""


@dataclass(frozen=True)
class EstimatedDesign:
    """A design whose modules are measured: a model, and what it is compiled with."""

    name: str
    load: Callable[[], bytes]
    options: dict[str, Any]
    held_out: bool


def estimated_designs() -> list[EstimatedDesign]:
    """Every design, in the order of the tables; those that are held out come last."""
    known = (
        "real/fpga4hep_jets_w2a2",
        "brevitas/c4ml_lhcjets_bw4",
        "digits/digits_mlp_w4a4_pot",
        "digits/digits_bnn",
        "digits/digits_cnn_w4a4_pot",
        "cnn/c4ml_cnn_mnist10k_bw4_p50",
    )
    matrices = ("W_16x16_b4", "W_32x32_b4", "W_32x32_b8")
    loads: list[tuple[str, Callable[[], bytes], bool]] = []
    loads += [(name.split("/")[1], lambda n=name: network_model(n), False) for name in known]
    loads += [(name, lambda n=name: matrix_model(stored_matrix(n), 4), False) for name in matrices]
    loads += [("Wb_64x32_pm1", lambda: sign_model(stored_matrix("Wb_64x32_pm1")), False)]
    stored = ("bnn_w1a1_bn", "cnn1d_pot", "cnn_resadd_truncavg_pot", "mlp_w4a4_asym_zp", "tnn_ternary_bn")
    loads += [(name, lambda n=name: _stored_model(n), True) for name in stored]
    loads += [("cnn_mnist10k_bw2", lambda: network_model("cnn/c4ml_cnn_mnist10k_bw2_p50"), True)]
    loads += [(f"random_{n}x{m}_x{bits}", lambda n=n, m=m, b=bits: _random(n, m, b), True) for n, m, bits in
              ((12, 40, 3), (24, 20, 6), (48, 16, 8))]  # fmt: skip
    return [
        EstimatedDesign(f"{name} {goal}{f' {clock} ns' * (clock is not None)}", load, options, held_out)
        for name, load, held_out in loads
        for goal, clock in (("area", None), ("balanced", None), ("delay", None), ("balanced", 3))
        if clock is None or not name.startswith(("W", "cnn_mnist", "c4ml_cnn"))
        for options in [{"minimize": goal, "effort": "fast", "clock_ns": clock}]
    ]


def _stored_model(name: str) -> bytes:
    """A model of the tests."""
    return (REPOSITORY / "tests" / "models" / name / "model.onnx").read_bytes()


def _random(inputs: int, outputs: int, bits: int) -> bytes:
    """A dense layer of five-bit weights, a third of them 0."""
    random = np.random.default_rng(inputs * outputs)
    matrix: Matrix = random.integers(-16, 16, (inputs, outputs)) * (random.random((inputs, outputs)) > 1 / 3)
    return matrix_model(matrix, bits, signed=False)


def measure_design(design: EstimatedDesign, flows: str) -> Row:
    """The entry of the results for one design: its modules, each with what is estimated and what each flow measures."""
    circuit = c4ml_xdsl.compile(design.load(), verify=False, **design.options)
    if circuit.interface.latency:
        total, files = circuit.report["totals"], circuit.sources
        modules = [_module(circuit.top, "pipeline", total["lut"], total["ff"], total["delay_ns"], files, flows)]
        return {"modules": modules, "held_out": design.held_out}
    modules: list[Row] = []
    parts = {
        each.sym_name.data: asdict(count_sites(each, "xilinx")[0])
        for each in circuit.hw.body.block.ops
        if isinstance(each, hw.HWModuleOp)
    }
    for layer in circuit.report["layers"]:
        name, sites = layer["name"], layer["lut"] // layer["instances"]
        if sites >= SMALLEST:
            files = {f"{name}.v": circuit.sources[f"{name}.v"]}
            measured = _module(name, layer["op"], sites, 0, layer["delay_ns"], files, flows)
            modules.append({**measured, "parts": parts[name]})
    return {"modules": modules, "held_out": design.held_out}


def _module(name: str, kind: str, sites: int, ff: int, delay_ns: float, files: dict[str, str], flows: str) -> Row:
    estimate = {"sites": sites, "ff": ff, "delay_ps": round(1000 * delay_ns)}
    return {"name": name, "kind": kind, "estimate": estimate, "flows": measure(files, name, flows)}


@dataclass(frozen=True)
class Estimated:
    """A module's estimate and what the best flow measures: LUT sites, register bits, picoseconds."""

    name: str
    kind: str
    held_out: bool
    estimate: Row
    measured: Row

    def error(self, what: str) -> float:
        """The estimate by what was measured, less 1."""
        return self.estimate[what] / self.measured[what] - 1 if self.measured[what] else 0.0


def modules_of(results: Results) -> list[Estimated]:
    """All measured modules by the flow that is best for the design's goal; equal ones count once."""
    found: dict[str, Estimated] = {}
    for design, row in results.get("estimates", {}).items():
        for each in row.get("modules", ()):
            measured = _best(each["flows"], design.split()[1])
            module = Estimated(f"{design}: {each['name']}", each["kind"], row["held_out"], each["estimate"], measured)
            found.setdefault(f"{design.split()[0]} {each['name']} {each['estimate']} {measured}", module)
    return list(found.values())


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: the correlation of the ranks, equal numbers sharing theirs."""

    def ranks(numbers: Sequence[float]) -> Any:
        _, place, count = np.unique(np.asarray(numbers), return_inverse=True, return_counts=True)
        return (np.cumsum(count) - (count - 1) / 2)[place]

    places = ranks(first), ranks(second)
    return float(np.corrcoef(*places)[0, 1]) if all(each.std() for each in places) else math.nan


def fit_heaps(results: Results) -> tuple[list[int], int]:
    """
    The per cent that rows and tables of known modules with heaps are of what they count as, and how many modules.

    The least squares of the relative errors.
    """
    equations: dict[tuple[float, float], None] = {}
    for design, row in results.get("estimates", {}).items():
        for each in row.get("modules", ()):
            if row["held_out"] or not each.get("parts", {}).get("heaps"):
                continue
            parts = each["parts"]
            measured = _best(each["flows"], design.split()[1])["sites"] - parts["choices"]
            equations[parts["rows"] / measured, parts["tables"] / measured] = None
    if len(equations) < 2:
        raise BenchmarkError("no modules with heaps: run python -m benchmarks estimates --cases '* delay'")
    found = np.linalg.lstsq(np.array(list(equations)), np.ones(len(equations)))[0]
    return [round(100 * each) for each in found.tolist()], len(equations)


def _best(flows: dict[str, Row], goal: str) -> Row:
    """What the flow measures that is best for a goal."""
    key = "delay_ps" if goal == "delay" else "sites"
    return min(flows.values(), key=lambda figures: (figures[key], figures["delay_ps"]))


def estimate_tables(results: Results) -> list[Table]:
    """The errors' distribution for known and held-out modules, combinational and pipelined; and every module."""
    modules = modules_of(results)
    rows: list[Sequence[str]] = []
    for held_out in (False, True):
        for pipelined in (False, True):
            chosen = [each for each in modules if (each.held_out, each.kind == "pipeline") == (held_out, pipelined)]
            for what, title in (("delay_ps", "delay"), ("sites", "LUT sites"), ("ff", "register bits")):
                if len(chosen) < 2 or (what == "ff" and not pipelined):
                    continue
                errors = [each.error(what) for each in chosen]
                sizes = sorted(abs(error) for error in errors)
                correlation = rank_correlation(
                    [each.estimate[what] for each in chosen], [each.measured[what] for each in chosen]
                )
                rows.append(
                    (
                        "held out" if held_out else "known",
                        "pipelines" if pipelined else "modules",
                        title,
                        str(len(chosen)),
                        f"{statistics.median(sizes):.1%}",
                        f"{np.percentile(sizes, 95):.1%}",
                        f"{max(errors, key=abs):+.1%}",
                        f"{correlation:.3f}",
                    )
                )
    columns = ("set", "of", "estimate", "number", "median error", "95th percentile", "worst", "rank correlation")
    return [Table("Estimates against what was measured", columns, rows), _modules_table(modules)]


def _modules_table(modules: Sequence[Estimated]) -> Table:
    rows = [
        (
            each.name,
            each.kind,
            *(
                cell
                for what in ("sites", "delay_ps")
                for cell in (str(each.estimate[what]), str(each.measured[what]), f"{each.error(what):+.1%}")
            ),
        )
        for each in modules
    ]
    columns = ("module", "kind", "LUT sites", "measured", "error", "ps", "measured", "error")
    return Table("Every module", columns, rows)
