"""Figures of the lessons' notebooks; the conventions are those of `figures`."""

from __future__ import annotations

import numpy as np

from florilegium import style
from florilegium.lesson_results import COMPARED


def top5(pictures, truths, guesses, captions, title, note="", colour=style.INK):
    """Photographs with the network's first guesses as bars, two photographs to a row.

    `pictures` (N, H, W, 3) uint8; `truths` N names; `guesses` N lists of (name, probability), the surest first;
    `captions` N texts. The true class has the network's colour and a mark.
    """
    rows = -(-len(pictures) // 2)
    size = 11, 2.75 * rows + 0.9
    ratios = {"width_ratios": [1, 1.45] * 2}
    figure, panels = style.new_figure(*size, title, note, rows, 4, squeeze=False, gridspec_kw=ratios)
    for panel in panels.flat:
        panel.axis("off")
    pairs = panels.reshape(-1, 2)
    for (left, right), picture, truth, answer, caption in zip(pairs, pictures, truths, guesses, captions, strict=False):
        left.imshow(picture)
        left.set_title(style.wrap(caption, 20), fontsize=11, color=style.GREY, loc="left")
        _bars(right, truth, answer, colour)
    return figure


def _bars(axes, truth, answer, colour):
    names, shares = zip(*answer, strict=True)
    y = np.arange(len(names))
    colours = [colour if name == truth else style.PALE for name in names]
    axes.barh(y, shares, 0.8, color=colours, alpha=0.5)
    for place, (name, share) in enumerate(answer):
        mark = "✓ " if name == truth else ""
        axes.text(0.015, place, f"{mark}{style.clip(name, 22)}", va="center", fontsize=11)
        axes.text(1.22, place, f"{100 * share:.1f} %", va="center", ha="right", fontsize=11)
    verdict = "right" if names[0] == truth else "wrong"
    missing = "" if truth in names else f"\ntruth, not among the {len(names)}:"
    prefix = f"{verdict}:" if verdict == "right" else f"{verdict}, it is" * (not missing) or f"{verdict};{missing}"
    axes.set_title(style.wrap(f"{prefix} {style.clip(truth, 24)}", 34), fontsize=11, loc="left", weight="bold")
    axes.set(xlim=(0, 1.23), ylim=(4.6, -0.6))


SHOWN_BESIDE = ("test top-1", "parameters", "GMACs of one photograph", "latency, one thread")


def beside_previous(before, this, labels, colours, note=""):
    """Two runs beside each other, the lesson before on top, a panel for each of `SHOWN_BESIDE`.

    `before` and `this`: of `lesson_results.summary`; two `labels` and `colours`.
    """
    title = f"{labels[1]} beside {labels[0]}, the lesson before"
    figure, panels = style.new_figure(11, 2.9, title, note, 1, len(SHOWN_BESIDE), sharey=True)
    for axes, key in zip(panels, SHOWN_BESIDE, strict=True):
        values, write = np.nan_to_num([before[key], this[key]]), COMPARED[key][0]
        bars = axes.barh([0, 1], values, 0.7, color=colours)
        axes.bar_label(bars, [write(value) for value in values], padding=4, fontsize=11)
        axes.set_title(key, fontsize=12, loc="left")
        axes.set(xlim=(0, 1.7 * max(values.max(), 1e-9)), xticks=[], ylim=(1.6, -0.6))
        axes.spines["bottom"].set_visible(False)
        axes.grid(False)
        axes.set_yticks([0, 1], labels)
    return figure
