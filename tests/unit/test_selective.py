"""Leaving out what the network is least sure of helps as much as its confidence is worth."""

import numpy as np
import pytest

from florilegium import selective

CONFIDENCE = np.array([0.9, 0.5, 0.8, 0.5, 0.7])
RIGHT = np.array([True, False, True, True, False])


def test_a_curve_counted_by_hand_answers_equal_confidences_together():
    curve = selective.risk_coverage(CONFIDENCE, RIGHT)
    assert curve["coverage"].tolist() == pytest.approx([1 / 5, 2 / 5, 3 / 5, 1])
    assert curve["threshold"].tolist() == [0.9, 0.8, 0.7, 0.5]
    assert curve["accuracy"].tolist() == pytest.approx([1, 1, 2 / 3, 3 / 5])


def test_an_ideal_order_never_gets_better_by_answering_more():
    right = np.arange(500) < 400
    curve = selective.risk_coverage(np.linspace(1, 0.2, 500), right)
    assert (curve["accuracy"].diff().dropna() <= 0).all()
    assert curve["accuracy"].iloc[399] == 1 and curve["accuracy"].iloc[-1] == 0.8


def test_the_last_row_answers_everything_also_when_rows_are_left_out():
    rng = np.random.default_rng(0)
    confidence, right = rng.random(5000), rng.random(5000) < 0.7
    curve = selective.thinned(selective.risk_coverage(confidence, right))
    assert len(curve) == selective.ROWS
    assert (curve["coverage"].iloc[-1], curve["accuracy"].iloc[-1]) == (1, right.mean())
    assert curve["coverage"].iloc[0] == 1 / 5000
    row = curve.iloc[300]
    assert row["accuracy"] == pytest.approx(right[confidence >= row["threshold"]].mean())


@pytest.fixture
def answers():
    """The surest 60 of 100 are right, of the others every second: confidence and whether right."""
    return np.linspace(0.99, 0.3, 100), (np.arange(100) < 60) | (np.arange(100) % 2 == 0)


def test_the_threshold_is_the_lowest_that_keeps_the_accuracy_and_test_says_what_it_does(answers):
    confidence, right = answers
    found = selective.sure(0.95, answers, (np.array([0.98, 0.97, 0.1]), np.array([True, False, True])))
    kept = confidence >= found["threshold"]
    assert right[kept].mean() >= 0.95 > right[: kept.sum() + 2].mean()
    assert found["val_coverage"] == kept.mean() and found["val_accuracy"] == right[kept].mean()
    assert (found["target_accuracy"], found["test_coverage"], found["test_accuracy"]) == (0.95, 2 / 3, 0.5)


def test_nothing_is_withheld_when_all_answers_keep_the_accuracy(answers):
    found = selective.sure(0.8, answers, answers)
    assert (found["threshold"], found["val_coverage"], found["test_coverage"]) == (0.0, 1, 1)


def test_everything_is_withheld_when_no_confidence_keeps_it():
    few = np.linspace(0.9, 0.5, 100), np.arange(100) < 3  # three right answers are no accuracy
    found = selective.sure(0.95, few, few)
    assert (found["threshold"], found["test_coverage"], found["test_accuracy"]) == (1.0, 0, None)


def test_without_validation_nothing_is_chosen(answers):
    found = selective.sure(0.95, None, answers)
    assert found["target_accuracy"] == 0.95
    assert all(value is None for key, value in found.items() if key != "target_accuracy")
