"""Figures of what is gained: by fine-tuning, by scaling a network, and beside what the course expects.

The conventions are those of `figures`; the tables are those that `compare` writes.
"""

from __future__ import annotations

import numpy as np

from florilegium import style
from florilegium.amounts import points

# Of scaling.csv: what is drawn as a multiple of B0, and how its values are written.
SCALED = {
    "width": ("width (channels)", "{:g}"),
    "depth": ("depth (blocks)", "{:g}"),
    "resolution": ("resolution, here", "{:.0f} px"),
    "parameters": ("parameters", "{:.2g} M"),
    "gmacs": ("multiply-adds", "{:.2g} G"),
    "file_mb": ("ONNX file", "{:.3g} MB"),
    "latency_ms": ("latency", "{:.3g} ms"),
    "train_seconds": ("training time", "{:.3g} min"),
}
UNITS = {"parameters": 1e-6, "train_seconds": 1 / 60}


def _labelled(table):
    return table.assign(label=style.run_labels(table.assign(seed=0)))


def _notes(table, *more):
    weights = style.weights_note(dict(zip(table["label"], table["weights"], strict=True)))
    return "\n".join(filter(None, [*more, weights, "" if table["pretrained"].all() else style.RANDOM_NOTE]))


def _rows(axes, labels):
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def _dumbbell(axes, y, first, second, colour, marker, face):
    axes.plot([first, second], [y, y], color=colour, alpha=0.45, linewidth=5, solid_capstyle="round")
    axes.plot(first, y, "|", color=colour, markersize=16, mew=3)
    axes.plot(second, y, marker, color=colour, mfc=face, mew=2, markersize=11)


def phase_gain(runs, architectures, everyone=()):
    """Validation top-1 after phase 1 (bar) and phase 2 (marker): means over seeds, single seeds as thin lines above."""
    table = _labelled(architectures).sort_values(["phase2_val_top1", "test_top1"], ascending=False, ignore_index=True)
    several = (table["seeds"] > 1).any()
    seeds = "thin lines above: the single seeds; gain with its 95 % interval over them" if several else ""
    note = _notes(table, "upright bar: frozen backbone (phase 1); marker: whole network (phase 2)", seeds)
    figure, axes = style.new_figure(10, 2.6 + 0.8 * len(table), "What fine-tuning the whole network gained", note)
    look = style.looks([*everyone, *table["architecture"]])
    for y, row in enumerate(table.itertuples()):
        _, colour, marker = look[row.architecture]
        first, second = 100 * row.phase1_val_top1, 100 * row.phase2_val_top1
        if np.isnan(first):
            axes.annotate("trained on train + val: nothing validates", (0.02, y), xycoords=("axes fraction", "data"))
            continue
        mine = runs[(runs["recipe"] == row.recipe) & (runs["architecture"] == row.architecture)]
        for i, run in enumerate(mine.itertuples() if len(mine) > 1 else ()):
            ends = 100 * run.phase1_val_top1, 100 * run.phase2_val_top1
            axes.plot(ends, [y - 0.36 + 0.18 * i / len(mine)] * 2, color=colour, linewidth=1)
        _dumbbell(axes, y, first, second, colour, marker, colour if row.pretrained else "white")
        text = f"{points(row.phase2_val_top1 - row.phase1_val_top1)} points"
        if several and "phase_gain_low" in table:
            text += f" ({points(row.phase_gain_low)} … {points(row.phase_gain_high)})"
        axes.annotate(text, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=12)
    _rows(axes, table["label"])
    axes.set_xlabel("validation top-1 (%)")
    axes.margins(x=0.08)
    return figure


