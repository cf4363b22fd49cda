"""The numbers of a lesson's notebook, from a run's result files. Shares 0 … 1 in, words for people out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from florilegium.amounts import percent
from florilegium.calibration import probabilities

METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_per_class": "mean per class",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
}


# What is compared with the lesson before: heading -> how the value is written, how a difference is.
_POINTS = (percent, lambda change: f"{100 * change:+.1f} points")
_TIMES = "{:.2f} ×".format
COMPARED: dict[str, tuple[Callable[[float], str], Callable[[float], str] | None]] = {
    "parameters": (lambda value: f"{value / 1e6:.2f} M", None),
    "GMACs of one photograph": (lambda value: f"{value:.3f}", None),
    "model.onnx": (lambda value: f"{value:.1f} MB", None),
    "latency, one thread": (lambda value: f"{value:.2f} ms", None),
    "training, both phases": (lambda value: f"{value / 60:.1f} min" if value >= 60 else f"{value:.1f} s", None),
    "validation top-1, best of phase 1": _POINTS,
    "validation top-1, best of phase 2": _POINTS,
    "test top-1": _POINTS,
    "test top-5": _POINTS,
    "test mean per class": _POINTS,
}


def metrics_table(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """Metrics of the test images with their 95 % intervals where metrics.json has them."""
    test = metrics["test"]
    rows = []
    for key, name in METRICS.items():
        low, high = test.get(f"{key}_low"), test.get(f"{key}_high")
        interval = "" if low is None else f"{percent(low)} – {percent(high)}"
        rows.append((name, percent(test[key]), interval))
    return pd.DataFrame(rows, columns=[f"{test['images']} test images", "value", "95 % interval"])


def summary(
    metrics: Mapping[str, Any], cost: Mapping[str, Any], phase1: pd.DataFrame, phase2: pd.DataFrame
) -> dict[str, float]:
    """What `COMPARED` compares of one run, in its order."""
    test = metrics["test"]
    values = [cost["parameters"], cost["gmacs"], cost["file_mb"], cost["latency_ms"], sum(metrics["seconds"].values())]
    values += [phase1["val_top1"].max(), phase2["val_top1"].max()]
    values += [test["top1"], test["top5"], test["mean_per_class"]]
    return dict(zip(COMPARED, values, strict=True))


def difference_table(before: Mapping[str, float], this: Mapping[str, float], names: tuple[str, str]) -> pd.DataFrame:
    """Two summaries beside each other: accuracies differ by points, everything else by a factor."""
    rows = []
    for key, (write, difference) in COMPARED.items():
        old, new = before[key], this[key]
        if difference:
            change = "–" if pd.isna(old) or pd.isna(new) else difference(new - old)
        else:
            change = _TIMES(new / old) if old else "–"
        rows.append((key, write(old), write(new), change))
    return pd.DataFrame(rows, columns=["", *names, "difference"])


def guesses(logits: np.ndarray, names: list[str], count: int = 5) -> list[tuple[str, float]]:
    """The first guesses for one photograph: names and probabilities, the surest first."""
    shares = probabilities(logits[None])[0]
    return [(names[label], float(shares[label])) for label in np.argsort(-logits, kind="stable")[:count]]


def chosen(predictions: pd.DataFrame) -> dict[str, int]:
    """Rows of a predictions table worth a look, by what they are: sure and unsure, right and wrong."""
    right, wrong = predictions[predictions["correct"]], predictions[~predictions["correct"]]
    found = {}
    if len(right):
        found["the surest right answer"] = int(right["probability"].idxmax())
        found["the least sure right answer"] = int(right["probability"].idxmin())
    if len(wrong):
        found["the surest mistake"] = int(wrong["probability"].idxmax())
        found["the mistake nearest to right"] = int((wrong["probability"] - wrong["probability_of_class"]).idxmin())
    return found


def choice_by_limit(networks: pd.DataFrame, column: str) -> pd.DataFrame:
    """Which network validation would choose if `column` had to stay below each value that occurs.

    Args:
        networks: rows of architectures.csv of one recipe.
        column: a cost: parameters, gmacs, file_mb, latency_ms, train_seconds.

    Returns:
        The rows that are better on validation than every cheaper one, the cheapest first: the Pareto front.
    """
    ordered = networks.dropna(subset=["val_top1", column]).sort_values([column, "val_top1"], ascending=[True, False])
    best_before = ordered["val_top1"].cummax().shift(fill_value=-1.0)
    return ordered[ordered["val_top1"] > best_before]
