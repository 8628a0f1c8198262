"""Every level computes what the model does: after each pass, in numpy and in real simulators."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import builtin, comb, hw, seq
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

import c4ml_xdsl as c4ml
from c4ml_xdsl import errors as c4ml_errors
from c4ml_xdsl.circuit import Circuit, NumpySimulator
from c4ml_xdsl.dialects import full_context, lbir
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters import qonnx as qonnx_interpreter
from c4ml_xdsl.ports import Port, port_of, ports_of
from c4ml_xdsl.targets.hw_mlir import HwMlirTarget
from c4ml_xdsl.tools.c4ml_opt import C4mlOptMain
from c4ml_xdsl.transforms.convert_neuron_to_hw import ConvertNeuronToHw
from c4ml_xdsl.transforms.convert_qonnx_to_hw import ConvertQonnxToHw
from c4ml_xdsl.verification import vectors_for

MODELS = Path(__file__).parent.parent / "models"
NAMES = sorted(path.parent.name for path in MODELS.glob("*/golden.npz"))


def golden(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / name / "golden.npz") as archive:
        return archive["x"], archive["y"]


def assert_golden(got: np.ndarray, want: np.ndarray) -> None:
    """Raw accumulators scaled by real numbers are float32 in the golden vectors."""
    np.testing.assert_allclose(got.reshape(want.shape), want, rtol=1e-5, atol=1e-6)


def ports_at(module: ModuleOp) -> list[Port]:
    """The ports of the network, whatever it has been lowered to."""
    last = list(module.body.block.ops)[-1]
    if isinstance(last, hw.HWModuleOp):
        return ports_of(last)
    network = lbir_interpreter.network_of(module)
    ports: list[Port] = []
    for direction, attributes, values in (
        ("input", network.inputs, network.body.block.args),
        ("output", network.outputs, network.output_op.operands),
    ):
        for port, value in zip(attributes, values, strict=True):
            ports.append(port_of(port.tensor.data, direction, port, lbir.shape_of(value)))
    return ports


@pytest.mark.parametrize("name", ["cnn1d_pot", "cnn_resadd_truncavg_pot", "mlp_w4a4_asym_zp"])
def test_c4ml_opt_pass_by_pass(name: str, tmp_path: Path) -> None:
    """c4ml-opt runs one pass after the other on files; the IR verifies and computes the golden outputs after each."""
    x, y = golden(name)
    x, y = x[:24], y[:24]
    source = MODELS / name / "model.onnx"
    for each in ConvertQonnxToHw(effort="fast").passes():
        result = tmp_path / f"{each.name}.mlir"
        C4mlOptMain([str(source), "-p", str(each.pipeline_pass_spec()), "-o", str(result)]).run()
        source = result
        parsed = Parser(full_context(), result.read_text()).parse_module()
        parsed.verify()
        if each.name.startswith("qonnx"):
            graph = qonnx_interpreter.graph_of(parsed)
            (result,) = qonnx_interpreter.run(parsed, {next(iter(graph.inputs)): x}).values()
            assert_golden(result, y)
            continue
        ports = ports_at(parsed)
        input_port, output_port = ports
        integers = {input_port.tensor: input_port.integers(x)}
        if any(isinstance(operation, hw.HWModuleOp) for operation in parsed.body.block.ops):
            top = list(parsed.body.block.ops)[-1]
            assert isinstance(top, hw.HWModuleOp)
            results = NumpySimulator(parsed, top.sym_name.data, ports).run(integers)
        else:
            results = lbir_interpreter.run(parsed, integers)
        assert_golden(output_port.values(results[output_port.tensor].reshape(len(x), -1)), y)


@pytest.fixture(scope="module", params=NAMES)
def compiled(request: pytest.FixtureRequest) -> tuple[str, Circuit]:
    return request.param, c4ml.compile(MODELS / request.param / "model.onnx", effort="fast")


@pytest.mark.parametrize(("simulator", "tool"), [("numpy", None), ("verilator", "verilator"), ("icarus", "iverilog")])
def test_golden_vectors(compiled: tuple[str, Circuit], simulator: str, tool: str | None) -> None:
    """Golden vectors on the built-in simulator and on the real RTL, and random integers on both."""
    name, circuit = compiled
    if tool is not None and shutil.which(tool) is None:
        pytest.skip(f"{tool} isn't installed")
    x, y = golden(name)
    count = 16 if simulator == "icarus" else len(x)
    got = circuit(x[:count], simulator=simulator)  # type: ignore[arg-type]
    assert isinstance(got, np.ndarray)
    assert_golden(got, y[:count])
    vectors = vectors_for(circuit.ports, 16 if simulator == "icarus" else 200)
    want = circuit.simulator("numpy").run(vectors)
    for tensor, integers in circuit.simulator(simulator).run(vectors).items():
        np.testing.assert_array_equal(integers, want[tensor])


def test_torchscript_export_is_the_same_circuit() -> None:
    x, y = golden("bnn_w1a1_bn")
    got = c4ml.compile(MODELS / "bnn_w1a1_bn" / "model_torchscript.onnx", effort="fast")(x)
    assert isinstance(got, np.ndarray)
    assert_golden(got, y)


def test_single_samples_and_batches() -> None:
    """One sample without the batch axis gives one result without it."""
    x, y = golden("c4ml_lhcjets_bw2")
    circuit = c4ml.compile(MODELS / "c4ml_lhcjets_bw2" / "model.onnx", effort="fast")
    one = circuit(x[0].reshape(-1))
    assert isinstance(one, np.ndarray)
    assert one.shape == y[0].reshape(-1).shape
    np.testing.assert_array_equal(one, y[0].reshape(-1))
    with pytest.raises(c4ml_errors.InputDataError, match="one sample of the shape"):
        circuit(np.zeros((3, 5)))


@pytest.mark.parametrize(
    "options", [{"target": "generic"}, {"target": "ecp5"}, {"minimize": "delay"}, {"minimize": "area"}]
)
def test_options_change_the_circuit_not_the_function(options: dict[str, str]) -> None:
    x, y = golden("mlp_w4a4_bn_fp")
    circuit = c4ml.compile(MODELS / "mlp_w4a4_bn_fp" / "model.onnx", effort="fast", **options)
    got = circuit(x)
    assert isinstance(got, np.ndarray)
    assert_golden(got, y)


def test_a_wrong_layer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lowering that builds the second layer wrong is caught there, not only at the output."""
    original = ConvertNeuronToHw.apply

    def broken(self: ConvertNeuronToHw, context: Context, module: ModuleOp) -> None:
        original(self, context, module)
        second = [each for each in module.body.block.ops if isinstance(each, hw.HWModuleOp)][1]
        block = second.body.block
        subtraction = next(each for each in block.ops if each.name == "comb.sub")
        swapped = type(subtraction).create(
            operands=list(reversed(subtraction.operands)), result_types=[subtraction.results[0].type]
        )
        block.insert_op_before(swapped, subtraction)
        subtraction.results[0].replace_all_uses_with(swapped.results[0])

    circuit = c4ml.compile(MODELS / "mlp_w4a4_bn_fp" / "model.onnx", effort="fast")
    layers = [
        each for each in lbir_interpreter.network_of(circuit.lbir).body.block.ops if isinstance(each, lbir.LayerOp)
    ]
    monkeypatch.setattr(ConvertNeuronToHw, "apply", broken)
    with pytest.raises(c4ml_errors.VerificationError, match=f"node {layers[3].label}.*: it gives .* instead of"):
        c4ml.compile(MODELS / "mlp_w4a4_bn_fp" / "model.onnx", verify=False, effort="fast")
    # the random vectors find it too, where nothing is proved
    monkeypatch.setattr("c4ml_xdsl.compiler._refuse_refuted", lambda proofs: None)
    with pytest.raises(c4ml_errors.VerificationError, match="hw differs from lbir") as caught:
        c4ml.compile(MODELS / "mlp_w4a4_bn_fp" / "model.onnx", effort="fast")
    assert str(caught.value).startswith(f"{layers[3].label}: ")
    assert caught.value.exit_status == 3


