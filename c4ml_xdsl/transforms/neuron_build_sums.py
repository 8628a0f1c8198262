"""The pass `neuron-build-sums`."""

from dataclasses import dataclass
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException

from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.dialects import neuron
from c4ml_xdsl.errors import C4mlError, StrategyError
from c4ml_xdsl.strategies import Goal, Strategy, load_strategy

STRATEGY = "c4ml.strategy"
"""An attribute of a layer whose sums were built by a strategy: its name."""


@dataclass(frozen=True)
class NeuronBuildSums(ModulePass):
    """
    Builds the sums of each layer by a strategy: `direct`, or one that another package lists as an entry point.

    A layer that the strategy built is marked with its name; one that it refused is left as it was, to be built by
    `neuron-expand-sums`. Raises StrategyError where a strategy fails, or where what it leaves isn't a layer of the
    same arguments and results.

    Before:
    ```mlir
    neuron.layer @l {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>):
      %s = neuron.sum %a, %b times [3, -2] plus 1 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<-5, 10>
      neuron.yield %s : !lbir.int<-5, 10>
    }
    ```
    After `neuron-build-sums{strategy=direct target=xilinx}`:
    ```mlir
    neuron.layer @l attributes {c4ml.strategy = "direct"} {
    ^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<0, 3>):
      %a_times3 = neuron.sum %a, %a times [-1, 4] plus 0 : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<0, 9>
      %s = neuron.sum %b, %a_times3 times [-2, 1] plus 1 : !lbir.int<0, 3>, !lbir.int<0, 9> -> !lbir.int<-5, 10>
      neuron.yield %s : !lbir.int<-5, 10>
    }
    ```
    """

    name = "neuron-build-sums"

    strategy: str = "direct"
    target: Target = "xilinx"
    minimize: Literal["area", "delay", "balanced"] = "balanced"
    effort: Literal["fast", "normal", "max"] = "normal"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        build = load_strategy(self.strategy)
        goal = Goal(self.target, self.minimize, self.effort)
        for layer in op.body.block.ops:
            if isinstance(layer, neuron.LayerOp) and any(isinstance(each, neuron.SumOp) for each in layer.walk()):
                self.build(build, layer, goal)

    def build(self, build: Strategy, layer: neuron.LayerOp, goal: Goal) -> None:
        """Lets a strategy build one layer, and checks what it leaves."""
        where = f"strategy {self.strategy}, layer {layer.sym_name.data}"
        before = _interface(layer)
        try:
            built = build(layer, goal)
            layer.verify()
            after = _interface(layer)
        except C4mlError:
            raise
        except VerifyException as error:
            raise StrategyError(f"{where}: what it leaves isn't valid: {error}") from error
        except Exception as error:
            raise StrategyError(f"{where}: {type(error).__name__}: {error}") from error
        if after != before:
            raise StrategyError(f"{where}: the layer's arguments or results aren't what they were")
        if built:
            layer.attributes[STRATEGY] = StringAttr(self.strategy)


def _interface(layer: neuron.LayerOp) -> tuple[object, ...]:
    """What a layer's callers rely on."""
    arguments = tuple(argument.type for argument in layer.body.block.args)
    return arguments, tuple(value.type for value in layer.yielded), layer.sizes, layer.sym_name
