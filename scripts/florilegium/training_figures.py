"""Figures of trainings, drawn from their histories; nothing here reads or writes a file.

The conventions are those of `figures`; a history is a table with a row per epoch, the second phase's may be None.
`architectures` lists the whole comparison and so fixes the colours of every part of it (`style.looks`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from florilegium import style

# Parts of an epoch in their order, from dark to light: steps of Cividis, which reads alike with any colour vision.
PARTS = {"data": "#00224E", "forward": "#434E6C", "backward": "#7D7C78", "update": "#BCAF6F", "validation": "#FEE838"}
NAMED_FROM = 0.07  # share of the longest bar in which a number has room


def _both_phases(phase1, phase2, border):
    """One history with `x`, the epoch counted through both phases; phase 2 begins after epoch `border`."""
    later = phase1[:0] if phase2 is None else phase2
    parts = [phase1.assign(x=phase1["epoch"]), later.assign(x=later["epoch"] + border)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _epoch_axis(panels, border, phase2_shown):
    panels[-1].set_xlabel("epoch, counted through both phases")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in panels if phase2_shown else ():
        panel.axvline(border + 0.5, color=style.GREY, linestyle=":", label="_phase 2")
    if phase2_shown:
        middle = sum(panels[0].get_xlim()) / 2
        side = "left" if border + 0.5 < middle else "right"  # so the text stays inside the figure
        place = {"xy": (border + 0.5, 1.02), "xycoords": ("data", "axes fraction")}
        panels[0].annotate("phase 2: whole network", ha=side, **place)


def _ends(epochs):
    """What ended each phase, in words."""
    for phase, about in (epochs or {}).items():
        run, planned = about["run"], about["planned"]
        end = f"stopped early after epoch {run} of {planned}" if about["stopped_early"] else f"ran all {run} epochs"
        yield f"phase {phase[-1]} {end}"


def _curves(panel, history, columns, quantity, colour):
    """Two curves over the epochs: the first dashed in grey, the second in `colour`; columns: name -> label."""
    shapes = ({"linestyle": "--", "color": style.GREY}, {"linestyle": "-", "color": colour})
    for (column, label), shape in zip(columns.items(), shapes, strict=True):
        known = history.dropna(subset=column)  # where not every epoch is validated, the line joins those that are
        panel.plot(known["x"], known[column], marker=".", label=label, **shape)
    panel.set_ylabel(quantity)


def _mark_epochs(panel, history, epochs, colour):
    """On the curve of validation top-1: a ring for the best epoch of each phase, an octagon where one stopped early."""
    found, rank = [], ["phase", "val_top1", "val_loss", "epoch"]  # as the training ranks: of equals the lower loss
    ranked = history.dropna(subset="val_top1").sort_values(rank, ascending=[True, False, True, True])
    for row in ranked.groupby("phase").head(1).itertuples():
        panel.plot([row.x], [row.val_top1], "o", color=colour, mfc="none", markersize=14, label="_best")
        found.append(f"phase {row.phase}, epoch {row.epoch}: {row.val_top1:.1f} %")
    for row in history.groupby("phase").tail(1).itertuples():
        if (epochs or {}).get(f"phase{row.phase}", {}).get("stopped_early"):
            panel.plot([row.x], [row.val_top1], "8", color=style.INK, markersize=11, label="early stop")
    ringed = f"ringed: best of {'; '.join(found)}" if found else "trained on train + val: nothing validates"
    panel.set_title("\n".join(filter(None, [ringed, "; ".join(_ends(epochs))])), loc="left", fontsize=12)


def learning_curves(phase1, phase2, title, weights, colour=style.INK, epochs=None):
    """Loss, top-1, gap between train and validation, learning rates of one run, validation in `colour`.

    `epochs` is what metrics.json says of planned and run epochs; None leaves out what ended each phase.
    """
    border = int(phase1["epoch"].max())
    history = _both_phases(phase1, phase2, border)
    figure, panels = style.new_figure(9, 12.5, title, f"weights {weights}", rows=4, sharex=True)
    loss, top1, gap, rate = panels
    rates = history[["lr_backbone", "lr_head"]]
    history[rates.columns] = rates.where(rates > 0)  # a frozen backbone's 0 has no place on a log axis
    history[["train_top1", "val_top1"]] *= 100
    _curves(loss, history, {"train_loss": "train", "val_loss": "validation"}, "loss", colour)
    _curves(top1, history, {"train_top1": "train", "val_top1": "validation"}, "top-1 (%)", colour)
    _mark_epochs(top1, history, epochs, colour)
    known = history.dropna(subset="val_top1")
    points = known["train_top1"] - known["val_top1"]
    gap.axhline(0, color=style.GREY, linewidth=1)
    gap.fill_between(known["x"], points, color=style.PALE, alpha=0.6, linewidth=0)
    gap.plot(known["x"], points, marker=".", color=style.INK, label="train −\nvalidation")
    gap.set_ylabel("gap in top-1 (points)")
    _curves(rate, history, {"lr_backbone": "backbone", "lr_head": "head"}, "learning rate", colour)
    rate.set_yscale("log")
    for panel in panels:
        style.legend_beside(panel)
    _epoch_axis(panels, border, len(history) > len(phase1))
    return figure


def learning_curves_all(histories, weights=None, random_backbone=(), architectures=()):
    """Validation top-1 of all runs: label -> (architecture, phase 1, phase 2 or None), aligned at phase 2.

    Runs whose label is in `random_backbone` get open markers; runs of one architecture differ in line style.
    """
    note = (style.weights_note(weights) + f"\n{style.RANDOM_NOTE}" * bool(random_backbone)).strip()
    figure, axes = style.new_figure(11, max(6.5, 2.5 + len(histories) / 3), "Validation accuracy while training", note)
    drawn, firsts, seconds = zip(*histories.values(), strict=True)
    look, border = style.looks([*architectures, *drawn]), max(int(phase1["epoch"].max()) for phase1 in firsts)
    for i, (label, (architecture, phase1, phase2)) in enumerate(histories.items()):
        history, (_, colour, marker) = _both_phases(phase1, phase2, border), look[architecture]
        dashes = ("-", "--", "-.", ":")[drawn[:i].count(architecture) % 4]
        face = "white" if label in random_backbone else colour
        shape = {"marker": marker, "markerfacecolor": face, "markersize": 7, "linestyle": dashes}
        history = history.dropna(subset="val_top1")
        axes.plot(history["x"], 100 * history["val_top1"], color=colour, label=label, **shape)
    axes.set_ylabel("validation top-1 (%)")
    style.legend_beside(axes)
    _epoch_axis([axes], border, any(phase2 is not None and len(phase2) for phase2 in seconds))
    return figure


def _duration(seconds):
    """Seconds as people say them: 0.05 s, 58 s, 12 min."""
    return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def training_cost(phase1, phase2, title, weights, colour=style.INK, seconds=None):
    """Speed, memory and shares of time of every epoch of one run.

    `seconds` is what metrics.json says: the whole time of each phase, which in phase 1 is nearly all the pass through
    the frozen backbone; None leaves that out.
    """
    border = int(phase1["epoch"].max())
    history = _both_phases(phase1, phase2, border)
    figure, panels = style.new_figure(9, 10, title, f"weights {weights}", rows=3, sharex=True)
    speed, memory, shares = panels
    for (_, rows), label in zip(
        history.groupby("phase"), ("training, in phase 1\nof the head alone", "_"), strict=False
    ):
        speed.plot(rows["x"], rows["images_per_second"], marker=".", color=colour, label=label)
    if seconds:
        images = (phase1["images_per_second"] * (phase1["seconds"] - phase1["validation_seconds"])).sum()
        pace = images / seconds["phase1"]
        label = "phase 1 with its pass\nthrough the backbone"
        speed.plot([0.5, border + 0.5], [pace, pace], "--", color=style.GREY, label=label)
    speed.set(ylabel="images/s", yscale="log")
    speed.yaxis.set_major_formatter(style.magnitude)
    memory.bar(history["x"], history["peak_memory_mb"] / 1024, 0.8, color=style.PALE, label="peak so far")
    memory.set_ylabel("memory (GiB)")
    _stack_shares(shares, history)
    means = [f"phase {phase}: {_duration(rows['seconds'].mean())}" for phase, rows in history.groupby("phase")]
    shares.set_title(f"mean epoch of {', of '.join(means)}", loc="left", fontsize=12)
    for panel in panels:
        style.legend_beside(panel)
    _epoch_axis(panels, border, len(history) > len(phase1))
    return figure


def _stack_shares(axes, history):
    """Shares of an epoch's time that its parts took, stacked."""
    parts = history[[f"{part}_seconds" for part in PARTS]].to_numpy(float)
    shares = 100 * parts / parts.sum(axis=1, keepdims=True)
    bottoms = np.cumsum(shares, axis=1) - shares
    for (part, colour), share, bottom in zip(PARTS.items(), shares.T, bottoms.T, strict=True):
        axes.bar(history["x"], share, 0.8, bottom, color=colour, label=part)
    axes.set(ylabel="time of an epoch (%)", ylim=(0, 100))


