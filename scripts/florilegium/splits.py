"""Which photograph serves for training, validation and test: drawn splits, cross-validation folds, and their checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from sklearn.model_selection import StratifiedKFold, train_test_split

from florilegium.errors import UserError

SPLITS = ("train", "val", "test")


def drawn_split(rows: Iterable[tuple[str, str]], split: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(path, class name) with a split for each, drawn class by class with the given shares; the same for a seed.

    Raises:
        UserError: a class has too few pictures for three splits.
    """
    table = pd.DataFrame(rows, columns=["path", "class_name"])
    counts = table["class_name"].value_counts()
    if counts.min() < len(SPLITS):
        raise UserError(
            f"dataset.split: class '{counts.idxmin()}' has {counts.min()} picture(s); "
            f"expected at least 3, one each for train, val and test"
        )
    drawn = []
    for name, group in table.groupby("class_name"):
        files = group["path"].tolist()
        # At least one picture each, whatever the shares round to.
        held_out = max(2, round(len(files) * (split["val"] + split["test"])))
        held_out = min(held_out, len(files) - 1)
        test = min(max(1, round(held_out * split["test"] / (split["val"] + split["test"]))), held_out - 1)
        train_files, rest = train_test_split(files, test_size=held_out, random_state=split["seed"])
        val_files, test_files = train_test_split(rest, test_size=test, random_state=split["seed"])
        parts = {"train": train_files, "val": val_files, "test": test_files}
        drawn += [(file, name, part) for part, chosen in parts.items() for file in chosen]
    return drawn


def folds_of(table: pd.DataFrame, split: dict[str, Any]) -> pd.Series:
    """Fold 0 … folds - 1 of every train and val picture, stratified by class; missing for test and without folds.

    Args:
        table: columns label, class_name, split.
        split: `folds` (null or a number) and `seed`.

    Raises:
        UserError: a class has fewer pictures outside of test than there are folds.
    """
    folds = pd.Series(pd.NA, index=table.index, dtype="Int64", name="fold")
    count = split.get("folds")
    if not count:
        return folds
    pool = table[table["split"] != "test"]
    pictures = pool["class_name"].value_counts().reindex(table["class_name"].unique(), fill_value=0)
    if pictures.min() < count:
        raise UserError(
            f"dataset.split.folds: {count}, but class '{pictures.idxmin()}' has {pictures.min()} picture(s) outside of "
            f"test; expected at least one for each fold: fewer folds, or more pictures"
        )
    cut = StratifiedKFold(count, shuffle=True, random_state=split["seed"]).split(pool, pool["label"])
    for number, (_, held_out) in enumerate(cut):
        folds[pool.index[held_out]] = number
    return folds


def check_classes(table: pd.DataFrame, folds: int | None = None) -> None:
    """Refuse one class only, an empty split, and a class that is missing from a split; folds need no val split."""
    needed = [split for split in SPLITS if split != "val" or not folds]
    for split in needed:
        if not (table["split"] == split).any():
            raise UserError(f"dataset: zero {split} images; expected at least one for every class")
    if table["class_name"].nunique() < 2:
        raise UserError(f"dataset: one class only, '{table['class_name'].iloc[0]}'; expected at least two")
    counts = table.groupby(["class_name", "split"]).size().unstack(fill_value=0).reindex(columns=needed, fill_value=0)
    for name, row in counts.iterrows():
        for split in needed:
            if row[split] == 0:
                raise UserError(
                    f"dataset: class '{name}' has no picture in {split}; expected at least one in every split"
                )


def protocol(folds: int | None) -> str:
    """How validation images were set apart, in words for every place that shows a number."""
    if not folds:
        return "fixed split"
    return (
        f"{folds}-fold cross-validation: seed s holds out fold s mod {folds} of train + val, test is the same for all"
    )
