"""Checkpoints: a state dict plus plain metadata, readable with weights_only=True."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from florilegium.errors import UserError
from florilegium.files import written_whole
from florilegium.manifest import Manifest
from florilegium.networks import build_network, describe_weights
from florilegium.provenance import origin
from florilegium.state_dicts import load_state, read_data, read_state


def save_checkpoint(path: str | os.PathLike, state: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a state dict and its metadata (numbers, strings, lists, dicts), whole or not at all."""
    with written_whole(path) as partial:
        torch.save(
            {"state_dict": {name: tensor.cpu() for name, tensor in state.items()}, "metadata": dict(metadata)}, partial
        )


def save_history(path: str | os.PathLike, history: list[dict[str, Any]]) -> None:
    """Write a phase's history as CSV, one row an epoch, whole or not at all."""
    with written_whole(path) as partial:
        pd.DataFrame(history).to_csv(partial, index=False)


def run_metadata(
    wildcards: Any, settings: Mapping[str, Any], manifest: Manifest, arithmetic: Mapping[str, str]
) -> dict[str, Any]:
    """What every checkpoint of a run says of itself: which run, how it was trained, on what, by which code.

    Args:
        wildcards: recipe, architecture, seed.
        settings: what the recipe says to this architecture.
        manifest: of the photographs, as this run sees them.
        arithmetic: device and number format in words, by phase.
    """
    return {
        "recipe": wildcards.recipe,
        "architecture": wildcards.architecture,
        "seed": int(wildcards.seed),
        "weights": describe_weights(settings["weights"]),
        "pretrained": settings["weights"] != "none",
        "settings": dict(settings),
        "class_names": manifest.class_names,
        "provenance": origin(dict(settings), manifest.fingerprint)
        | {"protocol": manifest.protocol, "fold": manifest.fold, "arithmetic": dict(arithmetic)},
    }


def read_metadata(path: str | os.PathLike) -> dict[str, Any]:
    """The metadata of a checkpoint.

    Raises:
        UserError: the file is no checkpoint of ours, or holds code.
    """
    content = read_data(path, mmap=True)
    if not isinstance(content, Mapping) or "metadata" not in content:
        raise UserError(f"{path} is no checkpoint of this workflow: it has no metadata; delete it and run again")
    return content["metadata"]


def load_network(path: str | os.PathLike) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint, on the CPU in eval mode, and its metadata."""
    metadata = read_metadata(path)
    network = build_network(
        metadata["architecture"], len(metadata["class_names"]), metadata["settings"]["dropout"], seed=0
    )
    load_state(network, read_state(path))
    return network.eval(), metadata
