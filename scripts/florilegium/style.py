"""One look for every figure: colours, names, type sizes, captions, labels that keep clear of each other."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

INK, GREY, PALE = "#222222", "#6E6E6E", "#B8B8B8"  # for everything that is not an architecture
CLEAR = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}  # behind text that crosses lines
RANDOM_NOTE = "open marker: random backbone, not transfer learning"

# Okabe and Ito's palette (jfly.uni-koeln.de/color) where it reaches 3:1 on white; indigo from Paul Tol's.
FIXED = {
    "resnet18": ("#0072B2", "o"),
    "resnet50": ("#332288", "s"),
    "efficientnet_b0": ("#D55E00", "^"),
    "efficientnet_b3": ("#CC79A7", "v"),
    "mobilenet_v2": ("#009E73", "D"),
}
# Six colours and seven markers have no common divisor: 42 further architectures before a pair repeats.
OTHER_COLOURS = ("#E69F00", "#56B4E9", "#882255", "#999933", "#000000", "#8C564B")
OTHER_MARKERS = ("P", "X", "<", ">", "p", "h", "*")

# Recipes: ink for the one that the others are held against, then colours that no network of the course has. They
# stay apart for every colour vision, ink included (a test measures it); five, seven and four have no common divisor.
RECIPE_COLOURS = ("#EE3377", "#6699CC", "#997700", "#5B2C83", "#225522")
RECIPE_MARKERS = ("s", "^", "D", "v", "P", "X", "h")
RECIPE_DASHES = ("--", "-.", ":", "-")

FAMILIES = (
    "ResNet ResNeXt EfficientNet MobileNet DenseNet ConvNeXt ShuffleNet SqueezeNet MNASNet GoogLeNet AlexNet "
    "RegNet VGG ViT MaxViT"
)
SPELLING = {word.lower(): word for word in FAMILIES.split()}


class Look(NamedTuple):
    """How one architecture is called and drawn."""

    name: str
    colour: str
    marker: str


def display_name(architecture: str) -> str:
    """Torchvision's name as people write it: ``efficientnet_b0`` becomes ``EfficientNet-B0``."""
    text = ""
    for part in re.sub(r"(?<=[a-z]\d)_(?=\d$)", ".", architecture).split("_"):
        letters = re.match("[a-z]*", part).group()
        if letters in SPELLING:
            part = SPELLING[letters] + part[len(letters) :]
        elif len(part) <= 2 or re.fullmatch(r"\d+[mg]f", part):
            part = part.upper()
        elif not re.match(r"x?\d", part):  # sizes such as 32x4d and x1.0 stay as they are
            part = part.capitalize()
        version = re.fullmatch(r"V\d", part)  # belongs to the name before it: MobileNetV2
        text += part if version or not text else f"-{part}"
    return text


def looks(architectures) -> dict[str, Look]:
    """Look of each architecture (torchvision names).

    The five of the course always look the same. Any other gets colour and marker by its place among the
    others in sorted order: give every figure of a comparison the same list, whatever it shows.
    """
    names = sorted(set(architectures))
    chosen = dict(FIXED)
    for i, name in enumerate(name for name in names if name not in FIXED):
        chosen[name] = (OTHER_COLOURS[i % len(OTHER_COLOURS)], OTHER_MARKERS[i % len(OTHER_MARKERS)])
    return {name: Look(display_name(name), *chosen[name]) for name in names}


class RecipeLook(NamedTuple):
    """How one recipe is drawn where recipes are compared."""

    colour: str
    marker: str
    dashes: str


def recipe_looks(recipes, base: str) -> dict[str, RecipeLook]:
    """Look of each recipe by its place among the others, in the order given; `base` is what they are held against."""
    others = [name for name in dict.fromkeys(recipes) if name != base]
    shapes = (RECIPE_COLOURS, RECIPE_MARKERS, RECIPE_DASHES)
    looks = {name: RecipeLook(*(shape[i % len(shape)] for shape in shapes)) for i, name in enumerate(others)}
    return {base: RecipeLook(INK, "o", "-")} | looks


def house_style() -> None:
    """Set matplotlib's rcParams for this process; whatever a user's own matplotlibrc says is dropped."""
    matplotlib.use("Agg")  # compute nodes have no display
    matplotlib.rcdefaults()
    matplotlib.rc("font", size=13)  # on a 9 inch figure shown at half size still 6.5 points
    matplotlib.rc("axes", labelsize=13, titlesize=13, edgecolor=GREY, grid=True, axisbelow=True)
    matplotlib.rc("axes.spines", top=False, right=False)
    matplotlib.rc(("xtick", "ytick"), labelsize=12)
    matplotlib.rc("legend", fontsize=12, frameon=False)
    matplotlib.rc("lines", linewidth=2.2, markersize=9)
    matplotlib.rc("grid", color="#E4E4E4")
    matplotlib.rc("text", color=INK)
    matplotlib.rc("savefig", dpi=150)
    matplotlib.rc("svg", hashsalt="florilegium")  # the same data give the same bytes


