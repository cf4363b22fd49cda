"""How learning rates change: StepLR after every epoch, one-cycle or cosine after every batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR


class Schedule:
    """A phase's schedule, told of every optimizer step and of every epoch."""

    def __init__(self, optimizer: Optimizer, settings: Mapping[str, Any], epochs: int, steps: int):
        """Set the optimizer's learning rates for its first step.

        Args:
            optimizer: whose groups hold the learning rates that the schedule reaches at most.
            settings: the recipe's `schedule` of this phase.
            epochs: planned.
            steps: optimizer steps of an epoch.
        """
        self._each_step = settings["kind"] != "step"
        self._schedule = _scheduler(optimizer, settings, epochs * steps)

    def after_step(self) -> None:
        """The optimizer has made a step."""
        if self._each_step:
            self._schedule.step()

    def after_epoch(self) -> None:
        """An epoch is over."""
        if not self._each_step:
            self._schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs to go on as this one; the rates themselves are the optimizer's."""
        return self._schedule.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` described."""
        self._schedule.load_state_dict(state)


def _scheduler(optimizer: Optimizer, settings: Mapping[str, Any], steps: int) -> LRScheduler:
    if settings["kind"] == "step":
        return StepLR(optimizer, settings["step_size"], settings["gamma"])
    rates = [group["lr"] for group in optimizer.param_groups]
    if settings["kind"] == "one_cycle":
        # torch's OneCycleLR asks for one step more than it is told of when the training ends.
        return OneCycleLR(optimizer, rates, total_steps=steps + 1, pct_start=settings["warmup"])
    return LambdaLR(optimizer, lambda step: cosine_share(step, steps, settings["warmup"]))


def cosine_share(step: int, steps: int, warmup: float) -> float:
    """The share of the full learning rate before step `step` of `steps`: a line up, half a cosine down to 0.

    SGDR without restarts (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983), linear warm-up before it.
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2
