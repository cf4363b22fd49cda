"""The drawings on the lessons' pages, labelled by the networks themselves; `make docs` writes them."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import nn

import diagram
from diagram import PLAIN, arrow, box, chain, detour, heading, sheet, tint, words
from florilegium import style, summaries
from lesson_tables import CLASSES, lesson_recipe, network_of


def colour(architecture: str):
    """The tint of an architecture's own colour."""
    return tint(style.FIXED[architecture][0])


def kind(network: nn.Module, name: str) -> str:
    """The layer `name` of a network in words."""
    return summaries.kind(network.get_submodule(name))


def strip(axes: Axes, x: float, top: float, architecture: str, width: float) -> None:
    """The whole network as a column: stage, blocks, output."""
    table = summaries.stage_table(network_of(architecture), lesson_recipe(architecture)["test_crop"])
    heading(axes, x, top, f"the whole {style.display_name(architecture)}")
    y = top - 0.5
    for row in table.itertuples():
        head = row.names == ["head"]
        times = f"  ·  {row.blocks} blocks" if row.blocks > 1 else ""
        text = f"head  ·  {CLASSES} classes" if head else f"{row.stage}{times}"
        box(axes, x, y, width, 0.36, text, PLAIN if head else colour(architecture), 10.5)
        words(axes, x + width / 2 + 0.08, y, "" if head else row.output, 10, color=style.GREY)
        y -= 0.45


def data() -> Axes:
    """From a file to a batch."""
    recipe, axes = lesson_recipe("resnet18"), sheet(10.6, 4.5)
    side, crop, test_crop, change = (recipe[key] for key in ("resize", "crop", "test_crop", "augmentation"))
    box(axes, 1.1, 2.3, 1.7, 0.9, "photograph\n(JPEG, any size)")
    box(axes, 3.35, 2.3, 1.9, 0.9, f"pixels on disk\n{side} × {side}, uint8", tint("#0072B2"))
    arrow(axes, (1.95, 2.3), (2.4, 2.3))
    words(axes, 3.35, 1.55, "decoded once,\nsquashed to a square", 10, ha="center", color=style.GREY)
    heading(axes, 6.25, 4.3, "training: new in every epoch")
    steps = [f"crop\n{crop} × {crop}", f"mirror\np = {change['horizontal_flip']}", f"turn\n± {change['rotation']}°"]
    colours = f"brightness, contrast,\nsaturation ± {change['saturation']:.0%}"
    for place, text in enumerate(steps):
        box(axes, 5.15 + 1.1 * place, 3.4, 0.96, 0.8, text, tint("#D55E00"), 10)
    box(axes, 8.75, 3.4, 1.6, 0.8, f"{colours}\nhue ± {change['hue']:.0%}", tint("#D55E00"), 9)
    arrow(axes, (4.3, 2.5), (4.48, 2.5), (4.48, 3.4), (4.67, 3.4))
    for left, right in ((5.63, 5.77), (6.73, 6.87), (7.83, 7.95)):
        arrow(axes, (left, 3.4), (right, 3.4), mutation_scale=8)
    heading(axes, 6.25, 0.35, "validation and test: always the same")
    box(axes, 6.25, 1.2, 2.6, 0.8, f"whole picture at\n{test_crop} × {test_crop}", tint("#009E73"), 10)
    arrow(axes, (4.3, 2.1), (4.48, 2.1), (4.48, 1.2), (4.95, 1.2))
    box(axes, 9.0, 2.3, 1.5, 0.8, "minus mean,\nby deviation", PLAIN, 10)
    arrow(axes, (9.0, 3.0), (9.0, 2.7))
    arrow(axes, (7.55, 1.2), (9.0, 1.2), (9.0, 1.9))
    arrow(axes, (9.75, 2.3), (10.0, 2.3))
    words(axes, 10.03, 2.3, "net", 11, weight="bold")
    return axes


def resnet18() -> Axes:
    """A basic block, a basic block that halves the side, and the network."""
    network, axes, fill = network_of("resnet18"), sheet(11.6, 5.2), colour("resnet18")
    for x, block, title in ((1.35, "layer1.0", "same size"), (4.75, "layer2.0", "half the side")):
        heading(axes, x, 4.95, f"a block, {title}")
        steps = [("x", None, 0), (kind(network, f"{block}.conv1"), fill, 2.5), ("BatchNorm, ReLU", PLAIN, 2.5)]
        steps += [(kind(network, f"{block}.conv2"), fill, 2.5), ("BatchNorm", PLAIN, 2.5), ("+", None, 0)]
        heights = chain(axes, x, 4.55, [*steps, ("ReLU", PLAIN, 2.5)])
        side = x + (1.42 if block == "layer1.0" else 1.95)
        detour(axes, x, side, heights[0] - 0.23, heights[5], "x" if block == "layer1.0" else "")
        if block == "layer2.0":
            text = kind(network, f"{block}.downsample.0").replace(", ", "\n")
            box(axes, side, (heights[1] + heights[4]) / 2, 1.05, 0.95, text, fill, 10)
    words(axes, 1.35, 0.28, "out = ReLU(F(x) + x)", 12, ha="center", style="italic")
    words(axes, 4.75, 0.28, "the shortcut has to shrink, too", 11, ha="center", color=style.GREY)
    strip(axes, 9.2, 4.95, "resnet18", 2.3)
    return axes


