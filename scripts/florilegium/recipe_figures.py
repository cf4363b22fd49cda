"""Figures of recipes beside each other; the tables are those that `compare_recipes` writes.

The conventions are those of `figures`. All numbers are of validation: recipes are chosen by them.
"""

from __future__ import annotations

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from florilegium import style
from florilegium.amounts import percent, points
from florilegium.recipes import mean_progress

LOG_FROM = 5  # the longest training takes so many times the shortest: then times stand on a log axis
NOTHING = "no run kept validation images"


def _start(ablation, width, height, title, notes, **grid):
    """Figure, a panel for each architecture (at least one), and the look of each recipe."""
    networks = list(dict.fromkeys(ablation["architecture"]))
    weights = {style.display_name(row.architecture): row.weights for row in ablation.itertuples()}
    random = "" if ablation["pretrained"].all() else "random backbones: no transfer learning"
    note = "\n".join(filter(None, [*notes, style.weights_note(weights), random]))
    figure, panels = style.new_figure(width, height, title, note, squeeze=False, **grid)
    for panel in panels.flat[max(1, len(networks)) :]:
        panel.remove()
    if not networks:
        panels.flat[0].text(0.5, 0.5, NOTHING, transform=panels.flat[0].transAxes, ha="center")
        return figure, [], {}
    for panel, network in zip(panels.flat, networks, strict=False):
        panel.set_title(style.display_name(network), loc="left", weight="bold")
    looks = style.recipe_looks(ablation["recipe"], ablation["base"].iloc[0])
    return figure, list(zip(networks, panels.flat, strict=False)), looks


def time_to_accuracy(progress, ablation):
    """Best validation top-1 so far against seconds of training: means over seeds, single seeds as thin lines."""
    columns = min(3, max(1, ablation["architecture"].nunique()))
    rows = -(-max(1, ablation["architecture"].nunique()) // columns)
    ends = progress.groupby(["architecture", "recipe", "seed"])["seconds"].max()
    unit, size = ("minutes", 60) if ends.max() > 180 else ("seconds", 1)
    notes = ["open marker: end of phase 1 (frozen backbone); filled: end of training"]
    notes += ["thin lines: the single seeds"] * (progress["seed"].nunique() > 1)
    size_of_figure = (10, 6.5) if columns == 1 else (5 * columns + 2, 4.6 * rows + 1.5)
    title = "Validation accuracy against the time of training"
    figure, panels, looks = _start(ablation, *size_of_figure, title, notes, rows=rows, columns=columns)
    log = bool(ends.max() >= LOG_FROM * ends.min())  # False without runs
    for i, (network, axes) in enumerate(panels):
        _progress_panel(axes, progress[progress["architecture"] == network], looks, size)
        if log:
            _log_times(axes)
        axes.set_xlabel(f"{unit} of training" + ", log scale" * log)
        axes.set_ylabel("best validation top-1 so far (%)" if i % columns == 0 else "")
    shapes = [Line2D([], [], color=c, marker=m, linestyle=d, label=name) for name, (c, m, d) in looks.items()]
    if shapes:
        figure.legend(handles=shapes, loc="outside right upper", title="recipe", handlelength=3.5)
    return figure


def _progress_panel(axes, progress, looks, size):
    firsts, lasts = [], []
    for recipe, (colour, marker, dashes) in looks.items():
        mine = progress[progress["recipe"] == recipe]
        if mine.empty:
            continue
        for _, seed in mine.groupby("seed") if mine["seed"].nunique() > 1 else ():
            line = {"drawstyle": "steps-post", "color": colour, "linewidth": 0.7, "alpha": 0.6}
            axes.plot(seed["seconds"] / size, 100 * seed["best_val_top1"], **line)
        mean = mean_progress(mine)
        x, y = mean["seconds"] / size, 100 * mean["best_val_top1"]
        axes.plot(x, y, dashes, color=colour, label=recipe, drawstyle="steps-post")
        place = mean.index[mean["phase"] == 1]
        if len(place):
            axes.plot(x[place[-1]], y[place[-1]], marker, color=colour, mfc="white", mew=2, zorder=4)
            firsts.append(y[place[-1]])
        axes.plot(x.iloc[-1], y.iloc[-1], marker, color=colour, markersize=11, zorder=4)
        lasts.append(y.iloc[-1])
    low, high = min([*firsts, *lasts]), max(lasts)
    margin = max(1.0, high - low)  # what came before the end of phase 1 would leave little room for the rest
    axes.set_ylim(max(0, low - 0.5 * margin), min(100, high + 0.15 * margin))


def _log_times(axes):
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(style.magnitude)


def recipe_gains(ablation):
    """Difference to the base recipe in points of validation top-1, with its interval, and the times as text."""
    networks = list(dict.fromkeys(ablation["architecture"]))
    counts = [max(1, (ablation["architecture"] == network).sum()) for network in networks] or [1]
    size, ratios = (11, 1.8 + sum(0.7 * count + 1.1 for count in counts)), {"height_ratios": counts}
    over = ", ".join(dict.fromkeys(text for text in ablation["interval_over"] if text))
    base = ablation["base"].iloc[0] if networks else ""
    title = f"What each recipe gains on validation over {base}" if networks else "What each recipe gains on validation"
    notes = [f"95 % intervals: paired bootstrap over {over}"] * bool(over)
    grid = {"rows": len(counts), "columns": 1, "gridspec_kw": ratios, "sharex": True}
    figure, panels, looks = _start(ablation, *size, title, notes, **grid)
    for network, axes in panels:
        _gains_panel(axes, ablation[ablation["architecture"] == network], looks)
    if panels:
        panels[-1][1].set_xlabel("difference of validation top-1 (points)")
    return figure


def _gains_panel(axes, rows, looks):
    axes.axvline(0, color=style.INK, linewidth=1.2)
    for y, row in enumerate(rows.itertuples()):
        colour, marker, _ = looks[row.recipe]
        own = f"{percent(row.val_top1)} in {_time(row.train_seconds)}"
        if np.isfinite(row.difference):
            ends = 100 * float(row.low), 100 * float(row.high)
            axes.plot(ends, [y, y], color=colour, linewidth=3, solid_capstyle="round")
            axes.plot(100 * row.difference, y, marker, color=colour, markersize=11)
            if row.recipe != row.base:
                own = f"{points(row.difference)} points, {row.time_ratio:.2f} × the time\n{own}"
        else:
            own = f"the base has no such run\n{own}"
        axes.annotate(own, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=11)
    labels = zip(rows["recipe"], rows["changes"], strict=True)
    axes.set_yticks(range(len(rows)), [f"{recipe}\n{_first_changes(text)}".strip() for recipe, text in labels])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)


def _first_changes(text, length=44):
    """As many changes as have room, at least one, and how many more there are."""
    changes = text.split("; ")
    shown = [i for i in range(1, len(changes) + 1) if i == 1 or len("; ".join(changes[:i])) <= length]
    more = f" and {len(changes) - shown[-1]} more" * (len(changes) > shown[-1])
    return style.clip("; ".join(changes[: shown[-1]]), length) + more


def _time(seconds):
    return f"{seconds / 60:.1f} min" if seconds > 180 else f"{seconds:.0f} s"
