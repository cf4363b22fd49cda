"""Phase 1's cheap half: the head learns from features, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from florilegium.devices import peak_memory_mb
from florilegium.epoch_sums import EpochSums
from florilegium.outcome import Fit
from florilegium.part_times import PartClock
from florilegium.progress import Progress
from florilegium.schedules import Schedule
from florilegium.seeds import epoch_order
from florilegium.training import epoch_batches, fit, loss_and_top1, one_epoch, steps_per_epoch

MOST_STEPS = 500  # of L-BFGS; a few dozen are usual


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

    steps = steps_per_epoch(len(labels), settings["batch_size"])
    schedule = Schedule(optimizer, settings["phase1"]["schedule"], settings["phase1"]["epochs"], steps)

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
            schedule.after_step()
            sums.add(loss.detach() * len(index), (logits.detach().argmax(1) == label).sum())
            clock.lap("update")
        return sums.means(len(labels))

    cpu = torch.device("cpu")
    parts = {"network": head, "optimizer": optimizer, "schedule": schedule}
    return fit(1, parts, settings, train_epoch, _judge(head, val), len(labels), cpu, clock, progress)


def solve_head(
    head: nn.Linear,
    train: tuple[np.ndarray, Tensor],
    val: tuple[Tensor, Tensor] | None,
    settings: Mapping[str, Any],
) -> Fit:
    """Set `head` in place to the multinomial logistic regression on the features of all views (scikit-learn, L-BFGS).

    Args:
        head: the new linear layer.
        train: features (epochs, n, width) float16 and labels (n,).
        val: features (m, width) float32 and labels (m,); None when nothing validates.
        settings: the recipe as this architecture runs it; `phase1.penalty` is that of the squared weights.

    Returns:
        A history of one epoch, the solution, and its state.
    """
    views, labels = train
    clock = PartClock()

    @torch.no_grad()
    def solve(_: int) -> tuple[float, float]:
        features = np.asarray(views, dtype=np.float32).reshape(-1, views.shape[2])
        targets = np.tile(labels.numpy(), len(views))
        clock.lap("data")
        # scikit-learn weighs the sum of losses by C beside half the squared weights: C n = 1 / penalty.
        model = LogisticRegression(C=1 / (settings["phase1"]["penalty"] * len(targets)), max_iter=MOST_STEPS)
        model.fit(features, targets)
        head.weight.zero_()
        head.bias.zero_()
        # Of two classes scikit-learn gives the second's row only: the first's is 0.
        head.weight[-len(model.coef_) :] = torch.from_numpy(model.coef_)
        head.bias[-len(model.coef_) :] = torch.from_numpy(model.intercept_)
        clock.lap("update")
        scores = loss_and_top1(head(torch.from_numpy(features)), torch.from_numpy(targets))
        clock.lap("forward")
        return scores

    row = {"phase": 1, "epoch": 1} | one_epoch(1, [0.0], solve, _judge(head, val), len(views) * len(labels), clock)
    row |= {"peak_memory_mb": peak_memory_mb(torch.device("cpu")), "micro_batch": settings["batch_size"]}
    outcome = Fit(history=[row], seconds=row["seconds"])
    outcome.judge(1, row["val_loss"], row["val_top1"], head, settings["early_stopping"])
    return outcome


def _judge(head: nn.Linear, val: tuple[Tensor, Tensor] | None) -> Callable[[], tuple[float, float]] | None:
    """What says loss and top-1 of `head` on validation features; None when nothing validates."""

    @torch.no_grad()
    def validate() -> tuple[float, float]:
        return loss_and_top1(head(val[0]), val[1])

    return validate if val else None
