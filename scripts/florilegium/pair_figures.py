"""Figures of networks against each other: which differ, how much alike they answer, what averages of them give.

The conventions are those of `figures`; the tables are those that `compare_pairs` writes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import Normalize, to_rgb

from florilegium import style
from florilegium.amounts import points

NO_PAIR, ALIKE = "#FFFFFF", "#EDEDED"
BOUNDS_UP_TO = 6  # rows of a matrix whose cells have room for an interval


def ranked(architectures: pd.DataFrame) -> pd.DataFrame:
    """Rows of architectures.csv with a `label`, best validation first; unvalidated ones last, by test."""
    table = architectures.assign(label=style.run_labels(architectures.assign(seed=0)))
    return table.sort_values(["val_top1", "test_top1"], ascending=False, ignore_index=True)


def _matrix(table, title, notes):
    """Figure and axes for a square matrix of networks; cells are drawn by `_cell`."""
    count = len(table)
    side = max(7.5, 3.6 + 1.0 * count)
    note = style.weights_note(dict(zip(table["label"], table["weights"], strict=True)))
    figure, axes = style.new_figure(side + 1, side * 0.92, title, "\n".join([*notes, note]))
    labels = [label.replace(" · ", "\n") for label in table["label"]]
    axes.set_xticks(range(count), labels, rotation=90 if count > 4 else 0)
    axes.set_yticks(range(count), labels)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    axes.xaxis.tick_top()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    return figure, axes


def _cell(axes, row, column, text, colour, bold=False, grey=False):
    """One cell: a square of a colour, and a text that can be read on it."""
    axes.fill_between([column - 0.49, column + 0.49], row - 0.49, row + 0.49, color=colour, linewidth=0)
    dark = np.dot(to_rgb(colour), (0.3, 0.59, 0.11)) < 0.5
    ink = "white" if dark else style.GREY if grey else style.INK
    first, *rest = text.split("\n")
    weight = "bold" if bold else "normal"
    axes.text(column, row - 0.13 * bool(rest), first, ha="center", va="center", color=ink, weight=weight, size=13)
    if rest:
        axes.text(column, row + 0.2, "\n".join(rest), ha="center", va="center", color=ink, size=10.5)


def _nothing(axes, text):
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")


def differences(pairs, architectures):
    """Differences of test top-1 in points, row minus column; only those that survive Holm's correction are coloured."""
    table = ranked(architectures)
    places = {(row.recipe, row.architecture): i for i, row in enumerate(table.itertuples())}
    notes = ["coloured: the two differ (p < 0.05 after Holm's correction); grey: these images cannot tell them apart"]
    notes += [f"{', '.join(sorted(set(pairs['test'])))}; order: validation, best first"] * bool(len(pairs))
    blank = len(pairs) < len(table) * (len(table) - 1) / 2
    notes += ["empty: another protocol, not compared"] * (blank and len(pairs) > 0)
    figure, axes = _matrix(table, "Test top-1, row minus column, in points", notes)
    largest = max(2.0, 100 * pairs["difference"].abs().max()) if len(pairs) else 2.0
    shade, scale = colormaps["PuOr_r"], Normalize(-1.25 * largest, 1.25 * largest)
    for pair in pairs.itertuples():
        ends = places[pair.recipe_a, pair.a], places[pair.recipe_b, pair.b]
        for sign, (row, column) in ((1, ends), (-1, ends[::-1])):
            value, low, high = (sign * number for number in (pair.difference, pair.low, pair.high))
            text = points(value)
            if len(table) <= BOUNDS_UP_TO:
                text += f"\n{points(min(low, high))} … {points(max(low, high))}"
            colour = shade(scale(100 * value)) if pair.separable else ALIKE
            _cell(axes, row, column, text, colour, bold=pair.separable, grey=not pair.separable)
    if pairs.empty:
        _nothing(axes, "no two networks that may be compared")
    return figure


