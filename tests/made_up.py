"""Made-up results for tests of the comparison: tables of architectures, and answers with a wanted accuracy."""

import numpy as np
import pandas as pd

COSTS = {  # 10^6 parameters, GMACs, MB, ms, minutes
    "resnet18": (11.2, 1.8, 45, 21, 17),
    "resnet50": (23.7, 4.1, 95, 53, 31),
    "efficientnet_b0": (4.1, 0.39, 17, 19, 24),
    "efficientnet_b3": (10.9, 1.8, 44, 71, 60),
    "mobilenet_v2": (2.4, 0.3, 9.5, 11, 12),
}


def network(architecture, val=0.8, test=0.7, **changes):
    """A row of architectures.csv; `changes` replace what it holds."""
    parameters, gmacs, file_mb, latency, minutes = COSTS.get(architecture, (30.0, 5.0, 120.0, 60.0, 40.0))
    row = {
        "recipe": "lesson",
        "architecture": architecture,
        "seeds": 1,
        "weights": "IMAGENET1K_V1",
        "protocol": "fixed split",
        "pretrained": True,
        "parameters": parameters * 1e6,
        "gmacs": gmacs,
        "file_mb": file_mb,
        "latency_ms": latency,
        "train_seconds": 60 * minutes,
        "phase1_val_top1": val - 0.1,
        "phase2_val_top1": val,
        "val_top1": val,
        "val_top1_low": val - 0.02,
        "val_top1_high": val + 0.02,
        "test_top1": test,
        "test_top1_low": test - 0.02,
        "test_top1_high": test + 0.02,
        "test_mean_per_class": test,
        "interval_over": "test images",
    }
    return row | changes


def table(*rows):
    """architectures.csv."""
    return pd.DataFrame(rows)


def right(accuracy, images=200, start=0):
    """(images,) booleans, a share of them True, from the image `start` on and round again."""
    return np.roll(np.arange(images) < round(accuracy * images), start)
