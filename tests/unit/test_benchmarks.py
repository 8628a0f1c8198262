"""The benchmarks' parts that need no peers: cases, descriptions, the peers' top module, tables and the command line."""

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from xdsl.dialects.builtin import ModuleOp

from benchmarks import cases, peer_designs, runner
from benchmarks.__main__ import main
from benchmarks.designs import all_designs
from benchmarks.errors import NotDescribableError
from benchmarks.integer_network import (
    IntegerNetwork,
    Integers,
    Layer,
    Rounding,
    Thresholds,
    describe,
    load,
    lower_to_lbir,
    run,
    save,
    with_nearest,
)
from benchmarks.peer_top import PartFormats, top_module
from benchmarks.results import Results, Row, load_results, store_row
from benchmarks.table import compare, estimate_errors, geometric_mean, tables, to_markdown
from c4ml_xdsl.dialects import lbir
from c4ml_xdsl.interpreters import lbir as lbir_interpreter
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.numerics.rounding import RoundingMode, round_fraction
from c4ml_xdsl.ports import Port, port_of
from c4ml_xdsl.simulators.icarus import IcarusSimulator
from tests.mutated_circuits.networks import inputs, network, requantize, threshold

MODELS = Path(__file__).parent.parent / "models"


def ports(module: ModuleOp) -> tuple[Port, Port]:
    net = network_of(module)
    return (
        port_of("x", "input", net.inputs.data[0], lbir.shape_of(net.body.block.args[0])),
        port_of("y", "output", net.outputs.data[0], lbir.shape_of(net.output_op.operands[0])),
    )


def samples(module: ModuleOp, count: int = 200) -> tuple[Integers, Integers]:
    """Random inputs, and what the network makes of them."""
    source, result = ports(module)
    x = source.random(count, np.random.default_rng(0))
    return x, lbir_interpreter.run(module, {source.tensor: x})[result.tensor].reshape(count, -1)


def test_models_of_matrices_multiply_as_numpy() -> None:
    matrix = np.random.default_rng(1).integers(-8, 8, (5, 3))
    for bits, signed in ((4, True), (8, True), (4, False)):
        x, y = samples(lower_to_lbir(cases.matrix_model(matrix, bits, signed)))
        assert (x.min(), x.max()) == ((-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1))
        assert np.array_equal(y, x @ matrix)
    signs = np.where(matrix < 0, -1, 1)
    x, y = samples(lower_to_lbir(cases.sign_model(signs)))
    assert np.array_equal(y, (2 * x - 1) @ signs >= 0)


def test_stored_matrices_have_the_sizes_of_their_names() -> None:
    for path in cases.MATRICES.glob("*.npy"):
        size = path.stem.split("_")[1].split("x")
        assert cases.stored_matrix(path.stem).shape == (int(size[0]), int(size[1]))


def convolution() -> ModuleOp:
    """A convolution with an offset a channel, a pool and a dense layer."""
    random = np.random.default_rng(4)
    (image,) = inputs(((1, 2, 6, 5), 0, 3))
    layer = lbir.ConvOp(image, random.integers(-7, 8, (3, 2, 3, 2)), random.integers(-9, 9, 3), [1, 1], [1, 1], 1)
    activation = requantize(layer.result, 3, "half_even", 0, 7, [4, -5, 3])
    pool = lbir.MaxPoolOp(activation.results[0], [2, 2], [2, 2], [1, 1])
    flat = lbir.ReshapeOp(pool.result, [1, 12])
    dense = lbir.DenseOp(flat.result, random.integers(-7, 8, (4, 12)), random.integers(-9, 9, 4))
    return network([image], [layer, activation, pool, flat, dense], [dense.result])


@pytest.mark.parametrize("name", ["digits_mlp_w2a2_pot", "c4ml_lhcjets_bw2", "mlp_w4a4_bn_fp", "bnn_w1a1_bn", ""])
def test_description_computes_what_the_network_does(name: str, tmp_path: Path) -> None:
    """As it is, with other roundings, cut into parts, and through the file that the peers read."""
    module = lower_to_lbir((MODELS / name / "model.onnx").read_bytes()) if name else convolution()
    x, wanted = samples(module)
    described = describe(module)
    assert np.array_equal(run(described, x), wanted)
    assert np.array_equal(run(with_nearest(described), x), wanted)
    parts = peer_designs.parts_of(described)
    save([part for part, _ in parts], tmp_path / "parts.npz")
    for part, (_, levels) in zip(load(tmp_path / "parts.npz"), parts, strict=True):
        assert x.min() >= part.low
        assert x.max() <= part.high
        x = run(part, x)
        x = x if levels is None else (x[:, :, None] >= levels).sum(axis=2)
    assert np.array_equal(x, wanted)


