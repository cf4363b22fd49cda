"""The figure of the exported files: what 16 and 8 bits cost in accuracy and give in speed and size."""

from __future__ import annotations

from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from florilegium import style
from florilegium.pareto import front

MARKERS = {"torch": "s", "fp32": "o", "fp16": "D", "int8": "^"}
SPAN = 4  # points of top-1 that the axis shows at least
PANELS = {"p50_ms_1thread": "milliseconds per photograph, one thread", "file_mb": "file size (MB)"}


def formats_figure(table, architectures=()):
    """Top-1 on validation against latency and against file size, one line per network from torch to int8.

    Args:
        table: a row per recipe, architecture and format, as `formats.means` gives them.
        architectures: the whole comparison, which fixes the colours.
    """
    names = _names(table)
    weights = dict(zip(names, table["weights"], strict=True))
    notes = [f"{table['images'].iloc[0]} validation images; mean over seeds" if (table["seeds"] > 1).any() else ""]
    notes[0] = notes[0] or f"{table['images'].iloc[0]} validation images"
    notes[0] += "; dashed: Pareto front, no other recommended file is cheaper and as accurate"
    notes += [style.weights_note(weights)] + [style.RANDOM_NOTE] * (not table["pretrained"].all())
    title = "Exported files: accuracy against speed and size"
    figure, panels = style.new_figure(12, 6.8, title, "\n".join(notes), columns=2, sharey=True)
    look = style.looks([*architectures, *table["architecture"]])
    for axes, (column, label) in zip(panels, PANELS.items(), strict=True):
        for _, rows in table.assign(name=names).groupby("name", sort=False):
            _network(axes, rows, column, look[rows["architecture"].iloc[0]].colour)
        for _, rows in _able(table).groupby("recipe"):
            _front(axes, rows, column)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(style.magnitude)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.12, y=0.12)
        axes.set_xlabel(label)
    low, high = panels[0].get_ylim()
    spread = max(0, SPAN - (high - low)) / 2  # a tenth of a point must not look like a cliff
    panels[0].set(ylabel="validation top-1 (%)", ylim=(low - spread, high + spread))
    _legends(figure, panels, table.assign(name=names), look)
    return figure


def _names(table):
    """A label per row: the network, and its recipe where there are several."""
    recipes = " · " + table["recipe"] if table["recipe"].nunique() > 1 else ""
    return list(table["architecture"].map(style.display_name) + recipes)


def _network(axes, rows, column, colour):
    """One network's four files, joined by a line; what is not recommended is crossed out."""
    axes.plot(rows[column], 100 * rows["top1"], color=colour, linewidth=1.2, alpha=0.5, zorder=1)
    for row in rows.itertuples():
        face = colour if row.pretrained else "white"
        x, y = getattr(row, column), 100 * row.top1
        axes.plot(x, y, MARKERS[row.format], color=colour, markerfacecolor=face, mew=2, zorder=2)
        if not row.recommended:
            axes.plot(x, y, "x", color=style.INK, markersize=17, mew=2.5, zorder=3)


def _able(table):
    """The files that a front is drawn of: recommended, with images that validated, pretrained where any is."""
    able = table[table["recommended"] & ~table["protocol"].str.startswith("trained on train + val")]
    return able[able["pretrained"]] if able["pretrained"].any() else able


def _front(axes, rows, column):
    """A dashed line through the files that no other one beats."""
    best = rows[[place < 0 for place in front(rows["top1"], rows[column])]].sort_values(column)
    axes.plot(best[column], 100 * best["top1"], "--", color=style.GREY, linewidth=1.5, zorder=0)


def _legends(figure, panels, table, look):
    """Below both panels: networks by colour, files by marker."""
    networks = table.drop_duplicates("name")
    lines = [
        Line2D([], [], color=look[row.architecture].colour, linewidth=5, label=row.name)
        for row in networks[["architecture", "name"]].itertuples(index=False)
    ]
    marks = [
        Line2D([], [], color=style.INK, marker=marker, linestyle="none", label=name) for name, marker in MARKERS.items()
    ]
    if not table["recommended"].all():
        cross = {"marker": "x", "markersize": 13, "mew": 2.5, "linestyle": "none"}
        marks.append(Line2D([], [], color=style.INK, label="not recommended", **cross))
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "handletextpad": 0.4}
    panels[0].legend(handles=lines, ncols=2, columnspacing=1.0, **place)
    panels[1].legend(handles=marks, ncols=3, columnspacing=1.0, **place)
