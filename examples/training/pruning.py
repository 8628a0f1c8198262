"""Magnitude pruning while a network is trained: a weight that is pruned costs no adder in an unrolled circuit."""

from typing import Literal

import torch
from torch import nn
from torch.nn.utils import prune

Scope = Literal["layer", "global"]


def weighted_layers(model: nn.Module) -> list[tuple[nn.Module, str]]:
    """What can be pruned: the weights of dense and convolutional layers, in the model's order."""
    return [(module, "weight") for module in model.modules() if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)]


def prune_to(model: nn.Module, rate: float, scope: Scope = "layer") -> None:
    """
    Prunes until `rate` (0 to 1) of the weights are 0: the smallest ones of each layer, or of the whole network.

    What was pruned by an earlier call stays so and counts. The masks hold through training until `make_permanent`.
    """
    layers = weighted_layers(model)
    masks = [getattr(module, f"{name}_mask", None) for module, name in layers]
    pruned = [0 if mask is None else int((mask == 0).sum()) for mask in masks]
    sizes = [getattr(module, name).numel() for module, name in layers]
    if scope == "global":
        more = round(rate * sum(sizes)) - sum(pruned)
        if more > 0:
            prune.global_unstructured(layers, prune.L1Unstructured, amount=more)
        return
    for (module, name), size, before in zip(layers, sizes, pruned, strict=True):
        more = round(rate * size) - before
        if more > 0:
            prune.l1_unstructured(module, name, amount=more)


def rate_at(epoch: int, epochs: int, final: float) -> float:
    """
    The rate after an epoch (from 0): nothing in the first quarter, then a cubic rise that ends at three quarters.

    Early on, when many weights matter little, much is pruned; the last quarter trains what is left.
    """
    start, end = epochs / 4, epochs * 3 / 4
    progress = min(max((epoch + 1 - start) / max(end - start, 1e-9), 0.0), 1.0)
    return final * (1 - (1 - progress) ** 3)


def make_permanent(model: nn.Module) -> None:
    """Writes the zeros into the weights and takes the masks away, as an export wants it."""
    for module, name in weighted_layers(model):
        if prune.is_pruned(module) and hasattr(module, f"{name}_orig"):
            prune.remove(module, name)


def sparsity(model: nn.Module) -> float:
    """The share of weights that are 0 once quantised, which is what the circuit sees."""
    zeros = total = 0
    with torch.no_grad():
        for module, _ in weighted_layers(model):
            quantised = module.quant_weight().value
            zeros, total = zeros + int((quantised == 0).sum()), total + quantised.numel()
    return zeros / total
