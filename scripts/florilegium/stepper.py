"""One optimizer step of the whole network per batch, whatever fits in memory at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from florilegium.activations import make_activations_lean
from florilegium.devices import Arithmetic, is_out_of_memory
from florilegium.errors import UserError
from florilegium.part_times import part_clock

log = logging.getLogger(__name__)


class Stepper:
    """One optimizer step per batch; out of memory halves the micro-batch, gradients accumulate, the batch stays."""

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any], arithmetic: Arithmetic
    ):
        self.network, self.optimizer, self.arithmetic = make_activations_lean(network), optimizer, arithmetic
        self.label_smoothing = settings["label_smoothing"]
        self.clock = part_clock(arithmetic.device)
        self.micro_batch = settings["batch_size"] + 1  # epoch_batches may join one image to a batch
        # fp16 has too small a range for gradients; bf16 and fp32 need no scaling.
        self.scaler = torch.amp.GradScaler(arithmetic.device.type, enabled=arithmetic.dtype == torch.float16)
        # What a forward pass that fails halfway has changed already: BatchNorm's statistics and dropout's random state.
        self._buffers = list(network.buffers())
        self._buffers_before = [buffer.clone() for buffer in self._buffers]
        self._random = {"cuda": torch.cuda, "mps": torch.mps}.get(arithmetic.device.type, torch.random)

    def step(self, views: Tensor, labels: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Learn from a batch.

        Args:
            views: (n, 3, crop, crop).
            labels: (n,), what right answers are counted by.
            targets: (n, classes) shares of each class, to learn instead of the labels where images are mixed.

        Returns:
            Summed loss and number right, on the device.

        Raises:
            UserError: not even two images fit in memory.
        """
        random_before = self._random.get_rng_state()
        _copy(self._buffers, self._buffers_before)
        while True:
            try:
                sums = self._accumulate(views, labels, labels if targets is None else targets)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._halve(len(views))  # what was lost counts as forward, the next lap
            self._random.set_rng_state(random_before)
            _copy(self._buffers_before, self._buffers)
        self._move()
        self.clock.lap("update")
        return sums

    def _move(self) -> None:
        try:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # It may have moved some parameters, so it must not be repeated; smaller batches would not help either.
            raise UserError(
                "out of memory in the optimizer's step, which no micro-batch makes smaller; a device with more memory"
                " is needed, or a smaller network"
            ) from error

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs to go on as this one."""
        return {"micro_batch": self.micro_batch, "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` described."""
        self.micro_batch = state["micro_batch"]
        self.scaler.load_state_dict(state["scaler"])

    def _accumulate(self, views: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        self.optimizer.zero_grad(set_to_none=True)
        loss_sum = torch.zeros((), device=views.device)
        correct = torch.zeros((), device=views.device)
        pieces = -(-len(views) // self.micro_batch)
        parts = (batch.tensor_split(pieces) for batch in (views, labels, targets))
        for view, label, target in zip(*parts, strict=True):
            with self.arithmetic.autocast():
                logits = self.network(view)
            logits = logits.float()
            loss = functional.cross_entropy(logits, target, reduction="sum", label_smoothing=self.label_smoothing)
            self.clock.lap("forward")
            self.scaler.scale(loss / len(views)).backward()
            self.clock.lap("backward")
            loss_sum += loss.detach()
            correct += (logits.detach().argmax(1) == label).sum()
        return loss_sum, correct

    def _halve(self, batch: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self.arithmetic.device.type == "cuda":
            torch.cuda.empty_cache()
        tried = min(self.micro_batch, batch)
        if tried <= 2:  # BatchNorm cannot learn from single images
            raise UserError(
                "out of memory even with micro-batches of 2 images; choose a smaller crop, or a device with more memory"
            )
        smaller = max(2, tried // 2)
        log.info("out of memory: micro-batches of %d from now on, gradients accumulate to the same batch", smaller)
        self.micro_batch = smaller


@torch.no_grad()
def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    """Copy tensors in a few kernels, not one each: on a GPU a hundred launches would delay every step."""
    if source:
        torch._foreach_copy_(target, source)
