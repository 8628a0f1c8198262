"""Proofs that a design computes what its network says, for every input."""

from c4ml_xdsl.proofs.checker import LayerProof, prove
from c4ml_xdsl.proofs.pipelines import PipelineProof, prove_pipeline

__all__ = ["LayerProof", "PipelineProof", "prove", "prove_pipeline"]
