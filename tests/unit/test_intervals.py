"""Bootstrap intervals are those of theory where there is a theory, and the same in every run."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from florilegium import intervals

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 600)
PREDICTED = np.where(RNG.random(600) < 0.8, LABELS, RNG.integers(0, 4, 600))
IN_TOP = (PREDICTED == LABELS) | (RNG.random(600) < 0.5)


def found(labels=LABELS, predicted=PREDICTED, in_top=IN_TOP, classes=4):
    return intervals.bootstrap_intervals(labels, predicted, in_top, classes)


@pytest.mark.parametrize(("name", "hits"), [("top1", PREDICTED == LABELS), ("top5", IN_TOP)])
def test_the_interval_of_a_share_is_close_to_the_normal_approximation(name, hits):
    share = hits.mean()
    half = 1.96 * np.sqrt(share * (1 - share) / len(hits))
    assert found()[name] == pytest.approx((share - half, share + half), abs=0.15 * half)


def test_two_calls_give_the_same_digits():
    assert found() == found()


def test_the_same_numbers_in_another_order_of_the_images_are_only_another_draw():
    order = RNG.permutation(600)
    other = found(LABELS[order], PREDICTED[order], IN_TOP[order])
    for name, ends in found().items():
        assert other[name] == pytest.approx(ends, abs=0.004)


def test_counts_of_the_sample_itself_give_the_metrics_of_scikit_learn():
    cells, counts = np.unique(np.stack([LABELS, PREDICTED, IN_TOP], axis=1), axis=0, return_counts=True)
    metrics = intervals.metrics_of_counts(counts[None], cells, np.ones(4, bool))[:, 0]
    macro, weighted = (
        precision_recall_fscore_support(LABELS, PREDICTED, average=average)[:3] for average in ("macro", "weighted")
    )
    expected = [accuracy_score(LABELS, PREDICTED), IN_TOP.mean(), macro[1], *macro, *weighted]
    assert len(expected) == len(intervals.METRICS)
    np.testing.assert_allclose(metrics, expected)


def test_a_class_that_a_resample_misses_is_left_out_and_one_without_images_is_a_zero():
    cells, occurs = np.array([[0, 0, 1], [1, 1, 1]]), np.array([True, True, False])
    metrics = intervals.metrics_of_counts(np.array([[2, 2], [4, 0]]), cells, occurs)
    assert metrics[intervals.METRICS.index("mean_per_class")] == pytest.approx([2 / 3, 1 / 2])


def test_without_mistakes_the_interval_has_no_width():
    labels = np.arange(50) % 2
    assert set(found(labels, labels, np.ones(50, bool), 2).values()) == {(1.0, 1.0)}
