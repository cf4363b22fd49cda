"""What both phases share: the epoch loop with its learning-rate schedule and its history."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired, Protocol, TypedDict

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from florilegium.devices import peak_memory_mb
from florilegium.epoch_sums import NotFinite
from florilegium.errors import UserError
from florilegium.outcome import Fit
from florilegium.part_times import PartClock
from florilegium.progress import Progress, Stateful
from florilegium.schedules import Schedule

log = logging.getLogger(__name__)


class MicroBatches(Stateful, Protocol):
    """A stepper that cuts batches when memory runs out."""

    micro_batch: int  # most images at once


class Average(Stateful, Protocol):
    """What stands for the network when it is validated and kept."""

    network: nn.Module


class Parts(TypedDict):
    """What a training consists of; its state is kept after every epoch."""

    network: nn.Module
    optimizer: Optimizer  # its last parameter group is the head, the one before it the last stage of the backbone
    schedule: Schedule
    stepper: NotRequired[MicroBatches]  # left out when batches are never cut
    average: NotRequired[Average]  # left out when the network itself is validated and kept


def fit(
    phase: int,
    parts: Parts,
    settings: Mapping[str, Any],
    train_epoch: Callable[[int], tuple[float, float]],
    validate: Callable[[], tuple[float, float]] | None,
    images: int,
    device: torch.device,
    clock: PartClock,
    progress: Progress | None = None,
) -> Fit:
    """Train for the recipe's epochs or until early stopping; validation chooses the epoch.

    Args:
        phase: 1 or 2; settings[f"phase{phase}"] holds epochs and schedule.
        parts: what is trained, and with what.
        settings: the recipe as this architecture runs it.
        train_epoch: trains one epoch (0-based) and returns mean loss and top-1 (0 … 1) over it; it tells the schedule
            of its steps.
        validate: returns loss and top-1 on the validation split; None keeps the last epoch.
        images: training images per epoch, for images/s.
        device: whose memory is recorded.
        clock: which `train_epoch` tells what it has just done.
        progress: where the state is kept after every epoch, and taken up again; None keeps nothing.

    Raises:
        UserError: the loss is no longer a finite number.
    """
    part, optimizer = settings[f"phase{phase}"], parts["optimizer"]
    outcome, stepper = Fit(), parts.get("stepper")
    states = {**parts, "outcome": outcome}
    kept = progress is not None and progress.restore(states)
    begin = f", after the epochs kept in {progress.path}" if kept else ""
    log.info("phase %d: begins at epoch %d of %d%s", phase, len(outcome.history) + 1, part["epochs"], begin)
    mark = time.perf_counter()
    while len(outcome.history) < part["epochs"] and not outcome.stopped_early:
        number, rates = len(outcome.history) + 1, [group["lr"] for group in optimizer.param_groups]
        judge = validate if validation_due(number, part) else None
        try:
            row = {"phase": phase, "epoch": number}
            row |= one_epoch(number, rates, train_epoch, judge, images, clock)
        except NotFinite as where:
            raise UserError(_not_finite(phase, number, where, rates[-1], progress)) from where
        parts["schedule"].after_epoch()
        micro_batch = min(stepper.micro_batch if stepper else images, settings["batch_size"])
        row |= {"peak_memory_mb": peak_memory_mb(device), "micro_batch": micro_batch}
        outcome.history.append(row)
        if judge or not validate:
            network = parts["average"].network if "average" in parts else parts["network"]
            outcome.judge(number, row["val_loss"], row["val_top1"], network, settings["early_stopping"])
        outcome.seconds, mark = outcome.seconds + time.perf_counter() - mark, time.perf_counter()
        if progress:
            progress.save(states)
        log.info(_line(row, part["epochs"], outcome.best_epoch == number))
    if outcome.stopped_early:
        log.info("phase %d: stopped early, best epoch %d of %d", phase, outcome.best_epoch, len(outcome.history))
    return outcome


def validation_due(epoch: int, part: Mapping[str, Any]) -> bool:
    """Whether an epoch (from 1) of a phase is validated: every so many, and the last."""
    return epoch % part.get("validate_every", 1) == 0 or epoch == part["epochs"]


def one_epoch(
    number: int,
    rates: Sequence[float],
    train_epoch: Callable[[int], tuple[float, float]],
    validate: Callable[[], tuple[float, float]] | None,
    images: int,
    clock: PartClock,
) -> dict[str, float]:
    """Train and validate an epoch; returns this part of the history's row.

    Args:
        number: of the epoch, from 1.
        rates: learning rates of the optimizer's groups, the head's last.
        train_epoch, validate, images, clock: as of `fit`; without `validate` its columns are not-a-number.

    Raises:
        NotFinite: a loss is not a finite number.
    """
    start = time.perf_counter()
    clock.start()
    train_loss, train_top1 = train_epoch(number - 1)
    trained = time.perf_counter()
    parts = clock.read(trained - start)
    val_loss, val_top1 = validate() if validate else (math.nan, math.nan)
    if validate and not math.isfinite(val_loss):
        raise NotFinite("validation after the last batch")
    done = time.perf_counter()
    return {
        "train_loss": train_loss,
        "train_top1": train_top1,
        "val_loss": val_loss,
        "val_top1": val_top1,
        "lr_backbone": rates[-2] if len(rates) > 1 else 0.0,
        "lr_head": rates[-1],
        "seconds": done - start,
        "images_per_second": images / (trained - start),
        **parts,
        "validation_seconds": done - trained,
    }


def _not_finite(phase: int, epoch: int, where: NotFinite, rate: float, progress: Progress | None) -> str:
    kept = f"; the state after epoch {epoch - 1} stays in {progress.path}" if progress and epoch > 1 else ""
    return (
        f"phase {phase}, epoch {epoch}, {where}: the loss is not a finite number (learning rate {rate:g}); "
        f"lower the learning rate or set precision: fp32 in the recipe{kept}"
    )


def _line(row: Mapping[str, Any], epochs: int, best: bool) -> str:
    losses = f"{row['train_loss']:.4f} / {row['val_loss']:.4f}".replace("nan", "–")
    shares = f"{100 * row['train_top1']:.1f} / {100 * row['val_top1']:.1f}".replace("nan", "–")
    return (
        f"phase {row['phase']} epoch {row['epoch']:>2}/{epochs}  loss {losses}  top-1 {shares} % (train / val)  "
        f"{row['images_per_second']:.1f} images/s  {row['seconds']:.1f} s{'  best so far' if best else ''}"
    )


def loss_and_top1(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> tuple[float, float]:
    """Mean cross-entropy and top-1 (0 … 1) of (n, classes) logits against (n,) labels on the same device."""
    loss = nn.functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    return loss.item(), (logits.argmax(1) == labels).float().mean().item()


def epoch_batches(order: Tensor, size: int) -> list[Tensor]:
    """`order` cut into batches; a last batch of one image joins the batch before it, as BatchNorm needs two."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def steps_per_epoch(images: int, batch_size: int) -> int:
    """How many batches `epoch_batches` makes of so many images."""
    return len(epoch_batches(torch.arange(images), batch_size))
