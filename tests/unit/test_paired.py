"""Paired tests tell networks apart when the images do, and say so when they do not."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from florilegium import paired
from florilegium.errors import UserError
from florilegium.paired import check_same_images, compared, mcnemar_test, paired_tests
from florilegium.resampling import image_means, seed_deviations, two_sided_p
from made_up import network, right, table


def discordant(only_a, only_b, both=50, neither=10):
    """Two runs that disagree on so many images."""
    a = np.repeat([True, False, True, False], [only_a, only_b, both, neither])
    return a, np.repeat([False, True, True, False], [only_a, only_b, both, neither])


def test_few_discordant_images_are_counted_exactly():
    name, p = mcnemar_test(*discordant(9, 1))
    assert name == "McNemar, exact"
    assert p == pytest.approx(2 * (1 + 10) / 2**10)  # at most one of ten fair coins, either way


def test_many_discordant_images_use_the_corrected_statistic():
    name, p = mcnemar_test(*discordant(10, 30))
    assert name == "McNemar, chi-squared"
    assert p == pytest.approx(stats.chi2.sf((30 - 10 - 1) ** 2 / 40, 1))


@pytest.mark.parametrize("seeds", [1, 3])
def test_identical_predictions_give_p_1_and_no_difference(seeds):
    answers = np.stack([right(0.8, start=i) for i in range(seeds)])
    found = compared(answers, answers)
    assert (found["difference"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)


def test_the_interval_of_a_difference_is_that_of_paired_images():
    a, b = discordant(30, 10, both=400, neither=60)
    found = compared(a[None], b[None])
    spread = np.sqrt(((a.astype(int) - b) - 20 / 500).var() / 500)
    assert found["difference"] == pytest.approx(20 / 500)
    assert (found["low"], found["high"]) == pytest.approx((0.04 - 1.96 * spread, 0.04 + 1.96 * spread), abs=0.003)


def test_means_over_seeds_that_swap_places_cannot_be_told_apart():
    """Images alone would separate them: 6149 of them pin the means of these very runs down to a few tenths."""
    accuracies = ((0.88, 0.86, 0.90), (0.85, 0.90, 0.86))
    a, b = (np.stack([right(value, 6149, 1000 * i) for i, value in enumerate(row)]) for row in accuracies)
    images_only = image_means((a.sum(0).astype(int) - b.sum(0))[:, None])[:, 0]
    assert two_sided_p(images_only) < 0.01
    found = compared(a, b)
    assert found["test"] == "paired bootstrap over images and seeds"
    assert found["p"] > 0.2 and found["low"] < 0 < found["high"]


def test_means_over_seeds_that_always_differ_are_told_apart():
    a, b = (np.stack([right(value + i / 500, 2000, 7 * i) for i in range(3)]) for value in (0.85, 0.80))
    assert compared(a, b)["p"] < 0.001


def test_holm_corrects_within_a_family(monkeypatch):
    values = iter((0.01, 0.04, 0.03))
    monkeypatch.setattr(paired, "compared", lambda a, b: {"p": next(values), "difference": 0.0})
    found = paired_tests(table(*map(network, ("resnet18", "resnet50", "mobilenet_v2"))), [None] * 3)
    assert list(found["p_holm"]) == pytest.approx([0.03, 0.06, 0.06])  # 3 x 0.01, 2 x 0.03, then at least that
    assert list(found["separable"]) == [True, False, False]
    assert (found["tests"] == 3).all()
    assert list(found["p_holm"]) == pytest.approx(multipletests([0.01, 0.04, 0.03], method="holm")[1])


def test_recipes_and_their_comparison_are_families_of_their_own():
    rows = [network(name, recipe=recipe) for recipe in ("lesson", "tuned") for name in ("resnet18", "resnet50")]
    found = paired_tests(table(*rows), [right(0.7 + i / 50)[None] for i in range(4)])
    assert found["family"].value_counts().to_dict() == {"lesson and tuned": 4, "lesson": 1, "tuned": 1}


def test_runs_on_train_and_val_and_random_backbones_are_kept_apart_or_labelled():
    nan = float("nan")
    rows = [
        network("resnet18"),
        network("resnet50", pretrained=False),
        *(network(name, recipe="all", val=nan, protocol="train + val") for name in ("resnet18", "resnet50")),
    ]
    found = paired_tests(table(*rows), [right(0.8)[None]] * 4)
    assert list(found["family"]) == ["lesson", "all"], "never across protocols"
    assert list(found["note"]) == ["resnet50: random backbone", "both: trained on train + val"]


def test_one_network_gives_an_empty_table_with_its_columns():
    found = paired_tests(table(network("resnet18")), [right(0.8)[None]])
    assert found.empty and list(found.columns) == list(paired.COLUMNS)


def test_runs_of_other_test_images_are_refused_by_name():
    check_same_images({"a": ["1", "2"], "b": ["1", "2"]})
    with pytest.raises(UserError, match=r"predictions_test.csv of b \(2 images\) and of a .*different test images"):
        check_same_images({"a": ["1", "2"], "b": ["1", "3"]})


def test_resampling_images_is_the_bootstrap_of_scipy():
    values = right(0.8, 500).astype(int)
    low, high = np.percentile(image_means(values[:, None]), [2.5, 97.5])
    result = stats.bootstrap((values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1))
    assert (low, high) == pytest.approx(tuple(result.confidence_interval), abs=0.004)
    assert (image_means(values[:, None]) == image_means(values[:, None])).all(), "the same seed, the same draws"


def test_the_spread_over_seeds_is_that_of_new_seeds():
    values = np.array([[0.80], [0.82], [0.87]])
    assert seed_deviations(values).std() == pytest.approx(stats.sem(values[:, 0]), rel=0.03)
    assert not seed_deviations(values[:1]).any(), "one seed tells nothing"
