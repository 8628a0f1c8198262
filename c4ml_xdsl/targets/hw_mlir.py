"""Prints a design as MLIR that plain xDSL and CIRCT both read: `hw` and `comb` without what only we know."""

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer
from xdsl.utils.target import Target

from c4ml_xdsl.transforms.lower_truth_tables import has_truth_tables, lower_truth_tables


@dataclass(frozen=True)
class HwMlirTarget(Target):
    """The target `hw-mlir`. Truth tables become look-ups in constant arrays; attributes of ours are left out."""

    name = "hw-mlir"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        printer = Printer(stream=output)
        for operation in module.body.block.ops:
            if isinstance(operation, hw.HWModuleOp) and has_truth_tables(operation):
                operation = lower_truth_tables(operation)  # a copy, so only where one is needed
            kept = dict(operation.attributes)
            for name in kept:
                if name.startswith("c4ml."):
                    del operation.attributes[name]
            printer.print_op(operation)
            operation.attributes = kept
            output.write("\n")
