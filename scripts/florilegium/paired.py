"""Which networks differ: paired tests on the same test images, corrected for how many there are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from florilegium.comparison import labels_of_kind
from florilegium.errors import UserError
from florilegium.resampling import image_means, interval, seed_deviations, two_sided_p

LEVEL = 0.05  # of the family of tests
EXACT_BELOW = 25  # discordant images; from there on McNemar's statistic is close to its chi-squared distribution
COLUMNS = (
    *("family", "recipe_a", "a", "recipe_b", "b", "difference", "low", "high"),
    *("test", "p", "tests", "p_holm", "separable", "note"),
)


def check_same_images(paths: dict[str, list[str]]) -> None:
    """Runs are compared on the same images only.

    Args:
        paths: the test images of each run, in order, by the run's name.

    Raises:
        UserError: two runs saw different images.
    """
    (first, images), *others = paths.items()
    for name, theirs in others:
        if theirs != images:
            raise UserError(
                f"predictions_test.csv of {name} ({len(theirs)} images) and of {first} ({len(images)}) list different "
                f"test images; expected the same: run the workflow again, so that both are evaluated on one manifest"
            )


def paired_tests(architectures: pd.DataFrame, right: list[np.ndarray]) -> pd.DataFrame:
    """pairs.csv: one row per pair of networks that may be compared, Holm-corrected within its family.

    A family is all pairs of one recipe, or of two recipes with one protocol: runs on train + val are never held against
    runs that kept validation images. Two runs are compared by McNemar's test; with several seeds by a paired bootstrap
    over images of the difference of the means over seeds, to which the spread of that difference over the seeds is
    added (images alone would call two networks different that another seed may turn round).

    Args:
        architectures: architectures.csv.
        right: for each of its rows (seeds, images) booleans, whether the test image was named right.
    """
    rows = []
    for i, j in itertools.combinations(range(len(architectures)), 2):
        a, b = architectures.iloc[i], architectures.iloc[j]
        if a["protocol"] != b["protocol"] or pd.isna(a["val_top1"]) != pd.isna(b["val_top1"]):
            continue
        recipes = dict.fromkeys((a["recipe"], b["recipe"]))
        row = {"family": " and ".join(recipes), "recipe_a": a["recipe"], "a": a["architecture"]}
        row |= {"recipe_b": b["recipe"], "b": b["architecture"]} | compared(right[i], right[j])
        rows.append(row | {"tests": 1, "p_holm": row["p"], "separable": False, "note": _note(a, b)})
    table = pd.DataFrame(rows, columns=COLUMNS)
    for _, family in table.groupby("family"):
        separable, corrected, _, _ = multipletests(family["p"], LEVEL, method="holm")
        table.loc[family.index, "p_holm"], table.loc[family.index, "separable"] = corrected, separable
        table.loc[family.index, "tests"] = len(family)
    return table


def compared(a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    """Difference of the accuracies of two networks (a - b) with its 95 % interval, and p of there being none.

    Args:
        a: (seeds, images) booleans.
        b: the same of the other network, seeds in the same order.
    """
    draws = image_means((a.sum(axis=0) - b.sum(axis=0))[:, None])[:, 0] / len(a)
    if len(a) > 1:
        draws = draws + seed_deviations((a.mean(axis=1) - b.mean(axis=1))[:, None])[:, 0]
        test, p = "paired bootstrap over images and seeds", two_sided_p(draws.round(12))
    else:
        test, p = mcnemar_test(a[0], b[0])
    low, high = interval(draws)
    difference = (a.sum() - b.sum()) / a.size if a.size else float("nan")
    return {"difference": difference, "low": low, "high": high, "test": test, "p": p}


def mcnemar_test(a: np.ndarray, b: np.ndarray) -> tuple[str, float]:
    """Name and p of McNemar's test of two runs: exact when few images are named right by only one of them."""
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    exact = only_a + only_b < EXACT_BELOW
    table = [[int((a & b).sum()), only_a], [only_b, int((~a & ~b).sum())]]
    result = mcnemar(table, exact=exact, correction=True)
    return f"McNemar, {'exact' if exact else 'chi-squared'}", float(result.pvalue)


def _note(a: pd.Series, b: pd.Series) -> str:
    kinds = [labels_of_kind(row["pretrained"], row["val_top1"]) for row in (a, b)]
    if kinds[0] == kinds[1]:
        return f"both: {kinds[0]}" if kinds[0] else ""
    return "; ".join(f"{row['architecture']}: {kind}" for row, kind in zip((a, b), kinds, strict=True) if kind)
