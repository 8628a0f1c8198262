"""Proofs that a design computes what its network says, for every input."""

from c4ml_xdsl.proofs.checker import LayerProof, prove

__all__ = ["LayerProof", "prove"]