def resnet50() -> Axes:
    """Two wide 3x3 convolutions against a bottleneck; the width of a box shows its channels."""
    network, axes, fill = network_of("resnet50"), sheet(11.4, 4.6), colour("resnet50")
    wide, thin = 3.0, 1.55
    heading(axes, 1.75, 4.35, "two 3×3 convolutions")
    basic = [nn.Conv2d(256, 256, 3, padding=1, device="meta") for _ in range(2)]
    steps = [
        ("256 channels", None, 0),
        (summaries.kind(basic[0]), PLAIN, wide),
        (summaries.kind(basic[1]), PLAIN, wide),
    ]
    heights = chain(axes, 1.75, 3.95, [*steps, ("+", None, 0)])
    detour(axes, 1.75, 3.4, heights[0] - 0.23, heights[3])
    weights = sum(layer.weight.numel() for layer in basic)
    words(axes, 1.75, 1.35, f"{weights:,} weights", 12, ha="center", weight="bold")
    heading(axes, 5.4, 4.35, "a bottleneck")
    layers = [network.get_submodule(f"layer1.1.conv{number}") for number in (1, 2, 3)]
    widths = (thin, thin, wide)
    steps = [(summaries.kind(layer), fill, width + 0.35) for layer, width in zip(layers, widths, strict=True)]
    heights = chain(axes, 5.4, 3.95, [("256 channels", None, 0), *steps, ("+", None, 0)])
    detour(axes, 5.4, 7.25, heights[0] - 0.23, heights[4])
    for y, text in zip(heights[1:3], ("narrow", "look"), strict=True):
        words(axes, 4.35, y, text, 10.5, ha="right", color=style.GREY)
    weights = sum(layer.weight.numel() for layer in layers)
    words(axes, 5.4, 0.75, f"{weights:,} weights", 12, ha="center", weight="bold")
    words(
        axes,
        3.5,
        0.45,
        "BatchNorm after each convolution and ReLU between them are not drawn",
        10.5,
        ha="center",
        color=style.GREY,
    )
    strip(axes, 8.95, 4.35, "resnet50", 2.2)
    return axes


def efficientnet_b0() -> Axes:
    """An MBConv block and its squeeze-excitation."""
    network, axes, fill = network_of("efficientnet_b0"), sheet(11.7, 5.4), colour("efficientnet_b0")
    block, orange = "features.3.1.block", tint("#E69F00", 0.35)
    heading(axes, 1.9, 5.15, "an MBConv block")
    steps = [("40 channels", None, 0), (kind(network, f"{block}.0.0"), fill, 2.9)]
    steps += [(kind(network, f"{block}.1.0"), fill, 2.9), ("×", None, 0), (kind(network, f"{block}.3.0"), fill, 2.9)]
    heights = chain(axes, 1.9, 4.75, [*steps, ("+", None, 0)])
    detour(axes, 1.9, 0.2, heights[0] - 0.23, heights[5])
    fork = heights[2] - 0.27
    heading(axes, 5.75, 5.15, "squeeze-excitation")
    squeeze, excite = (kind(network, f"{block}.2.{name}") for name in ("fc1", "fc2"))
    parts = [("mean over the picture", PLAIN, 2.6), (squeeze, orange, 2.6), ("SiLU", PLAIN, 2.6), (excite, orange, 2.6)]
    right = chain(axes, 5.75, 4.55, [*parts, ("sigmoid", PLAIN, 2.6)])
    arrow(axes, (1.9, fork), (3.75, fork), (3.75, right[0]), (4.45, right[0]))
    low = right[-1] - 0.21
    arrow(axes, (5.75, low), (5.75, low - 0.25), (3.75, low - 0.25), (3.75, heights[3]), (2.07, heights[3]))
    words(
        axes,
        5.75,
        low - 0.62,
        "a number between 0 and 1 for each channel:\nhow much of it this photograph needs",
        10.5,
        ha="center",
        color=style.GREY,
    )
    words(
        axes,
        1.9,
        heights[5] - 0.45,
        "1×1: widen by 6, then thin out\ndepthwise: each channel alone",
        10.5,
        ha="center",
        color=style.GREY,
    )
    strip(axes, 9.25, 5.15, "efficientnet_b0", 2.5)
    return axes


