"""Where a network still has a picture: which layers give maps, which of them Grad-CAM can ask, what the filters are."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from florilegium.networks import stages

SMALLEST_MAP = 4  # rows and columns; a coarser one does not say where in the photograph


class Output(NamedTuple):
    """What one layer gave for one view."""

    name: str
    calls: int  # how often the layer was called; a layer that is called again and again has no single map
    shape: tuple[int, ...]


def outputs(network: nn.Module, view: Tensor) -> list[Output]:
    """The layers of a network in the order in which they finished, each where it did so last; view (1, 3, h, w)."""
    found: dict[str, Output] = {}

    def note(name: str, result: object) -> None:
        if isinstance(result, Tensor):
            calls = found.pop(name).calls + 1 if name in found else 1  # popped, so that it moves to the end
            found[name] = Output(name, calls, tuple(result.shape))

    hooks = [
        layer.register_forward_hook(lambda _layer, _given, result, name=name: note(name, result))
        for name, layer in network.named_modules()
        if name and not isinstance(layer, nn.AdaptiveAvgPool2d)  # which may blow up a single pixel to a map
    ]
    try:
        with torch.inference_mode():
            network(view)
    finally:
        for hook in hooks:
            hook.remove()
    return list(found.values())


def places(network: nn.Module, found: list[Output]) -> list[Output]:
    """The outputs of the backbone's stages; one that is several in a row (VGG's `features`) counts as its parts."""
    given, shown = {output.name: output for output in found}, set()
    for name, _ in stages(network):
        if name in given:
            parts = [f"{name}.{part}" for part, _ in network.get_submodule(name).named_children()]
            sides = {given[part].shape[2:] for part in parts if part in given and is_map(given[part].shape)}
            shown |= set(parts) if len(sides) > 2 else {name}
    return [output for output in found if output.name in shown and output.calls == 1]


def cam_layer(network: nn.Module, view: Tensor, smallest: int = SMALLEST_MAP) -> tuple[str | None, str]:
    """The last layer that gives maps of at least `smallest` rows: the last such stage, else the last such layer.

    Returns:
        Its dotted name and ""; or None and the reason in words.
    """
    found = outputs(network, view)
    once = [output for output in found if output.calls == 1]
    maps = [output for output in places(network, found) if is_map(output.shape, smallest)]
    maps = maps or [output for output in once if is_map(output.shape, smallest)]
    if not maps:
        side = f"{view.shape[-1]} x {view.shape[-1]} pixels"
        return None, f"no layer gives maps of {smallest} x {smallest} or more at {side}"
    after = [output.shape for output in found[found.index(maps[-1]) + 1 :]]
    if any(len(shape) == 3 for shape in after):
        return None, f"after {maps[-1].name} it mixes patches as a sequence, and no later layer gives maps"
    if any(_channels_last(shape) and shape[1] >= smallest for shape in after):
        return None, f"after {maps[-1].name} its maps have the channels last, which Grad-CAM does not read"
    return maps[-1].name, ""


def is_map(shape: tuple[int, ...], smallest: int = 2) -> bool:
    """Whether an output is (n, channels, side, side) with a side of at least `smallest`."""
    return len(shape) == 4 and shape[2] == shape[3] >= smallest


def _channels_last(shape: tuple[int, ...]) -> bool:
    """(n, side, side, channels), as in Swin."""
    return len(shape) == 4 and shape[1] == shape[2] != shape[3]


def stage_maps(network: nn.Module, view: Tensor, channels: int) -> list[tuple[str, Tensor]]:
    """What the stages make of one view.

    Args:
        network: in eval mode.
        view: (1, 3, crop, crop).
        channels: how many of each stage at most: those that differ most over the picture.

    Returns:
        For each size of maps the last stage that gives it, from input to output: name and maps (channels, side, side).
    """
    last = {}
    for output in places(network, outputs(network, view)):
        side = output.shape[1] if _channels_last(output.shape) else output.shape[-1]
        if side > 1 and (is_map(output.shape) or _channels_last(output.shape)):
            last[side] = output.name
    return [(name, _liveliest(_output_of(network, name, view), channels)) for name in last.values()]


def _output_of(network: nn.Module, name: str, view: Tensor) -> Tensor:
    """Maps (channels, side, side) of one layer."""
    kept = []
    # A copy: the next layer may write into what this one gave.
    keep = network.get_submodule(name).register_forward_hook(lambda _layer, _given, result: kept.append(result.clone()))
    try:
        with torch.inference_mode():
            network(view)
    finally:
        keep.remove()
    maps = kept[0].permute(0, 3, 1, 2) if _channels_last(tuple(kept[0].shape)) else kept[0]
    return maps[0].float()


def _liveliest(maps: Tensor, count: int) -> Tensor:
    flat = maps.flatten(1)
    low, high = flat.quantile(0.02, dim=1, keepdim=True), flat.quantile(0.98, dim=1, keepdim=True)
    # Clipped: otherwise channels would be chosen for what the padding does in the corners.
    order = flat.clamp(low, high).std(dim=1).argsort(descending=True, stable=True)
    return maps[order[:count].sort().values].cpu().clone()


def first_filters(network: nn.Module) -> tuple[Tensor | None, str]:
    """Weights (filters, 3, height, width) of the first convolution and its name; or None and the reason in words."""
    for name, layer in network.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            if isinstance(layer, nn.Conv2d) and layer.in_channels == 3 and layer.groups == 1:
                return layer.weight.detach().float().cpu(), name
            return None, f"its first layer, {name}, is no convolution over red, green and blue"
    return None, "it has no convolution"
