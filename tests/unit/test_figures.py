"""Figures show the numbers of their tables, say what they are, and draw a network alike everywhere."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Annotation, Text

from figure_reading import drawn, says
from florilegium import comparison_figures, figures, style

FIVE = ["resnet18", "resnet50", "efficientnet_b0", "efficientnet_b3", "mobilenet_v2"]
NOTE = "open marker: random backbone, not transfer learning"
CLASSES = pytest.mark.parametrize("count", [3, 10, 102])


def runs(architectures=FIVE, recipes=("lesson",), seeds=(42,)):
    table = pd.DataFrame(
        list(itertools.product(recipes, architectures, seeds)), columns=["recipe", "architecture", "seed"]
    )
    table["pretrained"] = table["architecture"] == "mobilenet_v2"
    table["weights"] = np.where(table["pretrained"], "file mobilenet_v2-imagenet.pth", "none (random)")
    place = np.arange(len(table))
    table["test_top1"] = 0.80 + 0.001 * place  # close together, so that labels would collide
    table["test_top1_low"], table["test_top1_high"] = table["test_top1"] - 0.01, table["test_top1"] + 0.02
    table["phase1_val_top1"], table["phase2_val_top1"] = table["test_top1"] - 0.1, table["test_top1"] + 0.03
    table["val_top1"] = table["phase2_val_top1"]
    table["parameters"], table["latency_ms"] = 4_000_000 * (1 + place % 5), 5.0 + place
    table["phase1_seconds"], table["phase2_seconds"] = 20.0, 100.0 + place
    return table


def names(count):
    return [f"flower {i:03d}" for i in range(count)]


def points(figure):
    """Marker lines of a scatter, by what matplotlib drew: one point each."""
    return [line for line in figure.axes[0].get_lines() if line.get_marker() in "os^vDPX<>ph*"]


@CLASSES
def test_a_confusion_matrix_is_normalised_by_true_class(count):
    matrix = np.eye(count, dtype=int) * 3
    matrix[0, 1] = 1
    matrix[2] = 0  # a class without a test image
    figure = figures.confusion(matrix, names(count), "a title", "IMAGENET1K_V1")
    shares = figure.axes[0].images[0].get_array()
    assert shares[0, 0] == 75 and shares[0, 1] == 25 and shares[2].sum() == 0
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    cells = [text.get_text() for text in figure.axes[0].texts]
    if count <= 30:
        assert ticks == names(count) and sorted(cells) == sorted(map(str, matrix[matrix > 0]))
    else:
        assert ticks == ["0", "20", "40", "60", "80", "100"] and not cells
        assert says(figure, "0 = flower 000") and says(figure, "101 = flower 101")
    assert says(figure, "weights IMAGENET1K_V1")


def test_a_confusion_matrix_must_fit_its_names():
    with pytest.raises(ValueError, match=r"\(2, 2\) does not fit 3"):
        figures.confusion(np.eye(2, dtype=int), names(3), "a title")


@CLASSES
def test_confusion_matrices_share_one_colour_bar(count):
    matrices = {f"run {i}": np.eye(count, dtype=int) for i in range(4)}
    figure = figures.confusion_grid(matrices, names(count), dict.fromkeys(matrices, "none (random)"))
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels] == list(matrices) and len(figure.axes) == 5
    assert len({axes.images[0].get_clim() for axes in panels}) == 1
    assert says(figure, "none (random): run 0, run 1, run 2, run 3")


@CLASSES
def test_recall_is_sorted_and_many_classes_leave_a_marked_break(count):
    recall = np.random.default_rng(1).random(count)
    table = pd.DataFrame({"class_name": names(count), "support": 7, "recall": recall})
    figure = figures.per_class(table, "a title", "none (random)")
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    expected = np.sort(100 * recall)
    np.testing.assert_allclose(widths, np.r_[expected[:20], expected[-10:]] if count > 40 else expected)
    assert says(figure, "72 classes between") == (count == 102)
    assert says(figure, f"mean of all {count} classes: {100 * recall.mean():.1f} %")


def test_accuracy_is_drawn_with_its_interval_and_random_backbones_are_open():
    table = runs()
    figure = comparison_figures.accuracy_against(table, "parameters", "parameters")
    shown = points(figure)
    for line, run in zip(shown, table.itertuples(), strict=True):
        assert (line.get_xdata()[0], line.get_ydata()[0]) == pytest.approx((run.parameters, 100 * run.test_top1))
        assert (line.get_markerfacecolor() == "white") == (not run.pretrained)
        assert line.get_marker() == style.looks(FIVE)[run.architecture].marker
    ends = figure.axes[0].collections[0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, [79, 82])
    assert says(figure, NOTE) and says(figure, "test top-1 (%)") and says(figure, "ResNet18, ResNet50")
    assert not says(comparison_figures.accuracy_against(table[4:], "parameters", "parameters"), NOTE)


@pytest.mark.parametrize("recipes", [("lesson",), ("lesson", "tuned")])
def test_labels_beside_points_do_not_cover_each_other(recipes):
    figure = comparison_figures.accuracy_against(runs(recipes=recipes, seeds=(1, 2)), "parameters", "parameters")
    figure.draw_without_rendering()
    labels = [child for child in figure.axes[0].get_children() if isinstance(child, Annotation)]
    assert len(labels) == 5 * len(recipes)  # seeds share a label
    boxes = [Text.get_window_extent(label) for label in labels]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all("·" in label.get_text() for label in labels) == (len(recipes) > 1)


def test_runs_that_trained_on_the_validation_images_say_so():
    table = runs(["resnet18"], recipes=("lesson", "all"))
    table.loc[1, "val_top1"] = np.nan
    name = style.display_name("resnet18")
    assert style.run_labels(table) == [f"{name} · lesson", f"{name} · all · train + val"]
    for figure in (
        comparison_figures.training_time(table),
        comparison_figures.accuracy_against(table, "parameters", ""),
    ):
        assert says(figure, "all · train + val")


def test_what_was_not_measured_is_named_and_left_out():
    table = runs()
    table.loc[1, "latency_ms"] = np.nan
    figure = comparison_figures.accuracy_against(table, "latency_ms", "latency (ms)", log=False)
    assert len(points(figure)) == 4 and says(figure, "not measured: ResNet50")
    nothing = comparison_figures.accuracy_against(table.assign(latency_ms=np.nan), "latency_ms", "latency (ms)")
    assert not points(nothing) and says(nothing, "no run has this measurement")


def test_bars_show_validation_and_test_of_every_run():
    table = runs()
    table.loc[0, ["phase2_val_top1", "test_top1_low"]] = np.nan
    figure = comparison_figures.accuracy_bars(table)
    widths = np.reshape([bar.get_width() for bar in figure.axes[0].patches], (3, 5))
    columns = ["phase1_val_top1", "phase2_val_top1", "test_top1"]
    np.testing.assert_allclose(widths, 100 * table[columns].to_numpy().T)
    spans = [np.ptp(segment[:, 0]) for segment in figure.axes[0].collections[0].get_segments()]
    np.testing.assert_allclose(spans, [0, 3, 3, 3, 3])
    assert says(figure, "ResNet18 none (random)") and says(figure, "MobileNetV2 file mobilenet_v2-imagenet.pth")


@pytest.mark.parametrize(("factor", "unit", "size"), [(1, "seconds", 1), (10, "minutes", 60)])
def test_training_time_is_stacked_in_a_readable_unit(factor, unit, size):
    table = runs()
    table[["phase1_seconds", "phase2_seconds"]] *= factor
    table.loc[2, "phase2_seconds"] = np.nan
    figure = comparison_figures.training_time(table)
    bars = figure.axes[0].patches
    assert figure.axes[0].get_xlabel() == unit
    assert bars[0].get_width() == bars[5].get_x() == pytest.approx(20 * factor / size)
    assert bars[6].get_width() == pytest.approx(101 * factor / size) and bars[7].get_width() == 0


def test_pictures_are_shown_unchanged_under_their_titles():
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)
    figure = figures.sample_grid(images, [f"number {i}" for i in range(5)], 3, "a title", "IMAGENET1K_V1")
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == [f"number {i}" for i in range(5)]
    assert all((axes.images[0].get_array() == image).all() for axes, image in zip(shown, images, strict=True))
    for wrong, titles in ((images / 255, ["a"] * 5), (images[0], ["a"] * 6), (images, ["a"])):
        with pytest.raises(ValueError, match="uint8"):
            figures.sample_grid(wrong, titles, 3, "a title")


@CLASSES
def test_class_counts_are_drawn_for_every_split(count):
    rows = [(name, "train", 10) for name in names(count)] + [(n, "test", 20 + i) for i, n in enumerate(names(count))]
    figure = figures.class_counts(pd.DataFrame(rows, columns=["class_name", "split", "images"]))
    axes, expected = figure.axes[0], [20 + i for i in reversed(range(count))]
    bars = [bar.get_height() for bar in axes.patches][count:]
    assert (bars if count <= 30 else list(drawn(axes, axes.get_lines()[1].get_label()).get_ydata())) == expected
    assert says(figure, f"train: {10 * count} images") and says(figure, f"test: {sum(expected)} images")


def test_an_architecture_keeps_its_look_when_another_leaves():
    everyone = [*FIVE, "convnext_tiny", "vit_b_16"]
    for gone in FIVE:
        left = [name for name in everyone if name != gone]
        assert style.looks(left) == {name: style.looks(everyone)[name] for name in sorted(left)}
    few = comparison_figures.accuracy_against(runs(["vit_b_16"]), "parameters", "parameters", architectures=everyone)
    assert points(few)[0].get_color() == style.looks(reversed(everyone))["vit_b_16"].colour
    one, two = points(comparison_figures.accuracy_against(runs(), "parameters", "p")), runs(FIVE[1:])
    other = points(comparison_figures.accuracy_against(two, "parameters", "p"))
    assert [line.get_color() for line in one][1:] == [line.get_color() for line in other]
    assert to_hex(comparison_figures.training_time(two).axes[0].patches[4].get_facecolor()) == to_hex(
        other[0].get_color()
    )


# Machado, Oliveira and Fernandes 2009, severity 1, applied to linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(linear):
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ np.clip(linear, 0, 1) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", DEFICIENCIES)
def test_the_five_colours_stay_apart_for_colour_blind_eyes(eye):
    looks = style.looks(FIVE).values()
    assert len({look.marker for look in looks}) == 5
    assert_apart([look.colour for look in looks], eye)


def assert_apart(colours, eye):
    seen = [lab(np.array(DEFICIENCIES[eye]) @ np.array(to_rgb(colour)) ** 2.2) for colour in colours]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15  # 2.3 is just noticeable


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        *zip(FIVE, ["ResNet18", "ResNet50", "EfficientNet-B0", "EfficientNet-B3", "MobileNetV2"], strict=True),
        ("vgg16_bn", "VGG16-BN"),
        ("convnext_tiny", "ConvNeXt-Tiny"),
        ("resnext50_32x4d", "ResNeXt50-32x4d"),
        ("regnet_y_400mf", "RegNet-Y-400MF"),
        ("shufflenet_v2_x1_0", "ShuffleNetV2-x1.0"),
        ("squeezenet1_0", "SqueezeNet1.0"),
        ("wide_resnet50_2", "Wide-ResNet50-2"),
        ("vit_b_16", "ViT-B-16"),
    ],
)
def test_names_are_written_as_people_write_them(architecture, name):
    assert style.display_name(architecture) == name


def test_drawing_needs_no_torch():
    code = "import sys, florilegium.figures; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0