def efficientnet_b3() -> Axes:
    """What scaling means: deeper, wider, finer, and all three."""
    axes, small = sheet(11, 4.3), (3, 0.8, 0.55)
    cases = [("baseline", *small), ("deeper", 5, 0.8, 0.55), ("wider", 3, 1.3, 0.55), ("finer", 3, 0.8, 0.95)]
    cases.append(("all three: compound", 4, 1.0, 0.72))
    texts = ("B0", "more blocks", "more channels", "more pixels", "B1 … B7")
    for place, ((name, blocks, width, side), text) in enumerate(zip(cases, texts, strict=True)):
        x, last = 1.15 + 2.17 * place, place == len(cases) - 1
        heading(axes, x, 4.05, name)
        words(axes, x, 3.75, text, 10.5, ha="center", color=style.GREY)
        axes.add_patch(Rectangle((x - side / 2, 0.5), side, side, facecolor=tint("#009E73"), edgecolor=diagram.EDGE))
        lines = 4 if side < 0.6 else 5 if side < 0.8 else 7
        for number in range(1, lines):
            at = side * number / lines
            axes.plot([x - side / 2, x + side / 2], [0.5 + at] * 2, color=diagram.EDGE, linewidth=0.6)
            axes.plot([x - side / 2 + at] * 2, [0.5, 0.5 + side], color=diagram.EDGE, linewidth=0.6)
        fill = colour("efficientnet_b3" if last else "efficientnet_b0")
        for number in range(blocks):
            box(axes, x, 1.87 + 0.34 * number, width, 0.26, "", fill)
        arrow(axes, (x, 0.5 + side), (x, 1.74))
    words(
        axes,
        0.1,
        0.2,
        "below: the photograph and its pixels; above: the blocks, as wide as their channels",
        10,
        color=style.GREY,
    )
    return axes


def mobilenet_v2() -> Axes:
    """A bottleneck against an inverted residual; the width of a box shows its channels."""
    deep, network = network_of("resnet50"), network_of("mobilenet_v2")
    axes, fill = sheet(11.8, 5.2), colour("mobilenet_v2")
    heading(axes, 1.8, 4.95, "residual (ResNet50)")
    names = [kind(deep, f"layer1.1.conv{number}") for number in (1, 2, 3)]
    heights = chain(axes, 1.8, 4.5, [("wide: 256", PLAIN, 3.2), *((text, colour("resnet50"), 1.9) for text in names)])
    end = heights[-1] - 0.8
    box(axes, 1.8, end, 3.2, 0.42, "wide: 256")
    arrow(axes, (1.8, heights[-1] - 0.21), (1.8, end + 0.21))
    arrow(axes, (3.4, heights[0]), (3.6, heights[0]), (3.6, end), (3.4, end))
    heading(axes, 5.85, 4.95, "inverted residual")
    names = [kind(network, f"features.5.conv.{layer}") for layer in ("0.0", "1.0", "2")]
    heights = chain(axes, 5.85, 4.5, [("thin: 32", PLAIN, 1.2), *((text, fill, 3.2) for text in names)])
    end = heights[-1] - 0.8
    box(axes, 5.85, end, 1.2, 0.42, "thin: 32")
    arrow(axes, (5.85, heights[-1] - 0.21), (5.85, end + 0.21))
    arrow(axes, (6.45, heights[0]), (7.7, heights[0]), (7.7, end), (6.45, end))
    words(axes, 1.8, 0.45, "the shortcut joins the wide ends", 10.5, ha="center", color=style.GREY)
    words(
        axes,
        5.85,
        0.45,
        "the shortcut joins the thin ends;\nno activation after the last 1×1",
        10.5,
        ha="center",
        color=style.GREY,
    )
    strip(axes, 9.35, 4.95, "mobilenet_v2", 2.7)
    return axes


def comparison() -> Axes:
    """Which numbers decide what, and in which order."""
    axes, blue, green = sheet(11, 3.3), tint("#0072B2"), tint("#009E73")
    boxes = [
        ("every recipe ×\nnetwork × seed", PLAIN),
        ("within the limits?\nfile, latency, …", blue),
        ("best on\nvalidation", blue),
        ("test, once:\nvalue ± interval", green),
        ("which others are\nnot worse for sure?", green),
    ]
    for place, (text, fill) in enumerate(boxes):
        x = 1.1 + 2.2 * place
        box(axes, x, 1.9, 1.78, 0.9, text, fill, 10.5)
        if place:
            arrow(axes, (x - 1.31, 1.9), (x - 0.89, 1.9))
    heading(axes, 4.4, 2.85, "chooses")
    heading(axes, 8.8, 2.85, "reports")
    for left, right, name in ((2.4, 6.4, "validation images, and what the network costs"), (6.8, 10.8, "test images")):
        axes.plot([left, right], [1.15] * 2, color=style.GREY, linewidth=1.2)
        words(axes, (left + right) / 2, 0.95, name, 10.5, ha="center", color=style.GREY)
    words(axes, 8.8, 0.45, "among equals the cheaper one is as defensible", 10.5, ha="center", style="italic")
    return axes


DRAWINGS = (data, resnet18, resnet50, efficientnet_b0, efficientnet_b3, mobilenet_v2, comparison)
