"""Metrics of one run, all of them from scikit-learn and SciPy, and the tables of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from florilegium.calibration import probabilities
from florilegium.intervals import METRICS, bootstrap_intervals

TOP = 5


def in_top(scores: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """(n,) bool: whether the k largest of (n, classes) scores hold the label (all of them when there are fewer)."""
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    return (best == labels[:, None]).any(axis=1)


def evaluate(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Every metric m of `intervals.METRICS` as a share 0 … 1, with its 95 % bootstrap interval m_low, m_high.

    Args:
        scores: (n, classes) logits or probabilities.
        labels: (n,) integers; every class occurs.
    """
    predicted, classes, found_in_top = scores.argmax(1), scores.shape[1], in_top(scores, labels, TOP)
    values = {"top1": accuracy_score(labels, predicted), "top5": found_in_top.mean()}
    for average in ("macro", "weighted"):
        # Classes are listed, so that one without pictures counts as a zero instead of vanishing from the average.
        parts = precision_recall_fscore_support(
            labels, predicted, labels=np.arange(classes), average=average, zero_division=0
        )
        values |= {f"{average}_{name}": part for name, part in zip(("precision", "recall", "f1"), parts, strict=False)}
    values["mean_per_class"] = values["macro_recall"]  # two names of one number
    ends = bootstrap_intervals(labels, predicted, found_in_top, classes)
    record: dict[str, Any] = {"images": len(labels)}
    for name in METRICS:
        low, high = ends[name]
        record |= {name: float(values[name]), f"{name}_low": low, f"{name}_high": high}
    return record


def per_class(logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """One row per class: class_name, support (images), precision, recall, f1 (0 … 1)."""
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, logits.argmax(1), labels=np.arange(len(class_names)), zero_division=0
    )
    return pd.DataFrame(
        {"class_name": list(class_names), "support": support, "precision": precision, "recall": recall, "f1": f1}
    )


def confusion(logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Counts; rows are the true classes, columns the predicted ones, both by name."""
    counts = confusion_matrix(labels, logits.argmax(1), labels=np.arange(len(class_names)))
    return pd.DataFrame(counts, index=pd.Index(class_names, name="true class"), columns=list(class_names))


def confused_pairs(confusion: pd.DataFrame) -> pd.DataFrame:
    """Columns class_name, predicted, images, share (of the true class), most images first: all mistakes there are.

    Args:
        confusion: as `confusion` makes it.
    """
    counts = confusion.to_numpy()
    rows, columns = np.nonzero(counts * ~np.eye(len(counts), dtype=bool))
    names = confusion.columns.to_numpy(dtype=object)
    images, support = counts[rows, columns], counts.sum(axis=1)[rows]
    table = pd.DataFrame(
        {"class_name": names[rows], "predicted": names[columns], "images": images, "share": (images / support).round(6)}
    )
    keys = ["images", "share", "class_name", "predicted"]
    return table.sort_values(keys, ascending=[False, False, True, True], ignore_index=True)


def predictions(
    logits: np.ndarray, images: pd.DataFrame, class_names: Sequence[str], temperature: float = 1.0
) -> pd.DataFrame:
    """One row per image: what it is, what the network says, how sure it is, and its five first guesses by name.

    `calibrated_probability` is the predicted class's after division of the logits by `temperature`.
    """
    names = np.asarray(class_names)
    shares, every = probabilities(logits), np.arange(len(logits))
    ranked = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    return pd.DataFrame(
        {
            "path": images["path"].to_numpy(),
            "class_name": images["class_name"].to_numpy(),
            "predicted": names[ranked[:, 0]],
            "correct": ranked[:, 0] == images["label"].to_numpy(),
            "probability": shares[every, ranked[:, 0]].round(6),
            "calibrated_probability": probabilities(logits, temperature).max(axis=1).round(6),
            "probability_of_class": shares[every, images["label"]].round(6),
            "first_guesses": ["; ".join(names[row]) for row in ranked],
        }
    )
