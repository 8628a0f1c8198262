"""The passes, one file each, by the name of the file. Registries are lazy: a pass is imported when it is used."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from xdsl.passes import ModulePass

PASSES = {
    "qonnx-infer-shapes": "QonnxInferShapes",
    "qonnx-fold-constants": "QonnxFoldConstants",
    "convert-qonnx-to-lbir": "ConvertQonnxToLbir",
    "lbir-fold-thresholds": "LbirFoldThresholds",
    "lbir-infer-ranges": "LbirInferRanges",
    "lbir-unroll-neurons": "LbirUnrollNeurons",
    "neuron-infer-ranges": "NeuronInferRanges",
    "neuron-drop-unread": "NeuronDropUnread",
    "neuron-fold-offsets": "NeuronFoldOffsets",
    "neuron-tabulate": "NeuronTabulate",
    "neuron-compress-sums": "NeuronCompressSums",
    "neuron-share-sums": "NeuronShareSums",
    "neuron-build-sums": "NeuronBuildSums",
    "neuron-expand-sums": "NeuronExpandSums",
    "convert-neuron-to-hw": "ConvertNeuronToHw",
    "comb-split-rows": "CombSplitRows",
    "comb-simplify": "CombSimplify",
    "hw-legalize-names": "HwLegalizeNames",
    "hw-schedule-stages": "HwScheduleStages",
    "hw-insert-registers": "HwInsertRegisters",
    "lower-truth-tables": "LowerTruthTables",
    "convert-qonnx-to-hw": "ConvertQonnxToHw",
}
"""The classes of the passes, in the order of the default pipeline."""


def get_all_passes() -> dict[str, Callable[[], type[ModulePass]]]:
    """Our passes by name."""

    def factory(name: str) -> Callable[[], type[ModulePass]]:
        def load() -> type[ModulePass]:
            module = import_module(f"c4ml_xdsl.transforms.{name.replace('-', '_')}")
            return cast(type[ModulePass], getattr(module, PASSES[name]))

        return load

    return {name: factory(name) for name in PASSES}