def time_per_part(histories, weights):
    """What a training image costs in phase 2, part by part: label -> (architecture, phase 1, phase 2), stacked bars.

    Validation counts to the training images of its epoch. Runs without phase 2 leave a gap.
    """
    names = [f"{label}\n{style.clip(weights[label], 32)}" for label in histories]
    figure, axes = style.new_figure(10, 2 + 0.75 * len(names), "Time per training image in phase 2")
    milliseconds = np.array([_per_image(phase2) for _, _, phase2 in histories.values()])
    totals, y = milliseconds.sum(axis=1), np.arange(len(names))
    for i, (part, colour) in enumerate(PARTS.items()):
        left, width = milliseconds[:, :i].sum(axis=1), milliseconds[:, i]
        bars = axes.barh(y, width, 0.6, left, color=colour, label=part, edgecolor="white", linewidth=0.8)
        roomy = (width >= NAMED_FROM * totals.max()) & (width > 0)
        texts = [f"{100 * w / t:.0f} %" if fits else "" for w, t, fits in zip(width, totals, roomy, strict=True)]
        axes.bar_label(bars, texts, label_type="center", fontsize=11, color=style.INK if i > 2 else "white")
    for place, total in zip(y, totals, strict=True):
        axes.text(total, place, f"  {total:.3g} ms", va="center", fontsize=11)
    axes.set_yticks(y, names)
    axes.set(xlabel="milliseconds per training image", xlim=(0, 1.15 * max(totals, default=1) or 1))
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.legend(ncols=len(PARTS), loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    return figure


def _per_image(history):
    """Mean milliseconds per training image of each part; 0 without epochs."""
    if history is None or not len(history):
        return np.zeros(len(PARTS))
    images = (history["images_per_second"] * (history["seconds"] - history["validation_seconds"])).sum()
    return 1000 * history[[f"{part}_seconds" for part in PARTS]].sum().to_numpy() / images
