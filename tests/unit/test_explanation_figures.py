"""Figures of what a network sees and bears show the numbers and pictures they are given, or say why there are none."""

import itertools

import numpy as np
import pandas as pd
import pytest

from figure_reading import says
from florilegium import explanation_figures as figures
from florilegium.corruptions import CORRUPTIONS
from florilegium.style import RANDOM_NOTE

CLASSES = pytest.mark.parametrize("count", [2, 3, 5, 102])
WEIGHTS = "IMAGENET1K_V1"
SIDE = 32


def names(count):
    return [f"long-leaved flower {i:03d}" for i in range(count)]


@pytest.fixture
def robustness():
    """robustness.csv of a network that loses a little more with every row."""
    rows = [("none", 0, "as it is")]
    rows += [
        (name, strength, what.level.format(value))
        for name, what in CORRUPTIONS.items()
        for strength, value in enumerate(what.values, 1)
    ]
    table = pd.DataFrame(rows, columns=["corruption", "strength", "level"])
    table["images"], table["top1"] = 400, 0.9 - 0.04 * np.arange(len(table))
    table["top1_low"], table["top1_high"] = table["top1"] - 0.03, table["top1"] + 0.02
    return table


def test_the_robustness_panels_show_the_table_in_percent(robustness):
    figure = figures.robustness(robustness, "a title", WEIGHTS, "#123456")
    assert len(figure.axes) == len(CORRUPTIONS)
    for panel, (name, what) in zip(figure.axes, CORRUPTIONS.items(), strict=True):
        rows = robustness[robustness["corruption"] == name]
        ((points, _, (bars,)),) = panel.containers
        assert panel.get_title() == figures.PANELS[name]
        np.testing.assert_allclose(points.get_xydata(), np.c_[[1, 2, 3], 100 * rows["top1"]])
        ends = [segment[:, 1] for segment in bars.get_segments()]
        np.testing.assert_allclose(ends, 100 * rows[["top1_low", "top1_high"]].to_numpy())
        assert [float(tick.get_text()) for tick in panel.get_xticklabels()] == list(what.values)
        (dashed,) = [line for line in panel.get_lines() if line.get_linestyle() == "--"]
        assert list(dashed.get_ydata()) == [90, 90] and points.get_color() == "#123456"
        assert panel.get_ylim()[0] <= 0 and panel.get_ylim()[1] >= 100, "a fall looks alike in every network's figure"
    assert (
        says(figure, "400 test images") and says(figure, "as they are, 90.0 %") and says(figure, f"weights {WEIGHTS}")
    )


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_random_backbone_has_open_markers_and_a_note(robustness, pretrained):
    figure = figures.robustness(robustness, "a title", WEIGHTS, pretrained=pretrained)
    points = figure.axes[0].containers[0][0]
    assert (points.get_markerfacecolor() == "white") == (not pretrained) == says(figure, RANDOM_NOTE)


def test_a_picture_is_in_colour_where_it_spoke_and_pale_elsewhere():
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[:, :, 0] = 210
    heat = np.zeros((4, 4), np.float32)
    heat[:, :2] = 0.001  # scaled to the whole range
    shown = figures.lit(picture, heat).astype(int)
    assert shown.shape == picture.shape
    assert (shown[:, 0] == [210, 0, 0]).all()
    pale = round(0.3 * 70 + 0.7 * 255)
    assert (shown[:, -1] == pale).all() and (figures.lit(picture, 0 * heat) == pale).all()
    assert (np.diff(shown[0, :, 1]) >= 0).all(), "softly from the one to the other"


