"""Training and evaluation views as pictures that a person can look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from florilegium.augment import MEAN, STD, draw, evaluation_view, train_view


def views_of(picture: np.ndarray, settings: Mapping[str, Any], count: int, seed: int) -> np.ndarray:
    """The evaluation view of a photograph and `count` training views, as the network gets them.

    All have the side of training views, so that they stand in one grid; only that of the evaluation view may differ in
    truth (`test_crop`).

    Args:
        picture: (side, side, 3) uint8, a row of a pixel file.
        settings: `crop` and `augmentation` of a recipe.
        count: number of training views.
        seed: another seed draws other views.

    Returns:
        (1 + count, crop, crop, 3) uint8, the evaluation view first.
    """
    images, crop = torch.from_numpy(picture)[None], settings["crop"]
    drawn = draw(count, len(picture), crop, settings["augmentation"], torch.Generator().manual_seed(seed))
    trained = train_view(images.expand(count, -1, -1, -1), crop, drawn)
    return _visible(torch.cat([evaluation_view(images, crop), trained]))


def _visible(views: Tensor) -> np.ndarray:
    """Normalised (n, 3, h, w) as (n, h, w, 3) uint8."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (views * std + mean).mul(255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
