"""State dicts: read as data and never as code, with the names and versions that today's torchvision expects."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from florilegium.errors import UserError

# Names of layers in torchvision's older weights files, and today's.
RENAMED = {
    r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)": r"\1",
    r"\.mlp\.linear_1\.": ".mlp.0.",
    r"\.mlp\.linear_2\.": ".mlp.3.",
}


def read_data(path: str | Path | None, mmap: bool = False) -> Any:
    """What torch.save wrote, if it is tensors and plain values; nothing in the file is ever run.

    Raises:
        UserError: it is anything else, or no such file at all.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:
        raise UserError(
            f"weights: {path} cannot be read as a state dict ({_reason(error)}); expected a file written by torch.save"
        ) from error


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if not isinstance(error, pickle.UnpicklingError):
        return text.splitlines()[0]
    # torch's own text says how to run such a file all the same.
    asked = re.search(r"GLOBAL ([\w.]+)", text)
    return f"it asks for {asked[1]}, which is code and not data; it was not run" if asked else "it holds no tensors"


def read_state(path: str | Path | None) -> Mapping[str, Tensor]:
    """The state dict in a file, or under its key `state_dict`; data only, never code.

    Raises:
        UserError: the file cannot be read as tensors.
    """
    content = read_data(path)
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
