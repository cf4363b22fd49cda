"""Figures of the data and of what a network says; nothing here reads or writes a file.

They are drawn from tables and arrays read from result files. Accuracies come as fractions 0..1 and are drawn as
percent. A missing measurement (NaN) leaves a gap. `weights` is a text or label -> text. Each function returns a
matplotlib Figure. Figures of trainings are in `training_figures`, those of the comparison in `comparison_figures`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm

from florilegium import style

NAMES_UP_TO = 30  # classes that can be named along an axis
# Dots per inch of figures made of photographs. These do not shrink as drawings do: at the 150 of the others a run had
# 17 MB of them, and the report of three runs 87 MB.
PHOTOGRAPHS_DPI = 100


def _class_key(class_names):
    """Which class each number on an axis means: all of a few, else the first and the last."""
    pairs = [f"{i} = {name}" for i, name in enumerate(class_names)]
    return f"classes by number: {', '.join(pairs if len(pairs) <= 12 else [pairs[0], '…', pairs[-1]])}"


def _heat(axes, matrix, class_names, named):
    """Draw counts (C, C) as percent of each true class; returns the image, whose array holds the percentages.

    Raises ValueError when the matrix is not square or does not fit the names.
    """
    matrix, count = np.asarray(matrix), len(class_names)
    if matrix.shape != (count, count):
        raise ValueError(f"a confusion matrix of shape {matrix.shape} does not fit {count} class names")
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # a class without images stays 0
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100))  # square root: rare mistakes show
    ticks = range(0, count, 1 if named or count <= 12 else 20 if count > 60 else 5)
    texts = [style.clip(class_names[i] if named else i, 22) for i in ticks]
    axes.set_xticks(ticks, texts, rotation=90 * named)
    axes.set_yticks(ticks, texts)
    axes.grid(False)
    return image


def _heat_bar(figure, image, axes):
    figure.colorbar(image, ax=axes, shrink=0.8, label="% of the true class", ticks=[0, 1, 5, 10, 25, 50, 100])


def confusion(matrix, class_names, title, weights=""):
    """Confusion matrix of counts (C, C), rows the true class, numbers and names while they can be read.

    Raises ValueError when the matrix is not square or does not fit the names.
    """
    count = len(class_names)
    named, side = count <= NAMES_UP_TO, np.clip(0.55 * count + 3, 8, 16) if count <= NAMES_UP_TO else 10
    note = "\n".join([f"weights {weights}"] * bool(weights) + [_class_key(class_names)] * (not named))
    figure, axes = style.new_figure(side * 1.05, side, title, note)
    image = _heat(axes, matrix, class_names, named)
    axes.set(xlabel="predicted class", ylabel="true class")
    for row, column in np.argwhere(np.asarray(matrix) > 0) if named else ():
        colour = "white" if image.get_array()[row, column] > 40 else style.INK
        axes.text(column, row, matrix[row][column], ha="center", va="center", color=colour)
    _heat_bar(figure, image, axes)
    return figure


def confusion_grid(matrices, class_names, weights=None):
    """Row-normalised confusion matrices side by side, label -> counts (C, C), one colour bar.

    Raises ValueError when a matrix is not square or does not fit the names.
    """
    columns = min(3, len(matrices))
    rows = -(-len(matrices) // columns)
    size = 4.3 * columns + 1.5, 4.6 * rows + 1
    title = "Confusion: rows true, columns predicted"
    note = f"{style.weights_note(weights)}\n{_class_key(class_names)}".strip()
    figure, panels = style.new_figure(*size, title, note, rows, columns, squeeze=False)
    for i, (panel, (label, matrix)) in enumerate(zip(panels.flat, matrices.items(), strict=False)):
        image = _heat(panel, matrix, class_names, named=False)
        panel.tick_params(labelleft=i % columns == 0, labelbottom=i + columns >= len(matrices))
        panel.set_title(label)
    for panel in panels.flat[len(matrices) :]:
        panel.remove()
    _heat_bar(figure, image, list(panels.flat[: len(matrices)]))
    return figure


def per_class(table, title, weights=""):
    """Recall per class, sorted; of more than 40 classes the 20 hardest and the 10 easiest, with a break."""
    table = table.dropna(subset="recall").sort_values(["recall", "class_name"], ignore_index=True)
    left_out = len(table) - 30 if len(table) > 40 else 0
    shown = pd.concat([table[:20], table[-10:]]) if left_out else table
    y = np.arange(len(shown)) + np.where((np.arange(len(shown)) >= 20) & (left_out > 0), 1.5, 0)
    size = 9, 2.2 + 0.33 * len(shown)
    figure, axes = style.new_figure(*size, title, f"weights {weights}" * bool(weights))
    bars = axes.barh(y, 100 * shown["recall"], color=style.PALE, height=0.75)
    texts = [f"{100 * row.recall:.0f} %, n = {row.support}" for row in shown.itertuples()]
    axes.bar_label(bars, texts, padding=4, fontsize=11, bbox=style.CLEAR)
    axes.set_yticks(y, [style.clip(name, 26) for name in shown["class_name"]])
    if left_out:
        axes.text(1, 20.25, f"⋯ {left_out} classes between these, not shown ⋯", va="center", color=style.GREY)
    mean = 100 * table["recall"].mean()
    text = f"mean of all {len(table)} classes: {mean:.1f} %"
    axes.axvline(mean, color=style.INK, linestyle=":", label=text)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    axes.set(xlim=(0, 127), xticks=range(0, 101, 20), xlabel="recall (%)")
    axes.set_ylim(max(y, default=0) + 0.7, -0.7)
    axes.grid(axis="y", visible=False)
    return figure


def sample_grid(images, titles, columns, title, weights=""):
    """Pictures uint8 (N, H, W, 3) with a title each, `columns` to a row; ValueError if shapes do not fit."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(images) != len(titles):
        found = f"{images.dtype} {images.shape} with {len(titles)} titles"
        raise ValueError(f"a grid needs uint8 images (N, H, W, 3) and N titles, not {found}")
    rows, tall = -(-len(images) // columns), images.shape[1] / images.shape[2]
    size = 2.3 * columns, (2.3 * tall + 0.6) * rows + 0.8
    note = f"weights {weights}" * bool(weights)
    figure, panels = style.new_figure(*size, title, note, rows, columns, squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    for panel, image, text in zip(panels.flat, images, titles, strict=False):
        panel.imshow(image)
        panel.set_title(style.wrap(str(text), 24), fontsize=11)
    return figure


def class_counts(table, title="Images per class"):
    """Images per class and split (columns class_name, split, images): bars, or steps for many classes."""
    counts = table.groupby(["class_name", "split"])["images"].sum().unstack(fill_value=0)
    order = ["train", "val", "test", *counts]  # any other split comes after these
    counts = counts[sorted(counts, key=order.index)]
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    figure, axes = style.new_figure(9, 5.5, title)
    y, few, width = np.arange(len(counts)), len(counts) <= NAMES_UP_TO, 0.8 / counts.shape[1]
    shapes = itertools.cycle(((style.PALE, "-", 6), (style.INK, "--", 2), (style.GREY, "-", 2)))
    for i, (split, (colour, dashes, thick)) in enumerate(zip(counts, shapes, strict=False)):
        label = f"{split}: {counts[split].sum()} images"
        if few:
            axes.bar(y + width * (i + 0.5) - 0.4, counts[split], width, color=colour, label=label)
        else:
            axes.step(y, counts[split], dashes, where="mid", color=colour, linewidth=thick, label=label)
    axes.set(ylabel="images", ylim=(0, None), xlabel="class" if few else "classes, most images first")
    if few:
        axes.set_xticks(y, [style.clip(name, 22) for name in counts.index], rotation=90 if len(y) > 6 else 0)
    axes.grid(axis="x", visible=False)
    style.legend_beside(axes)
    return figure