QCDQ = sorted(str(path.relative_to(MODELS)) for path in MODELS.glob("*/model_qcdq.onnx"))


@pytest.mark.parametrize("file", QCDQ)
def test_qcdq_export(file: str) -> None:
    """QuantizeLinear, Clip and DequantizeLinear are their own model: onnxruntime without optimisations is the judge."""
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(str(MODELS / file), options, providers=["CPUExecutionProvider"])
    x, _ = golden(Path(file).parent.name)
    shape = session.get_inputs()[0].shape[1:]
    want = np.concatenate([session.run(None, {session.get_inputs()[0].name: s.reshape(1, *shape)})[0] for s in x])
    got = c4ml.compile(MODELS / file, effort="fast")(x)
    assert isinstance(got, np.ndarray)
    assert_golden(got, want)


PACKAGES = [
    ("mlp_w4a4_asym_zp", {}),
    ("cnn_resadd_truncavg_pot", {}),
    ("cnn_resadd_truncavg_pot", {"clock_ns": 3, "valid": True}),
]


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda case: "-".join([case[0], *case[1]]))
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose design has adders, comparisons and tables, or convolutions, a join, and pools; or registers."""
    folder = tmp_path_factory.mktemp("package") / "out"
    name, options = request.param
    c4ml.compile(MODELS / name / "model.onnx", effort="fast", **options).package(folder)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["verilator", "--lint-only", "-Wall", "--top-module", "main_graph"],
        ["iverilog", "-g2005", "-Wall", "-tnull"],
    ],
    ids=["verilator", "iverilog"],
)
def test_rtl_has_no_warnings(package: Path, command: list[str]) -> None:
    """Nothing to say beyond the waiver that the files state."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} isn't installed")
    files = sorted(str(path) for path in (package / "rtl").glob("*.v"))
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_rtl_is_read_by_slang(package: Path) -> None:
    slang = pytest.importorskip("pyslang")
    compilation = slang.ast.Compilation()
    for path in sorted((package / "rtl").glob("*.v")):
        compilation.addSyntaxTree(slang.syntax.SyntaxTree.fromFile(str(path)))
    assert list(compilation.getAllDiagnostics()) == []


