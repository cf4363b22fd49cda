"""Where a network looks: Grad-CAM of a run's final checkpoint, laid over the photograph."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from florilegium.images import MIDDLE_SHARES, to_square

SHOWN = 320  # pixels of the longer side


def overlay(checkpoint: Path, picture: Image.Image, class_name: str) -> Image.Image | None:
    """`picture` with the heat map of a class on it; None for a network without a map of the place (a ViT).

    Torch is imported with the first call, which takes seconds.
    """
    heat = heat_map(checkpoint, picture, class_name)
    if heat is None:
        return None
    shown = picture.copy()
    shown.thumbnail((SHOWN, SHOWN))
    # The network sees a square, the whole photograph squashed or its middle: stretched back, the map lies where it
    # belongs. What the network did not see stays dark.
    _, mode = _view(_loaded(checkpoint, checkpoint.stat().st_mtime_ns)[1])
    middle = round(min(shown.size) * MIDDLE_SHARES.get(mode, 1))
    width, height = shown.size if mode == "squash" else (middle, middle)
    stretched = Image.fromarray((255 * heat).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    whole = Image.new("L", shown.size)
    whole.paste(stretched, ((shown.width - width) // 2, (shown.height - height) // 2))
    weight = np.asarray(whole, np.float32)[..., None] / 255
    colours = matplotlib.colormaps["inferno"](weight[..., 0])[..., :3] * 255
    blended = np.asarray(shown, np.float32) * (1 - 0.65 * weight) * 0.8 + colours * 0.65 * weight
    return Image.fromarray(blended.clip(0, 255).astype(np.uint8))


def heat_map(checkpoint: Path, picture: Image.Image, class_name: str) -> np.ndarray | None:
    """Grad-CAM of a class, (height, width) from 0 to 1, of the last layer that still has places."""
    import torch

    from florilegium.augment import evaluation_view
    from florilegium.explanations import grad_cam
    from florilegium.layers import cam_layer

    network, about = _loaded(checkpoint, checkpoint.stat().st_mtime_ns)
    crop, mode = _view(about)
    square = to_square(picture, crop, mode)
    view = evaluation_view(torch.from_numpy(np.array(square))[None], crop)
    layer, _ = cam_layer(network, view, smallest=2)  # a coarse map is better than none
    if layer is None:
        return None
    label = torch.tensor([about["class_names"].index(class_name)])
    heat = grad_cam(network, layer, view, label, torch.device("cpu"))[0].numpy()
    return (heat - heat.min()) / max(float(np.ptp(heat)), 1e-12)  # the same everywhere: nothing stands out


def _view(about: dict[str, Any]) -> tuple[int, str]:
    """Side of the view that evaluates, and how a photograph becomes a square; checkpoints from before say neither."""
    settings = about["settings"]
    return settings.get("test_crop", settings["crop"]), settings.get("resize_mode", "squash")


@functools.lru_cache(4)
def _loaded(checkpoint: Path, changed: int) -> tuple[Any, dict[str, Any]]:
    """The network of a checkpoint and its metadata; one that `changed` since is loaded again."""
    from florilegium.checkpoints import load_network

    return load_network(checkpoint)
