"""Metrics of one run, all of them from scikit-learn and SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

TOP = 5


def top_k(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of (n, classes) logits whose k largest hold the label (all of them when there are fewer classes)."""
    k = min(k, logits.shape[1])
    best = np.argpartition(-logits, k - 1, axis=1)[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def evaluate(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Top-1 with its 95 % Wilson interval, top-5, mean per-class accuracy and macro averages, as shares 0 … 1.

    Args:
        logits: (n, classes).
        labels: (n,) integers; every class occurs.
    """
    right = int((logits.argmax(1) == labels).sum())
    interval = binomtest(right, len(labels)).proportion_ci(0.95, method="wilson")
    # Classes are listed, so that one without pictures counts as a zero instead of vanishing from the average.
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, logits.argmax(1), labels=np.arange(logits.shape[1]), average="macro", zero_division=0
    )
    return {
        "images": len(labels),
        "top1": right / len(labels),
        "top1_low": float(interval.low),
        "top1_high": float(interval.high),
        "top5": top_k(logits, labels, TOP),
        "mean_per_class": float(recall),  # the mean of the classes' recalls is the mean per-class accuracy
        "macro_precision": float(precision),
        "macro_recall": float(recall),
        "macro_f1": float(f1),
    }


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


def predictions(logits: np.ndarray, images: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """One row per image: what it is, what the network says, how sure it is, and its five first guesses by name."""
    names = np.asarray(class_names)
    probabilities = softmax(logits.astype(np.float64), axis=1)
    ranked = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    return pd.DataFrame(
        {
            "path": images["path"].to_numpy(),
            "class_name": images["class_name"].to_numpy(),
            "predicted": names[ranked[:, 0]],
            "correct": ranked[:, 0] == images["label"].to_numpy(),
            "probability": probabilities[np.arange(len(logits)), ranked[:, 0]].round(6),
            "probability_of_class": probabilities[np.arange(len(logits)), images["label"]].round(6),
            "first_guesses": ["; ".join(names[row]) for row in ranked],
        }
    )
