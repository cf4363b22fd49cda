"""Write docs/recipes.csv, docs/ablation.csv and the tables of docs/recipes.md from finished comparisons of recipes.

    python tools/recipes_table.py results/comparison/recipes.csv [other/recipes.csv …] [--ablation some/ablation.csv]

`make recipes` calls it. A run that several files hold counts from the first.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from docs_tables import with_status, write_docs
from florilegium.amounts import percent, points
from florilegium.errors import UserError
from florilegium.markdown import cell, table
from florilegium.recipes import ABLATION, DOCUMENTED
from florilegium.style import display_name

ACCURACIES = ("val_top1", "test_top1", "test_top1_flip", "test_mean_per_class")
HEADS = (
    *("recipe", "network", "seeds", "trained on", "validation top-1", "test top-1", "test top-1, with mirror image"),
    *("test mean per class", "test ECE", "training, min"),
)
SCREENING = (
    *("recipe", "network", "seeds", "validation top-1", "difference, points (95 %)", "training, min", "× time"),
    "changes",
)


def read(path: str | Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A table of the comparison of recipes.

    Raises:
        UserError: it cannot be read, or lacks one of `columns`.
    """
    try:
        found = pd.read_csv(path)
        return found[[*columns]]
    except (OSError, KeyError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path} is no table of a finished comparison of recipes ({error})") from error


def over_seeds(values: pd.Series) -> str:
    """Mean of shares with the standard deviation over seeds, in per cent; a dash where a seed was not measured."""
    if values.isna().any():
        return "–"
    return percent(values.mean()) if len(values) == 1 else f"{100 * values.mean():.1f} ± {100 * values.std():.1f} %"


def recipes_table(runs: pd.DataFrame, base: str) -> str:
    """A row for each recipe and architecture; times beside the base recipe's of the same architecture."""
    minutes = runs.groupby(["recipe", "architecture"])["train_seconds"].mean() / 60
    rows = []
    for (recipe, architecture), group in runs.groupby(["recipe", "architecture"], sort=False):
        images = " / ".join(str(count) for count in sorted({*group["train_images"]}))
        cells = [cell(recipe), display_name(architecture), len(group), images]
        cells += [over_seeds(group[column]) for column in ACCURACIES]
        cells += [percent(group["ece"].mean()), f"{minutes[recipe, architecture]:.1f}"]
        known = (base, architecture) in minutes
        ratio = minutes[recipe, architecture] / minutes[base, architecture] if known else None
        rows.append([*cells, "–" if ratio is None else f"{ratio:.2f}"])
    return table([*HEADS, f"× {cell(base)}"], rows)


def screening_table(gains: pd.DataFrame) -> str:
    """The ablation, row by row: validation only."""
    rows = []
    for row in gains.itertuples():
        ends = f"{points(row.difference)} ({points(row.low)} … {points(row.high)})"
        held = row.recipe != row.base and pd.notna(row.difference)
        cells = [cell(row.recipe), display_name(row.architecture), row.seeds, percent(row.val_top1)]
        cells += [ends if held else "–", f"{row.train_seconds / 60:.1f}"]
        cells += [f"{row.time_ratio:.2f}" if pd.notna(row.time_ratio) else "–"]
        rows.append([*cells, cell(row.changes) if pd.notna(row.changes) else ""])
    return table(SCREENING, rows)


@with_status
def main(arguments: list[str] | None = None) -> None:
    """Write the tables and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+", help="recipes.csv of finished comparisons")
    parser.add_argument("--ablation", help="ablation.csv of the comparison that the choice was made by")
    parser.add_argument("--base", default="lesson", help="the recipe whose time the others are compared with")
    parser.add_argument("--docs", default="docs", type=Path, help="where recipes.csv, ablation.csv and recipes.md lie")
    given = parser.parse_args(arguments)
    tables = [read(path, (*DOCUMENTED, "test_top1_flip")) for path in given.recipes]
    runs = pd.concat(tables, ignore_index=True).drop_duplicates(["recipe", "architecture", "seed"])
    places, written = {"recipes": recipes_table(runs, given.base)}, {"recipes.csv": runs[[*DOCUMENTED]]}
    if given.ablation:
        written["ablation.csv"] = read(given.ablation, ABLATION)
        places["ablation"] = screening_table(written["ablation.csv"])
    write_docs(given.docs / "recipes.md", places, written)


if __name__ == "__main__":
    sys.exit(main())