def new_figure(width, height, title="", note="", rows=1, columns=1, **subplots):
    """Figure in the house style (inches), title above, small grey note below; returns it and its axes."""
    house_style()
    figure = Figure(figsize=(width, height), layout="constrained")  # not pyplot's: nothing to close
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, **subplots)
    if title:
        figure.suptitle(wrap(title, int(8 * width)), x=0.01, ha="left", size=15, weight="bold")
    if note:
        figure.supxlabel(wrap(note, int(11.5 * width)), x=0.01, ha="left", size=11, color=GREY)
    return figure, panels


def legend_beside(axes) -> None:
    """Legend right of the axes, where it hides no data."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def wrap(text: str, width: int) -> str:
    """Lines of at most `width` characters; line breaks, hyphens and unbreakable spaces are kept."""
    return "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in text.split("\n"))


def clip(text, length: int) -> str:
    """At most `length` characters, the cut marked."""
    return str(text) if len(str(text)) <= length else str(text)[: length - 1] + "…"


def magnitude(value: float, _position=None) -> str:
    """A tick label without powers of ten: 20 M, 0.3."""
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value:g}"


def run_labels(runs) -> list[str]:
    """A short label per run: the display name; recipe and seed where there are several; whether val trained, too."""
    parts = [runs["architecture"].map(display_name)]
    parts += [runs["recipe"].astype(str)] if runs["recipe"].nunique() > 1 else []
    parts += ["seed " + runs["seed"].astype(str)] if runs["seed"].nunique() > 1 else []
    parts += [runs["val_top1"].isna().map({True: "train + val", False: ""})]
    return [" · ".join(filter(None, words)) for words in zip(*parts, strict=True)]


def run_title(about) -> str:
    """Title of a run's figures, from its metrics.json."""
    title = f"{display_name(about['architecture'])}, recipe {about['recipe']}, seed {about['seed']}"
    return title + (", trained on train + val" if about["val"] is None else "")


def weights_note(weights: dict[str, str] | None) -> str:
    """Label -> weights as a caption: a line per kind of weights with the labels that began with them."""
    kinds: dict[str, list[str]] = {}
    for label, text in (weights or {}).items():
        kinds.setdefault(str(text), []).append(label.replace(" ", "\N{NO-BREAK SPACE}"))
    return "\n".join(f"weights {text}: {', '.join(labels)}" for text, labels in kinds.items())


def _free_box(anchor, width, height, gap, frame, taken) -> Bbox:
    """Nearest free place (pixels) of a label right or left of its anchor; right beside it if none is."""
    for step in range(120):
        bottom = anchor[1] - height / 2 + (-1) ** step * ((step + 1) // 2) * height / 3
        for left in (anchor[0] + gap, anchor[0] - gap - width):
            box = Bbox.from_bounds(left, bottom, width, height)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not box.count_overlaps(taken):
                return box
    return Bbox.from_bounds(anchor[0] + gap, anchor[1] - height / 2, width, height)


def place_labels(axes, points, obstacles) -> None:
    """Write labels beside points, moved up or down until they hide nothing; a thin line leads to the point.

    `points`: (x, y, text) in data units; `obstacles`: (x, low, high), the error bars to keep free. Call it
    last, when the limits of the axes are final.
    """
    axes.figure.draw_without_rendering()  # settles the layout: pixels are final from here on
    scale, frame, pixels = axes.figure.dpi / 72, axes.get_window_extent(), axes.transData.transform
    taken = [Bbox([pixels((x, low)) - 7, pixels((x, high)) + 7]) for x, low, high in obstacles]
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 1, "shrinkA": 0, "shrinkB": 5}
    for x, y, text in sorted(points):
        offset = {"xytext": (0, 0), "textcoords": "offset points", "va": "center"}
        label = axes.annotate(text, (x, y), fontsize=12, arrowprops=dict(line), bbox=CLEAR, zorder=5, **offset)
        label.set_in_layout(False)  # else the layout would move under the labels already placed
        extent, anchor = Text.get_window_extent(label), pixels((x, y))
        box = _free_box(anchor, extent.width, extent.height, 11 * scale, frame, taken)
        taken.append(box)
        label.xyann = (box.x0 - anchor[0]) / scale, ((box.y0 + box.y1) / 2 - anchor[1]) / scale
        label.arrow_patch.set_visible(abs(label.xyann[1]) > 1)