def test_what_peers_can_not_build_is_refused() -> None:
    module = lower_to_lbir((MODELS / "cnn_resadd_truncavg_pot" / "model.onnx").read_bytes())
    with pytest.raises(NotDescribableError):
        describe(module)


@pytest.mark.parametrize("seed", range(20))
def test_thresholds_of_divisions_become_roundings(seed: int) -> None:
    """Half-even and floor divisions with fractional offsets an output are recognised."""
    random = np.random.default_rng(seed)
    shift, base, outputs = int(random.integers(1, 4)), int(random.choice([0, -4])), 5
    weights, bias = random.integers(-8, 8, (outputs, 6)), random.integers(-9, 9, outputs)
    mode = RoundingMode.FLOOR if seed % 2 else RoundingMode.HALF_EVEN
    offsets = [Fraction(int(each), 2) for each in random.integers(-20, 20, outputs)]
    reach = range(-1000, 1000)
    rounded = np.array([[round_fraction((x + o) / (1 << shift), mode) for x in reach] for o in offsets])
    levels = np.array([[reach[int(np.argmax(row >= v))] for v in range(base + 1, base + 8)] for row in rounded])

    (argument,) = inputs(((1, 6), -8, 7))
    sums = lbir.DenseOp(argument, weights, bias)
    counted = threshold(sums.result, levels)
    counted.properties["base"] = lbir.dense(np.full((1, outputs), base))
    counted = lbir.ThresholdOp.create(
        operands=[sums.result],
        properties=counted.properties,
        result_types=[lbir.tensor_of((1, outputs), base, base + 7)],
    )
    module = network([argument], [sums, counted], [counted.result])
    described = describe(module)
    activation = described.steps[0].activation
    assert isinstance(activation, Rounding)
    assert activation == Rounding(activation.shift, activation.mode, 3, base < 0)
    x, wanted = samples(module)
    assert np.array_equal(run(described, x), wanted)
    assert np.array_equal(run(with_nearest(described), x), wanted)


def plain_part(name: str, part: IntegerNetwork) -> tuple[str, PartFormats]:
    """One layer of sums as a peer could write it: without inputs that nothing reads, and without low zeros."""
    layer = part.steps[0]
    assert isinstance(layer, Layer)
    element, used = lbir.IntType(part.low, part.high), layer.weights.any(axis=1)
    bits = element.bits
    lines: list[str] = []
    for position, index in enumerate(np.flatnonzero(used).tolist()):
        field = f"model_inp[{position * bits + bits - 1}:{position * bits}]"
        value = f"$signed({field})" if element.signed else f"$signed({{1'b0, {field}}})"
        lines.append(f"wire signed [20:0] x{index} = {value};")
    even = ~np.any(np.vstack([layer.weights, layer.bias]) % 2, axis=0)
    for output, (column, bias) in enumerate(zip(layer.weights.T.tolist(), layer.bias.tolist(), strict=True)):
        terms = [f"({weight}) * x{index}" for index, weight in enumerate(column) if weight]
        lines.append(f"wire signed [20:0] s{output} = {' + '.join([*terms, f'({bias})'])};")
    fields = ", ".join(f"s{output}[20:{int(even[output])}]" for output in reversed(range(len(even))))
    ports = f"input [{max(bits * int(used.sum()), 1) - 1}:0] model_inp, output [{21 * len(even) - even.sum() - 1}:0]"
    text = "\n".join([f"module {name}({ports} model_out);", *lines, f"assign model_out = {{{fields}}};", "endmodule"])
    signed = int(element.signed)
    formats = PartFormats(
        [[signed, bits - signed, 0] if each else [0, 0, 0] for each in used],
        [[1, 20, -int(each)] for each in even],
    )
    return text, formats


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog isn't installed")
def test_top_module_joins_parts_by_their_thresholds() -> None:
    random = np.random.default_rng(3)
    first = random.integers(-8, 8, (5, 6))
    first[2] = 0
    levels = np.sort(random.integers(-90, 90, (6, 5)))
    levels[0], levels[1, 1:] = -500, 2000
    second, third = random.integers(-8, 8, (6, 7)), random.integers(-8, 8, (7, 4))
    second[:, 1] *= 2
    steps = (
        Layer(np.arange(5)[None], first, random.integers(-9, 9, 6), Thresholds(levels)),
        Layer(
            np.array([[5, 4, 3, 2, 1, 0]]), second, np.arange(7), Thresholds(np.sort(random.integers(-9, 9, (7, 2))))
        ),
        Layer(np.arange(7)[None], third, np.arange(4)),
    )
    described = IntegerNetwork(5, -8, 7, steps, np.arange(4))
    parts = peer_designs.parts_of(described)
    assert [levels is None for _, levels in parts] == [False, False, True]
    texts, formats = zip(*(plain_part(f"part{n}", part) for n, (part, _) in enumerate(parts)), strict=True)
    # the fake part reads its inputs in order, the description by their numbers
    reordered = replace(parts[1][0], steps=(replace(steps[1], gather=np.arange(6)[None], weights=second[::-1]),))
    texts, formats = list(texts), list(formats)
    texts[1], formats[1] = plain_part("part1", reordered)
    source = Port("x", "input", "x", (5,), 4, True, (1.0,), (0.0,), -8, 7)
    result = Port("y", "output", "y", (4,), 12, True, (1.0,), (0.0,), -2048, 2047)
    sources = {f"part{number}.v": text for number, text in enumerate(texts)}
    sources["top.v"] = top_module("top", source, result, parts, formats)
    x = source.random(200, random)
    assert np.array_equal(IcarusSimulator(sources, "top", [source, result]).run({"x": x})["y"], run(described, x))