def agreement(agreements, architectures):
    """Share of equal answers below the diagonal, of equal mistakes above; on it a network's own seeds."""
    table = ranked(architectures)
    places = {(row.recipe, row.architecture): i for i, row in enumerate(table.itertuples())}
    notes = [
        "blue, below the diagonal: both give the same answer, % of the test images",
        "orange, above: both are wrong with the same answer, % of the images that both get wrong",
    ]
    notes += ["empty: another recipe, not compared"] * (table["recipe"].nunique() > 1)
    notes += ["bold, on the diagonal: two seeds of one network"] * bool((agreements["a"] == agreements["b"]).any())
    figure, axes = _matrix(table, "How much alike the networks answer", notes)
    shares = 100 * agreements["agreement"]
    same = Normalize(min(shares.min(), 90) - 20 if len(shares) else 0, 110)
    for pair in agreements.itertuples():
        low, high = sorted((places[pair.recipe, pair.a], places[pair.recipe, pair.b]))
        share, mistakes = 100 * pair.agreement, 100 * pair.equal_when_both_wrong
        _cell(axes, high, low, f"{share:.0f}", colormaps["Blues"](0.8 * same(share)), bold=low == high)
        if low != high:
            text = "–" if np.isnan(mistakes) else f"{mistakes:.0f}"
            _cell(axes, low, high, text, colormaps["Oranges"](0.6 * np.nan_to_num(mistakes) / 100))
    if agreements.empty:
        _nothing(axes, "no two networks of one recipe")
    return figure


def ensembles(table, networks, everyone=()):
    """Test top-1 with its interval of the single networks, and of averages of their probabilities; of pairs the chosen.

    Open diamonds are the same on validation, which chose the pair. `networks`: architectures.csv.
    """
    shown, labelled = _shown_ensembles(table), ranked(networks)
    notes = ["open diamond: validation; filled: test with its 95 % interval over " + _over(shown)]
    notes += ["grey line: the single network that validation chooses; points: gain on test over it, with its interval"]
    notes += [style.weights_note(dict(zip(labelled["label"], labelled["weights"], strict=True)))]
    notes += [style.RANDOM_NOTE] * (not shown["pretrained"].all())
    figure, axes = style.new_figure(11, 2.6 + 0.5 * len(shown), "Averages of probabilities", "\n".join(notes))
    single = sorted({name for members in table["members"] for name in members.split("; ")})
    look = style.looks([*everyone, *single])
    left = 100 * shown[["val_top1", "test_top1_low", "test_top1"]].min().min()
    for y, row in enumerate(shown.itertuples()):
        alone = look[row.members].colour if row.kind in ("one", "seeds") else style.INK
        errors = [[100 * (row.test_top1 - row.test_top1_low)], [100 * (row.test_top1_high - row.test_top1)]]
        marker = look[row.members].marker if row.kind in ("one", "seeds") else "o"
        face = alone if row.pretrained else "white"
        axes.errorbar(100 * row.test_top1, y, xerr=errors, fmt=marker, color=alone, mfc=face, mew=2, capsize=4)
        axes.plot(100 * row.val_top1, y, "d", color=alone, mfc="white", mew=1.5, markersize=7)
        axes.annotate(_gain(row), (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=11)
    for row in shown[(shown["kind"] == "one") & shown["chosen"]].itertuples():
        rows = shown.index[shown["recipe"] == row.recipe]
        axes.plot([100 * row.test_top1] * 2, [rows[0] - 0.5, rows[-1] + 0.5], ":", color=style.GREY, zorder=0)
    axes.set_yticks(range(len(shown)), [_ensemble_name(row, table) for row in shown.itertuples()])
    axes.set(xlabel="top-1 (%)", ylim=(len(shown) - 0.5, -0.5))
    axes.margins(x=0.08)
    axes.set_xlim(left=max(-1, min(axes.get_xlim()[0], left - 1)))
    return figure


def _shown_ensembles(table):
    """Of every recipe: single networks, averages over seeds, the chosen pair, all."""
    kept = table[(table["kind"] != "pair") | table["chosen"]]
    order = {kind: place for place, kind in enumerate(("one", "seeds", "pair", "all"))}
    kept = kept.assign(order=kept["kind"].map(order), recipe_order=pd.factorize(kept["recipe"])[0])
    return kept.sort_values(["recipe_order", "order", "test_top1"], ascending=[True, True, False], ignore_index=True)


def _over(shown):
    return " or ".join(dict.fromkeys(shown["interval_over"]))


def _gain(row):
    if row.kind == "one" and row.chosen:
        return f"{100 * row.test_top1:.1f}, chosen"
    if np.isnan(row.gain):
        return f"{100 * row.test_top1:.1f}"
    ends = f"{points(row.gain_low)} … {points(row.gain_high)}"
    return f"{100 * row.test_top1:.1f}: {points(row.gain)} ({ends})"


def _ensemble_name(row, table):
    names = [style.display_name(name) for name in row.members.split("; ")]
    seeds = {"seeds": f"{names[0]}, {row.networks} seeds averaged", "one": names[0]}
    several = f"all {len(names)} averaged" if row.kind == "all" else f"{' + '.join(names)},\npair chosen on validation"
    recipe = f" · {row.recipe}" if table["recipe"].nunique() > 1 else ""
    return seeds.get(row.kind, several) + recipe
