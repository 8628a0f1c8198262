"""
What one schedule a module costs: register bits against those of a design where each instance has its own.

The latter has as many steps as all instances together, so this takes far longer than a compile.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp

from benchmarks.cases import REPOSITORY, network_model
from benchmarks.results import Results, Row
from benchmarks.table import Table, geometric_mean
from c4ml_xdsl.circuits.timing.schedule import fewest_registers, least_latency
from c4ml_xdsl.frontend import import_model, load_model
from c4ml_xdsl.timing import DesignTiming
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw
from c4ml_xdsl.transforms.hw_schedule_stages import top_of


class FlatTiming(DesignTiming):
    """A design's steps with those of each instance by themselves."""

    def _kernel(self, name: str, instances: Sequence[hw.InstanceOp], parent: str) -> None:
        module = self.modules[name]
        for each in instances:
            # an instance's ports are wires here: they needn't be all in one stage
            for argument, operand in zip(module.body.block.args, each.operands, strict=True):
                self._bits[argument] = self._bits[operand]
            self._operations(module)
            last = module.body.block.last_op
            assert last is not None
            for result, value in zip(each.results, last.operands, strict=True):
                self._bits[result] = self._bits[value]


@dataclass(frozen=True)
class HierarchyCase:
    """A convolutional network and a clock in ns."""

    network: str
    clock_ns: int

    @property
    def name(self) -> str:
        """The network and the clock."""
        return f"{self.network.split('/')[-1]} {self.clock_ns} ns"

    def load(self) -> bytes:
        """The model: one of the tests', or one of the models' folder."""
        if "/" in self.network:
            return network_model(self.network)
        return (REPOSITORY / "tests" / "models" / self.network / "model.onnx").read_bytes()


def hierarchy_cases() -> list[HierarchyCase]:
    """Every case, in the order of the table."""
    networks = ("cnn1d_pot", "cnn_resadd_truncavg_pot", "cnn_dwsep_perch_fp", "digits/digits_cnn_w4a4_pot")
    return [HierarchyCase(network, clock) for network in networks for clock in (3, 5, 8)]


def measure_hierarchy(case: HierarchyCase) -> Row:
    """Steps, register bits and seconds of both schedules."""
    module: ModuleOp = import_model(load_model(case.load()))
    pipeline = ConvertQonnxToHw(effort="fast", clock_ns=case.clock_ns)
    for each in (*pipeline.to_lbir(), *pipeline.to_hw()):
        each.apply(Context(), module)
    row: Row = {}
    clock = case.clock_ns * 1000
    for name, kind in (("modules", DesignTiming), ("flat", FlatTiming)):
        start = time.perf_counter()
        timing = kind(module.body.block.ops, top_of(module).sym_name.data, "xilinx").timing
        latency = row["modules"]["latency"] if row else least_latency(timing, clock)
        registers = fewest_registers(timing, clock, latency).registers
        seconds = round(time.perf_counter() - start, 2)
        row[name] = {"steps": timing.steps, "latency": latency, "registers": registers, "seconds": seconds}
    return row


def hierarchy_table(results: Results) -> list[Table]:
    """Register bits of one schedule a module by those of one an instance, for the same clock and latency."""
    rows: list[list[str]] = []
    ratios: list[float] = []
    for case in hierarchy_cases():
        row = results.get("hierarchy", {}).get(case.name)
        if row is not None and "error" not in row:
            ratios.append(row["modules"]["registers"] / row["flat"]["registers"])
            cells = [str(row[kind][what]) for what in ("registers", "steps", "seconds") for kind in ("modules", "flat")]
            rows.append([case.name, str(row["modules"]["latency"]), *cells[:2], f"{ratios[-1]:.3f}", *cells[2:]])
    if ratios:
        rows.append(["geometric mean", "", "", "", f"{geometric_mean(ratios):.3f}", "", "", "", ""])
    columns = ("design", "cycles", "register bits", "flat", "ratio", "steps", "flat", "s", "flat")
    return [Table("One schedule a module against one an instance", columns, rows)]
