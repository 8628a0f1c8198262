"""The pass `convert-qonnx-to-hw`, which is the default pipeline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from c4ml_xdsl.circuits.cost import Target
from c4ml_xdsl.strategies import OWN_STRATEGIES
from c4ml_xdsl.transforms.comb_simplify import CombSimplify
from c4ml_xdsl.transforms.comb_split_rows import CombSplitRows
from c4ml_xdsl.transforms.convert_neuron_to_hw import ConvertNeuronToHw
from c4ml_xdsl.transforms.convert_qonnx_to_lbir import ConvertQonnxToLbir
from c4ml_xdsl.transforms.hw_legalize_names import HwLegalizeNames
from c4ml_xdsl.transforms.lbir_fold_thresholds import LbirFoldThresholds
from c4ml_xdsl.transforms.lbir_infer_ranges import LbirInferRanges
from c4ml_xdsl.transforms.lbir_unroll_neurons import LbirUnrollNeurons
from c4ml_xdsl.transforms.neuron_build_sums import NeuronBuildSums
from c4ml_xdsl.transforms.neuron_compress_sums import NeuronCompressSums
from c4ml_xdsl.transforms.neuron_drop_unread import NeuronDropUnread
from c4ml_xdsl.transforms.neuron_expand_sums import NeuronExpandSums
from c4ml_xdsl.transforms.neuron_fold_offsets import NeuronFoldOffsets
from c4ml_xdsl.transforms.neuron_infer_ranges import NeuronInferRanges
from c4ml_xdsl.transforms.neuron_share_sums import NeuronShareSums
from c4ml_xdsl.transforms.neuron_tabulate import NeuronTabulate
from c4ml_xdsl.transforms.qonnx_fold_constants import QonnxFoldConstants
from c4ml_xdsl.transforms.qonnx_infer_shapes import QonnxInferShapes

Observer = Callable[[ModulePass, ModuleOp], None]


@dataclass(frozen=True)
class ConvertQonnxToHw(ModulePass):
    """
    The default pipeline, from an imported graph to modules that print as Verilog. `c4ml compile` runs just this.

    Before:
    ```mlir
    qonnx.graph @g opset 20 (%x "x": tensor<1x1xf32>) -> ("y": tensor<1x1xf32>) {
      %s = qonnx.initializer "s" dense<0.5> : tensor<f32>
      %z = qonnx.initializer "z" dense<0.0> : tensor<f32>
      %b = qonnx.initializer "b" dense<2.0> : tensor<f32>
      %y = qonnx.Quant "q" (%x, %s, %z, %b) {signed = 1, narrow = 0} : (tensor<1x1xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("y": tensor<1x1xf32>)
      qonnx.return %y : tensor<1x1xf32>
    }
    ```
    After `convert-qonnx-to-hw`:
    ```mlir
    hw.module @g(in %x: i2, out y: i2) attributes {comment = "the network: one instance a layer, or one a position", c4ml.inputs = [[#lbir.port<"x" bits 2 range [-2, 1] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">, tensor<1x1x!lbir.int<-2, 1>>]], c4ml.outputs = [[#lbir.port<"y" bits 2 range [-2, 1] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">, tensor<1x1x!lbir.int<-2, 1>>]]} {
      hw.output %x : i2
    }
    ```
    """  # noqa: E501

    name = "convert-qonnx-to-hw"

    input_type: str | None = None
    strategy: str = "auto"
    """One of ours, or of another package: `c4ml_xdsl.strategies`."""
    target: Target = "xilinx"
    minimize: Literal["area", "delay", "balanced"] = "balanced"
    effort: Literal["fast", "normal", "max"] = "normal"
    top: str | None = None
    clock_ns: float | None = None
    """What a row of adders may take; registers are put in by later passes."""
    latency: int | None = None
    """Cycles, between registers at inputs and outputs, for which rows may be split where that gives a shorter clock."""

    def to_lbir(self) -> tuple[ModulePass, ...]:
        """The passes to folded integer tensors: what a network computes."""
        return (
            QonnxInferShapes(),
            QonnxFoldConstants(),
            ConvertQonnxToLbir(input_type=self.input_type),
            LbirFoldThresholds(),
            LbirInferRanges(),
        )

    def to_hw(self) -> tuple[ModulePass, ...]:
        """The passes from there to hardware: how it is built."""
        return (
            LbirUnrollNeurons(),
            NeuronInferRanges(),
            NeuronDropUnread(),
            NeuronFoldOffsets(),
            *self._tables(),
            *self._counters(),
            *self._sums(),
            NeuronExpandSums(target=self.target, minimize=self.minimize),
            ConvertNeuronToHw(minimize=self.minimize, top=self.top),
            *self._split(),
            CombSimplify(),
            HwLegalizeNames(),
        )

    def _sums(self) -> tuple[ModulePass, ...]:
        """The pass that chooses how a layer's sums are built, where they aren't built one by one."""
        if self.strategy == "direct":
            return ()
        if self.strategy in OWN_STRATEGIES:
            return (NeuronShareSums(target=self.target, minimize=self.minimize, effort=self.effort),)
        return (NeuronBuildSums(self.strategy, self.target, self.minimize, self.effort),)

    def _tables(self) -> tuple[ModulePass, ...]:
        """The pass that makes tables, where the strategy allows them."""
        match self.strategy:
            case "auto" | "table":
                return (NeuronTabulate(self.strategy, self.target, self.minimize, self.effort),)
            case _:
                return ()

    def _counters(self) -> tuple[ModulePass, ...]:
        """The pass that counts bits, where the strategy allows it."""
        match self.strategy:
            case "auto" | "compressor":
                return (NeuronCompressSums(self.strategy, self.target, self.minimize, self.effort),)
            case _:
                return ()

    def _split(self) -> tuple[ModulePass, ...]:
        """The pass that splits rows, where there will be registers."""
        if self.clock_ns is None and not self.latency:
            return ()
        return (CombSplitRows(self.clock_ns, self.target, self.latency),)

    def passes(self) -> tuple[ModulePass, ...]:
        """The whole pipeline."""
        return (*self.to_lbir(), *self.to_hw())

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for each in self.passes():
            each.apply(ctx, op)
