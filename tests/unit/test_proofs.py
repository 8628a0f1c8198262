"""
The checker of the final IR: it proves what is right however it is built, and no planted fault.

`C4ML_MUTANTS=500` plants 500 faults instead of the 90 of a quick run.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects import hw
from xdsl.dialects.builtin import IntegerType, ModuleOp, i1
from xdsl.ir import Block
from xdsl.parser import Parser

import c4ml_xdsl as c4ml
from c4ml_xdsl.dialects import comb, full_context, lbir
from c4ml_xdsl.interpreters.lbir import network_of
from c4ml_xdsl.proofs import LayerProof, prove
from c4ml_xdsl.proofs.bit_vectors import ModuleBits
from c4ml_xdsl.proofs.linear_forms import Atoms, Form
from c4ml_xdsl.proofs.reachable import Reachable
from c4ml_xdsl.proofs.table_words import parity_of
from tests.mutated_circuits.networks import inputs, lowered, network, requantize
from tests.mutated_circuits.run import run

MODELS = Path(__file__).parents[1] / "models"
ROOT = Path(c4ml.__file__).parent


def dense(low: int, high: int, weights: list[list[int]], bias: list[int], *clip: int) -> ModuleOp:
    """A dense layer, with a floor after a shift and the lowest and highest result where they are given."""
    (x,) = inputs(((1, len(weights[0])), low, high))
    layer = lbir.DenseOp(x, np.array(weights), np.array(bias), "fc")
    if not clip:
        return network([x], [layer], [layer.result])
    activation = requantize(layer.result, clip[0], "floor", clip[1], clip[2])
    return network([x], [layer, activation], [activation.results[0]])


def verdict(module: ModuleOp, body: str) -> LayerProof:
    """What is said of a circuit for the layer: `body` computes %y from %x."""
    first, *others = network_of(module).body.block.ops
    last = others[-2] if len(others) > 1 else first
    ends = first.operands[0], last.results[0]
    x, y = (f"i{lbir.range_of(value).bits * lbir.size_of(value)}" for value in ends)
    operations = list(range(len(others)))
    design = f"""
    hw.module @fc(in %x: {x}, out y: {y}) attributes {{c4ml.operations = #lbir.numbers{operations}}} {{
      {body}
      hw.output %y : {y}
    }}
    hw.module @net(in %x: {x}, out y: {y}) {{
      %y = hw.instance "fc" @fc(x: %x: {x}) -> (y: {y})
      hw.output %y : {y}
    }}
    """
    parsed = Parser(full_context(), design).parse_module()
    parsed.verify()
    layer, top = prove(module, parsed)
    assert top.status == "proved", top.reasons
    return layer


TWO = "%a = comb.extract %x from 0 : (i8) -> i4\n%b = comb.extract %x from 4 : (i8) -> i4\n"
ZERO = "%zero = hw.constant false\n%zeros = hw.constant 0 : i2\n"


def test_low_bits_pass_by_an_adder() -> None:
    """{a[3:2] + b, a[1:0]} is a + 4 b, for unsigned and signed integers."""
    unsigned = f"""{TWO} {ZERO}
      %high = comb.extract %a from 2 : (i4) -> i2
      %low = comb.extract %a from 0 : (i4) -> i2
      %wide = comb.concat %zero, %zeros, %high : i1, i2, i2
      %other = comb.concat %zero, %b : i1, i4
      %row = comb.add %wide, %other : i5
      %y = comb.concat %row, %low : i5, i2
    """
    assert verdict(dense(0, 15, [[1, 4]], [0]), unsigned).status == "proved"
    signed = f"""{TWO}
      %sign = comb.extract %a from 3 : (i4) -> i1
      %signs = comb.replicate %sign : (i1) -> i3
      %high = comb.extract %a from 2 : (i4) -> i2
      %low = comb.extract %a from 0 : (i4) -> i2
      %wide = comb.concat %signs, %high : i3, i2
      %b_sign = comb.extract %b from 3 : (i4) -> i1
      %other = comb.concat %b_sign, %b : i1, i4
      %row = comb.add %wide, %other : i5
      %y = comb.concat %row, %low : i5, i2
    """
    assert verdict(dense(-8, 7, [[1, 4]], [0]), signed).status == "proved"
    # the same weights with another bias, which a raw sum shows in its constant alone
    assert verdict(dense(0, 15, [[1, 4]], [1]), unsigned).status == "refuted"
    assert verdict(dense(-8, 7, [[1, 4]], [-1]), signed).status == "refuted"
    # 7 bits that are right, read as an unsigned sum of other weights
    assert verdict(dense(0, 15, [[1, 3]], [17]), unsigned).status == "refuted"


def test_activation_reads_the_high_row_alone() -> None:
    """The low bits of a sum that is shifted are never put together with its high row."""
    body = f"""{TWO} {ZERO}
      %high = comb.extract %a from 2 : (i4) -> i2
      %wide = comb.concat %zero, %zeros, %high : i1, i2, i2
      %other = comb.concat %zero, %b : i1, i4
      %row = comb.add %wide, %other : i5
      %most = hw.constant 15 : i5
      %above = comb.icmp ugt %row, %most : i5
      %cut = comb.extract %row from 0 : (i5) -> i4
      %fifteen = hw.constant 15 : i4
      %y = comb.mux %above, %fifteen, %cut : i4
    """
    assert verdict(dense(0, 15, [[1, 4]], [0], 2, 0, 15), body).status == "proved"
    wrong = verdict(dense(0, 15, [[1, 4]], [1], 2, 0, 15), body)
    assert wrong.status == "refuted"
    assert "fc, output 0 (node act): it gives 0 instead of 1 for the inputs [3, 0]" in wrong.reasons


def test_shared_graph_with_offsets() -> None:
    """Both sums read 3 a + b + 5, whose offset one takes away again; rows of four operands."""
    module = dense(0, 15, [[3, 5], [3, 1]], [0, 8])
    assert lbir.range_of(network_of(module).output_op.operands[0]).bits == 7
    seven = f"""{TWO} {ZERO}
      %k0 = hw.constant 0 : i3
      %a7 = comb.concat %k0, %a : i3, i4
      %a7x2 = comb.concat %zeros, %a, %zero : i2, i4, i1
      %b7 = comb.concat %k0, %b : i3, i4
      %b7x4 = comb.concat %zero, %b, %zeros : i1, i4, i2
      %five = hw.constant 5 : i7
      %part = comb.add %five, %a7, %a7x2, %b7 : i7
      %shared = comb.add %part, %b7x4 : i7
      %minus5 = hw.constant -5 : i7
      %three = hw.constant 3 : i7
      %y0 = comb.add %shared, %minus5 : i7
      %y1 = comb.add %three, %part : i7
      %y = comb.concat %y1, %y0 : i7, i7
    """
    assert verdict(module, seven).status == "proved"
    assert verdict(module, seven.replace("%b7x4 = comb.concat %zero, %b", "%b7x4 = comb.concat %zero, %a")).status == (
        "refuted"
    )


def test_inverted_bits_and_differences() -> None:
    """-1 - a is ~a; a comparison of two sums is the sign of their difference."""
    body = f"""{TWO} {ZERO}
      %ones = hw.constant -1 : i4
      %not_b = comb.xor %b, %ones : i4
      %a5 = comb.concat %zero, %a : i1, i4
      %one = hw.constant true
      %b5 = comb.concat %one, %not_b : i1, i4
      %k = hw.constant 1 : i5
      %y = comb.add %a5, %b5, %k : i5
    """
    assert verdict(dense(0, 15, [[1, -1]], [0]), body).status == "proved"
    compared = f"""{TWO}
      %y = comb.icmp uge %a, %b : i4
    """
    module = dense(0, 15, [[1, -1]], [0], 0, 0, 1)
    assert verdict(module, compared).status == "refuted"  # equal integers give 0
    assert verdict(module, compared.replace("uge", "ugt")).status == "proved"


def test_a_lost_carry_is_refuted() -> None:
    """A sum that is one bit too narrow, and extended again."""
    body = f"""{TWO} {ZERO}
      %row = comb.add %a, %b : i4
      %y = comb.concat %zero, %row : i1, i4
    """
    wrong = verdict(dense(0, 15, [[1, 1]], [0]), body)
    assert wrong.status == "refuted"
    assert wrong.node == "fc"
    assert "fc, output 0 (node fc)" in wrong.reasons[0]


@pytest.mark.parametrize("name", sorted(str(path.parent.name) for path in MODELS.glob("*/model.onnx")))
def test_every_module_of_a_model_is_proved(name: str) -> None:
    report = c4ml.compile(MODELS / name / "model.onnx", verify=False, effort="fast").report
    assert report["proved"]["reasons"] == []
    assert report["proved"]["proved"] == report["proved"]["modules"] == len(report["layers"]) + 1
    assert {layer["proof"]["status"] for layer in report["layers"]} == {"proved"}


def test_heaps_are_proved() -> None:
    """Sums too wide to be tried out: counters are words, parities and majorities of what they leave cancel out."""
    random = np.random.default_rng(3)
    for _ in range(12):
        weights = random.integers(-15, 16, (3, 7)).tolist()
        network = dense(-64, 63, weights, random.integers(-30, 30, 3).tolist())
        design = lowered(network, minimize="delay")
        majorities = [each for each in design.walk() if isinstance(each, comb.OrOp) and len(each.operands) == 3]
        counters = [each for each in design.walk() if isinstance(each, comb.TruthTableOp)]
        assert len(majorities) >= 3
        assert len(counters) > 30
        assert {proof.status for proof in prove(network, design)} == {"proved"}
        # one entry of a counter is another one
        table = counters[int(random.integers(len(counters)))]
        entries = list(table.entries)
        entries[int(random.integers(len(entries)))] ^= True
        kept = table.table
        table.table = comb.TruthTableOp.of(list(table.inputs), entries).table
        assert {proof.status for proof in prove(network, design)} != {"proved"}
        table.table = kept
        assert {proof.status for proof in prove(network, design)} == {"proved"}
        # one operand of one pair is another one's: no majority any more
        pair = majorities[int(random.integers(len(majorities)))].operands[0].owner
        assert isinstance(pair, comb.AndOp)
        pair.operands[0] = pair.operands[1]
        assert {proof.status for proof in prove(network, design)} != {"proved"}


def test_parities_of_truth_tables_are_found() -> None:
    assert parity_of((False, True, True, False)) == ((0, 1), False)
    assert parity_of((True, True, False, False)) == ((0,), True)
    assert parity_of((True, True)) == ((), True)
    assert parity_of((False, False, False, True)) is None


def test_no_planted_fault_is_proved() -> None:
    outcome = run(int(os.environ.get("C4ML_MUTANTS", "90")))
    assert outcome.mistakes == []
    assert outcome.verdicts["wrong, proved"] == 0
    assert outcome.verdicts["wrong, refuted"] >= 10 * outcome.verdicts["wrong, not proved"]


def test_a_bit_that_counts_by_its_parity_is_that() -> None:
    """The top bit of a sum is the parity of a counter whose other bits lie above the sum."""
    block = Block(arg_types=[i1, i1, i1])
    atoms = Atoms([(0, 1)] * 3)
    values = ModuleBits(atoms)
    for index, argument in enumerate(block.args):
        values.inputs(argument, index, 1, 1)
    table = comb.TruthTableOp.of(list(block.args), [0, 1, 1, 0, 1, 0, 0, 1])
    zero = hw.ConstantOp(0, 2)
    top = comb.ConcatOp.create(operands=[table.result, zero.result], result_types=[IntegerType(3)])
    values.run([table, zero, top])
    whole = values.form(values.values[top.result])
    assert atoms.modulo(whole, 3).terms == {0: 4, 1: 4, 2: 4}
    assert atoms.modulo(whole, 4).terms == whole.terms  # there the counter's next bit would count


def test_floors_of_two_values_are_a_sign() -> None:
    """All powers of two beyond a form's bits give one atom, whatever constant was added to it."""
    atoms = Atoms([(-6, 12)])
    moved = atoms.element(0).shifted(32)
    first, second = atoms.floor(moved, 4), atoms.floor(moved, 5)
    assert first.terms == second.terms
    assert (first.constant, second.constant) == (2, 1)


