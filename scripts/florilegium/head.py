"""Phase 1's cheap half: the head learns from features, in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from florilegium.epoch_sums import EpochSums
from florilegium.outcome import Fit
from florilegium.part_times import PartClock
from florilegium.progress import Progress
from florilegium.seeds import epoch_order
from florilegium.training import epoch_batches, fit, loss_and_top1


def train_head(
    head: nn.Linear,
    dropout: float,
    train: tuple[np.ndarray, Tensor],
    val: tuple[Tensor, Tensor] | None,
    settings: Mapping[str, Any],
    seed: int,
    progress: Progress | None = None,
) -> Fit:
    """Train `head` in place on the features of a frozen backbone (on the CPU: the work is tiny).

    Args:
        head: the new linear layer.
        dropout: probability applied to the features before it.
        train: features (epochs, n, width) float16, one set of views an epoch, and labels (n,).
        val: features (m, width) float32 and labels (m,); None keeps the last epoch.
        settings: the recipe as this architecture runs it.
        seed: of the run; decides the order of the images and the dropout.
        progress: keeps every epoch for a training that is interrupted; None keeps nothing.

    Returns:
        The history and the head's state at its best epoch.
    """
    views, labels = train
    clock = PartClock()
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=settings["phase1"]["learning_rate"], weight_decay=settings["weight_decay"], fused=True
    )

    def train_epoch(epoch: int) -> tuple[float, float]:
        features = torch.from_numpy(np.asarray(views[epoch], dtype=np.float32))
        batches = epoch_batches(epoch_order(len(labels), seed, phase=1, epoch=epoch), settings["batch_size"])
        sums = EpochSums(len(batches), labels.device)
        for index in batches:
            feature, label = features[index], labels[index]
            clock.lap("data")
            logits = head(functional.dropout(feature, dropout))
            loss = functional.cross_entropy(logits, label, label_smoothing=settings["label_smoothing"])
            clock.lap("forward")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clock.lap("backward")
            optimizer.step()
            sums.add(loss.detach() * len(index), (logits.detach().argmax(1) == label).sum())
            clock.lap("update")
        return sums.means(len(labels))

    @torch.no_grad()
    def validate() -> tuple[float, float]:
        return loss_and_top1(head(val[0]), val[1])

    judge, cpu = validate if val else None, torch.device("cpu")
    return fit(1, head, optimizer, settings, train_epoch, judge, len(labels), cpu, clock, progress=progress)
