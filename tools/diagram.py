"""A small kit for block diagrams: boxes, arrows and detours on a white sheet whose unit is an inch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from florilegium import style
from florilegium.files import written_whole

PLAIN, EDGE, LIGHT = "#EFEFEF", "#8A8A8A", "#FFFFFF"
ARROW = {"arrowstyle": "-|>", "mutation_scale": 13, "color": style.INK, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
HEIGHT, GAP = 0.42, 0.24  # inches: of a box in a chain, and between two


def sheet(width: float, height: float) -> Axes:
    """Empty axes that fill a figure of `width` x `height` inches; the origin is below on the left."""
    figure, axes = style.new_figure(width, height)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return axes


def save(axes: Axes, path: Path) -> None:
    """Write the sheet as SVG; letters are drawn as outlines, so it looks the same everywhere."""
    with written_whole(path) as partial:
        axes.figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": None})


def tint(colour: str, strength: float = 0.25) -> tuple[float, ...]:
    """A colour mixed with white, on which black letters can be read."""
    values = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return tuple(1 - strength * (1 - value) for value in values)


def box(axes: Axes, x: float, y: float, width: float, height: float, text: str, fill=PLAIN, size: float = 11) -> None:
    """A box with centre (x, y) and a text in it."""
    corner = x - width / 2, y - height / 2
    shape = FancyBboxPatch(
        corner, width, height, "round,pad=0,rounding_size=0.06", facecolor=fill, edgecolor=EDGE, zorder=2.5
    )
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", size=size, linespacing=1.25, zorder=3)


def words(axes: Axes, x: float, y: float, text: str, size: float = 11, **options) -> None:
    """A text with its centre left or at (x, y)."""
    axes.text(x, y, text, size=size, **({"va": "center", "linespacing": 1.3} | options))


def heading(axes: Axes, x: float, y: float, text: str) -> None:
    """The bold name of a part of the sheet, centred at (x, y)."""
    words(axes, x, y, text, 12.5, ha="center", weight="bold")


def arrow(axes: Axes, *points: tuple[float, float], **options) -> None:
    """A line through the points with a head at the last."""
    for start, stop in zip(points[:-2], points[1:-1], strict=True):
        axes.plot(*zip(start, stop, strict=True), color=options.get("color", style.INK), linewidth=ARROW["linewidth"])
    axes.add_patch(FancyArrowPatch(points[-2], points[-1], **(ARROW | options)))


def sign(axes: Axes, x: float, y: float, text: str = "+") -> None:
    """A circle with an operation in it."""
    axes.add_patch(Circle((x, y), 0.16, facecolor=LIGHT, edgecolor=style.INK, linewidth=1.4, zorder=3))
    axes.text(x, y - 0.01, text, ha="center", va="center", size=13, zorder=4)


def chain(axes: Axes, x: float, top: float, steps: Sequence[tuple[str, object, float]]) -> list[float]:
    """Boxes from top to bottom, joined by arrows; returns the heights of their centres.

    Args:
        axes: of `sheet`.
        x: centre of all boxes.
        top: height of the first centre.
        steps: text, fill and width of each; the fill None draws no box, the text "+" or "×" a circle.
    """
    heights, below = [], None
    for text, fill, width in steps:
        y = top if below is None else below - GAP - HEIGHT / 2
        if below is not None:
            half = 0.16 if text in ("+", "×") else HEIGHT / 2
            arrow(axes, (x, below), (x, y + half))
        if text in ("+", "×"):
            sign(axes, x, y, text)
            below = y - 0.16
        elif fill is None:
            words(axes, x, y, text, 11.5, ha="center", style="italic")
            below = y - 0.17
        else:
            box(axes, x, y, width, HEIGHT, text, fill)
            below = y - HEIGHT / 2
        heights.append(y)
    return heights


def detour(axes: Axes, x: float, side: float, start: float, stop: float, text: str = "") -> None:
    """A shortcut: from (x, start) out to `side`, down, and back to a circle at (x, stop)."""
    inward = 0.17 if side > x else -0.17
    arrow(axes, (x, start), (side, start), (side, stop), (x + inward, stop))
    if text:
        words(axes, side + 0.08, (start + stop) / 2, text, 10.5, color=style.GREY)
