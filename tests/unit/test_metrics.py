"""Metrics equal what one counts by hand."""

import numpy as np
import pandas as pd
import pytest

from florilegium import intervals, metrics

NAMES = ["aster", "Käthes Maiglanz", "tulip"]
# Six pictures: three asters (right, right, taken for a Maiglanz), two Maiglanz (right, taken for an aster), one tulip
# (taken for an aster). Nothing is ever taken for a tulip.
LABELS = np.array([0, 0, 0, 1, 1, 2])
LOGITS = np.array(
    [[3, 1, 0], [2, 0, 1], [1, 2, 0], [0, 4, 1], [5, 1, 2], [2, 0, 1]],
    dtype=np.float32,
)


def test_a_small_case_counted_by_hand():
    found = metrics.evaluate(LOGITS, LABELS)
    assert found["images"] == 6 and found["top1"] == pytest.approx(3 / 6)
    assert found["mean_per_class"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["macro_precision"] == pytest.approx((2 / 4 + 1 / 2 + 0) / 3)
    assert found["macro_recall"] == found["mean_per_class"]
    f1_aster = 2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3)
    assert found["macro_f1"] == pytest.approx((f1_aster + 1 / 2 + 0) / 3)


def test_every_metric_stands_inside_its_interval():
    found = metrics.evaluate(LOGITS, LABELS)
    assert set(found) == {"images"} | {f"{name}{end}" for name in intervals.METRICS for end in ("", "_low", "_high")}
    for name in intervals.METRICS:
        assert 0 <= found[f"{name}_low"] <= found[name] <= found[f"{name}_high"] <= 1, name


def test_weighted_averages_count_classes_by_their_images():
    found = metrics.evaluate(LOGITS, LABELS)
    assert found["weighted_recall"] == pytest.approx(found["top1"])
    assert found["weighted_precision"] == pytest.approx((3 * 2 / 4 + 2 * 1 / 2 + 1 * 0) / 6)
    assert found["weighted_f1"] == pytest.approx((3 * 4 / 7 + 2 * 1 / 2 + 1 * 0) / 6)


def test_an_imbalanced_test_split_gives_two_different_accuracies():
    labels = np.array([0] * 98 + [1] * 2)
    logits = np.tile([1.0, 0.0], (100, 1))  # always the common class
    found = metrics.evaluate(logits, labels)
    assert (found["top1"], found["mean_per_class"]) == (0.98, 0.5)


@pytest.mark.parametrize(("k", "expected"), [(1, 3 / 6), (2, 5 / 6), (3, 1.0), (5, 1.0)])
def test_top_k_counts_the_k_first_guesses_and_all_classes_when_there_are_fewer(k, expected):
    assert metrics.in_top(LOGITS, LABELS, k).mean() == pytest.approx(expected)


def test_top_5_of_many_classes():
    logits = np.tile(np.arange(10.0), (10, 1))  # classes 9, 8, 7, 6, 5 come first
    assert metrics.evaluate(logits, np.arange(10))["top5"] == 0.5


def test_a_class_that_is_never_predicted_has_zeros_and_stays_in_the_table(recwarn):
    table = metrics.per_class(LOGITS, LABELS, NAMES).set_index("class_name")
    assert table.loc["tulip"].tolist() == [1, 0, 0, 0]
    assert table["support"].tolist() == [3, 2, 1]
    assert table.loc["aster", ["precision", "recall"]].tolist() == pytest.approx([2 / 4, 2 / 3])
    assert not recwarn.list


def test_rows_of_the_confusion_matrix_are_the_true_classes():
    found = metrics.confusion(LOGITS, LABELS, NAMES)
    assert found.index.name == "true class" and found.index.tolist() == found.columns.tolist() == NAMES
    assert found.to_numpy().tolist() == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]


def test_confused_pairs_are_all_mistakes_the_most_frequent_first():
    found = metrics.confused_pairs(metrics.confusion(LOGITS, LABELS, NAMES))
    assert found.to_dict("records") == [
        {"class_name": "tulip", "predicted": "aster", "images": 1, "share": 1.0},
        {"class_name": "Käthes Maiglanz", "predicted": "aster", "images": 1, "share": 0.5},
        {"class_name": "aster", "predicted": "Käthes Maiglanz", "images": 1, "share": pytest.approx(1 / 3, abs=1e-6)},
    ]
    nothing = metrics.confused_pairs(metrics.confusion(np.eye(3), np.arange(3), NAMES))
    assert nothing.empty and list(nothing.columns) == ["class_name", "predicted", "images", "share"]


def test_predictions_name_the_guesses_and_how_sure_the_network_is():
    paths = [f"{n}.jpg" for n in range(6)]
    images = pd.DataFrame({"path": paths, "class_name": [NAMES[label] for label in LABELS], "label": LABELS})
    found = metrics.predictions(LOGITS, images, NAMES)
    assert found["predicted"].tolist() == [NAMES[n] for n in (0, 0, 1, 1, 0, 0)]
    assert found["correct"].tolist() == [True, True, False, True, False, False]
    assert found["first_guesses"][4] == "aster; tulip; Käthes Maiglanz"
    shares = np.exp([3, 1, 0]) / np.exp([3, 1, 0]).sum()
    assert found["probability"][0] == pytest.approx(shares[0], abs=1e-6)
    assert found["probability_of_class"][2] == pytest.approx(np.exp(1) / np.exp([1, 2, 0]).sum(), abs=1e-6)

    assert (found["calibrated_probability"] == found["probability"]).all()
    cooler = metrics.predictions(LOGITS, images, NAMES, temperature=2.0)
    halves = np.exp([1.5, 0.5, 0])
    assert cooler["calibrated_probability"][0] == pytest.approx(halves[0] / halves.sum(), abs=1e-6)
    assert cooler.drop(columns="calibrated_probability").equals(found.drop(columns="calibrated_probability"))


def test_huge_logits_do_not_overflow():
    images = pd.DataFrame({"path": ["a"], "class_name": ["aster"], "label": [0]})
    found = metrics.predictions(np.array([[1e4, 0.0, -1e4]], np.float32), images, NAMES)
    assert found["probability"].tolist() == [1.0]
