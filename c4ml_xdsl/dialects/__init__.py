"""
The dialects, from the imported graph down to hardware: `qonnx`, `lbir`, `neuron`, `comb`; upstream's `hw` and `seq`.

Registries are lazy: a dialect is imported when it is first met.
"""

from collections.abc import Callable

from xdsl.context import Context
from xdsl.ir import Dialect


def get_all_dialects() -> dict[str, Callable[[], Dialect]]:
    """Our dialects by name."""

    def qonnx() -> Dialect:
        from c4ml_xdsl.dialects.qonnx import Qonnx

        return Qonnx

    def lbir() -> Dialect:
        from c4ml_xdsl.dialects.lbir import Lbir

        return Lbir

    def neuron() -> Dialect:
        from c4ml_xdsl.dialects.neuron import Neuron

        return Neuron

    def comb() -> Dialect:
        from c4ml_xdsl.dialects.comb import Comb

        return Comb

    return {"qonnx": qonnx, "lbir": lbir, "neuron": neuron, "comb": comb}


def full_context() -> Context:
    """A context that knows builtin, hw, seq and all of ours."""
    from xdsl.dialects.builtin import Builtin
    from xdsl.dialects.hw import HW
    from xdsl.dialects.seq import Seq

    context = Context()
    context.load_dialect(Builtin)
    context.load_dialect(HW)
    context.load_dialect(Seq)
    for name, factory in get_all_dialects().items():
        context.register_dialect(name, factory)
    return context


def hardware_context() -> Context:
    """A context that knows what `hw.mlir` holds: builtin, hw, seq and comb."""
    from xdsl.dialects.builtin import Builtin
    from xdsl.dialects.hw import HW
    from xdsl.dialects.seq import Seq

    from c4ml_xdsl.dialects.comb import Comb

    context = Context()
    for dialect in (Builtin, HW, Seq, Comb):
        context.load_dialect(dialect)
    return context
