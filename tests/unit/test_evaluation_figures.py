"""Figures of confidence and mistakes show the numbers and pictures they are given."""

import numpy as np
import pandas as pd
import pytest
from test_figures import drawn, says

from florilegium import calibration, evaluation_figures, galleries, selective

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 400)
LOGITS = (3 * np.eye(5)[LABELS] + 2 * RNG.standard_normal((400, 5))).astype(np.float32)
SHARES = calibration.probabilities(LOGITS)
ANSWERS = SHARES.max(axis=1), SHARES.argmax(axis=1) == LABELS
TEST = {"images": 400, "top1": ANSWERS[1].mean()}


def calibrated(fitted_on="val"):
    record, bins = calibration.before_and_after(LOGITS, LABELS, 1.5)
    return bins, {"fitted_on": fitted_on, "temperature": 1.5} | record


@pytest.mark.parametrize(("fitted_on", "stages"), [("val", ["before", "after"]), (None, ["before"])])
def test_reliability_shows_accuracy_gap_and_images_of_every_bin(fitted_on, stages):
    bins, section = calibrated(fitted_on)
    figure = evaluation_figures.reliability(bins, section, "a title", "IMAGENET1K_V1")
    assert len(figure.axes) == 2 * len(stages)
    for stage, upper, lower in zip(stages, figure.axes[::2], figure.axes[1::2], strict=True):
        shown = bins[bins["stage"] == stage]
        heights = np.array([bar.get_height() for bar in upper.patches])
        np.testing.assert_allclose(heights[:15], 100 * shown["accuracy"])
        np.testing.assert_allclose(heights[15:], 100 * (shown["confidence"] - shown["accuracy"]))
        assert [bar.get_height() for bar in lower.patches] == shown["images"].tolist()
        assert says(figure, f"calibration error {100 * section[f'ece_{stage}']:.1f} %")
    assert says(figure, "after temperature 1.50") == says(figure, "fitted on validation") == (fitted_on is not None)
    assert says(figure, "no temperature was fitted") == (fitted_on is None)
    assert says(figure, "a title") and says(figure, "weights IMAGENET1K_V1")


def test_risk_and_coverage_is_the_curve_of_the_table_between_its_bounds():
    curve, sure = selective.risk_coverage(*ANSWERS), selective.sure(0.9, ANSWERS, ANSWERS)
    figure = evaluation_figures.risk_coverage(curve, sure, TEST, "a title", "none (random)", "#009E73")
    axes = figure.axes[0]
    line, ideal = drawn(axes, "least confident\nleft first"), drawn(axes, "every mistake\nleft first")
    shown = curve[curve["coverage"] >= 20 / 400]
    np.testing.assert_allclose(line.get_xdata(), 100 * (1 - shown["coverage"]))
    np.testing.assert_allclose(line.get_ydata(), 100 * shown["accuracy"])
    bound = np.interp(line.get_xdata()[::-1], ideal.get_xdata()[::-1], ideal.get_ydata()[::-1])[::-1]
    assert (line.get_ydata() <= bound + 0.1).all()
    ring = drawn(axes, "_sure")
    assert ring.get_xdata()[0] == pytest.approx(100 * (1 - sure["test_coverage"]))
    assert says(figure, f"sure from {100 * sure['threshold']:.1f} % confidence on, chosen for 90 % on validation")
    assert says(figure, "weights none (random)")


@pytest.mark.parametrize(
    ("target", "validation", "phrase"),
    [
        (0.95, None, "no threshold was chosen"),
        (0.01, ANSWERS, "none is withheld"),
        (1.0, (ANSWERS[0], np.zeros(400, bool)), "every answer is “not sure”"),
    ],
)
def test_a_threshold_that_leaves_nothing_or_everything_is_said(target, validation, phrase):
    sure = selective.sure(target, validation, ANSWERS)
    figure = evaluation_figures.risk_coverage(selective.risk_coverage(*ANSWERS), sure, TEST, "a title", "none")
    assert says(figure, phrase)


def picture(name, training=False):
    return galleries.Picture(name, f"text of {name}", training)


IMAGES = {name: RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8) for name in "abcd"}


def test_rows_of_pictures_keep_their_places_and_frame_training_pictures():
    rows = [
        galleries.Row("first row", [picture("a", True), picture("b"), None, picture("c", True)]),
        galleries.Row("second row", [picture("d", True)]),
    ]
    figure = evaluation_figures.picture_rows(rows, IMAGES, "a title", "none (random)", "a note")
    shown = np.reshape(figure.axes, (2, 5))
    assert [[bool(axes.images) for axes in row] for row in shown] == [[0, 1, 1, 0, 1], [0, 1, 0, 0, 0]]
    assert (shown[0, 2].images[0].get_array() == IMAGES["b"]).all()
    assert [axes.spines["top"].get_visible() for axes in shown[0]] == [False, True, False, False, True]
    assert [axes.get_title() for axes in shown[0]] == ["", "text of a", "text of b", "", "text of c"]
    for phrase in ("first row", "second row", "framed: a training picture", "a note", "weights none (random)"):
        assert says(figure, phrase)


def test_mistakes_are_a_grid_in_their_order():
    figure = evaluation_figures.mistakes_grid([picture(name) for name in "dba"], IMAGES, "a title", "none (random)")
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["text of d", "text of b", "text of a"]
    assert all((axes.images[0].get_array() == IMAGES[n]).all() for axes, n in zip(shown, "dba", strict=True))
    assert says(figure, "first what it is, then what the network says") and says(figure, "weights none (random)")


def test_a_network_without_mistakes_gets_figures_that_say_so():
    for figure in (
        evaluation_figures.mistakes_grid([], {}, "a title", "none"),
        evaluation_figures.picture_rows([], {}, "a title", "none", "a note"),
    ):
        assert says(figure, "every test image was named right") and says(figure, "a title")


def test_tables_read_back_from_files_give_the_same_figure(tmp_path):
    bins, section = calibrated()
    bins.to_csv(tmp_path / "calibration.csv", index=False)
    figure = evaluation_figures.reliability(pd.read_csv(tmp_path / "calibration.csv"), section, "a title", "none")
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
