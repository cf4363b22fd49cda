"""Phase 2: the whole network learns, each stage at its own rate."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from florilegium.activations import make_activations_lean
from florilegium.augment import draw, train_view
from florilegium.devices import Arithmetic, DeviceImages, is_out_of_memory
from florilegium.epoch_sums import EpochSums
from florilegium.errors import UserError
from florilegium.inference import evaluation_outputs, torch_engine
from florilegium.networks import head_name, stages
from florilegium.outcome import Fit
from florilegium.part_times import part_clock
from florilegium.progress import Progress
from florilegium.seeds import epoch_order, generator
from florilegium.training import epoch_batches, fit, loss_and_top1

log = logging.getLogger(__name__)


def parameter_groups(network: nn.Module, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One optimizer group per stage from input to output, the head last, each with its learning rate."""
    phase2 = settings["phase2"]
    backbone = stages(network)
    groups = [
        {
            "name": name,
            "params": parameters,
            "lr": phase2["backbone_learning_rate"] * phase2["stage_decay"] ** (len(backbone) - 1 - place),
        }
        for place, (name, parameters) in enumerate(backbone)
    ]
    head = network.get_submodule(head_name(network))
    return [*groups, {"name": "head", "params": list(head.parameters()), "lr": phase2["head_learning_rate"]}]


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

    def step(self, views: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from views (n, 3, crop, crop) and labels (n,); return summed loss and number right, on the device.

        Raises:
            UserError: not even two images fit in memory.
        """
        random_before = self._random.get_rng_state()
        _copy(self._buffers, self._buffers_before)
        while True:
            try:
                sums = self._accumulate(views, labels)
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

    def _accumulate(self, views: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        self.optimizer.zero_grad(set_to_none=True)
        loss_sum = torch.zeros((), device=views.device)
        correct = torch.zeros((), device=views.device)
        pieces = -(-len(views) // self.micro_batch)
        for view, label in zip(views.tensor_split(pieces), labels.tensor_split(pieces), strict=True):
            with self.arithmetic.autocast():
                logits = self.network(view)
            logits = logits.float()
            loss = functional.cross_entropy(logits, label, reduction="sum", label_smoothing=self.label_smoothing)
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


def fine_tune(
    network: nn.Module,
    train: tuple[DeviceImages, Tensor],
    val: tuple[DeviceImages, Tensor] | None,
    settings: Mapping[str, Any],
    seed: int,
    arithmetic: Arithmetic,
    progress: Progress | None = None,
) -> Fit:
    """Train the whole network in place.

    Args:
        network: with the head of phase 1, on the device.
        train: images and labels (n,) of the training split; labels on the device.
        val: the same of the validation split; None keeps the last epoch.
        settings: the recipe as this architecture runs it.
        seed: of the run.
        arithmetic: device and format.
        progress: keeps every epoch for a training that is interrupted; None keeps nothing.
    """
    optimizer = torch.optim.AdamW(
        parameter_groups(network, settings), weight_decay=settings["weight_decay"], fused=True
    )
    stepper = Stepper(network, optimizer, settings, arithmetic)
    images, labels = train
    crop = settings["crop"]

    def train_epoch(epoch: int) -> tuple[float, float]:
        network.train()
        views = generator(seed, phase=2, epoch=epoch)
        batches = epoch_batches(epoch_order(len(images), seed, phase=2, epoch=epoch), settings["batch_size"])
        sums = EpochSums(len(batches), arithmetic.device)
        with tqdm(total=len(images), desc=f"epoch {epoch + 1}", unit="image", disable=None, leave=False) as bar:
            for index in batches:
                drawn = draw(len(index), images.side, crop, settings["augmentation"], views)
                view = arithmetic.lay_out(train_view(images.batch(index), crop, drawn))
                label = labels[index.to(labels.device, non_blocking=True)]
                stepper.clock.lap("data")
                sums.add(*stepper.step(view, label))
                bar.update(len(index))
                if not bar.disable:  # reading the sums waits for the device: only where a person watches
                    loss, top1 = sums.means(bar.n)
                    bar.set_postfix(loss=f"{loss:.3f}", top1=f"{100 * top1:.1f} %")
        return sums.means(len(images))

    def validate() -> tuple[float, float]:
        logits = evaluation_outputs(torch_engine(network, arithmetic), val[0], settings["test_crop"])
        return loss_and_top1(logits, val[1])

    judge, clock = validate if val else None, stepper.clock
    return fit(
        2, network, optimizer, settings, train_epoch, judge, len(images), arithmetic.device, clock, stepper, progress
    )
