"""Views that are more than a cut-out: scaled windows, and one TrivialAugment change a view, as one affine warp each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from florilegium.augment import Draw

# The widest changes of TrivialAugment (Müller and Hutter 2021, https://arxiv.org/abs/2103.10158), to either side.
# Shift: 32 of 224 pixels, as share of half a view. Hue is not theirs: it stands for posterising and solarising, which
# are no affine change of colours.
WIDEST = {
    "shear_x": 0.99,
    "shear_y": 0.99,
    "shift_x": 2 * 32 / 224,
    "shift_y": 2 * 32 / 224,
    "rotation": 135.0,
    "brightness": 0.99,
    "contrast": 0.99,
    "saturation": 0.99,
    "hue": 0.5,
}


def further_draws(
    drawn: Draw, side: int, crop: int, settings: Mapping[str, Any], generator: torch.Generator
) -> dict[str, Any]:
    """What changes of a draw when the recipe asks for windows, TrivialAugment or a reflecting border.

    Args:
        drawn: flip, angle and colours of the views, and where a view of `crop` pixels lies.
        side: height and width of the pictures in pixels.
        crop: height and width of the views in pixels.
        settings: the recipe's `augmentation`.
        generator: on the CPU; nothing is drawn from it when the recipe asks for none of these.

    Returns:
        Fields of Draw by name; none when the recipe asks for none of these.
    """
    if settings["min_area"] is None and not settings["trivial"] and settings["border"] == "black":
        return {}
    count = len(drawn.flip)
    if settings["min_area"] is None:
        window = torch.stack((drawn.top, drawn.left), 1).float(), torch.full((count, 2), float(crop))
    else:
        window = _windows(count, side, settings, generator)
    linear, shift, changed = torch.eye(2).repeat(count, 1, 1), torch.zeros(count, 2), {}
    if settings["trivial"]:
        amounts = _trivial(count, settings["trivial"], generator)
        linear[:, 0, 1], linear[:, 1, 0] = amounts["shear_x"], amounts["shear_y"]
        shift = torch.stack((amounts["shift_x"], amounts["shift_y"]), 1)
        changed = {key: 1 + amounts[key] for key in ("brightness", "contrast", "saturation")}
        changed |= {"angle": amounts["rotation"], "hue": amounts["hue"]}
    warp = _warp(*window, side, drawn.flip, changed.get("angle", drawn.angle), linear, shift)
    border = {"black": "zeros", "reflection": "reflection"}[settings["border"]]
    return changed | {"warp": warp, "border": border}


def _windows(count: int, side: int, settings: Mapping[str, Any], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """First row and column (n, 2), height and width (n, 2) of windows in pixels.

    As torchvision's RandomResizedCrop draws them: area evenly, shape evenly in its logarithm; a side that would be
    longer than that of the largest square is cut off, where torchvision draws again. A window that is larger than the
    picture holds all of it, somewhere.
    """
    random, most = torch.rand(count, 4, generator=generator), settings["max_area"]
    area = settings["min_area"] + (most - settings["min_area"]) * random[:, 0]
    stretch = (math.log(settings["max_stretch"]) * (2 * random[:, 1] - 1)).exp()
    size = side * torch.stack(((area / stretch).sqrt(), (area * stretch).sqrt()), 1).clamp_max(most**0.5)
    return random[:, 2:] * (side - size), size


def _trivial(count: int, strength: float, generator: torch.Generator) -> dict[str, Tensor]:
    """By change of WIDEST, (n,) strengths: of each view one is drawn, or none; the others are 0."""
    chosen = torch.randint(len(WIDEST) + 1, (count,), generator=generator)
    amount = strength * (2 * torch.rand(count, generator=generator) - 1)
    return {name: widest * amount * (chosen == place) for place, (name, widest) in enumerate(WIDEST.items())}


def _warp(first: Tensor, size: Tensor, side: int, flip: Tensor, angle: Tensor, shear: Tensor, shift: Tensor) -> Tensor:
    """(n, 2, 3) for affine_grid: view to window to picture, the inverse of window, flip, turn, shear, shift."""
    radians = angle * (math.pi / 180)
    cos, sin = radians.cos(), radians.sin()
    mirror = torch.where(flip, -1.0, 1.0)
    turn = torch.stack((torch.stack((mirror * cos, -mirror * sin), 1), torch.stack((sin, cos), 1)), 1)
    scale = size.flip(1) / side  # x before y, as affine_grid has them
    centre = (2 * first + size).flip(1) / side - 1
    linear = scale.unsqueeze(2) * (turn @ shear)
    return torch.cat((linear, (linear @ shift.unsqueeze(2)) + centre.unsqueeze(2)), 2)
