"""Phase 2: the whole network learns, each stage at its own rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from florilegium.augment import draw, evaluation_view, train_view
from florilegium.averaging import Averaged, batch_norms, reestimate_batch_norm
from florilegium.devices import Arithmetic, DeviceImages
from florilegium.epoch_sums import EpochSums
from florilegium.freezing import FrozenStages
from florilegium.inference import evaluation_outputs, inference_arithmetic, torch_engine
from florilegium.mixing import mix
from florilegium.networks import first_stages, head_name, stages
from florilegium.outcome import Fit
from florilegium.progress import Progress
from florilegium.schedules import Schedule
from florilegium.seeds import epoch_order, generator
from florilegium.stepper import Stepper
from florilegium.training import epoch_batches, fit, loss_and_top1, steps_per_epoch, validation_due

GRAIN = 32  # pixels; networks halve their input five times


def parameter_groups(network: nn.Module, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Optimizer groups, each with its learning rate: one per stage from input to output, the head last.

    Frozen stages (`phase2.frozen_stages`) have none. Where the recipe spares biases and normalisation layers weight
    decay (`decay_norms`), groups of these stand before.
    """
    phase2 = settings["phase2"]
    backbone = stages(network)[phase2["frozen_stages"] :]
    groups = [
        {
            "name": name,
            "params": parameters,
            "lr": phase2["backbone_learning_rate"] * phase2["stage_decay"] ** (len(backbone) - 1 - place),
        }
        for place, (name, parameters) in enumerate(backbone)
    ]
    head = network.get_submodule(head_name(network))
    groups.append({"name": "head", "params": list(head.parameters()), "lr": phase2["head_learning_rate"]})
    if settings["decay_norms"]:
        return groups
    spared = [
        group | {"name": f"{group['name']}, no decay", "weight_decay": 0.0, "params": _vectors(group["params"], True)}
        for group in groups
    ]
    decayed = [group | {"params": _vectors(group["params"], False)} for group in groups]
    # A stage that is one BatchNorm has nothing to decay; an empty group does no harm and keeps the last two in place.
    return [group for group in spared if group["params"]] + decayed


def _vectors(parameters: list[nn.Parameter], wanted: bool) -> list[nn.Parameter]:
    """Those with one dimension, which biases and normalisation layers have, or the others."""
    return [parameter for parameter in parameters if (parameter.ndim <= 1) == wanted]


def crop_of_epoch(epoch: int, settings: Mapping[str, Any]) -> int:
    """Side in pixels of the views of an epoch (0-based): `first_crop` grows evenly to `crop`, in steps of 32.

    Progressive resizing, as in Tan and Le 2021 (https://arxiv.org/abs/2104.00298).
    """
    last, first, epochs = settings["crop"], settings["phase2"]["first_crop"], settings["phase2"]["epochs"]
    if first is None or epoch >= epochs - 1:
        return last
    return min(last, max(first, round((first + (last - first) * epoch / (epochs - 1)) / GRAIN) * GRAIN))


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
    phase2, (images, labels) = settings["phase2"], train
    inferring = inference_arithmetic(network, arithmetic, images, settings["test_crop"])
    frozen = FrozenStages(network, phase2["frozen_stages"], inferring)
    optimizer = torch.optim.AdamW(
        parameter_groups(network, settings), weight_decay=settings["weight_decay"], fused=True
    )
    average = Averaged(network, phase2)
    stepper = Stepper(network, optimizer, settings, arithmetic)
    steps = steps_per_epoch(len(images), settings["batch_size"])
    schedule = Schedule(optimizer, phase2["schedule"], phase2["epochs"], steps)
    classes = network.get_submodule(head_name(network)).out_features

    def train_epoch(epoch: int) -> tuple[float, float]:
        _to_training(network, phase2)
        views, crop = generator(seed, phase=2, epoch=epoch), crop_of_epoch(epoch, settings)
        cut = epoch_batches(epoch_order(len(images), seed, phase=2, epoch=epoch), settings["batch_size"])
        sums = EpochSums(len(cut), arithmetic.device)
        progress_bar = tqdm(total=len(images), desc=f"epoch {epoch + 1}", unit="image", disable=None, leave=False)
        with frozen.computing(), progress_bar as bar:
            for index in cut:
                drawn = draw(len(index), images.side, crop, settings["augmentation"], views)
                label = labels[index.to(labels.device, non_blocking=True)]
                view, target = mix(train_view(images.batch(index), crop, drawn), label, classes, phase2, views)
                view = arithmetic.lay_out(view)
                stepper.clock.lap("data")
                sums.add(*stepper.step(view, label, target))
                schedule.after_step()
                average.after_step()
                stepper.clock.lap("update")
                bar.update(len(index))
                if not bar.disable:  # reading the sums waits for the device: only where a person watches
                    loss, top1 = sums.means(bar.n)
                    bar.set_postfix(loss=f"{loss:.3f}", top1=f"{100 * top1:.1f} %")
        average.after_epoch(epoch)
        if phase2["batch_norm"] == "reestimate" and validation_due(epoch + 1, phase2):
            kept = average.network
            layers = learning_batch_norms(kept, phase2["frozen_stages"])
            reestimate_batch_norm(layers, _forwards(kept, images, cut, settings["test_crop"], inferring))
        return sums.means(len(images))

    def validate() -> tuple[float, float]:
        logits = evaluation_outputs(torch_engine(average.network, inferring), val[0], settings["test_crop"])
        return loss_and_top1(logits, val[1])

    parts = {"network": network, "optimizer": optimizer, "schedule": schedule, "average": average, "stepper": stepper}
    judge, clock = validate if val else None, stepper.clock
    return fit(2, parts, settings, train_epoch, judge, len(images), arithmetic.device, clock, progress)


def _to_training(network: nn.Module, phase2: Mapping[str, Any]) -> None:
    network.train()
    for stage in first_stages(network, phase2["frozen_stages"]):
        stage.eval()
    if phase2["batch_norm"] == "frozen":
        for layer in batch_norms(network):
            layer.eval()


def learning_batch_norms(network: nn.Module, frozen_stages: int) -> list[nn.Module]:
    """The network's BatchNorm layers that do not belong to its frozen stages."""
    frozen = [layer for stage in first_stages(network, frozen_stages) for layer in batch_norms(stage)]
    return [layer for layer in batch_norms(network) if layer not in frozen]


@torch.no_grad()
def _forwards(
    network: nn.Module, images: DeviceImages, cut: list[Tensor], crop: int, arithmetic: Arithmetic
) -> Iterator[None]:
    """The network computes the training images as validation sees them.

    In the batches of training, `cut`: those of neighbours in the split hold few classes, and vary less than the split.
    """
    for index in cut:
        with arithmetic.autocast():
            network(arithmetic.lay_out(evaluation_view(images.batch(index), crop)))
        yield
