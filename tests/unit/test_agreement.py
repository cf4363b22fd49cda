"""Networks that answer alike, and what averaging those that do not gives."""

import numpy as np
import pandas as pd
import pytest

from florilegium.agreement import agreement
from florilegium.ensembles import Split, ensembles, probabilities
from made_up import network, table

TRUTH = np.array([0, 0, 1, 1, 2])


def test_agreement_counts_equal_answers_and_equal_mistakes():
    answers = [np.array([[0, 1, 1, 0, 0]]), np.array([[0, 1, 0, 2, 0]])]
    (row,) = agreement(table(network("resnet18"), network("resnet50")), answers, TRUTH).to_dict("records")
    assert (row["agreement"], row["both_wrong"], row["both_wrong_equal"]) == pytest.approx((3 / 5, 3 / 5, 2 / 5))
    assert (row["equal_when_both_wrong"], row["either_right"]) == pytest.approx((2 / 3, 2 / 5))


def test_with_several_seeds_a_network_is_also_held_against_itself():
    rows = [network("resnet18", seeds=2), network("resnet50", seeds=2)]
    answers = [np.array([TRUTH, 0 * TRUTH]), np.array([TRUTH, TRUTH])]
    found = agreement(table(*rows), answers, TRUTH).set_index(["a", "b"])
    assert found["run_pairs"].to_dict() == {
        ("resnet18", "resnet18"): 1,
        ("resnet18", "resnet50"): 4,
        ("resnet50", "resnet50"): 1,
    }
    assert list(found["agreement"]) == pytest.approx([2 / 5, (1 + 1 + 2 / 5 + 2 / 5) / 4, 1])


def test_networks_of_different_recipes_are_not_held_against_each_other():
    rows = [network("resnet18"), network("resnet18", recipe="tuned")]
    assert agreement(table(*rows), [TRUTH[None]] * 2, TRUTH).empty


def sure_of(labels, wrong=(), strength=4.0):
    """Probabilities (images, 3 classes) that name the labels; on the images `wrong` weakly something else."""
    logits = strength * np.eye(3)[labels]
    for image in wrong:
        logits[image] = np.eye(3)[(labels[image] + 1) % 3]
    return probabilities(logits)


def split(*networks, seeds=1):
    return Split([[each] * seeds for each in networks], [TRUTH] * seeds, True)


def test_an_average_of_networks_with_different_mistakes_makes_none():
    rows = [network("resnet18", 0.6, 0.6), network("mobilenet_v2", 0.8, 0.8)]
    both = split(sure_of(TRUTH, [0, 1]), sure_of(TRUTH, [2]))
    found = ensembles(table(*rows), {"val": both, "test": both}).set_index("kind")
    assert list(found.loc["one", "test_top1"]) == pytest.approx([0.6, 0.8])
    assert found.loc["pair", "test_top1"] == 1 and found.loc["pair", "gain"] == pytest.approx(0.2)
    assert found.loc["pair", "parameters"] == pytest.approx(13.6e6), "it costs what its members cost"
    assert list(found["chosen"]) == [False, True, True]
    assert "all" not in found.index, "of two networks the pair is all"


def test_the_pair_is_chosen_on_validation_and_stated_on_test():
    names = ("resnet18", "resnet50", "mobilenet_v2")
    val = split(sure_of(TRUTH, [0]), sure_of(TRUTH, [1]), sure_of(TRUTH, [0, 1, 2, 3], strength=0.1))
    test = split(sure_of(TRUTH, [0], 0.1), sure_of(TRUTH, [0], 0.1), sure_of(TRUTH))
    found = ensembles(table(*map(network, names)), {"val": val, "test": test})
    pairs = found[found["kind"] == "pair"]
    (chosen,) = pairs[pairs["chosen"]].itertuples()
    assert (chosen.members, chosen.val_top1, chosen.test_top1) == ("resnet18; resnet50", 1, pytest.approx(0.8))
    assert pairs["test_top1"].max() == 1, "test alone would have preferred another pair"
    assert (found["kind"] == "all").sum() == 1


def test_seeds_of_one_network_are_averaged_and_others_repeated_for_each_seed():
    rows = [network("resnet18", seeds=2, interval_over="seeds"), network("resnet50", seeds=2, interval_over="seeds")]
    runs = [[sure_of(TRUTH, [0]), sure_of(TRUTH, [1])], [sure_of(TRUTH), sure_of(TRUTH, [0, 1])]]
    splits = dict.fromkeys(("val", "test"), Split(runs, [TRUTH, TRUTH], True))
    found = ensembles(table(*rows), splits).set_index(["kind", "members"])
    assert found.loc[("seeds", "resnet18"), "test_top1"] == 1
    assert found.loc[("one", "resnet18"), "test_top1"] == pytest.approx(0.8)
    assert found["interval_over"].to_dict()[("seeds", "resnet18")] == "test images"
    assert found.loc[("seeds", "resnet18"), "parameters"] == pytest.approx(2 * 11.2e6)
    assert found["networks"].to_dict() == {
        **{("one", name): 1 for name in ("resnet18", "resnet50")},
        **{("seeds", name): 2 for name in ("resnet18", "resnet50")},
        ("pair", "resnet18; resnet50"): 2,
    }


def test_seeds_that_validated_on_other_images_have_no_common_validation():
    rows = [network("resnet18", seeds=2, interval_over="folds")]
    runs = [[sure_of(TRUTH), sure_of(TRUTH[:4])]]
    val, test = Split(runs, [TRUTH, TRUTH[:4]], False), Split([[sure_of(TRUTH)] * 2], [TRUTH] * 2, True)
    found = ensembles(table(*rows), {"val": val, "test": test}).set_index("kind")
    assert np.isnan(found.loc["seeds", "val_top1"]) and found.loc["seeds", "test_top1"] == 1
    assert found.loc["one", "val_top1"] == 1


def test_nothing_is_chosen_among_runs_on_train_and_val_and_random_backbones_stand_aside():
    rows = [network(n, recipe="all", val=float("nan")) for n in ("resnet18", "resnet50")]
    rows += [network("resnet18"), network("resnet50", pretrained=False), network("mobilenet_v2")]
    both = split(*[sure_of(TRUTH)] * 5)
    found = ensembles(table(*rows), {"val": both, "test": both})
    unvalidated = found[found["recipe"] == "all"]
    assert not unvalidated["chosen"].any() and unvalidated[["val_top1", "gain"]].isna().all(axis=None)
    members = set(pd.unique(found[found["recipe"] == "lesson"]["members"]))
    assert members == {"resnet18", "mobilenet_v2", "resnet18; mobilenet_v2"}
