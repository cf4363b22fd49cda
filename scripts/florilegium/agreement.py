"""How much alike networks answer: the same answers, and the same mistakes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from florilegium.comparison import labels_of_kind

COLUMNS = (
    *("recipe", "a", "b", "run_pairs", "agreement", "both_wrong", "both_wrong_equal"),
    *("equal_when_both_wrong", "either_right", "note"),
)


def agreement(architectures: pd.DataFrame, answers: Sequence[np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """agreement.csv: for each pair of networks of a recipe, shares of the test images (means over their runs).

    With several seeds a network is also held against itself, its seeds against each other: what two networks have to be
    measured by.

    Args:
        architectures: architectures.csv.
        answers: for each of its rows (seeds, images) predicted labels.
        labels: (images,) the true ones.
    """
    rows = []
    for i, j in itertools.combinations_with_replacement(range(len(architectures)), 2):
        a, b = architectures.iloc[i], architectures.iloc[j]
        if a["recipe"] != b["recipe"]:
            continue
        runs = itertools.combinations(answers[i], 2) if i == j else itertools.product(answers[i], answers[j])
        shares = [_shares(one, other, labels) for one, other in runs]
        if not shares:
            continue  # one seed: a run always agrees with itself
        row = {"recipe": a["recipe"], "a": a["architecture"], "b": b["architecture"], "run_pairs": len(shares)}
        row |= pd.DataFrame(shares).mean().to_dict()
        both = row["both_wrong"]
        row["equal_when_both_wrong"] = row["both_wrong_equal"] / both if both else float("nan")
        kinds = {labels_of_kind(network["pretrained"], network["val_top1"]) for network in (a, b)}
        rows.append(row | {"note": "; ".join(sorted(filter(None, kinds)))})
    return pd.DataFrame(rows, columns=COLUMNS)


def _shares(a: np.ndarray, b: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    equal, both = a == b, (a != labels) & (b != labels)
    return {
        "agreement": equal.mean(),
        "both_wrong": both.mean(),
        "both_wrong_equal": (equal & both).mean(),
        "either_right": 1 - both.mean(),
    }
