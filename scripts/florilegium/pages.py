"""The comparison as a page for people: the answer first, then the table. Self-contained HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from florilegium.amounts import percent
from florilegium.style import display_name

# Heading, how a value is shown, and what the heading means, by column of runs.csv.
COLUMNS = {
    "recipe": ("recipe", str, "how it was trained"),
    "architecture": ("network", display_name, "architecture"),
    "seed": ("seed", str, "of the run"),
    "protocol": ("protocol", str, "which images trained, and which chose"),
    "weights": ("backbone from", str, "what the backbone started from"),
    "parameters": ("parameters", lambda v: f"{v / 1e6:.1f} M", "with the head for these classes"),
    "gmacs": ("GMACs", lambda v: f"{v:.2f}", "10^9 multiply-adds for one picture"),
    "file_mb": ("ONNX", lambda v: f"{v:.1f} MB", "size of model.onnx"),
    "phase1_val_top1": ("val, phase 1", percent, "best validation top-1 with a frozen backbone"),
    "phase2_val_top1": ("val, phase 2", percent, "best validation top-1 of the whole network"),
    "test_top1": ("test top-1", percent, "share of the test images named right"),
    "interval": ("95 % interval", str, "of test top-1: percentile bootstrap over the test images"),
    "test_top5": ("test top-5", percent, "right name among the first five"),
    "test_mean_per_class": ("mean per class", percent, "every class counts the same"),
    "test_macro_f1": ("macro F1", lambda v: f"{v:.3f}", "mean of the classes' F1"),
    "train_seconds": ("training", lambda v: f"{v / 60:.1f} min", "both phases"),
    "peak_memory_mb": ("peak memory", lambda v: f"{v / 1024:.1f} GiB", "of the training job"),
    "latency_ms": ("latency", lambda v: f"{v:.1f} ms", "model.onnx, one picture, one thread of this machine's CPU"),
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; } td, th { padding: .35rem .7rem; text-align: right; white-space: nowrap; }
th { border-bottom: 2px solid #888; cursor: help; } tr:nth-child(even) td { background: #f3f3f3; }
td:nth-child(-n+5), th:nth-child(-n+5) { text-align: left; } .chosen td { font-weight: 600; }
.scroll { overflow-x: auto; } .note { max-width: 50rem; }
h2 { margin-top: 2.5rem; } table.plain td, table.plain th { cursor: auto; text-align: right; }
table.plain .text { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 7rem; }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #181818; } tr:nth-child(even) td { background: #242424; }
}
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole page in the house style; `body` and `style` are HTML and CSS already."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<style>{STYLE}{style}</style></head><body>
{body}
</body></html>
"""


def plain_table(heads: Sequence[str], rows: Iterable[Sequence[Any]], text: int = 1) -> str:
    """A table of cells that are HTML already; its first `text` columns are text, the others numbers."""

    def line(tag, row):
        kinds = [' class="text"'] * text + [""] * (len(row) - text)
        return "<tr>" + "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"

    lines = "\n".join([line("th", heads), *(line("td", row) for row in rows)])
    return f'<div class="scroll"><table class="plain">\n{lines}\n</table></div>'


def comparison_page(runs: pd.DataFrame, selection: dict, dataset: dict) -> str:
    """HTML of the start table.

    Args:
        runs: runs.csv.
        selection: selection.json.
        dataset: dataset.json.
    """
    chosen = selection["chosen"]
    said = "\n".join(f'<p class="note">{escape(sentence)}</p>' for sentence in selection["sentences"])
    runs = runs.assign(interval=[_interval(row) for row in runs.itertuples()])
    head = "".join(f'<th title="{escape(about)}">{escape(name)}</th>' for name, _, about in COLUMNS.values())
    body = "\n".join(_table_row(row, chosen) for _, row in runs.sort_values("val_top1", ascending=False).iterrows())
    content = f"""<h1>{escape(selection["headline"])}</h1>
{said}
<p class="note">{len(dataset["class_names"])} classes; images: {_images(dataset, runs)}.
{chosen_by(runs)} Test was read once per run, for this table.{_random_note(runs)}</p>
<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table></div>"""
    return page("Comparison of the networks", content)


def chosen_by(runs: pd.DataFrame) -> str:
    """What validation chose; `runs` may be runs.csv or architectures.csv."""
    trained_on_both = runs["val_top1"].isna()
    text = "Validation chose every checkpoint and the network." if not trained_on_both.all() else ""
    if trained_on_both.any():
        text += " Runs trained on train + val have no validation left: their last epoch counts, and nothing is chosen."
    return text.strip()


def counted(dataset: Mapping[str, Any]) -> str:
    """How many images each split has; with folds, train and val are cut from the same ones."""
    counts = dataset["images"]
    if dataset.get("folds"):
        return f"{counts['train'] + counts['val']} train + val, {counts['test']} test"
    return ", ".join(f"{counts[split]} {split}" for split in ("train", "val", "test"))


def _images(dataset: dict, runs: pd.DataFrame) -> str:
    if not dataset.get("folds"):
        return counted(dataset)
    return (
        f"{counted(dataset)}. Protocol: "
        f"{escape(dataset['protocol'])}; these runs hold out {runs['fold'].nunique()} of {dataset['folds']} folds"
    )


def _interval(row) -> str:
    return f"{100 * row.test_top1_low:.1f} – {100 * row.test_top1_high:.1f} %"


def _table_row(row: pd.Series, chosen: dict | None) -> str:
    cells = "".join(f"<td>{escape(show(row[column]))}</td>" for column, (_, show, _) in COLUMNS.items())
    same = chosen is not None and row["architecture"] == chosen["architecture"] and row["recipe"] == chosen["recipe"]
    return f"<tr{' class=chosen' if same else ''}>{cells}</tr>"


def _random_note(runs: pd.DataFrame) -> str:
    if runs["pretrained"].all():
        return ""
    return " Runs whose backbone is random show that the workflow works; they are not transfer learning."
