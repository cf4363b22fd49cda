"""Which photographs show best where a network errs; nothing here opens a picture or draws.

`predictions` is predictions_test.csv, `training` maps each class name to the path of one of its training pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

PAIRS, OF_PAIR = 6, 4  # rows of the figure, mistakes in a row
CLASSES, OF_CLASS = 7, 5
MISTAKES = 20


class Picture(NamedTuple):
    """One photograph of a gallery, with the text above it."""

    path: str
    text: str
    training: bool = False


class Row(NamedTuple):
    """What a row of pictures shows; None leaves a place empty."""

    text: str
    pictures: list[Picture | None]


def percent(share: float) -> str:
    """Whole per cent on one line; a probability that is not quite 1 is not called so."""
    text = "> 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def mistakes(predictions: pd.DataFrame) -> pd.DataFrame:
    """The wrong answers, the surest first."""
    wrong = predictions[~predictions["correct"]]
    return wrong.sort_values(["calibrated_probability", "path"], ascending=[False, True], ignore_index=True)


def confident_mistakes(predictions: pd.DataFrame) -> list[Picture]:
    """The surest wrong answers: what it is, what the network says, and how sure it is."""
    return [
        Picture(row.path, f"{row.class_name}\n→ {row.predicted}, {percent(row.calibrated_probability)}")
        for row in mistakes(predictions)[:MISTAKES].itertuples()
    ]


def confused_pairs(pairs: pd.DataFrame, predictions: pd.DataFrame, training: Mapping[str, str]) -> list[Row]:
    """A row for each of the most frequent confusions: a training picture of either class, mistakes between them.

    Args:
        pairs: confused_pairs.csv.
        predictions: see above.
        training: see above.
    """
    rows, wrong = [], mistakes(predictions)
    for pair in pairs[:PAIRS].itertuples():
        found = wrong[(wrong["class_name"] == pair.class_name) & (wrong["predicted"] == pair.predicted)][:OF_PAIR]
        shown = [Picture(row.path, f"test: {percent(row.calibrated_probability)}") for row in found.itertuples()]
        shown += [None] * (OF_PAIR - len(shown))
        ends = [Picture(training[name], name, True) for name in (pair.class_name, pair.predicted)]
        of_all = f"{pair.images} of {round(pair.images / pair.share)} images"
        text = f"{pair.class_name}\ntaken for\n{pair.predicted}:\n{of_all}"
        rows.append(Row(text, [ends[0], *shown, ends[1]]))
    return rows


def hardest_classes(per_class: pd.DataFrame, predictions: pd.DataFrame, training: Mapping[str, str]) -> list[Row]:
    """A row for each class of the lowest recall: a training picture, then what its test pictures were taken for.

    Each other class that it was taken for comes once, the most frequent first, before any comes again.

    Args:
        per_class: per_class.csv.
        predictions: see above.
        training: see above.
    """
    wrong = mistakes(predictions)
    groups = wrong.groupby(["class_name", "predicted"])
    wrong = wrong.assign(nth=groups.cumcount(), often=groups["path"].transform("size"))
    wrong = wrong.sort_values(["nth", "often"], ascending=[True, False], kind="stable")
    order = per_class.sort_values(["recall", "support", "class_name"], ascending=[True, False, True])
    rows = []
    for row in order[order["class_name"].isin(wrong["class_name"])][:CLASSES].itertuples():
        found = wrong[wrong["class_name"] == row.class_name][:OF_CLASS]
        shown = [
            Picture(one.path, f"{percent(one.calibrated_probability)}: {one.predicted}") for one in found.itertuples()
        ]
        text = f"{row.class_name}:\nrecall {100 * row.recall:.0f} %\nof {row.support} images"
        rows.append(Row(text, [Picture(training[row.class_name], "training", True), *shown]))
    return rows
