"""Augmentation of whole batches on the device: one affine warp and one colour matrix per image.

It means what torchvision's per-image transforms RandomCrop, RandomHorizontalFlip, RandomRotation (black corners) and
ColorJitter (random order) mean, with three differences: rotation interpolates bilinearly, hue turns in the YIQ
colour plane instead of HSV (a linear map, so it joins the matrix), and colours are clipped once at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional

from florilegium.warps import further_draws

# ImageNet channel statistics, as torchvision's weights were trained with.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the grey of torchvision's contrast and saturation
# NTSC luma and chroma: Y, I, Q from R, G, B.
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


@dataclass(frozen=True)
class Draw:
    """What was drawn for a batch of n images; every tensor has n rows."""

    top: Tensor  # (n,) first row of the crop in pixels
    left: Tensor  # (n,) first column of the crop in pixels
    flip: Tensor  # (n,) bool
    angle: Tensor  # (n,) degrees, counter-clockwise as torchvision's
    brightness: Tensor  # (n,) factor
    contrast: Tensor  # (n,) factor
    saturation: Tensor  # (n,) factor
    hue: Tensor  # (n,) share of the colour circle
    order: Tensor  # (n, 4) the order of brightness 0, contrast 1, saturation 2, hue 3
    # (n, 2, 3) where views come from in the whole picture, for affine_grid; None: from the crop, as drawn above.
    warp: Tensor | None = None
    border: str = "zeros"  # grid_sample's padding_mode of the warp

    def to(self, device: torch.device) -> Draw:
        """The same draw on a device, without waiting for the copies."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {n: part.to(device, non_blocking=True) for n, part in parts.items() if isinstance(part, Tensor)}
        return Draw(**{**parts, **moved})


