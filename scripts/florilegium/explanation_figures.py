"""Figures of what one network sees and bears, drawn from arrays and tables; nothing here reads or writes a file.

The conventions are those of `figures`. Pictures are uint8 (n, side, side, 3). A figure for which a network has nothing
to show says why. Each function returns a matplotlib Figure.
"""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from florilegium import style

PANELS = {  # corruption -> title of its panel, with what its numbers are
    "blur": "blur: σ, % of the side",
    "noise": "noise: σ, % of white",
    "jpeg": "JPEG: quality",
    "brightness": "darkness: % of the light",
    "rotation": "rotation: degrees",
    "crop": "crop: % of each side kept",
}
WRONG = (255, 31, 168)  # frames of what was named wrong; no architecture has this colour
PERCENT = "\N{NO-BREAK SPACE}%"
COLUMNS = 6  # pictures in a row of the Grad-CAM figure
CELLS, CELL_PIXELS, GAP = 22, 64, 3  # of the picture map: places along a side at most, pixels of one, white around it


def robustness(table, title, weights, colour=style.INK, pretrained=True):
    """Top-1 with its 95 % interval against the strength of each corruption; dashed: the photographs as they are."""
    whole = table[table["corruption"] == "none"].iloc[0]
    note = f"{whole['images']} test images, evenly by class; dashed: as they are, {100 * whole['top1']:.1f} %"
    note += f"\nweights {weights}" + f"\n{style.RANDOM_NOTE}" * (not pretrained)
    figure, panels = style.new_figure(9, 6.5, title, note, 2, 3, sharey=True)
    damaged = table[table["strength"] > 0].groupby("corruption", sort=False)
    for panel, (name, rows) in zip(panels.flat, damaged, strict=True):
        sides = 100 * np.array([rows["top1"] - rows["top1_low"], rows["top1_high"] - rows["top1"]]).clip(0)
        face = colour if pretrained else "white"
        shape = {"marker": "o", "markersize": 6, "markerfacecolor": face, "mew": 2, "capsize": 5}
        panel.errorbar(rows["strength"], 100 * rows["top1"], sides, color=colour, **shape)
        panel.axhline(100 * whole["top1"], color=style.INK, linestyle="--", linewidth=1.5)
        panel.set_title(PANELS[name], fontsize=12)
        panel.set_xticks(rows["strength"], [re.search(r"[\d.]+", level)[0] for level in rows["level"]])
        panel.set(xlim=(0.6, 3.4), ylim=(0, 102))
    for panel in panels[:, 0]:
        panel.set_ylabel("top-1 (%)")
    return figure


def _nothing(title, reason):
    """A figure that says why there is none."""
    figure, axes = style.new_figure(9, 3, title)
    axes.axis("off")
    axes.text(0.5, 0.5, style.wrap(reason, 70), ha="center", va="center", transform=axes.transAxes)
    return figure


def _light(picture, heat):
    """`heat` (any size, 0 or more) at the size of a picture, the greatest 1."""
    most = float(heat.max())
    small = Image.fromarray((heat / most if most > 0 else heat).astype(np.float32))
    return np.asarray(small.resize(picture.shape[1::-1], Image.Resampling.BILINEAR)).clip(0, 1)


def lit(picture, heat):
    """A picture in colour where `heat` (any size, 0 or more) is greatest, pale grey where there is none."""
    light = _light(picture, heat)[:, :, None]
    pale = 0.3 * picture.mean(axis=2, keepdims=True) + 0.7 * 255
    return (light * picture + (1 - light) * pale).round().astype(np.uint8)


