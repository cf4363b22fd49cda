"""Figures of how sure a network is and where it errs; nothing here reads or writes a file.

The conventions are those of `figures`: shares are drawn as percent, and each function returns a matplotlib Figure.
"""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Patch

from florilegium import figures, style

FEWEST_SHOWN = 20  # answers, or a tenth of the test images
STAGES = {"before": "as trained", "after": "after temperature {temperature:.2f}, fitted on validation"}


def _bars(axes, bins, colour):
    """Accuracy of each bin, and hatched what its confidence is above or below that; returns handles of a legend."""
    left, width = 100 * bins["low"], 100 * (bins["high"] - bins["low"])
    accuracy, confidence = 100 * bins["accuracy"], 100 * bins["confidence"]
    axes.bar(left, accuracy, width, align="edge", color=colour, edgecolor="white")
    gap = {"facecolor": "none", "edgecolor": style.INK, "hatch": "////", "linewidth": 1}
    axes.bar(left, confidence - accuracy, width, bottom=accuracy, align="edge", **gap)
    (line,) = axes.plot([0, 100], [0, 100], color=style.GREY, linestyle=":", label="confidence\n= accuracy")
    axes.set(xlim=(0, 100), ylim=(0, 104), yticks=range(0, 101, 20), ylabel="accuracy (%)")
    accuracy, above = Patch(color=colour, label="accuracy"), Patch(**gap, label="too sure by")
    return [accuracy, above, Patch(**gap | {"facecolor": colour}, label="not sure\nenough by"), line]


def _counts(axes, bins, colour):
    left, width = 100 * bins["low"], 100 * (bins["high"] - bins["low"])
    bars = axes.bar(left, bins["images"], width, align="edge", color=colour, edgecolor="white", alpha=0.5)
    axes.bar_label(bars, [count or "" for count in bins["images"]], padding=1, fontsize=11)
    axes.set(ylabel="images", ylim=(0, 1.35 * bins["images"].max()), yticks=[])
    axes.grid(False)


def reliability(bins, calibration, title, weights, colour=style.INK):
    """Accuracy against confidence on test, before and after the temperature; without a temperature only before.

    `bins` is calibration.csv, `calibration` that section of metrics.json.
    """
    stages = list(STAGES)[: 1 if calibration["fitted_on"] is None else 2]
    note = f"weights {weights}" + "\nnothing validates: no temperature was fitted" * (len(stages) == 1)
    ratios = [3, 1] * len(stages)
    title = f"{title}: confidence and accuracy on test"
    figure, panels = style.new_figure(10, 1 + 5.4 * len(stages), title, note, len(ratios), height_ratios=ratios)
    for stage, upper, lower in zip(stages, panels[::2], panels[1::2], strict=True):
        shown = bins[bins["stage"] == stage]
        handles = _bars(upper, shown, colour)
        upper.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5))
        _counts(lower, shown, colour)
        lower.sharex(upper)
        upper.tick_params(labelbottom=False)
        found = {name: calibration[f"{name}_{stage}"] for name in ("ece", "brier", "nll")}
        text = f"{STAGES[stage].format(**calibration)}\ncalibration error {100 * found['ece']:.1f} %"
        text += f", Brier score {found['brier']:.3f}, negative log-likelihood {found['nll']:.3f}"
        upper.set_title(text, loc="left")
    panels[-1].set_xlabel("confidence: probability of the answer (%)")
    return figure