def draw(count: int, side: int, crop: int, settings: Mapping[str, float], generator: torch.Generator) -> Draw:
    """Draw one view for each of `count` images.

    Args:
        count: number of images.
        side: their height and width in pixels.
        crop: height and width of the view in pixels.
        settings: the recipe's `augmentation`.
        generator: on the CPU, so that every device draws the same views.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    def factor(strength: float) -> Tensor:
        return uniform(max(0.0, 1 - strength), 1 + strength)

    def offset() -> Tensor:
        return torch.randint(0, side - crop + 1, (count,), generator=generator)

    drawn = Draw(
        top=offset(),
        left=offset(),
        flip=torch.rand(count, generator=generator) < settings["horizontal_flip"],
        angle=uniform(-settings["rotation"], settings["rotation"]),
        brightness=factor(settings["brightness"]),
        contrast=factor(settings["contrast"]),
        saturation=factor(settings["saturation"]),
        hue=uniform(-settings["hue"], settings["hue"]),
        order=torch.rand(count, 4, generator=generator).argsort(dim=1),
    )
    return replace(drawn, **further_draws(drawn, side, crop, settings, generator))


def train_view(images: Tensor, crop: int, drawn: Draw) -> Tensor:
    """Augmented, normalised views.

    Args:
        images: (n, side, side, 3) uint8.
        crop: height and width of the views in pixels.
        drawn: what to do, on any device.

    Returns:
        (n, 3, crop, crop) float32 on the device of `images`.
    """
    device = images.device
    drawn = drawn.to(device)
    # Crop first: what the warp then finds outside is black, as after RandomCrop and RandomRotation.
    whole = drawn.warp is not None
    planes = (images.permute(0, 3, 1, 2) if whole else _cropped(images, crop, drawn)).to(torch.float32)
    grid = functional.affine_grid(drawn.warp, [len(images), 3, crop, crop], False) if whole else _grid(drawn, crop)
    views = functional.grid_sample(planes, grid, mode="bilinear", padding_mode=drawn.border, align_corners=False)
    flat = views.flatten(2)
    matrix, shift = _colours(drawn, flat.mean(dim=2) / 255)
    mean = torch.tensor(MEAN, device=device).view(1, 3, 1)
    std = torch.tensor(STD, device=device).view(1, 3, 1)
    coloured = torch.baddbmm(shift.unsqueeze(2), matrix / 255, flat).clamp_(0, 1).sub_(mean).div_(std)
    return coloured.view_as(views)


def _cropped(images: Tensor, crop: int, drawn: Draw) -> Tensor:
    """The drawn windows of (n, side, side, 3) images as (n, 3, crop, crop), one indexing for the whole batch."""
    windows = images.unfold(1, crop, 1).unfold(2, crop, 1)
    return windows[torch.arange(len(images), device=images.device), drawn.top, drawn.left]


def _grid(drawn: Draw, crop: int) -> Tensor:
    """Where each pixel of the views comes from in the crops, (n, crop, crop, 2), for grid_sample."""
    radians = drawn.angle * (math.pi / 180)
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    mirror = torch.where(drawn.flip, -1.0, 1.0)
    # The inverse of: flip, then rotate counter-clockwise (y points down).
    inverse = torch.stack((mirror * cos, -mirror * sin, zero, sin, cos, zero), dim=1).view(-1, 2, 3)
    return functional.affine_grid(inverse, [len(inverse), 3, crop, crop], align_corners=False)


def _colours(drawn: Draw, mean: Tensor) -> tuple[Tensor, Tensor]:
    """The four colour changes in their drawn order as one matrix (n, 3, 3) and one shift (n, 3).

    Args:
        drawn: the factors.
        mean: (n, 3) mean colour of each image, 0 … 1; contrast turns about its grey.
    """
    luma = torch.tensor(LUMA, device=mean.device)
    single = _single_changes(drawn, luma)
    matrix, shift = torch.eye(3, device=mean.device).expand(len(mean), 3, 3), torch.zeros_like(mean)
    for place in range(4):
        change = single[:, place]
        grey = (1 - drawn.contrast) * (mean @ luma) * (drawn.order[:, place] == 1)
        matrix = change @ matrix
        shift = (change @ shift.unsqueeze(2)).squeeze(2) + grey.unsqueeze(1)
        mean = (change @ mean.unsqueeze(2)).squeeze(2) + grey.unsqueeze(1)
    return matrix, shift


def _single_changes(drawn: Draw, luma: Tensor) -> Tensor:
    """Matrices (n, 4, 3, 3) of the four changes in their drawn order."""
    eye = torch.eye(3, device=luma.device)
    brightness = drawn.brightness.view(-1, 1, 1) * eye
    contrast = drawn.contrast.view(-1, 1, 1) * eye
    keep = drawn.saturation.view(-1, 1, 1)
    saturation = keep * eye + (1 - keep) * luma.expand(3, 3)
    to_yiq = torch.tensor(YIQ, device=luma.device)
    from_yiq = torch.linalg.inv(torch.tensor(YIQ)).to(luma.device)
    turn = drawn.hue * (2 * math.pi)
    cos, sin, one, zero = turn.cos(), turn.sin(), torch.ones_like(turn), torch.zeros_like(turn)
    rotation = torch.stack((one, zero, zero, zero, cos, sin, zero, -sin, cos), dim=1).view(-1, 3, 3)
    hue = from_yiq @ rotation @ to_yiq
    changes = torch.stack((brightness, contrast, saturation, hue), dim=1)
    index = drawn.order.view(-1, 4, 1, 1).expand(-1, -1, 3, 3)
    return changes.gather(1, index)


def evaluation_view(images: Tensor, crop: int) -> Tensor:
    """The whole photograph at crop x crop pixels, normalised.

    Args:
        images: (n, side, side, 3) uint8.
        crop: height and width in pixels; smaller than side is an antialiased bilinear resize.

    Returns:
        (n, 3, crop, crop) float32 on the device of `images`.
    """
    planes = images.permute(0, 3, 1, 2)
    if crop != images.shape[1]:
        # Bilinear stays within 0 … 255; on the CPU the uint8 kernel is the fast one, elsewhere there is none.
        planes = planes if planes.device.type == "cpu" else planes.float()
        planes = functional.interpolate(planes, size=(crop, crop), mode="bilinear", antialias=True)
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1) * 255
    return planes.float().sub_(mean).div_(std)
