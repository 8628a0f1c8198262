"""
Which results of a design's modules nothing reads, from the final IR alone: what they are doesn't matter.

A bit is read if it gets to an output of the top, to an operation there that does more than move bits, or to a bit of an
instance's input that the instance's module uses.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import hw
from xdsl.ir import SSAValue

from c4ml_xdsl.dialects import comb
from c4ml_xdsl.numerics.chain import Integers
from c4ml_xdsl.proofs.wiring import MOVES, number_bits

Bools: TypeAlias = NDArray[np.bool_]


def read_bits(module: hw.HWModuleOp) -> list[Bools]:
    """For each bit of each input port whether an operation of the module has it as an operand."""
    found: list[Bools] = []
    for port in module.body.block.args:
        read = np.zeros(comb.width_of(port), np.bool_)
        for use in port.uses:
            operation = use.operation
            if isinstance(operation, comb.ExtractOp):
                low = operation.low_bit.value.data
                read[low : low + comb.width_of(operation.result)] = True
            else:
                read[:] = True
        found.append(read)
    return found


def unread_results(
    top: hw.HWModuleOp, modules: Sequence[hw.HWModuleOp], instances: Mapping[str, Sequence[hw.InstanceOp]]
) -> dict[str, Bools]:
    """For each module whose results are one port, which bits of it nothing reads in any instance."""
    wires: dict[SSAValue, Integers] = {}
    number_bits(top, wires)
    ports = {module.sym_name.data: read_bits(module) for module in modules}
    read = np.zeros(1 + max((int(each.max()) for each in wires.values() if each.size), default=0), np.bool_)
    for operation in top.body.block.ops:
        if isinstance(operation, hw.InstanceOp) and operation.module_name.string_value() in ports:
            for operand, used in zip(operation.operands, ports[operation.module_name.string_value()], strict=True):
                read[wires[operand][used]] = True
        elif not isinstance(operation, MOVES):
            for operand in operation.operands:
                read[wires[operand]] = True
    return {
        name: ~np.any([read[wires[each.results[0]]] for each in found], axis=0)
        for name, found in instances.items()
        if all(len(each.results) == 1 for each in found)
    }
