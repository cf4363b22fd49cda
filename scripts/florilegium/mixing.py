"""Mixed training images: mixup and CutMix of a batch with itself in another order."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def mix(
    views: Tensor, labels: Tensor, classes: int, settings: Mapping[str, float], generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """A batch mixed as the recipe says.

    mixup (Zhang et al. 2018, https://arxiv.org/abs/1710.09412) blends every image with its partner; CutMix (Yun et al.
    2019, https://arxiv.org/abs/1905.04899) puts a rectangle of the partner into it. One share is drawn for the batch,
    as in both papers.

    Args:
        views: (n, channels, side, side).
        labels: (n,) on the device of `views`.
        classes: number of them.
        settings: the recipe's phase 2 (`mixup`, `cutmix`); when both are 0, nothing is drawn.
        generator: on the CPU, so that every device mixes alike.

    Returns:
        The views and their targets (n, classes), whose rows add up to 1; the views as they were and None when nothing
        is mixed.
    """
    kinds = [kind for kind in ("mixup", "cutmix") if settings[kind] > 0]
    if not kinds:
        return views, None
    # torch draws no Beta from a generator of one's own.
    random = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    kind = kinds[random.integers(len(kinds))]
    share = float(random.beta(settings[kind], settings[kind]))
    partner = torch.roll(torch.arange(len(views), device=views.device), 1)
    if kind == "mixup":
        views = views.lerp(views[partner], 1 - share)
    else:
        top, bottom, left, right = _rectangle(views.shape[2], 1 - share, random)
        views = views.clone()
        views[:, :, top:bottom, left:right] = views[partner, :, top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / views.shape[2] ** 2
    hot = functional.one_hot(labels, classes).float()
    return views, hot.lerp(hot[partner], 1 - share)


def _rectangle(side: int, area: float, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a square of the share `area`, its centre drawn evenly, cut off at the border."""
    half = side * math.sqrt(area) / 2
    row, column = random.integers(side, size=2)
    ends = (row - half, row + half, column - half, column + half)
    return tuple(round(min(max(end, 0), side)) for end in ends)
