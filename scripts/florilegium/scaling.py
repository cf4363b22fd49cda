"""Compound scaling: what an EfficientNet gains by growing in depth, width and resolution at once, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

# Width, depth and resolution of each member. Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional
# Neural Networks, 2019 (arxiv.org/abs/1905.11946), numbers of their code, efficientnet_builder.py. torchvision builds
# with the same width_mult and depth_mult (torchvision/models/efficientnet.py).
COEFFICIENTS = {
    "efficientnet_b0": (1.0, 1.0, 224),
    "efficientnet_b1": (1.0, 1.1, 240),
    "efficientnet_b2": (1.1, 1.2, 260),
    "efficientnet_b3": (1.2, 1.4, 300),
    "efficientnet_b4": (1.4, 1.8, 380),
    "efficientnet_b5": (1.6, 2.2, 456),
    "efficientnet_b6": (1.8, 2.6, 528),
    "efficientnet_b7": (2.0, 3.1, 600),
}
BASE = "efficientnet_b0"
SOURCE = "Tan and Le 2019, as in torchvision"
MEASURED = (
    *("parameters", "gmacs", "file_mb", "latency_ms", "train_seconds"),
    *("val_top1", "val_top1_low", "val_top1_high", "test_top1", "test_top1_low", "test_top1_high"),
)
COLUMNS = (
    *("recipe", "architecture", "seeds", "pretrained", "weights", "width", "depth", "paper_resolution", "resolution"),
    *(*MEASURED, "interval_over", "source"),
)


def scaling(architectures: pd.DataFrame, crops: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """scaling.csv: the EfficientNets of each recipe that ran B0 and a larger one; empty where none did.

    Args:
        architectures: architectures.csv.
        crops: recipe -> architecture -> side of the view that evaluates.
    """
    family = architectures[architectures["architecture"].isin(COEFFICIENTS)]
    rows = []
    for recipe, group in family.groupby("recipe", sort=False):
        if len(group) < 2 or BASE not in set(group["architecture"]):
            continue
        for network in group.sort_values("architecture").to_dict("records"):
            width, depth, resolution = COEFFICIENTS[network["architecture"]]
            row = {key: network.get(key) for key in COLUMNS}
            row |= {"width": width, "depth": depth, "paper_resolution": resolution, "source": SOURCE}
            rows.append(row | {"resolution": crops[recipe][network["architecture"]]})
    return pd.DataFrame(rows, columns=COLUMNS)
