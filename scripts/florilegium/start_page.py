"""What a reader of the report sees first: the answer in words, one row per network, one figure. An HTML fragment."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from florilegium.amounts import amount, percent
from florilegium.pages import chosen_by, counted, plain_table
from florilegium.style import display_name

# The report's own style sheet knows nothing of our tables.
STYLE = """
.start table { border-collapse: collapse; width: auto; font-size: .78rem; margin: .8rem 0; }
.start td, .start th { padding: .25rem .33rem; text-align: right; white-space: nowrap; }
.start .text { text-align: left; white-space: normal; }
.start th { border-bottom: 2px solid #888; vertical-align: bottom; }
.start .scroll { overflow-x: auto; } .start img { max-width: 46rem; width: 100%; }
.start .random { color: #b3261e; font-weight: 600; }
"""
HEADS = (
    *("network", "backbone from", "runs", "val top-1", "test top-1 (95 % interval)", "top-5", "mean per class"),
    *("parameters", "file", "latency", "training"),
)
TEXT_COLUMNS = 2


def start_page(
    selection: Mapping[str, Any], architectures: pd.DataFrame, dataset: Mapping[str, Any], figure: bytes
) -> str:
    """HTML to stand inside another page.

    Args:
        selection: selection.json.
        architectures: architectures.csv.
        dataset: dataset.json.
        figure: the PNG below the table.
    """
    said = [f"<p>{escape(sentence)}</p>" for sentence in selection["sentences"]]
    lead = 1 if architectures["pretrained"].any() else 2  # the first sentence then says that the backbone was random
    order = architectures.sort_values("val_top1", ascending=False, na_position="last", kind="stable")
    rows = [_row(row, selection["chosen"], architectures["recipe"].nunique() > 1) for row in order.to_dict("records")]
    picture = base64.b64encode(figure).decode()
    return f"""<div class="start"><style>{STYLE}</style>
<h1>{escape(selection["headline"])}</h1>
{_random(architectures)}{"".join(said[:lead])}
{plain_table(HEADS, rows, TEXT_COLUMNS)}
<p>{_about(architectures, dataset)}</p>
<img alt="{escape(selection["headline"])}" src="data:image/png;base64,{picture}">
{"".join(said[lead:])}
</div>
"""


def _row(row: Mapping[str, Any], chosen: Mapping[str, Any] | None, several_recipes: bool) -> list[str]:
    name = display_name(row["architecture"]) + (f", {row['recipe']}" if several_recipes else "")
    same = chosen and (chosen["recipe"], chosen["architecture"]) == (row["recipe"], row["architecture"])
    cells = [
        *(name, row["weights"], str(row["seeds"]), percent(row["val_top1"])),
        f"{percent(row['test_top1'])} ({100 * row['test_top1_low']:.1f} – {100 * row['test_top1_high']:.1f})",
        *(percent(row["test_top5"]), percent(row["test_mean_per_class"]), f"{row['parameters'] / 1e6:.3g} M"),
        *(amount("file_mb", row["file_mb"]), amount("latency_ms", row["latency_ms"])),
        amount("train_minutes", row["train_seconds"] / 60),
    ]
    return [f"<b>{escape(cell)}</b>" if same else escape(cell) for cell in cells]


def _random(architectures: pd.DataFrame) -> str:
    if architectures["pretrained"].all() or not architectures["pretrained"].any():
        return ""
    return (
        '<p class="random">Some backbones started from random numbers: their runs show that the workflow works, they '
        "say nothing about transfer learning.</p>"
    )


def _about(architectures: pd.DataFrame, dataset: Mapping[str, Any]) -> str:
    over = " and ".join(architectures["interval_over"].unique())
    return (
        f"{len(dataset['class_names'])} classes; images: {counted(dataset)}; protocol: "
        f"{escape(' / '.join(architectures['protocol'].unique()))}. Intervals are over {escape(over)}. Latency: one "
        f"photograph through the ONNX file on one thread of this machine. {chosen_by(architectures)} The test images "
        "were read once per run."
    )
