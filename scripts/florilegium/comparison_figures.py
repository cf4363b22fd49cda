"""Figures that compare runs, drawn from the comparison's table; nothing here reads or writes a file.

The conventions are those of `figures`: fractions are drawn as percent, a missing measurement leaves a gap, and
`architectures` lists the whole comparison and so fixes the colours. Each function returns a matplotlib Figure.
"""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from florilegium import style


def _run_bars(runs, title, row_height, architectures):
    """Figure and axes for horizontal bars, runs named with their weights; places and colours of the runs."""
    figure, axes = style.new_figure(10, 2 + row_height * len(runs), title)
    names = zip(style.run_labels(runs), runs["weights"], strict=True)
    axes.set_yticks(range(len(runs)), [f"{label}\n{style.clip(weights, 32)}" for label, weights in names])
    axes.set_ylim(len(runs) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    look = style.looks([*architectures, *runs["architecture"]])
    return figure, axes, np.arange(len(runs)), [look[name].colour for name in runs["architecture"]]


def _interval(runs):
    """Lengths (2, n) in points of percent below and above test top-1; 0 where there is no interval."""
    sides = runs["test_top1"] - runs["test_top1_low"], runs["test_top1_high"] - runs["test_top1"]
    lengths = 100 * np.array(sides, dtype=float)
    return np.where(np.isnan(lengths).any(axis=0), 0, lengths).clip(0)


def _shades(axes, strengths):
    """Legend above bars whose colour says the architecture and whose strength, label -> alpha, the phase."""
    handles = [Patch(color=style.INK, alpha=alpha, label=label) for label, alpha in strengths.items()]
    axes.legend(handles=handles, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)


def accuracy_bars(runs, architectures=()):
    """Top-1 per run: validation after each phase, and test with its 95 % interval."""
    figure, axes, y, colours = _run_bars(runs, "Accuracy of every run", 1.1, architectures)
    strengths = {"validation, phase 1": 0.3, "validation, phase 2": 0.6, "test, 95 % interval": 1}
    columns = ("phase1_val_top1", "phase2_val_top1", "test_top1")
    for i, (column, alpha) in enumerate(zip(columns, strengths.values(), strict=True)):
        width, places = 100 * runs[column].to_numpy(float), y + 0.28 * (i - 1)
        error = _interval(runs) if column == "test_top1" else np.zeros((2, len(runs)))
        axes.barh(places, width, 0.26, color=colours, alpha=alpha)
        for value, place, right in zip(width, places, width + error[1], strict=True):
            if np.isfinite(value):
                axes.text(right + 1, place, f"{value:.1f}", va="center", fontsize=11)
    axes.errorbar(width, places, xerr=error, fmt="none", ecolor=style.INK, elinewidth=2, capsize=4)
    axes.set(xlim=(0, 108), xticks=range(0, 101, 20), xlabel="top-1 (%)")
    _shades(axes, strengths)
    return figure


def _value_axis(axes, values, log):
    """Limits with room for labels beside the outermost points, and ticks a reader can say aloud."""
    low, high = min(values), max(values)
    margin = 0.15 * (high - low or abs(high) or 1)
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim((low / 1.6, high * 1.6) if log else (low - margin, high + margin))
    axes.xaxis.set_major_formatter(style.magnitude)


def accuracy_against(runs, column, label, log=True, architectures=(), fronts=None):
    """Test top-1 with its 95 % interval against a column of `runs`; seeds of one network share a label.

    `fronts`: rows of pareto.csv, of which those on the front of `column` are joined, recipe by recipe.

    Runs without the measurement (NaN, or not positive on a log axis) are named in the note.
    """
    runs = runs.assign(label=style.run_labels(runs.assign(seed=0)))
    measured = runs[[column, "test_top1"]].notna().all(axis=1) & ((runs[column] > 0) | (not log))
    shown, missing = runs[measured], runs["label"][~measured].unique()
    notes = [style.weights_note(dict(zip(runs["label"], runs["weights"], strict=True)))]
    notes += [style.RANDOM_NOTE] * (not shown["pretrained"].all())
    notes += [f"not measured: {', '.join(missing)}"] * bool(len(missing))
    lines = _front_lines(fronts, column)
    notes += ["dashed: Pareto front, no other network is cheaper and better on validation"] * bool(lines)
    figure, axes = style.new_figure(9, 6.5, f"Test accuracy against {label}", "\n".join(notes))
    look, points, obstacles = style.looks([*architectures, *runs["architecture"]]), {}, []
    for run, error in zip(shown.itertuples(), _interval(shown).T, strict=True):
        x, y, (_, colour, marker) = getattr(run, column), 100 * run.test_top1, look[run.architecture]
        face = colour if run.pretrained else "white"
        axes.errorbar(x, y, error[:, None], fmt=marker, color=colour, markerfacecolor=face, mew=2, capsize=4)
        points.setdefault(run.label, (x, y, run.label))
        obstacles.append((x, y - error[0], y + error[1]))
    axes.set(xlabel=label, ylabel="test top-1 (%)")
    for x, y in lines:
        axes.plot(x, y, "--", color=style.GREY, linewidth=1.5, zorder=1, label="_front")
    if points:
        _value_axis(axes, shown[column], log)
        axes.margins(y=0.1)
        style.place_labels(axes, points.values(), obstacles)
    else:
        axes.text(0.5, 0.5, "no run has this measurement", transform=axes.transAxes, ha="center")
    return figure


def _front_lines(fronts, column):
    """Of each recipe with several networks on the front of a cost: their costs, and test top-1 in percent."""
    if fronts is None or fronts.empty:
        return []
    members = fronts[(fronts["cost"] == column) & fronts["on_front"].astype(bool)].sort_values("value")
    return [(each["value"], 100 * each["test_top1"]) for _, each in members.groupby("recipe") if len(each) > 1]


def training_time(runs, architectures=()):
    """Time of phase 1 and phase 2 per run, stacked; in minutes when the longest run takes over 180 s."""
    seconds = runs[["phase1_seconds", "phase2_seconds"]].fillna(0).to_numpy(float)
    unit, size = ("minutes", 60) if seconds.sum(axis=1).max(initial=0) > 180 else ("seconds", 1)
    figure, axes, y, colours = _run_bars(runs, "Training time", 0.75, architectures)
    first, both = seconds[:, 0] / size, seconds.sum(axis=1) / size
    axes.barh(y, first, 0.6, color=colours, alpha=0.45)
    bars = axes.barh(y, both - first, 0.6, left=first, color=colours)
    axes.bar_label(bars, [f"{value:.1f}" for value in both], padding=5, fontsize=11)
    axes.set(xlabel=unit, xlim=(0, 1.12 * max(both, default=1) or 1))
    _shades(axes, {"phase 1, new head": 0.45, "phase 2, whole network": 1})
    return figure
