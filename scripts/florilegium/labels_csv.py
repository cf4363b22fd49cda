"""Photographs that a CSV lists: `path,label[,split]`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from florilegium.errors import UserError, nearest
from florilegium.splits import SPLITS


def read_labels(path: Path) -> pd.DataFrame:
    """Columns path, class_name and, where the CSV has it, split; relative paths are relative to the CSV's folder.

    Raises:
        UserError: the file cannot be read as such a table; names the row.
    """
    table = read_text_table(path, "dataset.root", ("path", "label"))
    for column in [name for name in ("path", "label", "split") if name in table]:
        for row in _rows(table[column].str.strip() == ""):
            raise UserError(f"dataset.root: {path} row {row} has no {column}; expected one in every row")
    if "split" in table:
        for row in _rows(~table["split"].isin(SPLITS)):
            found = table["split"].iloc[row - 2]
            raise UserError(
                f"dataset.root: {path} row {row} has split '{found}'; expected {', '.join(SPLITS)}"
                f"{nearest(found, SPLITS)}"
            )
    table["path"] = [os.path.normpath(path.parent / listed) for listed in table["path"]]
    for row in _rows(table["path"].duplicated()):
        place = table["path"].iloc[row - 2]
        first = table.index[table["path"] == place][0] + 2
        raise UserError(f"dataset.root: {path} lists {place} in rows {first} and {row}; expected every picture once")
    return table.rename(columns={"label": "class_name"}).filter(["path", "class_name", "split"])


def read_text_table(path: Path, key: str, columns: Iterable[str]) -> pd.DataFrame:
    """A CSV with every value as text; refused under `key` when it is no table or lacks one of `columns`."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            heading, *rows = [row for row in csv.reader(stream, strict=True) if row] or [[]]
    except FileNotFoundError as error:
        raise UserError(f"{key}: {path} does not exist; expected a CSV with {','.join(columns)}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{key}: {path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise UserError(f"{key}: {path} cannot be read as a CSV: {error}") from error
    for column in columns:
        if heading.count(column) != 1:
            found = f"{heading.count(column) or 'no'} column '{column}'{nearest(column, heading)}"
            raise UserError(
                f"{key}: {path} has {found}; found {', '.join(heading) or 'nothing'}; expected a first row with "
                f"{','.join(columns)}"
            )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(heading):
            raise UserError(
                f"{key}: {path} row {number} has {len(row)} values; expected {len(heading)} as in the first row, text "
                f"with a comma in quotes"
            )
    if not rows:
        raise UserError(f"{key}: {path} has no rows; expected one for every picture or class")
    return pd.DataFrame(rows, columns=heading)


def _rows(wrong: pd.Series) -> Iterable[int]:
    """Row numbers as an editor shows them: the heading is row 1."""
    return wrong.index[wrong] + 2
