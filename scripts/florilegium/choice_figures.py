"""Figure of the choice: what each candidate costs, the limits, and in how many resamples it would be chosen."""

from __future__ import annotations

from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from florilegium import style

# Key of the limits -> what the axis says, and by what values are multiplied for it.
AXES = {
    "parameters": ("10⁶ parameters", 1e-6),
    "gmacs": ("10⁹ multiply-adds per picture", 1),
    "file_mb": ("ONNX file (MB)", 1),
    "latency_ms": ("latency, one thread (ms)", 1),
    "train_minutes": ("training (min)", 1),
}
OVER = "#F3DCD6"  # behind what a limit forbids


def choice(selection, architectures=()):
    """Validation top-1 of the candidates against each cost, limits shaded; in how many resamples each is chosen."""
    candidates, chosen = selection["candidates"], selection["chosen"]
    figure, panels = style.new_figure(14, 9.2, selection["headline"], _note(selection), 2, 3)
    look = style.looks([*architectures, *(each["architecture"] for each in candidates)])
    for axes, (key, (label, factor)) in zip(panels.flat[1:], AXES.items(), strict=True):
        measured = [each for each in candidates if each[key] is not None]
        for each in measured:
            _point(axes, each[key] * factor, each, look[each["architecture"]], each_is(each, chosen))
        axes.set(xlabel=label, ylabel="validation top-1 (%)" if axes in panels[:, 0] or axes is panels[0, 1] else "")
        axes.margins(0.15)
        most = selection["limits"][key]
        _cost_axis(axes, [each[key] * factor for each in measured], None if most is None else most * factor)
    _shares(panels[0, 0], candidates, chosen, look, selection["confidence"])
    return figure


def each_is(one, other):
    """Whether two rows of the selection are the same network of the same recipe."""
    return other is not None and all(one[key] == other[key] for key in ("recipe", "architecture"))


def _note(selection):
    random = not all(each["pretrained"] for each in selection["candidates"])
    parts = ["ringed: chosen; shaded: beyond a limit; pale: breaks at least one limit"]
    return "\n".join([*parts, *[style.RANDOM_NOTE] * random])


def _point(axes, x, each, look, chosen):
    strength, face = (1 if each["within_limits"] else 0.3), look.colour if each["pretrained"] else "white"
    low, high = each.get("val_top1_low"), each.get("val_top1_high")
    y = 100 * each["val_top1"]
    if low is not None and high is not None:
        axes.plot([x, x], [100 * low, 100 * high], color=look.colour, alpha=strength, linewidth=1.5)
    axes.plot(x, y, look.marker, color=look.colour, mfc=face, mew=2, markersize=11, alpha=strength, clip_on=False)
    if chosen:
        axes.plot(x, y, "o", color=style.INK, mfc="none", markersize=22, mew=2, clip_on=False)


def _cost_axis(axes, values, most):
    """Costs from 0, or on a log axis where they differ by more than a factor of 12; what a limit forbids is shaded."""
    seen = [*values, *([] if most is None else [most])] or [1]
    low, high = 0, 1.15 * max(seen)
    if min(seen) > 0 and max(seen) > 12 * min(seen):
        low, high = min(seen) / 1.8, 1.8 * max(seen)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(style.magnitude)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    if most is not None:
        axes.axvspan(most, high, color=OVER, zorder=0, linewidth=0)
        axes.axvline(most, color=style.INK, linestyle="--", linewidth=1.5)
    axes.set_xlim(low, high)


def _shares(axes, candidates, chosen, look, confidence):
    """Bars: the share of resamples in which each network would be chosen; the markers are the legend of all panels."""
    labels = style.clip
    several = len({each["recipe"] for each in candidates}) > 1
    for y, each in enumerate(candidates):
        share, colour = each["share_of_resamples"], look[each["architecture"]].colour
        text = "beyond a limit" if share is None else f"{100 * share:.0f} %" if share >= 0.005 or not share else "< 1 %"
        axes.barh(y, 100 * (share or 0), 0.6, color=colour)
        face = colour if each["pretrained"] else "white"
        axes.plot(-8, y, look[each["architecture"]].marker, color=colour, mfc=face, mew=2, markersize=11)
        weight = "bold" if each_is(each, chosen) else "normal"
        axes.text(100 * (share or 0) + 2, y, text, va="center", fontsize=12, weight=weight)
    names = [look[e["architecture"]].name + (f" · {e['recipe']}" if several else "") for e in candidates]
    axes.set_yticks(range(len(candidates)), [labels(name, 28) for name in names])
    axes.set(xlim=(-16, 125), xticks=range(0, 101, 25), ylim=(len(candidates) - 0.4, -0.6))
    over = confidence["over"] if confidence else "validation images"
    axes.set_xlabel(f"chosen in % of resamples\nof the {over}")
    axes.grid(axis="y", visible=False)
    if not candidates:
        axes.text(0.5, 0.5, "no run kept validation images", transform=axes.transAxes, ha="center")
