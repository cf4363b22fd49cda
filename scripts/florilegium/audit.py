"""The audit: every file is decoded once, and what cannot be trained on is refused, or skipped, by name."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pandas as pd
from PIL import Image, ImageFile
from tqdm import tqdm

from florilegium.duplicates import difference_hash
from florilegium.errors import UserError
from florilegium.files import file_digest
from florilegium.images import SMALLEST, conversions, upright_rgb, upright_size
from florilegium.splits import check_classes
from florilegium.step import log

ImageFile.LOAD_TRUNCATED_IMAGES = False  # a truncated file is refused, never padded with grey
ENOUGH = 256  # pixels; the hash needs no more
NAMED = 5  # how many files one message names


def examine(path: str) -> dict[str, Any]:
    """What one file is.

    Returns:
        sha256, width and height (upright, pixels), converted (what had to be changed), hash (perceptual), and a problem
        ('' when there is none).
    """
    found: dict[str, Any] = {"sha256": "", "width": 0, "height": 0, "converted": "", "hash": "", "problem": ""}
    try:
        found["sha256"] = file_digest(path)
        with Image.open(path) as image:
            found["converted"] = conversions(image)
            found["width"], found["height"] = upright_size(image)
            # A JPEG at a reduced size is read to its end all the same, for a fraction of the time and memory.
            image.draft(None, (ENOUGH, ENOUGH))
            found["hash"] = difference_hash(upright_rgb(image))
        if min(found["width"], found["height"]) < SMALLEST:
            found["problem"] = f"{found['width']}x{found['height']} pixels, smaller than {SMALLEST}"
    except FileNotFoundError:
        found["problem"] = "a link that leads nowhere" if os.path.islink(path) else "does not exist"
    except Image.DecompressionBombError as error:
        found["problem"] = f"too large: {error}"
    except Exception as error:  # Pillow's decoders raise anything, down to struct.error, on a damaged file
        found["problem"] = f"unreadable or truncated: {error or type(error).__name__}".replace("\n", " ")
    return found


def audited(
    table: pd.DataFrame, workers: int, on_bad_image: str = "error", folds: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`table` with what `examine` finds of every file, and the rows that were skipped, each with its problem.

    Args:
        table: columns path, label, class_name, split; one row per photograph.
        workers: processes that decode side by side.
        on_bad_image: `error` refuses a dataset with unusable files, `skip` goes on without them.
        folds: cross-validation folds, which make the validation split dispensable.

    Raises:
        UserError: names the files or classes that cannot be used, and what to do.
    """
    check_classes(table, folds)
    with ProcessPoolExecutor(workers) as pool:
        rows = pool.map(examine, table["path"], chunksize=max(1, min(64, len(table) // (4 * workers))))
        found = pd.DataFrame(list(tqdm(rows, total=len(table), desc="audit", unit="image", disable=None)))
    full = pd.concat([table, found], axis=1)
    full.loc[_contradictory(full), "problem"] = "the same picture lies in another class, so one label is wrong"
    bad = full[full["problem"] != ""]
    for row in bad.itertuples():
        log.debug("cannot be used: %s: %s", row.path, row.problem)
    if len(bad) and on_bad_image == "error":
        listed = "; ".join(f"{row.path}: {row.problem}" for row in bad.head(NAMED).itertuples())
        more = f"; and {len(bad) - NAMED} more, all of them in the log" if len(bad) > NAMED else ""
        raise UserError(
            f"dataset: {len(bad)} picture(s) cannot be used; repair or remove them, or set dataset.on_bad_image to "
            f"skip: {listed}{more}"
        )
    good = full[full["problem"] == ""].drop(columns="problem").reset_index(drop=True)
    _check_what_is_left(table, good, folds)
    return good, bad[["path", "class_name", "split", "problem"]]


def _contradictory(table: pd.DataFrame) -> pd.Series:
    """Whether the same bytes carry another label elsewhere; a file that could not be read has no bytes to compare."""
    return (table.groupby("sha256")["label"].transform("nunique") > 1) & (table["problem"] == "")


def _check_what_is_left(table: pd.DataFrame, good: pd.DataFrame, folds: int | None) -> None:
    for name in table["class_name"].unique():
        if name not in set(good["class_name"]):
            raise UserError(f"dataset: class '{name}' has no usable picture left; every one of them was skipped")
    check_classes(good, folds)