def risk_coverage(curve, sure, test, title, weights, colour=style.INK):
    """Accuracy of the answers when the least confident test images are left to a person.

    `curve` is risk_coverage.csv, `sure` and `test` are those sections of metrics.json. The accuracy of a handful of
    answers is noise and not drawn.
    """
    title = f"{title}: answers left to a person"
    figure, axes = style.new_figure(10, 6, title, f"weights {weights}")
    accuracy, fewest = test["top1"], min(FEWEST_SHOWN / test["images"], 0.1)
    curve, coverage = curve[curve["coverage"] >= fewest], np.linspace(fewest, 1, 1000)
    ideal = {"color": style.GREY, "linestyle": "--", "linewidth": 1.5, "label": "every mistake\nleft first"}
    axes.plot(100 * (1 - coverage), 100 * np.minimum(1, accuracy / coverage), **ideal)
    left = 100 * (1 - curve["coverage"])
    axes.plot(left, 100 * curve["accuracy"], color=colour, label="least confident\nleft first")
    axes.axhline(100 * accuracy, color=style.GREY, linestyle=":", label="left at random,\nor nothing left")
    if sure["test_accuracy"] is not None:
        point = 100 * (1 - sure["test_coverage"]), 100 * sure["test_accuracy"]
        axes.plot(*point, "o", color=colour, mfc="white", mew=2.5, markersize=11, label="_sure")
    axes.set(xlim=(-2, 102), xticks=range(0, 101, 20), ylabel="accuracy of the answers given (%)")
    axes.set_xlabel("test images left to a person (%)")
    low = 100 * min(curve["accuracy"].min(), accuracy)
    axes.set_ylim(max(0, low - 0.15 * (102 - low)), 100 + 0.05 * (102 - low))
    style.legend_beside(axes)
    axes.set_title(_sure_text(sure), loc="left", fontsize=12)
    return figure


def _sure_text(sure):
    target, threshold = f"{100 * sure['target_accuracy']:g} %", sure["threshold"]
    if threshold is None:
        return "no validation images: no threshold was chosen"
    if sure["test_accuracy"] is None:
        return f"no confidence keeps {target} on validation: every answer is “not sure”"
    chosen = f"ringed: sure from {100 * threshold:.1f} % confidence on, chosen for {target} on validation"
    if threshold == 0:
        chosen = f"ringed: on validation all answers together reach {target}, none is withheld"
    given = f"{100 * sure['test_coverage']:.1f} % of the test images are answered, {100 * sure['test_accuracy']:.1f} %"
    return f"{chosen};\n{given} of these answers are right"


def picture_rows(rows, images, title, weights, note):
    """Rows of pictures (`galleries.Row`) beside their text; training pictures have a frame.

    `images` maps each path to its uint8 (H, W, 3), `note` says what stands above the test pictures.
    Without rows the figure says that there are no mistakes.
    """
    if not rows:
        return no_mistakes(title, weights)
    columns = max(len(row.pictures) for row in rows)
    size, ratios = (2 + 1.55 * columns, 2.15 * len(rows) + 1), [1.25, *[1] * columns]
    note = f"framed: a training picture; the others are test pictures: {note}\nweights {weights}"
    figure, panels = style.new_figure(*size, title, note, len(rows), columns + 1, squeeze=False, width_ratios=ratios)
    for panel in panels.flat:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    for row, (heading, *places) in zip(rows, panels, strict=True):
        heading.text(0, 0.5, style.wrap(row.text, 20), va="center", fontsize=12, transform=heading.transAxes)
        for picture, panel in zip(row.pictures, places, strict=False):
            if picture is None:
                continue
            panel.imshow(images[picture.path])
            panel.set_title(style.wrap(style.clip(picture.text, 34), 17), fontsize=11)
            panel.spines[:].set(visible=picture.training, color=style.INK, linewidth=3)
    return figure


def mistakes_grid(pictures, images, title, weights):
    """The surest wrong answers (`galleries.Picture`) in a grid; without any the figure says so."""
    if not pictures:
        return no_mistakes(title, weights)
    note = f"{weights}\nfirst what it is, then what the network says, and its calibrated probability"
    shown = np.stack([images[picture.path] for picture in pictures])
    return figures.sample_grid(shown, [picture.text for picture in pictures], 5, title, note)


def no_mistakes(title, weights):
    """What stands where mistakes would be shown."""
    figure, axes = style.new_figure(9, 4, title, f"weights {weights}")
    axes.axis("off")
    axes.text(0.5, 0.5, "every test image was named right", ha="center", size=15)
    return figure
