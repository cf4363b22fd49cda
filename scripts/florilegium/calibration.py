"""Calibration: whether a network that says 80 % is right in 80 of 100 cases, and the temperature that mends it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss

BINS = 15  # of equal width, as in Guo et al., On Calibration of Modern Neural Networks, 2017 (arXiv 1706.04599)
# Where the temperature is looked for. A network that is right about every validation image has no best one: ever more
# confidence is ever better; nor has one that knows nothing. Trained networks lie between 0.5 and 3.
COLDEST, HOTTEST = 0.05, 20.0


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """(n, classes) float64 probabilities of logits divided by `temperature`."""
    return softmax(logits.astype(np.float64) / temperature, axis=1)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that makes the negative log-likelihood of the labels smallest.

    Args:
        logits: (n, classes), of validation images.
        labels: (n,) true classes.
    """
    logits, images = logits.astype(np.float64), np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[images, labels].mean()

    # Convex in 1 / temperature, so there is one minimum.
    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def reliability(shares: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Columns low, high (a bin of confidences, low < confidence ≤ high), images, mean confidence and accuracy in it.

    A bin without images has neither: both are missing (NaN).

    Args:
        shares: (n, classes) probabilities.
        labels: (n,) true classes.
    """
    edges = np.linspace(0, 1, BINS + 1)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    place = np.searchsorted(edges[1:-1], confidence)
    images = np.bincount(place, minlength=BINS)
    table = pd.DataFrame({"low": edges[:-1].round(6), "high": edges[1:].round(6), "images": images})
    for name, values in (("confidence", confidence), ("accuracy", right)):
        sums = np.bincount(place, weights=values, minlength=BINS)
        table[name] = np.divide(sums, images, out=np.full(BINS, np.nan), where=images > 0)
    return table


def expected_error(bins: pd.DataFrame) -> float:
    """ECE: the gap between confidence and accuracy in each bin of `reliability`, averaged over the images."""
    gaps = (bins["confidence"] - bins["accuracy"]).abs().fillna(0)
    return float((gaps * bins["images"]).sum() / bins["images"].sum())


def scores(shares: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """ece (0 … 1), brier (0 … 2: squared errors summed over the classes, mean over the images) and nll (nats).

    Args:
        shares: (n, classes) probabilities.
        labels: (n,) true classes.
    """
    classes = np.arange(shares.shape[1])
    return {
        "ece": expected_error(reliability(shares, labels)),
        "brier": float(brier_score_loss(labels, shares, labels=classes, scale_by_half=False)),
        "nll": float(log_loss(labels, shares, labels=classes)),
    }


def before_and_after(logits: np.ndarray, labels: np.ndarray, temperature: float) -> tuple[dict[str, Any], pd.DataFrame]:
    """The scores of test images as ece_before … nll_after, and the bins of both stages as one table."""
    record, tables = {}, []
    for stage, divisor in (("before", 1.0), ("after", temperature)):
        shares = probabilities(logits, divisor)
        record |= {f"{name}_{stage}": value for name, value in scores(shares, labels).items()}
        tables.append(reliability(shares, labels).assign(stage=stage))
    table = pd.concat(tables, ignore_index=True)
    columns = ["ece_before", "ece_after", "brier_before", "brier_after", "nll_before", "nll_after"]
    return {name: record[name] for name in columns}, table[["stage", *table.columns.drop("stage")]]