def expected(table, everyone=()):
    """Validation top-1 that the course expects and measured in both phases beside ours; parameters, multiply-adds."""
    table = _labelled(table)
    out = table[~table["comparable"].astype(bool)]
    reasons = dict.fromkeys(out["conditions"].str.removeprefix("not comparable: "))
    barred = f"accuracies of these runs are not comparable, and not drawn: {'; '.join(reasons)}" if reasons else ""
    key = "grey band: the course expects, phase 1 to 2; dotted: its notebooks measured; colour: ours (test: diamond)"
    size, ratios = (14, 3.4 + 0.95 * len(table)), {"width_ratios": [2.2, 1, 1]}
    figure, panels = style.new_figure(
        *size, "The course's numbers and ours", _notes(table, key, barred), 1, 3, sharey=True, gridspec_kw=ratios
    )
    look = style.looks([*everyone, *table["architecture"]])
    for y, row in enumerate(table.itertuples()):
        _, colour, marker = look[row.architecture]
        _course_row(panels[0], y, row)
        if row.comparable:
            ends = 100 * row.phase1_val_top1, 100 * row.phase2_val_top1
            _dumbbell(panels[0], y + 0.22, *ends, colour, marker, colour)
            panels[0].plot(100 * row.test_top1, y + 0.22, "d", color=colour, mfc="white", mew=2)
        face = colour if row.pretrained else "white"
        pairs = ((row.course_parameters / 1e6, row.parameters / 1e6), (row.course_gmacs, row.gmacs))
        for panel, (theirs, ours) in zip(panels[1:], pairs, strict=True):
            panel.plot(theirs, y - 0.16, "s", color=style.GREY, mfc="white", mew=2)
            panel.plot(ours, y + 0.16, marker, color=colour, mfc=face, mew=2)
            panel.annotate(
                f"{theirs:.3g}", (theirs, y - 0.16), (9, 0), textcoords="offset points", va="center", size=11
            )
            panel.annotate(f"{ours:.3g}", (ours, y + 0.16), (9, 0), textcoords="offset points", va="center", size=11)
    for panel in panels[1:]:
        panel.set_xlim(0, 1.35 * panel.dataLim.x1)
    _rows(panels[0], table["label"])
    low, high = panels[0].dataLim.intervalx
    panels[0].set(xlabel="validation top-1 (%), phase 1 → phase 2", xlim=(low - 1, high + 1))
    panels[1].set(xlabel="10⁶ parameters\n(course: 1000 classes)")
    panels[2].set(xlabel=f"10⁹ multiply-adds\n(here at {_sizes(table)} px)")
    return figure


def _course_row(axes, y, row):
    axes.barh(
        y - 0.1, 100 * (row.expected_phase2 - row.expected_phase1), 0.3, 100 * row.expected_phase1, color="#DADADA"
    )
    if np.isfinite(row.course_phase1):
        ends = 100 * row.course_phase1, 100 * row.course_phase2
        axes.plot(ends, [y - 0.1] * 2, "s:", color=style.GREY, mfc="white", mew=2, linewidth=1.5)


def _sizes(table):
    return ", ".join(str(size) for size in sorted(set(table["resolution"].astype(int))))


def scaling(table, everyone=()):
    """What each EfficientNet has as a multiple of B0: coefficients and costs; its accuracies stand in the title."""
    recipes = list(dict.fromkeys(table["recipe"]))
    groups = [
        (base, other)
        for recipe in recipes
        for base in table[(table["recipe"] == recipe) & (table["architecture"] == "efficientnet_b0")].itertuples()
        for other in table[(table["recipe"] == recipe) & (table["architecture"] != "efficientnet_b0")].itertuples()
    ]
    sources = ", ".join(dict.fromkeys(table["source"]))
    note = _notes(
        _labelled(table.assign(seed=0)), f"width and depth: coefficients of {sources}; all else measured here"
    )
    size = 10, 1.6 + 4.6 * max(1, len(groups))
    figure, panels = style.new_figure(*size, "Compound scaling", note, max(1, len(groups)), 1, squeeze=False)
    look = style.looks([*everyone, *table["architecture"]])
    for axes, (base, other) in zip(panels.flat, groups, strict=False):
        _scaling_panel(axes, base, other, look[other.architecture].colour)
        recipe = f", recipe {other.recipe}" if len(recipes) > 1 else ""
        axes.set_title(
            f"{look[other.architecture].name} as a multiple of {look[base.architecture].name}{recipe}\n"
            f"{_points(base, other)}",
            loc="left",
        )
    if not groups:
        panels.flat[0].text(0.5, 0.5, "EfficientNet-B0 and a larger one did not both run", ha="center")
    return figure


def _scaling_panel(axes, base, other, colour):
    for y, (column, (_, written)) in enumerate(SCALED.items()):
        small, large = (getattr(row, column) for row in (base, other))
        given = column in ("width", "depth")
        axes.barh(y, large / small - 1, 0.6, left=1, color=colour, alpha=0.45 if given else 1)
        values = " → ".join(written.format(value * UNITS.get(column, 1)) for value in (small, large))
        axes.text(max(large / small, 1) + 0.04, y, f"× {large / small:.2f}   ({values})", va="center", fontsize=12)
    axes.axvline(1, color=style.INK, linewidth=1)
    _rows(axes, [name for name, _ in SCALED.values()])
    ratios = [getattr(other, column) / getattr(base, column) for column in SCALED]
    axes.set_xlim(min(0.9, *ratios), 1 + 1.6 * max(0.3, max(ratios) - 1))
    axes.set_xlabel("times as much")


def _points(base, other):
    said = []
    for split, name in (("val", "validation"), ("test", "test")):
        values = [100 * getattr(row, f"{split}_top1") for row in (base, other)]
        if np.isfinite(values).all():
            said.append(
                f"{name} top-1 {values[0]:.1f} → {values[1]:.1f} % ({points((values[1] - values[0]) / 100)} points)"
            )
    return "; ".join(said)
