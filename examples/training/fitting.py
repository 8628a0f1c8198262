"""Trains and evaluates a classifier."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pruning import Scope, make_permanent, prune_to, rate_at
from torch import nn


@dataclass(frozen=True)
class Split:
    """Samples (float32, one a row, in the model's shape) and their labels (integers)."""

    x: NDArray[np.float32]
    labels: NDArray[np.int64]


def seed_everything(seed: int) -> None:
    """One thread and one seed: the same network from run to run on one machine."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def train_model(
    model: nn.Module,
    data: Split,
    *,
    epochs: int,
    prune_rate: float = 0.0,
    scope: Scope = "layer",
    batch_size: int = 512,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> None:
    """
    Trains quantisation-aware with Adam, the learning rate falling to zero along a cosine, pruned as `rate_at` says.

    Prints a line an epoch. Ends with the masks written into the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    steps = -(-len(x) // batch_size)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(x), generator=generator).tensor_split(steps):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(x[batch]), labels[batch])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(batch)
        rate = rate_at(epoch, epochs, prune_rate)
        prune_to(model, rate, scope)
        print(f"epoch {epoch + 1:3} of {epochs}: loss {total / len(x):.4f}, pruned {rate:.0%}", flush=True)
    make_permanent(model)
    model.eval()


def evaluate(model: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The trained model's outputs, one row a sample."""
    model.eval()
    with torch.no_grad():
        return np.concatenate([model(torch.from_numpy(part)).numpy() for part in np.array_split(x, -(-len(x) // 1024))])
