"""Where a network looks: Grad-CAM of a run's final checkpoint, laid over the photograph."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

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
    # The network sees the photograph squashed to a square: stretched back, the map lies where it belongs.
    stretched = Image.fromarray((255 * heat).astype(np.uint8)).resize(shown.size, Image.Resampling.BICUBIC)
    weight = np.asarray(stretched, np.float32)[..., None] / 255
    colours = matplotlib.colormaps["inferno"](weight[..., 0])[..., :3] * 255
    blended = np.asarray(shown, np.float32) * (1 - 0.65 * weight) * 0.8 + colours * 0.65 * weight
    return Image.fromarray(blended.clip(0, 255).astype(np.uint8))


def heat_map(checkpoint: Path, picture: Image.Image, class_name: str) -> np.ndarray | None:
    """Grad-CAM of a class, (height, width) from 0 to 1, of the last layer that still has places.

    Source: Selvaraju et al., Grad-CAM, 2017 (arXiv:1610.02391), as captum computes it.
    """
    import torch
    from captum.attr import LayerGradCam

    from florilegium.augment import evaluation_view

    network, about = _loaded(checkpoint, checkpoint.stat().st_mtime_ns)
    crop = about["settings"]["crop"]
    square = picture.resize((crop, crop), Image.Resampling.BILINEAR)
    view = evaluation_view(torch.from_numpy(np.array(square))[None], crop)
    layer = last_layer_with_places(network, view)
    if layer is None:
        return None
    label = about["class_names"].index(class_name)
    # Probabilities depend on how a logit differs from the others: of a logit alone, all of the map may be negative.
    above_the_mean = LayerGradCam(lambda views: (logits := network(views)) - logits.mean(1, keepdim=True), layer)
    heat = above_the_mean.attribute(view, target=label, relu_attributions=True)
    heat = heat.detach()[0, 0].numpy()
    return (heat - heat.min()) / max(float(np.ptp(heat)), 1e-12)  # the same everywhere: nothing stands out


def last_layer_with_places(network: Any, view: Any) -> Any:
    """The module that is the last to return (1, channels, height, width) with more than one place; None without one."""
    found, hooks = [], []

    def remember(module: Any, _inputs: Any, output: Any) -> None:
        if getattr(output, "ndim", 0) == 4 and min(output.shape[2:]) > 1:
            found.append(module)

    for module in network.modules():
        hooks.append(module.register_forward_hook(remember))
    network(view)
    for hook in hooks:
        hook.remove()
    return found[-1] if found else None


@functools.lru_cache(4)
def _loaded(checkpoint: Path, changed: int) -> tuple[Any, dict[str, Any]]:
    """The network of a checkpoint and its metadata; one that `changed` since is loaded again."""
    from florilegium.checkpoints import load_network

    return load_network(checkpoint)
