"""Networks: any torchvision classifier with a new head, its backbone's weights, and its stages."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from florilegium.catalogue import is_path
from florilegium.errors import UserError
from florilegium.state_dicts import current_name, load_state, read_state

# What a builder must be told so that it makes the plain classifier: no auxiliary heads (they would need losses of
# their own), and the input scaling that the ImageNet weights of these two were trained with.
BUILD_OPTIONS = {
    "googlenet": {"aux_logits": False, "init_weights": True, "transform_input": True},
    "inception_v3": {"aux_logits": False, "init_weights": True, "transform_input": True},
}
CONTAINER_SHARE = 0.8  # a child that holds more of the parameters than this is a container of stages, not a stage


def build_network(architecture: str, classes: int, dropout: float | None, seed: int) -> nn.Module:
    """A torchvision classifier with random weights and a head for `classes` classes.

    Args:
        architecture: torchvision's name.
        classes: number of outputs.
        dropout: probability of the dropout just before the head; None keeps the architecture's own.
        seed: of the random initialisation, so that every step that builds this run's network builds the same one.

    Raises:
        UserError: the network has no layer that could be the head.
    """
    torch.manual_seed(seed)
    network = get_model(architecture, weights=None, **BUILD_OPTIONS.get(architecture, {}))
    if not any(isinstance(layer, nn.Linear) for layer in network.modules()):
        _give_linear_head(network, architecture)
    name = head_name(network)
    old = network.get_submodule(name)
    set_module(network, name, nn.Linear(old.in_features, classes))
    if dropout is not None:
        _set_dropout(network, name, dropout)
    return network


def _give_linear_head(network: nn.Module, architecture: str) -> None:
    """SqueezeNet ends in a 1x1 convolution and a pooling: make it pool first and end in a linear layer."""
    last = getattr(network, "classifier", nn.Module())
    convolutions = [layer for layer in last.modules() if isinstance(layer, nn.Conv2d)]
    if not convolutions:
        raise UserError(
            f"architectures: {architecture} has no linear layer to replace by a new head; choose another network"
        )
    width = convolutions[-1].in_channels
    network.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(width, 1000))


def head_name(network: nn.Module) -> str:
    """The dotted name of the last linear layer, whatever it is called."""
    return [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]


def set_module(network: nn.Module, name: str, layer: nn.Module) -> None:
    """Put `layer` in the place of the module with the dotted `name`."""
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, layer)


def head_dropout(network: nn.Module) -> float:
    """Probability of the dropout that stands directly before the head, 0 when there is none."""
    layer = _layer_before(network, head_name(network))
    return layer.p if isinstance(layer, nn.Dropout) else 0.0


def _layer_before(network: nn.Module, name: str) -> nn.Module | None:
    parent, _, child = name.rpartition(".")
    siblings = dict(network.get_submodule(parent).named_children()) if parent else {}
    names = list(siblings)
    return siblings[names[names.index(child) - 1]] if child in names and names.index(child) > 0 else None


def _set_dropout(network: nn.Module, name: str, probability: float) -> None:
    layer = _layer_before(network, name)
    if isinstance(layer, nn.Dropout):
        layer.p = probability
    elif probability > 0:
        set_module(network, name, nn.Sequential(nn.Dropout(probability), network.get_submodule(name)))


def without_head(network: nn.Module) -> nn.Module:
    """The same network with its head replaced by the identity: it returns features of shape (n, width)."""
    set_module(network, head_name(network), nn.Identity())
    return network


def load_backbone(network: nn.Module, weights: str, path: str | Path | None) -> None:
    """Load everything but the head from a state dict.

    Args:
        network: made by `build_network`.
        weights: the config's value: a torchvision name, a path, or `none`.
        path: the file; None only for `none`.

    Raises:
        UserError: the file is no state dict, or lacks tensors, or has them in another shape; names the tensors.
    """
    if weights == "none":
        return
    state = {current_name(name): tensor for name, tensor in read_state(path).items()}
    head = head_name(network)
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(f"{head}.")}
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if missing or shapes:
        parts = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(shapes)}"] * bool(shapes)
        raise UserError(
            f"weights: {path} does not fit {type(network).__name__}: it {' and '.join(parts)}; expected a state dict "
            f"of torchvision's layout for this architecture (only the classifier may be missing)"
        )
    load_state(network, {name: state[name] for name in own if name in state}, strict=False)


def _some(names: list[str], count: int = 5) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def weights_url(architecture: str, weights: str) -> str:
    """Where torchvision keeps a weights entry; the file name ends in the first eight digits of its sha256."""
    return get_model_weights(architecture)[weights].url


def describe_weights(weights: str) -> str:
    """How a weights value is named in tables and figures."""
    if weights == "none":
        return "none (random backbone)"
    return f"file {Path(weights).name}" if is_path(weights) else weights


def stages(network: nn.Module) -> list[tuple[str, list[nn.Parameter]]]:
    """The backbone's stages from input to output, each with its parameters; the head is not among them.

    A stage is a direct child with parameters; a child that holds nearly all of them is opened up, so that ResNet gives
    conv1, bn1, layer1 … layer4 and EfficientNet features.0 … features.8.
    """
    head = {id(parameter) for parameter in network.get_submodule(head_name(network)).parameters()}
    return _stages_below(network, "", head)


def first_stages(network: nn.Module, count: int) -> list[nn.Module]:
    """The modules of the `count` stages nearest to the input, or of all that there are."""
    # Parameters that belong to no module of their own (ViT's class token) are a stage without a module.
    return [network.get_submodule(name) for name, _ in stages(network)[:count] if not name.endswith("(own)")]


def _stages_below(module: nn.Module, prefix: str, head: set[int]) -> list[tuple[str, list[nn.Parameter]]]:
    total = sum(p.numel() for p in module.parameters() if id(p) not in head)
    found = []
    direct = [p for p in module.parameters(recurse=False) if id(p) not in head]
    if direct:
        found.append((f"{prefix}(own)", direct))
    for name, child in module.named_children():
        parameters = [p for p in child.parameters() if id(p) not in head]
        size = sum(p.numel() for p in parameters)
        if size > CONTAINER_SHARE * total and len(list(child.children())) > 1:
            found += _stages_below(child, f"{prefix}{name}.", head)
        elif parameters:
            found.append((f"{prefix}{name}", parameters))
    return found
