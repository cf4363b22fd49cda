"""Torch and the exported files of every run as one table: accuracy, speed, size, and whether to use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

FORMATS = ("torch", "fp32", "fp16", "int8")
RUN = ("recipe", "architecture", "seed")
AGREEMENT = ("top1", "top1_agreement", "max_abs_diff", "recommended", "reason")
COST = (
    *("p50_ms_1thread", "p95_ms_1thread", "p50_ms_all", "p95_ms_all"),
    *("throughput", "file_mb", "load_seconds", "peak_memory_mb"),
)
ABOUT_RUN = ("weights", "pretrained", "protocol")
CONDITIONS = ("processor", "vnni", "all_threads", "pixels")


def run_formats(metrics: Mapping[str, Any], cost: Mapping[str, Any], check: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One run's rows of formats.csv.

    Args:
        metrics: its metrics.json, which names the run.
        cost: its cost.json.
        check: its onnx_check.json.
    """
    torch = {"top1": check["formats"]["fp32"]["top1_torch"], "top1_agreement": 1.0, "max_abs_diff": 0.0}
    found = check["formats"] | {"torch": torch | {"recommended": True, "reason": ""}}
    rows = []
    for name in FORMATS:
        row = {key: metrics[key] for key in RUN} | {"format": name}
        row |= {key: found[name][key] for key in AGREEMENT} | {key: cost["formats"][name][key] for key in COST}
        row |= {"made_with": found[name].get("made_with", ""), "images": check["images"]}
        rows.append(
            row | {key: metrics[key] for key in ABOUT_RUN} | {key: cost["conditions"][key] for key in CONDITIONS}
        )
    return rows


def means(formats: pd.DataFrame) -> pd.DataFrame:
    """One row per recipe, architecture and format: means over seeds; recommended when it is for every seed."""
    keys, first = ["recipe", "architecture", "format"], [*ABOUT_RUN, *CONDITIONS, "images", "made_with"]
    numbers = ["top1", "top1_agreement", "max_abs_diff", *COST]
    groups = formats.groupby(keys, sort=False)
    parts = [groups[numbers].mean(), groups[first].first(), groups["recommended"].all(), groups.size().rename("seeds")]
    return pd.concat(parts, axis=1).reset_index()
