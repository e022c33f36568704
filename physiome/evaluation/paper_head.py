"""The published downstream head: width -> hidden -> classes with batch-norm and GELU.

The paper calls the step a linear evaluation; the head in its public code is this perceptron. Here
the inputs are standardised and the rows shuffled, so that one learning rate suits every method.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from physiome.config.evaluation import PaperHead
from physiome.evaluation.heads import CHUNK, ROUNDING, Labelled, absent_classes, require_two_classes

CLIP_NORM = 2.0  # gradient clipping of the published downstream training


@dataclass(frozen=True)
class FittedPaperHead:
    """A trained network over the classes seen in training, with its input statistics."""

    mean: torch.Tensor  # (D,)
    scale: torch.Tensor  # (D,)
    network: nn.Module
    seen: np.ndarray  # class indices of the network's outputs
    n_classes: int

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n, C) float32 of embeddings (n, D); 0 for a class never seen."""
        out = np.zeros((len(x), self.n_classes), dtype=np.float32)
        with torch.no_grad(), _one_thread():
            for start in range(0, len(x), CHUNK):
                rows = torch.from_numpy(np.array(x[start : start + CHUNK], dtype=np.float32))
                logits = self.network((rows - self.mean) / self.scale)
                out[start : start + CHUNK, self.seen] = logits.softmax(dim=1).numpy()
        return out


def fit_paper_head(
    data: Labelled, classes: tuple[str, ...], spec: PaperHead, seed: int, where: str
) -> tuple[FittedPaperHead, dict[str, Any]]:
    """Train for `spec.epochs` epochs; the last epoch is kept and nothing is selected.

    Args:
        data: all labelled rows.
        where: names the fold, method and subset in errors.

    Raises:
        DataError: if fewer than two classes occur.
    """
    require_two_classes(data.y, classes, where)
    seen, target = np.unique(data.y, return_inverse=True)
    x = torch.from_numpy(np.array(data.x, dtype=np.float32))
    scale, mean = torch.std_mean(x, dim=0, correction=0)
    scale = torch.where(scale > ROUNDING * mean.abs(), scale, 1.0)  # a constant column stays 0
    rng = torch.Generator().manual_seed(seed)
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(x.shape[1], spec.hidden),
            nn.BatchNorm1d(spec.hidden),
            nn.GELU(),
            nn.Linear(spec.hidden, len(seen)),
        )
        loss = _train(network, (x - mean) / scale, torch.from_numpy(target), spec, rng)
    head = FittedPaperHead(mean, scale, network.eval(), seen, len(classes))
    return head, {"final_loss": loss, "absent_classes": absent_classes(data.y, classes)}


def _train(
    network: nn.Module, x: torch.Tensor, y: torch.Tensor, spec: PaperHead, rng: torch.Generator
) -> float:
    """AdamW with cosine decay per epoch; returns the last epoch's mean loss."""
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, spec.epochs)
    network.train()
    total = 0.0
    for _ in range(spec.epochs):
        total = 0.0
        for rows in batches(torch.randperm(len(x), generator=rng), spec.batch):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimiser.step()
            total += float(loss.detach()) * len(rows)
        schedule.step()
    return total / len(x)


def batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """`order` cut into batches; a last one of a single row joins its neighbour.

    Batch-norm has no variance to divide by in a batch of one.
    """
    parts = list(order.split(max(size, 2)))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread inside the block: sums then do not depend on the machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