def grad_cam(found, pictures, class_names, title, weights):
    """Photographs with what spoke for the class that was named and, where that was wrong, for the true one.

    `found`: the arrays of explanations.npz; `pictures`: those of its `cam_row`.
    """
    if not found["cam_layer"]:
        return _nothing(title, f"No Grad-CAM of this network: {found['cam_reason']}.")
    blocks = {"named right": [], "named wrong": []}
    keys = ("cam_predicted", "cam_true", "cam_probability", "cam_probability_of_true")
    rows = zip(pictures, found["heat_predicted"], found["heat_true"], *(found[key] for key in keys), strict=True)
    for picture, heat, heat_of_true, named, true, sure, sure_of_true in rows:
        cells, texts = [(picture, None, class_names[true])], [style.clip(class_names[i], 28) for i in (named, true)]
        if named == true:
            blocks["named right"] += [*cells, (picture, heat, f"{100 * sure:.0f}{PERCENT}")]
            continue
        for shown, text, share in zip((heat, heat_of_true), texts, (sure, sure_of_true), strict=True):
            cells.append((picture, shown, f"for {text}, {100 * share:.0f}{PERCENT}"))
        blocks["named wrong"] += cells
    blocks = {text: cells for text, cells in blocks.items() if cells}
    rows = sum(-(-len(cells) // COLUMNS) for cells in blocks.values())
    side = found["heat_true"].shape[-1]
    note = f"Grad-CAM of layer {found['cam_layer']} ({side} × {side} places); photographs drawn by class"
    note += f"\ncoloured: what counted; line: half of the strongest; weights {weights}"
    figure, panels = style.new_figure(12, 2.4 * rows + 1.2, title, note, rows, COLUMNS, squeeze=False)
    row = 0
    for text, cells in blocks.items():
        panels[row, 0].set_ylabel(text, fontsize=13, weight="bold")
        _pictures(panels[row:].flat, cells)
        row += -(-len(cells) // COLUMNS)
    for panel in panels.flat:
        _bare(panel)
    return figure


def _pictures(panels, cells):
    for panel, (picture, heat, text) in zip(panels, cells, strict=False):
        panel.imshow(picture if heat is None else lit(picture, heat))
        if heat is not None and heat.max() > heat.min():
            panel.contour(_light(picture, heat), [0.5], colors=style.INK, linewidths=1.3)
        panel.set_title(style.wrap(style.clip(text, 40), 20), fontsize=11)


def _bare(panel):
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)
    panel.grid(False)


def first_filters(found, title, weights):
    """The first convolution as small pictures, each scaled so that its largest weight is black or white; 0 is grey."""
    if not found["filter_layer"]:
        return _nothing(title, f"No filters to show: {found['filter_reason']}.")
    filters = np.asarray(found["filters"]).transpose(0, 2, 3, 1)
    count, side = filters.shape[:2]
    size = f"{side} × {filters.shape[2]} pixels"
    shown = 0.5 + filters / (2 * np.maximum(np.abs(filters).max(axis=(1, 2, 3), keepdims=True), 1e-12))
    rows = -(-count // (columns := 8 if count <= 40 else 16))
    large = -(-24 // side)  # pixels for each weight, so that a gap can be narrower than one
    side, gap, shown = side * large, 3, shown.repeat(large, 1).repeat(large, 2)
    canvas = np.ones((rows * (side + gap) - gap, columns * (side + gap) - gap, 3))
    for i, picture in enumerate(shown):
        top, left = i // columns * (side + gap), i % columns * (side + gap)
        canvas[top : top + side, left : left + side] = picture
    total = found["filter_count"]
    some = f"{count} of {total}, those with the largest weights" if total > count else count
    note = f"layer {found['filter_layer']}: {some} filters of {size}\nweights {weights}"
    figure, axes = style.new_figure(9, 9 * rows / columns + 1.5, title, note)
    axes.imshow(canvas, interpolation="nearest")
    _bare(axes)
    return figure


def feature_maps(found, picture, title, weights):
    """One photograph, made as coarse as each stage's maps, beside some maps of that stage."""
    names = [str(name) for name in found["stage_names"]]
    if not names:
        return _nothing(title, "No stage of this network gives maps of a photograph.")
    stages = [np.asarray(found[f"stage_{i}"]) for i in range(len(names))]
    columns = 1 + max(map(len, stages))
    note = f"left: the photograph with as many pixels as the maps beside it; light: strong\nweights {weights}"
    figure, panels = style.new_figure(11, 1.45 * len(names) + 1.4, title, note, len(names), columns, squeeze=False)
    for row, name, maps in zip(panels, names, stages, strict=True):
        side = maps.shape[-1]
        coarse = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
        row[0].imshow(coarse, interpolation="nearest")
        row[0].set_ylabel(f"{name}\n{side} × {side}", fontsize=12, rotation=0, ha="right", va="center")
        for panel, values in zip(row[1:], maps, strict=False):
            low, high = np.quantile(values, (0.02, 0.98))  # a padded corner must not decide for the rest
            panel.imshow(values, cmap="gray", interpolation="nearest", vmin=low, vmax=high)
        for panel in row:
            _bare(panel)
    return figure


def nearest_to_cells(places, cells):
    """Which image stands for each of cells × cells places: (row, column) from the top left -> the nearest within it."""
    scaled = places * cells * (1 - 1e-6)
    column, row = scaled[:, 0].astype(int), cells - 1 - scaled[:, 1].astype(int)
    off = np.abs(scaled - np.floor(scaled) - 0.5).max(axis=1)
    return {(row[i], column[i]): i for i in np.argsort(-off, kind="stable")}  # the nearest comes last and stays


def cells_for(count):
    """Places along a side of the map, so that a few pictures are large and many do not hide each other."""
    return int(np.clip(1.6 * count**0.5, 6, CELLS))


def picture_map(found, chosen, pictures, title, weights):
    """The flat map of the features, drawn with photographs; those that were named wrong have a frame.

    `chosen`: (row, column) -> position in the map, from `nearest_to_cells`; `pictures`: theirs, in that order.
    """
    cells, size = cells_for(len(found["map_place"])), CELL_PIXELS
    canvas = np.full((cells * size, cells * size, 3), 255, np.uint8)
    for (row, column), position, picture in zip(chosen, chosen.values(), pictures, strict=True):
        inner = size - 2 * GAP
        tile = np.asarray(Image.fromarray(picture).resize((inner, inner), Image.Resampling.LANCZOS))
        place = canvas[row * size : (row + 1) * size, column * size : (column + 1) * size]
        if not found["map_correct"][position]:
            place[:] = WRONG
        place[GAP:-GAP, GAP:-GAP] = tile
    note = f"{len(chosen)} of {len(found['map_place'])} test images, one for each place; framed: named wrong\n"
    neighbours = f"nearest image in the features is of the same class: {100 * found['map_neighbours']:.0f} %"
    note += f"{neighbours}\nweights {weights}"
    figure, axes = style.new_figure(9, 9.9, title, note)
    axes.imshow(canvas)
    _bare(axes)
    return figure