def test_floors_have_a_normal_form() -> None:
    """Forms with floors against integers: floor((5 a - 3 b + 7) / 4) and its complement, in several ways."""
    atoms = Atoms([(-8, 7), (0, 15)])
    a, b = atoms.element(0), atoms.element(1)
    form = atoms.combine([(a, 5), (b, -3)], 7)
    high = atoms.floor(form, 2)
    assert atoms.floor(atoms.floor(form, 1), 1).terms == high.terms
    # what is dropped and given back cancels, above and below
    again = atoms.combine([(high, 4), (form, 1), (high, -4)])
    assert (again.terms, again.constant) == (form.terms, form.constant)
    inverted = atoms.floor(atoms.combine([(form, -1)], -1), 2)
    assert not atoms.combine([(high, 1), (inverted, 1)], 1).terms
    # a form from -78 to 42: all powers of two beyond it leave its sign
    assert atoms.floor(form, 7).terms == atoms.floor(form, 8).terms == atoms.floor(form, 10).terms
    assert ModuleBits(atoms).word(again, 8).width == 8


def test_forms_with_floors_are_what_they_stand_for() -> None:
    """Random sums and floors of them: values and bounds hold for all inputs, tightened or not."""
    ranges = [(-4, 3), (0, 5), (-1, 1)]
    grid = np.indices([high - low + 1 for low, high in ranges]).reshape(3, -1) + [[low] for low, _ in ranges]
    random = np.random.default_rng(4)
    for _ in range(150):
        atoms = Atoms(ranges)
        known = [(atoms.element(index), grid[index]) for index in range(3)]

        def values_of(form: Form, atoms: Atoms = atoms) -> np.ndarray:
            total = np.full(grid.shape[1], form.constant)
            for atom, coefficient in form.terms.items():
                if atom < atoms.inputs:
                    total += coefficient * grid[atom]
                else:
                    inner, shift = atoms.floors[atom]
                    total += coefficient * (values_of(inner) >> shift)
            return total

        for _ in range(8):
            chosen = random.integers(len(known), size=2)
            factors, constant = random.choice([-3, -1, 1, 2, 4], 2).tolist(), int(random.integers(-9, 10))
            shift = int(random.integers(4))
            parts = [(known[each][0], factor) for each, factor in zip(chosen, factors, strict=True)]
            form = atoms.floor(atoms.combine(parts, constant), shift)
            total = sum(factor * known[each][1] for each, factor in zip(chosen, factors, strict=True)) + constant
            values = total >> shift
            for tighten in (False, True):
                if tighten:
                    atoms.tighten(form)
                np.testing.assert_array_equal(values_of(form), values)
                assert form.low <= values.min()
                assert values.max() <= form.high
            known.append((form, values))


def test_reachable_sums() -> None:
    reachable = Reachable([(2, 0, 1), (-3, -1, 1)])
    sums = {2 * x - 3 * y: [x, y] for x in (0, 1) for y in (-1, 0, 1)}
    for number in range(-6, 9):
        assert reachable.find(number) == sums.get(number)


def test_the_checker_knows_nothing_of_the_circuits() -> None:
    """It must not share a mistake with what it checks."""
    # the package itself imports the compiler
    code = f"import sys, types; m = types.ModuleType('c4ml_xdsl'); m.__path__ = [{str(ROOT)!r}]; "
    code += "sys.modules['c4ml_xdsl'] = m; import c4ml_xdsl.proofs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "c4ml_xdsl.proofs.checker" in loaded
    assert not [name for name in loaded if name.startswith(("c4ml_xdsl.circuits", "c4ml_xdsl.transforms"))]
