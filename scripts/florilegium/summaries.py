"""What a network consists of, read from the network itself: stages, layers, multiply-adds, and what learns when.

The networks may be built on torch's meta device, which has shapes and no numbers: then none of this costs anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from florilegium.networks import build_network, head_name, stages

# What BatchNorm's statistics do in phase 2 outside of frozen stages, by the recipe's `batch_norm`.
STATISTICS = {"learn": "follow the batches", "frozen": "frozen", "reestimate": "measured on the training images"}


def outline(architecture: str, classes: int, dropout: float | None = None) -> nn.Module:
    """The network of a run without its numbers where it can be built so (RegNet cannot), in eval mode."""
    try:
        with torch.device("meta"):
            return build_network(architecture, classes, dropout, seed=0).eval()
    except NotImplementedError:
        return build_network(architecture, classes, dropout, seed=0).eval()


def count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(network: nn.Module, crop: int) -> float:
    """10^9 multiply-adds for one photograph of crop x crop pixels (torch counts each as two operations)."""
    with FlopCounterMode(display=False) as counter:
        _forward(network, crop)
    return counter.get_total_flops() / 2e9


def stage_table(network: nn.Module, crop: int) -> pd.DataFrame:
    """One row per stage from input to output, the head last; neighbours with the same output shape share a row.

    Args:
        network: of `outline`, or with numbers.
        crop: side of the photograph in pixels.

    Returns:
        Columns stage (name), blocks, output (shape in words), parameters, share (0 … 1 of all), names (of the stages
        of `networks.stages` in the row).
    """
    parts = [(name, sum(p.numel() for p in parameters)) for name, parameters in stages(network)]
    head_is = head_name(network)
    # A stage that ends in the head has no output of its own, nor has one without a module (ViT's class token).
    shapes = _shapes(network, crop, [name for name, _ in parts if not head_is.startswith(f"{name}.")])
    rows: list[dict[str, Any]] = []
    for output, group in itertools.groupby(parts, lambda part: shapes.get(part[0], f"– {part[0]}")):
        names, sizes = zip(*group, strict=True)
        blocks = len(names) if len(names) > 1 and "." in names[0] else sum(_blocks(network, name) for name in names)
        row = {"stage": _span(names), "blocks": blocks, "output": output.split(" ")[0]}
        rows.append(row | {"parameters": sum(sizes), "names": list(names)})
    head = network.get_submodule(head_is)
    row = {"stage": f"{head_is} (head)", "blocks": 1, "output": str(head.out_features)}
    rows.append(row | {"parameters": count(head), "names": ["head"]})
    table = pd.DataFrame(rows)
    table.insert(4, "share", table["parameters"] / table["parameters"].sum())
    return table


def _span(names: tuple[str, ...]) -> str:
    """features.4, features.5, features.6 as features.4 – 6; conv1, bn1 with a comma."""
    if len(names) == 1:
        return names[0]
    prefix, _, first = names[0].rpartition(".")
    return f"{prefix}.{first} – {names[-1].rpartition('.')[2]}" if prefix else ", ".join(names)


def _blocks(network: nn.Module, name: str) -> int:
    """Children that consist of layers themselves; a stage of bare layers is one block, BatchNorm alone none."""
    if name.endswith("(own)"):
        return 0
    children = list(network.get_submodule(name).children())
    if not children:
        return int(isinstance(network.get_submodule(name), (nn.Conv2d, nn.Linear)))
    return sum(len(list(child.children())) > 0 for child in children) or 1


def block_table(network: nn.Module, name: str, crop: int) -> pd.DataFrame:
    """The layers with parameters of one block, in the order of their names: layer, kind, output, parameters."""
    block = network.get_submodule(name)
    layers = [(path, layer) for path, layer in block.named_modules() if _leaf(layer)]
    shapes = _shapes(network, crop, [f"{name}.{path}" for path, _ in layers])
    rows = [(path, kind(layer), shapes[f"{name}.{path}"], count(layer)) for path, layer in layers]
    return pd.DataFrame(rows, columns=["layer", "kind", "output", "parameters"])


def _leaf(layer: nn.Module) -> bool:
    return not list(layer.children()) and count(layer) > 0


def kind(layer: nn.Module) -> str:
    """A layer in words: `3×3 conv, 64 → 64`, `3×3 depthwise, 96, stride 2`, `BatchNorm, 64`."""
    if isinstance(layer, nn.Conv2d):
        size = "×".join(map(str, layer.kernel_size))
        stride = f", stride {layer.stride[0]}" if layer.stride[0] > 1 else ""
        if layer.groups == layer.in_channels > 1:
            return f"{size} depthwise, {layer.in_channels}{stride}"
        return f"{size} conv, {layer.in_channels} → {layer.out_channels}{stride}"
    if isinstance(layer, nn.Linear):
        return f"linear, {layer.in_features} → {layer.out_features}"
    if isinstance(layer, nn.BatchNorm2d):
        return f"BatchNorm, {layer.num_features}"
    return type(layer).__name__


def phase_table(network: nn.Module, phase2: Mapping[str, Any]) -> pd.DataFrame:
    """How many parameters learn and how many are frozen in each phase; BatchNorm's statistics count as buffers.

    Args:
        network: of `outline`, or with numbers.
        phase2: the recipe's, which may freeze stages and BatchNorm's statistics.
    """
    head, total = count(network.get_submodule(head_name(network))), count(network)
    frozen = sum(p.numel() for _, parameters in stages(network)[: phase2["frozen_stages"]] for p in parameters)
    buffers = sum(buffer.numel() for buffer in network.buffers())
    rows = [
        ("1, new head", head, total - head, buffers, "frozen"),
        ("2, whole network", total - frozen, frozen, buffers, STATISTICS[phase2["batch_norm"]]),
    ]
    return pd.DataFrame(rows, columns=["phase", "learn", "frozen", "buffers", "BatchNorm statistics"])


def _shapes(network: nn.Module, crop: int, names: list[str]) -> dict[str, str]:
    """Output shape of the named modules for one photograph, in words: 64×56×56."""
    found: dict[str, str] = {}

    def note(name: str, output: Any) -> None:
        if isinstance(output, Tensor):
            found[name] = "×".join(str(size) for size in output.shape[1:])

    modules = {name: network.get_submodule(name) for name in names if not name.endswith("(own)")}
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: note(name, output))
        for name, module in modules.items()
    ]
    try:
        _forward(network, crop)
    finally:
        for hook in hooks:
            hook.remove()
    return found


@torch.inference_mode()
def _forward(network: nn.Module, crop: int) -> None:
    network(torch.zeros(1, 3, crop, crop, device=next(network.parameters()).device))
