"""Prints a design as MLIR that plain xDSL and CIRCT both read: `hw` and `comb` without what only we know."""

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects import hw
from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer
from xdsl.utils.target import Target

from c4ml_xdsl.transforms.lower_truth_tables import lower_truth_tables


@dataclass(frozen=True)
class HwMlirTarget(Target):
    """The target `hw-mlir`. Truth tables become look-ups in constant arrays; attributes of ours are left out."""

    name = "hw-mlir"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        printer = Printer(stream=output)
        for operation in module.body.block.ops:
            if isinstance(operation, hw.HWModuleOp):
                plain = lower_truth_tables(operation)
                for name in list(plain.attributes):
                    if name.startswith("c4ml."):
                        del plain.attributes[name]
                printer.print_op(plain)
            else:
                printer.print_op(operation)
            output.write("\n")
