"""Comparison of runs: one row per run, and one per architecture with its means and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

IDENTITY = ("recipe", "architecture", "seed", "protocol", "fold", "weights", "pretrained")  # all that is not measured
METRICS = (
    *("top1", "top5", "mean_per_class", "macro_precision", "macro_recall", "macro_f1"),
    *("weighted_precision", "weighted_recall", "weighted_f1"),
)
SCORED = [f"{split}_{metric}" for split in ("val", "test") for metric in METRICS]
OVER_SEEDS = [*SCORED, "phase1_val_top1", "phase2_val_top1", "phase_gain"]  # what gets an interval over seeds


def run_row(
    metrics: Mapping[str, Any],
    cost: Mapping[str, Any],
    check: Mapping[str, Any],
    phase1: pd.DataFrame,
    phase2: pd.DataFrame,
) -> dict[str, Any]:
    """One run's row of runs.csv.

    Accuracies are shares 0 … 1, times in seconds, sizes in 10^6 bytes, memory in MiB, gmacs in 10^9 multiply-adds.

    Args:
        metrics: the run's metrics.json.
        cost: its cost.json.
        check: its onnx_check.json.
        phase1: history of phase 1.
        phase2: history of phase 2.
    """
    row = {key: metrics[key] for key in IDENTITY}
    row |= {key: cost[key] for key in ("parameters", "gmacs", "file_mb")}
    row |= {"phase1_val_top1": phase1["val_top1"].max(), "phase2_val_top1": phase2["val_top1"].max()}
    row["phase_gain"] = row["phase2_val_top1"] - row["phase1_val_top1"]
    for split in ("val", "test"):
        section = metrics[split] or {}  # no validation after training on train + val
        for key in (f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high")):
            row[f"{split}_{key}"] = section.get(key, float("nan"))
    row |= {f"{phase}_seconds": seconds for phase, seconds in metrics["seconds"].items()}
    row["train_seconds"] = sum(metrics["seconds"].values())
    row["peak_memory_mb"] = phase2["peak_memory_mb"].max()
    return row | {"latency_ms": cost["latency_ms"], "onnx_agreement": check["top1_agreement"]}


def in_order(runs: pd.DataFrame, paths: Iterable[str]) -> list[str]:
    """One file of each run in the order of runs.csv: folders say whose it is, the configuration may be reordered."""
    by_run = {Path(path).parts[-4:-1]: path for path in paths}
    return [by_run[run.recipe, run.architecture, f"seed{run.seed}"] for run in runs.itertuples()]


def by_architecture(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per recipe and architecture: means over seeds, with a 95 % interval that says what it is of.

    With one seed it is the run's own interval over its images, with more the t interval over the seeds, or over the
    folds that they hold out. Accuracies on test are also given for each 10^6 parameters and each 10^9 multiply-adds.
    """
    rows = []
    for (recipe, architecture), group in runs.groupby(["recipe", "architecture"], sort=False):
        numbers = group.drop(columns=[*IDENTITY]).mean()
        row = {"recipe": recipe, "architecture": architecture, "seeds": len(group), "weights": group["weights"].iloc[0]}
        row |= {key: group[key].iloc[0] for key in ("protocol", "pretrained")} | numbers.to_dict()
        if len(group) > 1:
            for key in (key for key in OVER_SEEDS if key in group):
                row |= t_interval(group[key], key)
            row["interval_over"] = "folds" if group["fold"].notna().all() else "seeds"
        else:
            row["interval_over"] = "test images"
        row["test_top1_per_million_parameters"] = row["test_top1"] / (row["parameters"] / 1e6)
        row["test_top1_per_gmac"] = row["test_top1"] / row["gmacs"]
        rows.append(row)
    return pd.DataFrame(rows)


def t_interval(values: pd.Series, key: str) -> dict[str, float]:
    """Ends of the 95 % Student interval of a mean, `<key>_low` and `<key>_high`, within what a share can be."""
    mean, half = values.mean(), stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    ends = np.clip([mean - half, mean + half], -1 if key.endswith("gain") else 0, 1)
    return {f"{key}_low": float(ends[0]), f"{key}_high": float(ends[1])}


def candidates(architectures: pd.DataFrame) -> pd.DataFrame:
    """The rows that may be chosen: validated ones, and random backbones only where nothing else ran."""
    return transferred(architectures[architectures["val_top1"].notna()])


def transferred(architectures: pd.DataFrame) -> pd.DataFrame:
    """The rows whose backbone was pretrained; all of them where none was."""
    return architectures[architectures["pretrained"]] if architectures["pretrained"].any() else architectures


def labels_of_kind(pretrained: bool, val_top1: float) -> str:
    """What has to be said of a row that is no validated, pretrained network; empty for one that is."""
    parts = ["random backbone"] * (not pretrained) + ["trained on train + val"] * bool(pd.isna(val_top1))
    return ", ".join(parts)
