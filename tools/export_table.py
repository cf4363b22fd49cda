"""Write docs/export.csv and the tables of docs/export.md from finished comparisons; `make exports` calls it.

    python tools/export_table.py results/comparison/formats.csv [other/formats.csv …] [--drawn demo/formats.csv]

A network that several files hold counts from the first. Random backbones keep their speed and agreement with torch, not
their top-1, except in the table of the drawn flowers, which all networks learned from nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from docs_tables import with_status, write_docs
from florilegium.errors import UserError
from florilegium.formats import means
from florilegium.style import display_name

AGREEMENT, COST = ["top1", "top1_agreement", "max_abs_diff"], ["p50_ms_1thread", "throughput", "file_mb"]
HEADS = (
    *("network", "format", "top-1", "same answer", "largest Δp", "ms, 1 thread", "photographs/s", "MB"),
    *("× torch", "× fp32", "note"),
)


def read(paths: list[str]) -> pd.DataFrame:
    """One row per network and format, means over seeds; a network of several files or recipes counts from the first.

    Raises:
        UserError: a file is no formats.csv.
    """
    tables = []
    for path in paths:
        try:
            tables.append(means(pd.read_csv(path, keep_default_na=False)))
        except (OSError, KeyError, pd.errors.ParserError) as error:
            raise UserError(f"{path} is no formats.csv of a finished comparison ({error})") from error
    together = pd.concat(tables, ignore_index=True)
    return together.drop_duplicates(["architecture", "format"]).reset_index(drop=True)


def as_markdown(table: pd.DataFrame) -> str:
    """The table for people; speeds are those of one thread, beside torch's and fp32's of the same network."""
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    for _, rows in table.groupby("architecture", sort=False):
        speed = rows.set_index("format")["p50_ms_1thread"]
        for row in rows.itertuples():
            top1 = "–" if pd.isna(row.top1) else f"{100 * row.top1:.1f} %"
            cells = [display_name(row.architecture), row.format, top1, f"{100 * row.top1_agreement:.1f} %"]
            cells += [f"{row.max_abs_diff:.1g}", f"{row.p50_ms_1thread:.1f}", f"{row.throughput:.0f}"]
            cells += [f"{row.file_mb:.1f}", *(f"{speed[base] / row.p50_ms_1thread:.2f}" for base in ("torch", "fp32"))]
            cells.append("" if row.recommended else "**not recommended**")
            cells[-1] = "; ".join(filter(None, [cells[-1], row.made_with]))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def conditions(table: pd.DataFrame) -> str:
    """Where the numbers come from, in a line."""
    first = table.iloc[0]
    places = " and ".join(f"{images} validation images" for images in sorted({*table["images"]}))
    vnni = "with" if str(first["vnni"]) == "True" else "without"
    return f"{places}; {first['processor']} {vnni} VNNI, {first['all_threads']} threads for the throughput."


@with_status
def main(arguments: list[str] | None = None) -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="+", help="formats.csv of finished comparisons")
    parser.add_argument("--drawn", help="formats.csv of drawn flowers, for a table of its own")
    parser.add_argument("--docs", default="docs", type=Path, help="where export.csv and export.md lie")
    given = parser.parse_args(arguments)
    table = read(given.formats)
    table["top1"] = table["top1"].where(table["pretrained"].astype(str) == "True")
    shown = {"table": table} | ({"drawn": read([given.drawn])} if given.drawn else {})
    places = {name: f"{as_markdown(of)}\n\n{conditions(of)}" for name, of in shown.items()}
    documented = table[["architecture", "format", *AGREEMENT, *COST]]
    write_docs(given.docs / "export.md", places, {"export.csv": documented})


if __name__ == "__main__":
    sys.exit(main())
