"""The manifest as the later steps read it: rows, labels and names of a split."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

from florilegium.files import read_json


class Manifest:
    """results/data/manifest.csv and the dataset.json beside it, as one run sees them."""

    def __init__(
        self, path: str | os.PathLike, dataset: str | os.PathLike, seed: int | None = None, train_on: str = "train"
    ):
        """Read both files.

        Args:
            path: manifest.csv.
            dataset: dataset.json.
            seed: the run's; with cross-validation, fold `seed mod folds` is its val split and the other folds are its
                train split. None keeps the splits as they were listed.
            train_on: the recipe's; with `train+val` the images of val are training images too.
        """
        # A class may be called "null" or "NA": no text is a missing value here.
        self.table = pd.read_csv(path, keep_default_na=False, dtype={"class_name": str, "path": str})
        self.dataset: dict[str, Any] = read_json(dataset)
        folds = self.dataset.get("folds")
        self._training = train_on.split("+")
        self.fold: int | None = None if seed is None or not folds else int(seed) % folds
        if self.fold is not None:
            held_out = pd.to_numeric(self.table["fold"]) == self.fold
            self.table.loc[self.table["split"] != "test", "split"] = "train"
            self.table.loc[held_out, "split"] = "val"

    @property
    def class_names(self) -> list[str]:
        """Names by label."""
        return self.dataset["class_names"]

    @property
    def fingerprint(self) -> str:
        """sha256 of every image's digest, label, split and fold."""
        return self.dataset["fingerprint"]

    @property
    def protocol(self) -> str:
        """How validation images were set apart, in words."""
        if self.validates:
            return self.dataset["protocol"]
        return f"trained on train + val ({len(self.rows('train'))} images), nothing validates"

    @property
    def validates(self) -> bool:
        """Whether validation images are kept out of training."""
        return "val" not in self._training

    def rows(self, split: str) -> np.ndarray:
        """Positions of a split's images in the manifest, and so in every pixel file."""
        return np.flatnonzero(self.table["split"].isin(self._training if split == "train" else [split]))

    def images(self, split: str) -> pd.DataFrame:
        """The rows of a split."""
        return self.table.iloc[self.rows(split)]

    def labels(self, split: str) -> np.ndarray:
        """(n,) int64 labels of a split."""
        return self.images(split)["label"].to_numpy(np.int64, copy=True)
