"""State dicts: read as data and never as code, with the names and versions that today's torchvision expects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from florilegium.errors import UserError

# Names of layers in torchvision's older weights files, and today's.
RENAMED = {
    r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)": r"\1",
    r"\.mlp\.linear_1\.": ".mlp.0.",
    r"\.mlp\.linear_2\.": ".mlp.3.",
}


def read_state(path: str | Path | None) -> Mapping[str, Tensor]:
    """The state dict in a file, or under its key `state_dict`; data only, never code.

    Raises:
        UserError: the file cannot be read as tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"weights: {path} cannot be read as a state dict ({reason}); expected a file written by torch.save"
        ) from error
    content = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    if not content or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()):
        raise UserError(f"weights: {path} holds no state dict; expected names mapped to tensors")
    return content


def load_state(network: nn.Module, state: Mapping[str, Tensor], strict: bool = True) -> None:
    """Load a plain dict; MNASNet insists on the layers' versions, which only `state_dict()` carries."""
    versioned = network.state_dict()
    versioned.clear()
    versioned.update(state)
    network.load_state_dict(versioned, strict=strict)


def current_name(name: str) -> str:
    """A tensor's name in today's torchvision, given one from an older weights file of its own."""
    for old, new in RENAMED.items():
        name = re.sub(old, new, name)
    return name
