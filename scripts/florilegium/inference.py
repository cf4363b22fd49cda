"""Inference: the fastest engine for many images, and the loop over a split.

On a CPU in fp32 that is onnxruntime (its blocked convolutions with fused activations beat torch's on every network
tried); in reduced precision and on GPUs it is torch with BatchNorm folded into the convolutions.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from tqdm import tqdm

from florilegium.augment import evaluation_view
from florilegium.devices import Arithmetic, DeviceImages
from florilegium.onnx_export import INPUT, to_onnx
from florilegium.onnx_sessions import cpu_session

log = logging.getLogger(__name__)

BATCH = {"cpu": 16, "mps": 128, "cuda": 256}  # images; more gains nothing and costs memory
# Pixels (images x crop x crop), here 1000 images of 224: for fewer the seconds of an ONNX export do not come back.
WORTH_AN_EXPORT = 1000 * 224 * 224
# Share of their norm by which reduced precision may move a network's outputs. bf16 moves those of ResNet18, ResNet50
# and EfficientNet-B0 by 0.005 to 0.015, those of MobileNetV2's ImageNet weights by 0.11 (docs/recipes.md).
MOST_MOVED = 0.02
COMPARED = 16  # images

Engine = Callable[[Tensor], Tensor]  # float32 views (n, 3, crop, crop) -> float32 outputs (n, width)


def inference_arithmetic(network: nn.Module, arithmetic: Arithmetic, images: DeviceImages, crop: int) -> Arithmetic:
    """What to compute in where nothing learns: `arithmetic`, or fp32 if that would move the network's outputs.

    Args:
        network: with or without its head; left as it is.
        arithmetic: the recipe's, for this device.
        images: some of which are computed in both.
        crop: height and width of their views in pixels.
    """
    if arithmetic.dtype == torch.float32:
        return arithmetic
    exact = Arithmetic(arithmetic.device, torch.float32)
    some = torch.linspace(0, len(images) - 1, min(COMPARED, len(images))).long()
    views = evaluation_view(images.batch(some), crop)
    found, expected = (torch_engine(network, way)(views) for way in (arithmetic, exact))
    moved = ((found - expected).norm() / expected.norm()).item()
    harmless = moved <= MOST_MOVED  # not-a-number is not
    log.info("%s moves outputs by %.1f %%%s", arithmetic.describe(), 100 * moved, "" if harmless else ": fp32 instead")
    return arithmetic if harmless else exact


def inference_engine(network: nn.Module, arithmetic: Arithmetic, crop: int, images: int) -> Engine:
    """The fastest engine here for `images` views of `crop` pixels; the network itself is left as it is."""
    if arithmetic.device.type == "cpu" and arithmetic.dtype == torch.float32 and images * crop**2 >= WORTH_AN_EXPORT:
        try:
            return onnx_engine(network, crop)
        except Exception as error:  # the exporter raises many kinds; torch is slower, not wrong
            log.info("torch computes, as the network cannot be exported: %s", _first_line(error))
    return torch_engine(network, arithmetic)


def onnx_engine(network: nn.Module, crop: int) -> Engine:
    """Onnxruntime on the CPU."""
    model = to_onnx(copy.deepcopy(network).float().cpu().eval(), crop)
    session = cpu_session(model, torch.get_num_threads())
    return lambda views: torch.from_numpy(session.run(None, {INPUT: views.numpy()})[0])


def torch_engine(network: nn.Module, arithmetic: Arithmetic) -> Engine:
    """Torch in the chosen format, BatchNorm folded where torch.fx can trace the network."""
    inferring = folded(network, arithmetic)

    @torch.inference_mode()
    def forward(views: Tensor) -> Tensor:
        return inferring(arithmetic.lay_out(views.to(arithmetic.dtype))).float()

    return forward


@torch.no_grad()
def folded(network: nn.Module, arithmetic: Arithmetic) -> nn.Module:
    """A copy for inference in the chosen format, BatchNorm folded where torch.fx can trace the network."""
    copied = copy.deepcopy(network).eval()
    try:
        copied = fuse(copied)
    except Exception as error:  # unfolded is slower, not wrong
        log.info("BatchNorm stays unfolded: %s", _first_line(error))
    return copied.requires_grad_(False).to(arithmetic.device, arithmetic.dtype, memory_format=torch.channels_last)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def batches(images: DeviceImages) -> Iterator[Tensor]:
    """Positions of all images in order, a batch at a time."""
    return iter(torch.arange(len(images)).split(BATCH[images.device.type]))


@torch.inference_mode()
def evaluation_outputs(
    engine: Engine, images: DeviceImages, crop: int, desc: str = "", mirrored: bool = False
) -> Tensor:
    """What an engine says of every image of a split.

    Args:
        engine: of a network, with or without its head.
        images: the split.
        crop: height and width of the views in pixels.
        desc: name of the progress bar; empty shows none.
        mirrored: show the engine each image's mirror image, left and right exchanged.

    Returns:
        (images, outputs) float32: logits, or features when the head is gone.
    """
    parts = []
    with tqdm(total=len(images), desc=desc, unit="image", disable=None if desc else True, leave=False) as bar:
        for index in batches(images):
            views = evaluation_view(images.batch(index), crop)
            parts.append(engine(views.flip(3) if mirrored else views))
            bar.update(len(index))
    return torch.cat(parts)
