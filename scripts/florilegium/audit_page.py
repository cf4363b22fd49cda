"""The audit as a page for people: what can be trained on, and what to look at first. Self-contained HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from florilegium.errors import UserError
from florilegium.images import SMALLEST, open_rgb
from florilegium.pages import page, plain_table
from florilegium.splits import SPLITS

SAMPLES, GROUPS, PER_GROUP, LISTED = 24, 12, 4, 200  # how many of each the page shows
THUMBNAIL = 112  # pixels
UNEVEN = 1.5  # largest class by smallest, from which top-1 and mean per-class accuracy part
BINS = 16
MORE_STYLE = """
.tall { max-height: 32rem; overflow-y: auto; width: fit-content; max-width: 100%; }
.bar { display: flex; width: 16rem; height: .8rem; } .train { background: #0072b2; } .val { background: #e69f00; }
.test { background: #8a8a8a; } .key { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; }
.bins { display: flex; align-items: flex-end; gap: 2px; height: 9rem; max-width: 40rem; border-bottom: 1px solid #888; }
.bins div { flex: 1; background: #0072b2; min-height: 1px; } .ends { display: flex; max-width: 40rem; }
.ends span:nth-child(2) { flex: 1; text-align: center; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin: .8rem 0; } figure { margin: 0; width: 8.5rem; }
figure img { display: block; } figcaption { font-size: .8rem; line-height: 1.25; overflow-wrap: anywhere; }
.groups { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.group { border-left: 3px solid #d55e00; padding-left: .8rem; } ul { max-width: 50rem; }
@media (prefers-color-scheme: dark) { .train, .bins div { background: #56b4e9; } }
"""


def audit_page(table: pd.DataFrame, dataset: dict[str, Any]) -> str:
    """HTML of the audit.

    Args:
        table: the manifest; its files are read again for a few dozen thumbnails.
        dataset: dataset.json.
    """
    counts = _counts(table)
    sections = {
        "Classes and splits": _classes(counts, table, dataset),
        "Sizes": _sizes(table),
        "Samples": _samples(table, dataset["class_names"]),
        "The same picture in two places": _groups(dataset["duplicates_across_splits"]),
        "Nearly the same picture in two places": _groups(dataset["near_duplicates_across_splits"]),
        "Converted": _converted(dataset),
        "Left out": _left_out(dataset),
    }
    body = "\n".join(f"<h2>{escape(title)}</h2>\n{text}" for title, text in sections.items())
    findings = "".join(f"<li>{escape(text)}</li>" for text in _findings(counts, dataset))
    content = f"""<h1>{len(table)} photographs of {len(counts)} classes can be trained on</h1>
<ul>{findings}</ul>
<p class="note">Every file was read to its last row. Protocol: {escape(dataset["protocol"])}.
Fingerprint of the dataset: {escape(dataset["fingerprint"][:16])}…</p>
{body}"""
    return page("Audit of the photographs", content, MORE_STYLE)


def _counts(table: pd.DataFrame) -> pd.DataFrame:
    """Images per class (rows, most first) and split, and their total."""
    counts = table.groupby(["class_name", "split"]).size().unstack(fill_value=0).reindex(columns=SPLITS, fill_value=0)
    return counts.assign(total=counts.sum(axis=1)).sort_values("total", ascending=False, kind="stable")


def _findings(counts: pd.DataFrame, dataset: dict[str, Any]) -> Iterable[str]:
    total = counts["total"]
    ratios = {split: counts[split].max() / counts[split].min() for split in SPLITS if dataset["images"][split]}
    largest, smallest = (f"{name} ({total[name]} pictures)" for name in (total.idxmax(), total.idxmin()))
    advice = "; read mean per-class accuracy beside top-1" if ratios["test"] > UNEVEN else ""
    shown = ", ".join(f"{split} {ratio:.1f} to 1" for split, ratio in ratios.items())
    yield f"Imbalance: {shown}; over all from {largest} to {smallest}{advice}."
    for key, what in (("duplicates", "the same"), ("near_duplicates", "nearly the same")):
        groups = dataset[f"{key}_across_splits"]
        mixed = sum(len({picture["class_name"] for picture in group}) > 1 for group in groups)
        split = "split or fold" if dataset["folds"] else "split"
        text = f"{len(groups)} picture(s) with {what} picture in another {split}, which flatters accuracy"
        text += f"; {mixed} of them in different classes" if mixed else ""
        yield f"{text}." if groups else f"No picture has {what} picture in another {split}."
    yield f"{sum(dataset['converted'].values())} picture(s) converted to upright RGB."
    yield f"{len(dataset['skipped'])} picture(s) left out."


def _classes(counts: pd.DataFrame, table: pd.DataFrame, dataset: dict[str, Any]) -> str:
    key = "".join(f'<span class="key {split}"></span>{split} {dataset["images"][split]}' for split in SPLITS)
    most = counts["total"].max()
    rows = []
    for name, row in counts.iterrows():
        parts = "".join(f'<div class="{part}" style="width:{100 * row[part] / most:.2f}%"></div>' for part in SPLITS)
        rows.append([escape(name), f'<div class="bar">{parts}</div>', row["total"], *(row[part] for part in SPLITS)])
    text = f'<p>{key}</p><div class="tall">{plain_table(["class", "", "total", *SPLITS], rows)}</div>'
    if not dataset["folds"]:
        return text
    held_out = pd.to_numeric(table["fold"]).value_counts().sort_index()
    folds = [[f"fold {number:.0f}", images, held_out.sum() - images] for number, images in held_out.items()]
    return text + "<p></p>" + plain_table(["held out", "validation", "training"], folds)


def _sizes(table: pd.DataFrame) -> str:
    shorter, longer = table[["width", "height"]].min(axis=1), table[["width", "height"]].max(axis=1)
    heads = ["", "smallest", "5 %", "median", "95 %", "largest"]
    measures = {"shorter side (pixels)": (shorter, 0), "longer side (pixels)": (longer, 0)}
    measures["longer / shorter"] = (longer / shorter, 2)
    rows = [
        [name, *(f"{value:.{digits}f}" for value in np.quantile(values, (0, 0.05, 0.5, 0.95, 1)))]
        for name, (values, digits) in measures.items()
    ]
    if shorter.nunique() == 1:
        return plain_table(heads, rows)
    counts, edges = np.histogram(shorter, bins=min(BINS, int(shorter.max() - shorter.min()) + 1))
    bars = "".join(
        f'<div style="height:{100 * count / counts.max():.1f}%" title="{low:.0f} to {high:.0f} pixels: {count}"></div>'
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    )
    ends = f"<span>{edges[0]:.0f}</span><span>pictures by shorter side, in pixels</span><span>{edges[-1]:.0f}</span>"
    return f'{plain_table(heads, rows)}<p></p><div class="bins">{bars}</div><div class="ends">{ends}</div>'


def _picture(path: str, caption: str) -> str:
    try:
        image = open_rgb(path, at_least=THUMBNAIL)
    except OSError as error:
        raise UserError(
            f"dataset: {path} was in the manifest but cannot be read now ({error}); put it back or run again"
        ) from error
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    data = base64.b64encode(stream.getvalue()).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{escape(caption)}" title="{escape(path)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _samples(table: pd.DataFrame, class_names: Sequence[str]) -> str:
    """One training picture of some classes, spread evenly over the list."""
    first = table[table["split"] == "train"].drop_duplicates("label").set_index("label")["path"]
    chosen = np.unique(np.linspace(0, len(class_names) - 1, SAMPLES).round().astype(int))
    pictures = "".join(_picture(first[label], class_names[label]) for label in chosen)
    return f'<div class="pictures">{pictures}</div>'


def _groups(groups: Sequence[Sequence[dict[str, str]]]) -> str:
    if not groups:
        return "<p>None.</p>"
    shown = []
    for group in groups[:GROUPS]:
        pictures = "".join(
            _picture(picture["path"], f"{picture['part']}: {picture['class_name']}") for picture in group[:PER_GROUP]
        )
        more = f"<p>and {len(group) - PER_GROUP} more</p>" if len(group) > PER_GROUP else ""
        shown.append(f'<div class="pictures group">{pictures}{more}</div>')
    rest = f"<p>{len(groups) - GROUPS} more groups are in dataset.json.</p>" if len(groups) > GROUPS else ""
    about = f"<p>{len(groups)} group(s); every picture with its split or fold and its class.</p>"
    return f'{about}<div class="groups">{"".join(shown)}</div>{rest}'


def _converted(dataset: dict[str, Any]) -> str:
    rows = [[escape(what), count] for what, count in dataset["converted"].items()]
    return (
        plain_table(["what had to be changed", "pictures"], rows) if rows else "<p>Nothing: all were upright RGB.</p>"
    )


def _left_out(dataset: dict[str, Any]) -> str:
    skipped = dataset["skipped"]
    keys = ("path", "class_name", "split", "problem")
    rows = [[escape(picture[key]) for key in keys] for picture in skipped[:LISTED]]
    text = (
        plain_table(["picture", "class", "split", "why"], rows, text=4) if rows else "<p>No picture was left out.</p>"
    )
    if len(skipped) > LISTED:
        text += f"<p>{len(skipped) - LISTED} more are in dataset.json.</p>"
    others = ", ".join(f"{count} {escape(suffix)}" for suffix, count in dataset["passed_over"].items())
    passed = f"<p>Files passed over because of their name: {others}.</p>" if others else ""
    limits = f"less than {SMALLEST} pixels on a side, or the same bytes in two classes"
    return f"{text}{passed}<p>A picture cannot be used when it is unreadable, truncated, {limits}.</p>"
