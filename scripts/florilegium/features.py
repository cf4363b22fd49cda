"""Phase 1's expensive half: what the frozen backbone says of every view the head will ever see, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from florilegium.augment import draw, train_view
from florilegium.devices import DeviceImages
from florilegium.inference import Engine, batches
from florilegium.seeds import generator

HALF_MAX = torch.finfo(torch.float16).max


def training_features(
    backbone: Engine,
    images: DeviceImages,
    settings: Mapping[str, Any],
    seed: int,
    out: np.ndarray,
) -> None:
    """Fill `out` with the features of the augmented views of all phase-1 epochs.

    A frozen backbone whose BatchNorm is in eval mode gives the same features whatever the head has learned, so the
    views of all epochs can be computed before the head exists.

    Args:
        backbone: the inference engine of a network without its head.
        images: the training split.
        settings: the recipe (crop, augmentation, phase1.epochs).
        seed: of the run; epoch e draws its views from (seed, phase 1, e).
        out: (epochs, images, width) float16, written in place.
    """
    epochs = settings["phase1"]["epochs"]
    with tqdm(total=epochs * len(images), desc="features", unit="image", disable=None) as bar:
        for epoch in range(epochs):
            views = generator(seed, phase=1, epoch=epoch)
            for index in batches(images):
                drawn = draw(len(index), images.side, settings["crop"], settings["augmentation"], views)
                view = train_view(images.batch(index), settings["crop"], drawn)
                # A random backbone can exceed what float16 holds; infinity would end the head's training.
                features = backbone(view).clamp(-HALF_MAX, HALF_MAX)
                out[epoch, index.numpy()] = features.to(torch.float16).cpu().numpy()
                bar.update(len(index))
