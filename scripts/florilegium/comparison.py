"""Comparison of runs: one row per run, one per architecture, and what validation would choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy import stats

IDENTITY = ("recipe", "architecture", "seed", "protocol", "fold", "weights", "pretrained")  # all that is not measured
TEST_METRICS = ("top1", "top1_low", "top1_high", "top5", "mean_per_class", "macro_f1")


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
    row["val_top1"] = metrics["val"]["top1"] if metrics["val"] else float("nan")
    row |= {f"test_{key}": metrics["test"][key] for key in TEST_METRICS}
    row |= {f"{phase}_seconds": seconds for phase, seconds in metrics["seconds"].items()}
    row["train_seconds"] = sum(metrics["seconds"].values())
    row["peak_memory_mb"] = phase2["peak_memory_mb"].max()
    return row | {"latency_ms": cost["latency_ms"], "onnx_agreement": check["top1_agreement"]}


def by_architecture(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per recipe and architecture: means over seeds, and a 95 % interval of test top-1 that says what it is of.

    With one seed it is the bootstrap interval over the test images, with more the t interval over the seeds, or over
    the folds that they hold out.
    """
    rows = []
    for (recipe, architecture), group in runs.groupby(["recipe", "architecture"], sort=False):
        numbers = group.drop(columns=[*IDENTITY]).mean()
        row = {"recipe": recipe, "architecture": architecture, "seeds": len(group), "weights": group["weights"].iloc[0]}
        row |= {key: group[key].iloc[0] for key in ("protocol", "pretrained")} | numbers.to_dict()
        if len(group) > 1:
            mean, error = group["test_top1"].mean(), stats.sem(group["test_top1"])
            half = error * stats.t.ppf(0.975, len(group) - 1)
            row |= {"test_top1_low": mean - half, "test_top1_high": mean + half}
            row["interval_over"] = "folds" if group["fold"].notna().all() else "seeds"
        else:
            row["interval_over"] = "test images"
        rows.append(row)
    return pd.DataFrame(rows)


def choose(architectures: pd.DataFrame) -> tuple[pd.Series | None, pd.DataFrame]:
    """The row with the best validation top-1 (the smaller network when equal), and the rows that test cannot rule out.

    Test only says how sure the choice is: the second value holds the others whose test interval reaches the chosen
    one's. Random backbones are only chosen when nothing else ran. Runs without validation are never chosen: None when
    there are no others.
    """
    candidates = architectures[architectures["val_top1"].notna()]
    if candidates.empty:
        return None, candidates
    candidates = candidates[candidates["pretrained"]] if candidates["pretrained"].any() else candidates
    chosen = candidates.sort_values(["val_top1", "parameters"], ascending=[False, True]).iloc[0]
    rivals = candidates.drop(index=chosen.name)
    return chosen, rivals[rivals["test_top1_high"] >= chosen["test_top1_low"]]