def explained(count, right, wrong, seed=0):
    """Pictures and arrays as of explanations.npz: `right` photographs named right, then `wrong` ones."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, count, right + wrong)
    named = np.where(np.arange(right + wrong) < right, true, (true + 1) % count)
    found = {"cam_layer": "layer4", "cam_reason": "", "cam_true": true, "cam_predicted": named}
    for key in ("heat_predicted", "heat_true"):
        found[key] = rng.random((right + wrong, 7, 7), np.float32)
    found["cam_probability"] = np.linspace(0.5, 0.99, right + wrong)
    found["cam_probability_of_true"] = np.where(named == true, found["cam_probability"], 0.01)
    return found, rng.integers(0, 256, (right + wrong, SIDE, SIDE, 3), dtype=np.uint8)


def pictured(figure):
    """Panels with a picture: what they show, under which title."""
    return [
        (np.asarray(panel.images[0].get_array()), " ".join(panel.get_title().split()))
        for panel in figure.axes
        if panel.images
    ]


def overlapping_titles(figure):
    """Titles that lie on each other or on a picture."""
    figure.draw_without_rendering()
    panels = [panel for panel in figure.axes if panel.images]
    titles = [panel.title.get_window_extent() for panel in panels]
    pairs = [pair for pair in itertools.combinations(titles, 2) if pair[0].overlaps(pair[1])]
    return pairs + [title for title in titles for panel in panels if title.overlaps(panel.get_window_extent())]


@CLASSES
def test_grad_cam_shows_right_ones_with_one_heat_and_wrong_ones_with_two(count):
    found, pictures = explained(count, right=6, wrong=6)
    class_names = names(count)
    figure = figures.grad_cam(found, pictures, class_names, "a title", WEIGHTS)
    expected = []
    for i, picture in enumerate(pictures):
        true, named = (class_names[found[key][i]] for key in ("cam_true", "cam_predicted"))
        sure = f"{100 * found['cam_probability'][i]:.0f} %"
        expected.append((picture, true))
        heat = figures.lit(picture, found["heat_predicted"][i])
        expected.append((heat, sure if i < 6 else f"for {named}, {sure}"))
        if i >= 6:
            expected.append((figures.lit(picture, found["heat_true"][i]), f"for {true}, 1 %"))
    for (shown, text), (picture, title) in zip(pictured(figure), expected, strict=True):
        assert text == title and (shown == picture).all()
    outlined = [bool(panel.collections) for panel in figure.axes if panel.images]
    assert outlined == [False, True] * 6 + [False, True, True] * 6, "half of the most, on the heats only"
    rows = {panel.get_subplotspec().rowspan.start: panel.get_ylabel() for panel in figure.axes if panel.get_ylabel()}
    assert rows == {0: "named right", 2: "named wrong"}
    assert says(figure, "layer4 (7 × 7 places)") and says(figure, f"weights {WEIGHTS}")
    assert overlapping_titles(figure) == []


def test_the_outline_runs_where_a_place_counts_half_and_is_missing_where_nothing_does():
    found, pictures = explained(3, right=2, wrong=0)
    found["heat_predicted"] = np.zeros((2, 4, 4), np.float32)
    found["heat_predicted"][0, :, 2:] = 5
    panels = [panel for panel in figures.grad_cam(found, pictures, names(3), "a title", WEIGHTS).axes if panel.images]
    (outline,) = panels[1].collections
    (line,) = [path.vertices for path in outline.get_paths()]
    np.testing.assert_allclose(line[:, 0], SIDE / 2 - 0.5, atol=0.5)
    assert np.ptp(line[:, 1]) == SIDE - 1 and not panels[3].collections


@pytest.mark.parametrize(("right", "wrong"), [(6, 0), (0, 4), (1, 1)])
def test_grad_cam_of_few_photographs_names_only_what_there_is(right, wrong):
    figure = figures.grad_cam(*explained(3, right, wrong), names(3), "a title", WEIGHTS)
    assert len(pictured(figure)) == 2 * right + 3 * wrong
    assert (says(figure, "named right"), says(figure, "named wrong")) == (right > 0, wrong > 0)


def test_a_network_without_maps_or_filters_says_why():
    found = {"cam_layer": "", "cam_reason": "it mixes patches", "filter_layer": "", "filter_reason": "it has none"}
    found["stage_names"] = np.array([])
    reasons = {
        figures.grad_cam(found, [], names(2), "a title", WEIGHTS): "No Grad-CAM of this network: it mixes patches.",
        figures.first_filters(found, "a title", WEIGHTS): "No filters to show: it has none.",
        figures.feature_maps(found, None, "a title", WEIGHTS): "No stage of this network gives maps",
    }
    for figure, reason in reasons.items():
        assert says(figure, reason) and says(figure, "a title") and pictured(figure) == []


@pytest.mark.parametrize(("count", "of", "columns"), [(32, 32, 8), (64, 64, 16), (96, 768, 16)])
def test_each_filter_is_scaled_by_its_largest_weight_around_grey(count, of, columns):
    filters = np.random.default_rng(0).normal(size=(count, 3, 7, 7)).astype(np.float32)
    filters[1] = 0
    found = {"filter_layer": "conv1", "filters": filters, "filter_count": of}
    figure = figures.first_filters(found, "a title", WEIGHTS)
    ((canvas, _),) = pictured(figure)
    step = 31  # seven weights of four pixels, and three white ones between
    assert canvas.shape == (count // columns * step - 3, columns * step - 3, 3)
    for i, weights in enumerate(filters):
        top, left = i // columns * step, i % columns * step
        tile = canvas[top : top + 28 : 4, left : left + 28 : 4].transpose(2, 0, 1)
        assert (canvas[top : top + 28, left : left + 28] == tile.transpose(1, 2, 0).repeat(4, 0).repeat(4, 1)).all()
        np.testing.assert_allclose(tile, 0.5 + weights / (2 * max(np.abs(weights).max(), 1e-9)), atol=1e-6)
    assert (canvas[28::step] == 1).all() and (canvas[:, 28::step] == 1).all()
    text = "layer conv1: 96 of 768, those with the largest weights" if of > count else f"layer conv1: {count} filters"
    assert says(figure, text) and says(figure, "7 × 7 pixels")


def test_each_stage_is_shown_beside_the_photograph_with_as_many_pixels():
    rng = np.random.default_rng(0)
    stages = {"stem": rng.random((4, 16, 16)), "body": rng.random((4, 8, 8)), "top": rng.random((2, 3, 3))}
    found = {"stage_names": np.array(list(stages))} | {f"stage_{i}": maps for i, maps in enumerate(stages.values())}
    picture = np.full((SIDE, SIDE, 3), (200, 30, 60), np.uint8)
    figure = figures.feature_maps(found, picture, "a title", WEIGHTS)
    shown = [image for image, _ in pictured(figure)]
    expected = [image for maps in stages.values() for image in (np.full((*maps.shape[1:], 3), (200, 30, 60)), *maps)]
    for one, other in zip(shown, expected, strict=True):
        assert one.shape == other.shape and (one == other).all()
    labels = [panel.get_ylabel() for panel in figure.axes if panel.get_ylabel()]
    assert labels == ["stem\n16 × 16", "body\n8 × 8", "top\n3 × 3"]


@pytest.mark.parametrize("count", [1, 5, 20, 102, 2000])
def test_each_place_of_the_map_has_the_image_nearest_to_its_middle(count):
    places = np.random.default_rng(count).random((count, 2)).astype(np.float32)
    places[0] = 1  # the very edge belongs to the last place
    cells = figures.cells_for(count)
    chosen = figures.nearest_to_cells(places, cells)
    column, row = (places * cells).astype(int).clip(max=cells - 1).T
    cell = list(zip((cells - 1 - row).tolist(), column.tolist(), strict=True))  # upwards, as in a graph
    assert set(chosen) == set(cell)
    off = np.abs(places * cells - np.floor(places * cells).clip(max=cells - 1) - 0.5).max(axis=1)
    for (at_row, at_column), position in chosen.items():
        rivals = [i for i in range(count) if cell[i] == (at_row, at_column)]
        assert position in rivals and off[position] <= off[rivals].min() + 1e-4


def test_a_map_of_few_images_has_large_pictures_and_one_of_many_has_no_more_than_can_be_seen():
    assert figures.cells_for(1) == 6 and figures.cells_for(50) == 11
    assert figures.cells_for(1000) == figures.cells_for(10**6) == figures.CELLS
    assert all(figures.cells_for(n) <= figures.cells_for(n + 1) for n in range(1, 300))


@pytest.mark.parametrize("count", [1, 20, 102])
def test_pictures_on_the_map_do_not_overlap_and_wrong_ones_are_framed(count):
    places = np.random.default_rng(0).random((count, 2)).astype(np.float32)
    correct = np.arange(count) % 3 > 0
    cells, size, gap = figures.cells_for(count), figures.CELL_PIXELS, figures.GAP
    chosen = figures.nearest_to_cells(places, cells)
    pictures = np.stack([np.full((SIDE, SIDE, 3), (position, 90, 7), np.uint8) for position in chosen.values()])
    found = {"map_place": places, "map_correct": correct, "map_neighbours": 0.625}
    figure = figures.picture_map(found, chosen, pictures, "a title", WEIGHTS)
    ((canvas, _),) = pictured(figure)
    expected = np.full((cells, cells, size, size, 3), 255)
    for (row, column), position in chosen.items():
        expected[row, column] = 255 if correct[position] else figures.WRONG
        expected[row, column, gap:-gap, gap:-gap] = (position, 90, 7)
    assert (canvas == expected.swapaxes(1, 2).reshape(canvas.shape)).all()
    assert says(figure, f"{len(chosen)} of {count} test images") and says(figure, "same class: 62 %")