def entry(sites: int, delay_ps: int, lut: int = 1, delay_ns: float = 1.0, **more: object) -> Row:
    """A row of results."""
    return {
        "flow": "ternary",
        "flows": {"ternary": {"sites": sites, "lut": sites, "delay_ps": delay_ps}},
        "estimate": {"lut": lut, "delay_ns": delay_ns},
        "exact": True,
        "mismatches": 0,
        "vectors": 64,
        "seconds": {"solve": 0.1},
        "digest": f"{sites} {delay_ps}",
        **more,
    }


def test_tables_compare_with_the_best_exact_peer_for_each_goal() -> None:
    name, other = "W_16x16_b2_x4", "digits_bnn"
    results: Results = {
        name: {
            "auto-area": entry(80, 5000, 100, 4.0),
            "auto-delay": entry(120, 2000, 114, 2.5),
            "auto-balanced-max": entry(85, 4000, 85, 4.0),
            "direct-balanced": entry(200, 4000, 200, 4.0),
            "da4ml-dc2": entry(50, 1000, exact=False),
            "alkaid-dc2": entry(100, 8000),
            "alkaid-dc-1": {"error": "took more than 1 s"},
        },
        other: {"auto-area": entry(90, 3000, 90, 3.0), "da4ml-dc2": entry(45, 3000)},
    }
    made = {(each.case, each.goal): each for each in compare(results)}
    assert set(made) == {(name, "area"), (name, "delay"), (name, "balanced, max"), (other, "area")}
    assert made[name, "area"].peer.design == made[name, "balanced, max"].peer.design == "alkaid-dc2"
    assert (made[name, "area"].sites_ratio, made[name, "area"].delay_ratio) == (0.8, 0.625)
    assert made[name, "balanced, max"].delay_ratio == 0.5
    assert made[name, "delay"].peer.design == "direct-balanced"
    assert (made[name, "delay"].sites_ratio, made[name, "delay"].delay_ratio) == (0.6, 0.5)
    assert geometric_mean([0.8, 2.0]) == pytest.approx(1.6**0.5)
    sites, delays = estimate_errors(results)
    assert sites == pytest.approx([0.25, -0.05, 0.0, 0.0, 0.0])
    assert delays == pytest.approx([-0.2, 0.25, 0.0, 0.0, 0.0])
    text = "\n".join(to_markdown(each) for each in tables(results))
    assert "| W_16x16_b2_x4 | area | 80 | 5.00 | alkaid-dc2 | 100 | 8.00 | 0.80 | 0.62 |" in text
    assert "| all | area | 2 | 1.26 | 0.79 |" in text
    assert "took more than 1 s" in text


def test_finished_rows_are_kept_and_failed_ones_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    case = cases.all_cases()[0]
    tasks = [(case, design) for design in all_designs()[:3]]
    store_row(path, case.name, tasks[0][1].name, entry(1, 1))
    store_row(path, case.name, tasks[1][1].name, {"error": "no"})
    assert runner.pending(tasks, path, "ternary", False) == tasks[1:]
    assert runner.pending(tasks, path, "binary", False) == tasks
    assert runner.pending(tasks, path, "ternary", True) == tasks


def test_missing_models_and_peers_and_slow_rows_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C4ML_MODELS", str(tmp_path))
    monkeypatch.setenv("C4ML_PEERS", str(tmp_path / "peers"))
    results = tmp_path / "results.json"
    options = ["--designs", "da4ml-dc2", "-o", str(results), "--timeout", "100"]
    done = CliRunner().invoke(main, ["run", "--cases", "digits_bnn", "--cases", "W_16x16_b2_x4", *options])
    assert done.exit_code == 0, done.output
    assert "skipped digits_bnn: no model digits/digits_bnn" in done.output
    assert "peers aren't installed" in load_results(results)["W_16x16_b2_x4"]["da4ml-dc2"]["error"]
    assert runner.run_row("W_16x16_b2_x4", "auto-area", results, "ternary", 0.01) == {"error": "took more than 0.01 s"}
    assert CliRunner().invoke(main, ["run", "--cases", "nothing"]).exit_code == 2
