"""The pass `neuron-expand-sums`."""

from dataclasses import dataclass
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from c4ml_xdsl.circuits.adder_rows import Operand, Row, signed_digits, sum_in_rows
from c4ml_xdsl.circuits.cost import Target, row_operands
from c4ml_xdsl.dialects import lbir, neuron
from c4ml_xdsl.strategies import Goal
from c4ml_xdsl.transforms.lbir_unroll_neurons import integer_type


@dataclass(frozen=True)
class NeuronExpandSums(ModulePass):
    """
    Builds each sum from rows, which are adders of two operands, or of three for the Xilinx targets.

    The strategy `direct` multiplies each input by the odd parts of its weights, once a layer, and adds the products,
    the narrowest first. For `delay` a sum stays one, of shifted values, which convert-neuron-to-hw makes a heap of.

    Before:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>):
      %s = neuron.sum %a, %b times [3, -2] plus 1 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<-5, 10>
      neuron.yield %s : !lbir.int<-5, 10>
    }
    ```
    After `neuron-expand-sums{target=xilinx}`:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>):
      %a_times3 = neuron.sum %a, %a times [-1, 4] plus 0 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<0, 9>
      %s = neuron.sum %b, %a_times3 times [-2, 1] plus 1 : !lbir.int<0, 3>, !lbir.int<0, 9> -> !lbir.int<-5, 10>
      neuron.yield %s : !lbir.int<-5, 10>
    }
    ```
    """

    name = "neuron-expand-sums"

    strategy: Literal["direct"] = "direct"
    target: Target = "xilinx"
    minimize: Literal["area", "delay", "balanced"] = "balanced"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for layer in op.body.block.ops:
            if isinstance(layer, neuron.LayerOp):
                build_directly(layer, Goal(self.target, self.minimize))


def build_directly(layer: neuron.LayerOp, goal: Goal) -> bool:
    """The strategy `direct`: rows for each sum of a layer by itself; rows that fit the target stay as they are."""
    _Expansion(layer, row_operands(goal.target), goal.minimize == "delay").run()
    return True


class _Expansion:
    """The expansion of one layer: rebuilds its list of operations once."""

    def __init__(self, layer: neuron.LayerOp, arity: int, heaps: bool):
        self.layer, self.arity, self.heaps = layer, arity, heaps
        self.products: dict[tuple[SSAValue, int], SSAValue] = {}
        self.operations: list[Operation] = []

    def run(self) -> None:
        block = self.layer.body.block
        old = list(block.ops)
        for operation in old:
            operation.detach()
        for operation in old:
            if isinstance(operation, neuron.SumOp):
                result = self.expand(operation)
                result.name_hint = operation.result.name_hint
                operation.result.replace_all_uses_with(result)
                operation.erase()
            else:
                self.operations.append(operation)
        block.add_ops(self.operations)

    def expand(self, operation: neuron.SumOp) -> SSAValue:
        """The last row of a sum; its range is the one that was known, which may be narrower than the rows say."""
        known, constant = lbir.range_of(operation.result), operation.constant.value.data
        if self.heaps:
            return self.heap(operation, constant, known)
        sources: list[SSAValue] = []
        operands: list[Operand] = []
        for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
            shift = (coefficient & -coefficient).bit_length() - 1
            source = self.product(term, abs(coefficient) >> shift)
            element = lbir.range_of(source)
            operands.append(Operand(len(sources), element.low, element.high, shift, coefficient < 0))
            sources.append(source)
        rows = sum_in_rows(operands, constant, self.arity, len(sources))
        return self.emit(rows, sources, operation.result.name_hint or "sum", (known.low, known.high))

    def heap(self, operation: neuron.SumOp, constant: int, known: lbir.IntType) -> SSAValue:
        """One sum of all digits of all coefficients."""
        terms: list[SSAValue] = []
        coefficients: list[int] = []
        for term, coefficient in zip(operation.terms, operation.coefficients.data, strict=True):
            for shift, negative in signed_digits(abs(coefficient)):
                terms.append(term)
                coefficients.append((-1 if negative != (coefficient < 0) else 1) << shift)
        created = neuron.SumOp.of(terms, coefficients, constant, known)
        self.operations.append(created)
        return created.result

    def product(self, term: SSAValue, odd: int) -> SSAValue:
        """`term * odd`, built once a layer."""
        if odd == 1:
            return term
        found = self.products.get((term, odd))
        if found is None:
            element = lbir.range_of(term)
            digits = [Operand(0, element.low, element.high, shift, negative) for shift, negative in signed_digits(odd)]
            rows = sum_in_rows(digits, 0, self.arity, 1)
            ends = element.low * odd, element.high * odd
            value = self.emit(rows, [term], f"{term.name_hint or 'x'}_times{odd}", ends)
            value.name_hint = f"{term.name_hint or 'x'}_times{odd}"
            found = self.products[term, odd] = value
        return found

    def emit(self, rows: list[Row], sources: list[SSAValue], name: str, ends: tuple[int, int]) -> SSAValue:
        """Writes rows; `ends` is what is known of the last one's range."""
        values = [*sources]
        for row in rows:
            low, high = ends if row is rows[-1] else (row.low, row.high)
            created = neuron.SumOp.of(
                [values[part.index] for part in row.operands],
                [(-1 if part.negative else 1) << part.shift for part in row.operands],
                row.constant,
                integer_type(low, high),
            )
            if row is not rows[-1]:
                created.result.name_hint = f"{name}_row{row.index - len(sources)}"
            self.operations.append(created)
            values.append(created.result)
        return values[-1]
