"""Circuits with registers: the same numbers some cycles later, in every simulator, and a proof that finds faults."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from xdsl.dialects import hw, seq
from xdsl.dialects.builtin import ModuleOp

import c4ml_xdsl as c4ml
from c4ml_xdsl import compiler
from c4ml_xdsl.circuit import Circuit
from c4ml_xdsl.dialects import comb
from c4ml_xdsl.errors import OptionError, VerificationError
from c4ml_xdsl.proofs import PipelineProof, prove_pipeline
from c4ml_xdsl.simulators import verilator
from c4ml_xdsl.simulators.verilator import VerilatorSimulator
from c4ml_xdsl.transforms.hw_insert_registers import HwInsertRegisters
from c4ml_xdsl.verification import vectors_for

MODELS = Path(__file__).parent.parent / "models"

CASES: list[tuple[str, dict[str, Any]]] = [
    ("cnn_resadd_truncavg_pot", {"clock_ns": 3.0, "valid": True}),
    ("digits_mlp_w2a2_pot", {"clock_ns": 1.7, "minimize": "area"}),
    ("mlp_w4a4_asym_zp", {"clock_ns": 4.0, "minimize": "delay", "register_inputs": True}),
    ("c4ml_lhcjets_bw2", {"latency": 5, "register_inputs": True, "register_outputs": True, "valid": True}),
    ("tnn_ternary_bn", {"clock_ns": 5.0, "target": "generic", "register_outputs": True}),
    ("cnn1d_pot", {"latency": 1}),
    ("bnn_w1a1_bn", {"register_inputs": True}),
    ("mlp_w4a4_bn_fp", {"valid": True}),
]


def golden(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / name / "golden.npz") as archive:
        return archive["x"], archive["y"]


def registers_of(design: ModuleOp, top: str) -> int:
    """Register bits of the top module and all its instances."""
    modules = {each.sym_name.data: each for each in design.body.block.ops if isinstance(each, hw.HWModuleOp)}

    def count(name: str) -> int:
        total = 0
        for operation in modules[name].body.block.ops:
            if isinstance(operation, seq.CompRegOp):
                total += comb.width_of(operation.data)
            elif isinstance(operation, hw.InstanceOp):
                total += count(operation.module_name.string_value())
        return total

    return count(top)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0])
def case(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any], Circuit]:
    name, options = request.param
    return name, options, c4ml.compile(MODELS / name / "model.onnx", effort="fast", **options)


@pytest.mark.parametrize(("simulator", "tool"), [("numpy", None), ("verilator", "verilator"), ("icarus", "iverilog")])
def test_golden_vectors(case: tuple[str, dict[str, Any], Circuit], simulator: str, tool: str | None) -> None:
    """One new input a cycle."""
    name, _, circuit = case
    if tool is not None and shutil.which(tool) is None:
        pytest.skip(f"{tool} isn't installed")
    x, y = golden(name)
    count = 12 if simulator == "icarus" else len(x)
    got = circuit(x[:count], simulator=simulator)  # type: ignore[arg-type]
    np.testing.assert_allclose(np.reshape(got, y[:count].shape), y[:count], rtol=1e-5, atol=1e-6)


def test_report_and_ports_say_what_is_there(case: tuple[str, dict[str, Any], Circuit]) -> None:
    _, options, circuit = case
    report, ports = circuit.report, circuit.ports_json
    latency = report["latency_cycles"]
    assert latency == ports["latency_cycles"] == len(report["stages"]) - 1
    assert latency == options.get("latency", latency)
    assert latency >= options.get("register_inputs", 0) + options.get("register_outputs", 0)
    assert ports["clock"] == ("clk" if latency else None)
    assert ("module.clk" in circuit.verilog or "input  wire clk" in circuit.verilog) == bool(latency)
    control = [entry["name"] for entry in ports["ports"] if entry["tensor"] is None]
    assert control == (["rst", "in_valid", "out_valid"] if options.get("valid") else [])
    assert report["totals"]["ff"] == registers_of(circuit.hw, circuit.top)
    inside = sum(stage["ff"] for stage in report["stages"])
    assert report["totals"]["ff"] == inside + (latency if options.get("valid") else 0)
    assert report["totals"]["delay_ns"] == max(stage["delay_ns"] for stage in report["stages"])
    if "clock_ns" in options:
        assert report["totals"]["delay_ns"] <= options["clock_ns"]
    if options.get("register_inputs"):  # nothing but wires before them
        assert report["stages"][0]["delay_ns"] == 0
    if options.get("register_outputs"):
        assert report["stages"][-1]["delay_ns"] == 0


def test_a_faster_clock_takes_more_cycles() -> None:
    model = MODELS / "digits_mlp_w2a2_pot" / "model.onnx"
    reports = [c4ml.compile(model, effort="fast", verify=False, clock_ns=clock).report for clock in (2, 3, 5, 8, 100)]
    cycles = [report["latency_cycles"] for report in reports]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[-1] == 0
    assert len(set(cycles)) == 5
    same = c4ml.compile(model, effort="fast", verify=False, latency=cycles[2]).report
    assert same["latency_cycles"] == cycles[2]
    assert same["totals"]["delay_ns"] <= reports[2]["totals"]["delay_ns"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock_ns": 0.6}, "takes .* ns, more than the clock of 0.6 ns"),
        ({"clock_ns": 3, "latency": 2}, "both clock_ns and latency"),
        ({"clock_ns": -1}, "clock_ns=-1"),
        ({"latency": -1}, "latency=-1"),
        ({"latency": 1, "register_inputs": True, "register_outputs": True}, "1 cycles are too few"),
    ],
)
def test_what_can_not_be_met_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        c4ml.compile(MODELS / "digits_mlp_w2a2_pot" / "model.onnx", effort="fast", **options)


BENCH = """`timescale 1ns/1ps
module bench;
  reg clk = 0, rst = 0, in_valid = 0;
  reg [{last_in}:0] x;
  wire [{last_out}:0] y;
  wire out_valid;
  reg [{last_in}:0] given [0:{last}];
  integer seed = 7, i, cycle;
  {top} dut (.clk(clk), .rst(rst), .in_valid(in_valid), .out_valid(out_valid), .{x}(x), .{y}(y));
  initial begin
    $readmemh("in.txt", given);
    i = 0;
    for (cycle = 0; cycle < 400; cycle = cycle + 1) begin
      rst = cycle < 2 || (cycle > 150 && cycle < 260 && $random(seed) % 16 == 0);
      in_valid = !rst && $random(seed) % 3 != 0;
      x = in_valid ? given[i] : $random(seed);
      #1;
      if (out_valid !== 1'b0 && cycle > 2) $display("O %h", y);
      if (rst) $display("R");
      else if (in_valid) begin
        $display("I %0d", i);
        i = (i + 1) % {count};
      end
      #1 clk = 1;
      #1 clk = 0;
    end
    $finish;
  end
endmodule
"""


@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog")
def test_bubbles_and_resets(tmp_path: Path) -> None:
    """`out_valid` marks just the answers to what was given since the last reset, in order."""
    name = "c4ml_lhcjets_bw2"
    circuit = c4ml.compile(MODELS / name / "model.onnx", effort="fast", verify=False, clock_ns=4, valid=True)
    vectors = vectors_for(circuit.ports, 50)
    (given,) = vectors.values()
    (want,) = circuit.simulator("numpy").run(vectors).values()
    source, sink = circuit.ports
    words = [sum(int(v) % (1 << source.bits) << i * source.bits for i, v in enumerate(row)) for row in given]
    answers = [sum(int(v) % (1 << sink.bits) << i * sink.bits for i, v in enumerate(row)) for row in want]
    (tmp_path / "in.txt").write_text("\n".join(f"{word:x}" for word in words))
    (tmp_path / "bench.v").write_text(
        BENCH.format(
            last_in=source.width - 1, last_out=sink.width - 1, last=len(words) - 1, count=len(words),
            top=circuit.top, x=source.name, y=sink.name,
        )
    )  # fmt: skip
    (tmp_path / "design.v").write_text(circuit.verilog)
    for command in (["iverilog", "-g2005", "-o", "bench.vvp", "bench.v", "design.v"], ["vvp", "-n", "bench.vvp"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    waiting: list[int] = []
    answered = dropped = 0
    for line in done.stdout.splitlines():
        kind, *rest = line.split()
        if kind == "R":
            dropped += len(waiting)
            waiting.clear()
        elif kind == "I":
            waiting.append(answers[int(rest[0])])
        else:
            assert int(rest[0], 16) == waiting.pop(0)
            answered += 1
    assert answered > 100
    assert dropped > 10
    assert len(waiting) <= circuit.report["latency_cycles"]


@pytest.mark.skipif(not (shutil.which("verilator") and shutil.which("g++")), reason="needs Verilator")
def test_large_designs_are_built_module_by_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C4ML_CACHE", str(tmp_path))
    monkeypatch.setattr(verilator, "HIERARCHICAL_BYTES", 0)
    name = "cnn_resadd_truncavg_pot"
    circuit = c4ml.compile(MODELS / name / "model.onnx", effort="fast", verify=False, clock_ns=4, valid=True)
    vectors = vectors_for(circuit.ports, 60)
    simulator = VerilatorSimulator(circuit.sources, circuit.top, circuit.ports, circuit.interface)
    want = circuit.simulator("numpy").run(vectors)
    for tensor, got in simulator.run(vectors).items():
        np.testing.assert_array_equal(got, want[tensor])


def designs() -> tuple[ModuleOp, ModuleOp]:
    """A network without and with registers."""
    kept: list[ModuleOp] = []

    def keep(plain: ModuleOp, pipelined: ModuleOp) -> PipelineProof:
        kept.extend((plain, pipelined))
        return prove_pipeline(plain, pipelined)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiler, "prove_pipeline", keep)
        c4ml.compile(
            MODELS / "cnn_resadd_truncavg_pot" / "model.onnx", effort="fast", verify=False, clock_ns=3, valid=True
        )
    plain, pipelined = kept
    return plain, pipelined


def registers_in(design: ModuleOp) -> list[seq.CompRegOp]:
    return [each for each in design.walk() if isinstance(each, seq.CompRegOp)]


def test_the_proof_finds_every_fault() -> None:
    """A register left out, one too many, a wrong register read, a bit of a wrong value, a reset left out."""
    plain, pipelined = designs()
    assert prove_pipeline(plain, pipelined).reasons == []
    random = Random(3)
    count = len(registers_in(pipelined))
    found = 0
    for trial in range(60):
        broken = pipelined.clone()
        registers = registers_in(broken)
        register = registers[random.randrange(count)]
        match trial % 4:
            case 0:
                register.data.replace_all_uses_with(register.input)
            case 1:
                users = list(register.data.uses)
                extra = seq.CompRegOp(register.data, register.clk)
                block = register.parent_block()
                assert block is not None
                block.insert_op_after(extra, register)
                users[0].operation.operands[users[0].index] = extra.data
            case 2:
                alike = other_value(register, registers, random)
                if alike is None:
                    continue
                register.data.replace_all_uses_with(alike.data)
            case _:
                operation = next(
                    each for each in reversed(list(broken.walk())) if isinstance(each, comb.AddOp | comb.SubOp)
                )
                first = operation.operands[0]
                operation.operands[0] = operation.operands[1]
                if first is operation.operands[1]:
                    continue
        assert prove_pipeline(plain, broken).reasons, trial
        found += 1
    assert found >= 45
    broken = pipelined.clone()
    valid = next(each for each in registers_in(broken) if each.reset is not None)
    valid.data.replace_all_uses_with(valid.input)
    assert "cycles later" in prove_pipeline(plain, broken).reasons[0]


def other_value(register: seq.CompRegOp, registers: Sequence[seq.CompRegOp], random: Random) -> seq.CompRegOp | None:
    """Another register of the same module and width, of the same stage or another."""
    alike = [
        each
        for each in registers
        if each is not register
        and each.parent_block() is register.parent_block()
        and each.data.type == register.data.type
        and each.input is not register.input
        and each.is_before_in_block(register)
    ]
    return random.choice(alike) if alike else None


def test_a_wrong_pipeline_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    original = HwInsertRegisters.apply

    def broken(self: HwInsertRegisters, context: Any, module: ModuleOp) -> None:
        original(self, context, module)
        register = registers_in(module)[5]
        register.data.replace_all_uses_with(register.input)

    monkeypatch.setattr(HwInsertRegisters, "apply", broken)
    with pytest.raises(VerificationError, match="the pipeline isn't the circuit"):
        c4ml.compile(MODELS / "digits_mlp_w2a2_pot" / "model.onnx", effort="fast", verify=False, clock_ns=3)
