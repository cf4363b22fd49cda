"""What an epoch adds up, batch by batch, and the first loss that is no number."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class NotFinite(ArithmeticError):
    """A loss is no longer a finite number; the text says where in the epoch."""


class EpochSums:
    """Losses and right answers of an epoch's batches, kept on the device, since reading them makes the host wait."""

    def __init__(self, batches: int, device: torch.device):
        """For an epoch of `batches` batches."""
        self._losses = torch.zeros(batches, device=device)
        self._correct = torch.zeros((), device=device)
        self._filled = 0
        self.reads_each = device.type == "cpu"

    def add(self, loss: Tensor, correct: Tensor) -> None:
        """Count a batch's summed loss and number right, both on the device.

        Raises:
            NotFinite: the loss is not a finite number. On other devices than the CPU `means` says so, at the end of
                the epoch, with the same batch.
        """
        self._losses[self._filled] = loss
        self._correct += correct
        self._filled += 1
        if self.reads_each and not math.isfinite(loss.item()):
            self._check()

    def means(self, images: int) -> tuple[float, float]:
        """Mean loss and top-1 (0 … 1) over the `images` of the batches so far; waits for the device.

        Raises:
            NotFinite: the loss of a batch is not a finite number; names the first.
        """
        self._check()
        return self._losses.sum().item() / images, self._correct.item() / images

    def _check(self) -> None:
        wrong = self._losses.isfinite().logical_not().nonzero()
        if len(wrong):
            raise NotFinite(f"batch {wrong[0].item() + 1} of {len(self._losses)}")
