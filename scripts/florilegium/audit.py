"""The audit: every file is decoded once, and what cannot be trained on is refused by name."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pandas as pd
from PIL import Image, ImageFile
from tqdm import tqdm

from florilegium.datasets import SPLITS
from florilegium.errors import UserError
from florilegium.files import file_digest
from florilegium.images import SMALLEST, open_rgb

ImageFile.LOAD_TRUNCATED_IMAGES = False  # a truncated file is refused, never padded with grey
NAMED = 5  # how many files one message names


def examine(path: str) -> dict[str, Any]:
    """sha256, width, height (upright, pixels), original mode, and a problem ('' when there is none) of one file."""
    found: dict[str, Any] = {"sha256": "", "width": 0, "height": 0, "mode": "", "problem": ""}
    try:
        found["sha256"] = file_digest(path)
        with Image.open(path) as image:
            found["mode"] = image.mode
        found["width"], found["height"] = open_rgb(path).size
        if min(found["width"], found["height"]) < SMALLEST:
            found["problem"] = f"{found['width']}x{found['height']} pixels, smaller than {SMALLEST}"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        found["problem"] = f"unreadable or truncated: {error}" if str(error) else f"unreadable: {type(error).__name__}"
    return found


def audited(table: pd.DataFrame, workers: int) -> pd.DataFrame:
    """`table` (path, label, class_name, split) with sha256, width, height and mode of every file.

    Args:
        table: one row per photograph.
        workers: processes that decode side by side.

    Raises:
        UserError: names the files or classes that cannot be used, and what to do.
    """
    check_classes(table)
    with ProcessPoolExecutor(workers) as pool:
        rows = pool.map(examine, table["path"], chunksize=max(1, min(64, len(table) // (4 * workers))))
        found = pd.DataFrame(list(tqdm(rows, total=len(table), desc="audit", unit="image", disable=None)))
    full = pd.concat([table, found], axis=1)
    bad = full[full["problem"] != ""]
    if len(bad):
        listed = "; ".join(f"{row.path}: {row.problem}" for row in bad.head(NAMED).itertuples())
        more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        raise UserError(f"dataset: {len(bad)} picture(s) cannot be used; repair or remove: {listed}{more}")
    return full.drop(columns="problem")


def check_classes(table: pd.DataFrame) -> None:
    """Refuse one class only, an empty split, and a class that is missing from a split."""
    for split in SPLITS:
        if not (table["split"] == split).any():
            raise UserError(f"dataset: zero {split} images; expected at least one for every class")
    if table["class_name"].nunique() < 2:
        raise UserError(f"dataset: one class only, '{table['class_name'].iloc[0]}'; expected at least two")
    counts = table.groupby(["class_name", "split"]).size().unstack(fill_value=0).reindex(columns=SPLITS, fill_value=0)
    for name, row in counts.iterrows():
        for split in SPLITS:
            if row[split] == 0:
                raise UserError(
                    f"dataset: class '{name}' has no picture in {split}; expected at least one in every split"
                )


def duplicates_across_splits(table: pd.DataFrame) -> list[list[str]]:
    """Pictures whose bytes lie in more than one split, each as its list of `path (split)`."""
    splits = table.groupby("sha256")["split"].nunique()
    shared = table[table["sha256"].isin(splits[splits > 1].index)]
    return [[f"{row.path} ({row.split})" for row in group.itertuples()] for _, group in shared.groupby("sha256")]
