"""Grad-CAM: which part of a photograph speaks for a class (Selvaraju et al. 2017), by captum.

A class's logit is taken above the mean logit of all classes: softmax sees no more than differences, and a fine-tuned
network may be certain with logits that are negative throughout, where the plain Grad-CAM would show nothing.
"""

from __future__ import annotations

import copy

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from florilegium.devices import Arithmetic


def grad_cam(network: nn.Module, layer: str, views: Tensor, classes: Tensor, device: torch.device) -> Tensor:
    """Heat maps at the size of a layer's maps, in fp32.

    Args:
        network: in eval mode; it is left as it is.
        layer: dotted name of a layer that gives maps (`layers.cam_layer`).
        views: (n, 3, crop, crop).
        classes: (n,) the class that each map is about.
        device: where to compute.

    Returns:
        (n, side, side) float32 on the CPU, 0 or more: how much a place raises the class above the mean of all.
    """
    explained = Arithmetic(device, torch.float32).place(copy.deepcopy(network).float().eval())
    attribution = LayerGradCam(lambda view: _above_mean(explained(view)), explained.get_submodule(layer))
    heats = []
    for view, target in zip(views.split(1), classes.tolist(), strict=True):  # one at a time: memory of a big network
        heat = attribution.attribute(view.float().to(device), target=target, relu_attributions=True)
        heats.append(heat.detach()[:, 0].cpu())
    return torch.cat(heats)


def _above_mean(logits: Tensor) -> Tensor:
    return logits - logits.mean(dim=1, keepdim=True)
