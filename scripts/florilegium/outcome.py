"""What a phase of training came to: its history, the epoch that validation chose, and early stopping."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass
class Fit:
    """One phase's outcome."""

    history: list[dict[str, Any]] = field(default_factory=list)
    best_state: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_top1: float = -1.0
    best_loss: float = float("inf")
    reference_top1: float = -1.0  # what early stopping compares with
    waited: int = 0  # epochs since the last improvement
    stopped_early: bool = False
    seconds: float = 0.0  # of all epochs, also those before an interruption

    def judge(self, epoch: int, loss: float, top1: float, network: nn.Module, stopping: Mapping[str, Any]) -> None:
        """Keep the epoch if validation says it is the best, and say whether training should stop.

        Without validation (not-a-number) every epoch is kept, so the last one stays, and nothing stops early.
        """
        unjudged = math.isnan(top1)
        if unjudged or (top1, -loss) > (self.best_top1, -self.best_loss):
            self.best_epoch, self.best_top1, self.best_loss = epoch, top1, loss
            self.best_state = copy.deepcopy(
                {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
            )
        improved = unjudged or top1 > self.reference_top1 + stopping["min_delta"]
        self.reference_top1 = top1 if improved else self.reference_top1
        self.waited = 0 if improved else self.waited + 1
        self.stopped_early = self.waited >= stopping["patience"]

    @property
    def val_top1(self) -> float | None:
        """Validation top-1 (0 … 1) of the epoch that was kept; None when nothing validates."""
        return None if math.isnan(self.best_top1) else self.best_top1

    def epochs(self, planned: int) -> dict[str, Any]:
        """How many epochs the recipe planned, how many ran, which was kept, and whether early stopping cut the rest."""
        run = len(self.history)
        return {"planned": planned, "run": run, "best": self.best_epoch, "stopped_early": run < planned}

    def describe(self) -> str:
        """The epoch that was kept, in words."""
        if self.val_top1 is None:
            return f"epoch {self.best_epoch}, the last, as nothing validates"
        return f"validation top-1 {100 * self.val_top1:.2f} % at epoch {self.best_epoch}"

    def state_dict(self) -> dict[str, Any]:
        """All fields, plain values and tensors, for a progress file."""
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` described."""
        vars(self).update(state)