def test_rtl_is_read_by_yosys(package: Path) -> None:
    pytest.importorskip("pyosys")
    script = f"""
from pyosys import libyosys
design = libyosys.Design()
for command in ("read_verilog {package}/rtl/*.v", "hierarchy -check -top main_graph", "proc", "check -assert"):
    libyosys.run_pass(command, design)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    assert "Warning" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["mlp_w4a4_asym_zp", "tables"])
def test_hw_mlir_is_read_by_xdsl_and_circt(package: Path, name: str, tmp_path: Path) -> None:
    """Plain xDSL and CIRCT know all of it; truth tables have been expanded."""
    text = (package / "hw.mlir").read_text()
    if name == "tables":
        source = """
        hw.module @m(in %a: i1, in %b: i1, out o: i1) {
          %y = comb.truth_table %a, %b -> [true, false, false, true]
          hw.output %y : i1
        }"""
        stream = io.StringIO()
        HwMlirTarget().emit(Context(), Parser(full_context(), source).parse_module(), stream)
        text = stream.getvalue()
    context = Context()
    for dialect in (builtin.Builtin, hw.HW, seq.Seq, comb.Comb):
        context.load_dialect(dialect)
    Parser(context, text).parse_module().verify()
    (tmp_path / "hw.mlir").write_text(text)
    pytest.importorskip("circt")
    script = f"""
import circt
from circt.ir import Context, Module
with Context() as context:
    circt.register_dialects(context)
    assert Module.parse(open({str(tmp_path / "hw.mlir")!r}).read()).operation.verify()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
