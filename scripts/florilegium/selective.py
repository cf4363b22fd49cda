"""Answers that are not given: how right the rest is when the least confident photographs are left to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

FEWEST = 20  # answers that an accuracy is taken from: in fewer, 95 % could not be told from chance
ROWS = 1000  # of the curve, at most: a step of 0.1 % of the images


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """Columns coverage, threshold, accuracy: the images with confidence ≥ threshold, and how many of them are right.

    The most confident come first. Images of equal confidence are answered together or not at all.

    Args:
        confidence: (n,) probability of the answer.
        right: (n,) bool.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, hits = confidence[order], np.cumsum(right[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each group of equal confidence
    answered = last + 1
    return pd.DataFrame(
        {"coverage": answered / len(ranked), "threshold": ranked[last], "accuracy": hits[last] / answered}
    )


def thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """At most ROWS rows of a curve, evenly over it, the first and the last among them."""
    places = np.linspace(0, len(curve) - 1, min(ROWS, len(curve))).round().astype(int)
    return curve.iloc[places].reset_index(drop=True)


def choose_threshold(curve: pd.DataFrame, target: float, images: int) -> float:
    """The lowest confidence from which on the answers are right as often as `target`.

    0 when all of them are, so that none is withheld; 1 when no confidence is enough. At least FEWEST images must say
    so, or all when there are fewer.

    Args:
        curve: `risk_coverage` of validation images.
        target: accuracy that the answers shall have.
        images: how many validation images there are.
    """
    supported = (curve["coverage"] * images).round() >= min(FEWEST, images)
    enough = curve[supported & (curve["accuracy"] >= target)]
    if enough.empty:
        return 1.0
    lowest = enough.iloc[-1]
    return 0.0 if lowest["coverage"] == 1 else float(lowest["threshold"])


def answered(confidence: np.ndarray, right: np.ndarray, threshold: float) -> tuple[float, float | None]:
    """Share of the images that are answered, and how many of the answers are right (None when there are none)."""
    given = confidence >= threshold
    return float(given.mean()), float(right[given].mean()) if given.any() else None


def sure(
    target: float, val: tuple[np.ndarray, np.ndarray] | None, test: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    """The threshold that validation chooses for `target`, and what it does on test.

    Args:
        target: accuracy that answers shall have.
        val: confidence and whether right, of validation images; None when there are none, then nothing is chosen.
        test: the same of test images.
    """
    record = dict.fromkeys(("threshold", "val_coverage", "val_accuracy", "test_coverage", "test_accuracy"))
    if val is not None:
        threshold = choose_threshold(risk_coverage(*val), target, len(val[0]))
        record["threshold"] = threshold
        record["val_coverage"], record["val_accuracy"] = answered(*val, threshold)
        record["test_coverage"], record["test_accuracy"] = answered(*test, threshold)
    return {"target_accuracy": target} | record


def in_words(sure: Mapping[str, Any]) -> str:
    """What `sure` says, for people; {} when nothing was chosen."""
    if sure.get("threshold") is None:
        return "No threshold was fitted: nothing says when to hand a picture to a person."
    wanted = f"{100 * sure['target_accuracy']:.1f} %"
    if sure["test_accuracy"] is None:
        return f'No confidence keeps an accuracy of {wanted} on validation: every answer is to be "not sure".'
    return (
        f'Under a calibrated probability of {100 * sure["threshold"]:.1f} % the answer is to be "not sure": so the '
        f"accuracy on validation is at least {wanted}. On test it then names {100 * sure['test_coverage']:.1f} % of "
        f"the pictures, {100 * sure['test_accuracy']:.1f} % of them right."
    )
