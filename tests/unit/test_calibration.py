"""A temperature undoes a known scaling, and the scores are those of hand-counted cases."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from florilegium import calibration


def drawn(count, classes=10, strength=2.0, seed=0):
    """Logits whose probabilities are true: each label is drawn from its row."""
    rng = np.random.default_rng(seed)
    logits = strength * rng.standard_normal((count, classes))
    cumulated = softmax(logits, axis=1).cumsum(axis=1)
    return logits.astype(np.float32), (cumulated < rng.random((count, 1))).sum(axis=1).clip(max=classes - 1)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_is_the_factor_by_which_logits_are_too_large(scale):
    logits, labels = drawn(20_000)
    assert calibration.fit_temperature(scale * logits, labels) == pytest.approx(scale, rel=0.03)


def test_a_network_that_is_always_right_or_knows_nothing_gets_a_temperature_at_the_end_of_its_range():
    right = np.eye(3, dtype=np.float32)
    assert calibration.fit_temperature(right, np.arange(3)) == pytest.approx(calibration.COLDEST, rel=0.01)
    assert calibration.fit_temperature(right, np.array([1, 2, 0])) == pytest.approx(calibration.HOTTEST, rel=0.01)


def test_true_probabilities_have_hardly_any_calibration_error_and_a_temperature_restores_them():
    logits, labels = drawn(50_000)
    temperature = calibration.fit_temperature(4 * logits, labels)
    assert calibration.scores(calibration.probabilities(logits), labels)["ece"] < 0.01
    record, _ = calibration.before_and_after(4 * logits, labels, temperature)
    assert record["ece_before"] > 0.15 and record["ece_after"] < 0.01
    assert record["nll_after"] < record["nll_before"] and record["brier_after"] < record["brier_before"]


def test_a_case_counted_by_hand():
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.55, 0.45]])
    labels = np.array([0, 1, 1, 0])
    found = calibration.scores(shares, labels)
    # Bins: two of 0.9 (one right), one of 0.8 (right), one of 0.55 (right).
    assert found["ece"] == pytest.approx((2 * 0.4 + 0.2 + 0.45) / 4)
    assert found["brier"] == pytest.approx(2 * (0.1**2 + 0.9**2 + 0.2**2 + 0.45**2) / 4)
    assert found["nll"] == pytest.approx(-np.log([0.9, 0.1, 0.8, 0.55]).mean())


def test_bins_are_those_of_scikit_learn_with_their_counts():
    logits, labels = drawn(3000, classes=3)
    shares = calibration.probabilities(logits)
    bins = calibration.reliability(shares, labels)
    accuracy, confidence = calibration_curve(shares.argmax(1) == labels, shares.max(1), n_bins=calibration.BINS)
    filled = bins[bins["images"] > 0]
    np.testing.assert_allclose(filled[["accuracy", "confidence"]], np.stack([accuracy, confidence], axis=1))
    assert len(bins) == calibration.BINS and bins["images"].sum() == 3000
    empty = bins[bins["images"] == 0]
    assert len(empty) and empty[["accuracy", "confidence"]].isna().to_numpy().all()


def test_the_table_has_both_stages_and_the_record_its_keys():
    logits, labels = drawn(100, classes=3)
    record, table = calibration.before_and_after(logits, labels, 2.0)
    assert list(record) == [f"{name}_{stage}" for name in ("ece", "brier", "nll") for stage in ("before", "after")]
    assert table["stage"].tolist() == ["before"] * 15 + ["after"] * 15
    assert list(table.columns) == ["stage", "low", "high", "images", "confidence", "accuracy"]


def test_certainty_is_a_finite_number():
    found = calibration.scores(calibration.probabilities(np.array([[1e4, 0], [1e4, 0]], np.float32)), np.array([0, 1]))
    assert all(np.isfinite(value) for value in found.values())
