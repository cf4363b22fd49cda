"""The comparison: rows, intervals, and what validation chooses."""

import pandas as pd
import pytest
from scipy import stats

from florilegium.comparison import by_architecture, choose
from florilegium.pages import comparison_page


def run(architecture, seed=1, val=0.8, test=0.7, pretrained=True, parameters=1e6):
    return {
        "recipe": "lesson",
        "architecture": architecture,
        "seed": seed,
        "protocol": "fixed split",
        "fold": None,
        "weights": "IMAGENET1K_V1" if pretrained else "none (random backbone)",
        "pretrained": pretrained,
        "parameters": parameters,
        "val_top1": val,
        "test_top1": test,
        "test_top1_low": test - 0.02,
        "test_top1_high": test + 0.02,
    }


def test_several_seeds_give_their_mean_and_the_t_interval():
    tests = [0.70, 0.72, 0.77]
    row = by_architecture(pd.DataFrame([run("resnet18", seed, test=t) for seed, t in enumerate(tests)])).iloc[0]
    low, high = stats.t.interval(0.95, 2, loc=sum(tests) / 3, scale=stats.sem(tests))
    assert row["seeds"] == 3
    assert (row["test_top1"], row["test_top1_low"], row["test_top1_high"]) == pytest.approx((sum(tests) / 3, low, high))
    assert row["interval_over"] == "seeds"


def test_seeds_that_hold_out_folds_give_an_interval_over_folds():
    runs = [run("resnet18", seed, test=0.7 + seed / 100) | {"fold": seed, "protocol": "2-fold"} for seed in range(2)]
    row = by_architecture(pd.DataFrame(runs)).iloc[0]
    assert (row["interval_over"], row["protocol"]) == ("folds", "2-fold")


def test_one_seed_keeps_the_interval_over_images_and_says_so():
    row = by_architecture(pd.DataFrame([run("resnet18")])).iloc[0]
    assert (row["test_top1_low"], row["interval_over"]) == (pytest.approx(0.68), "test images")


def test_validation_chooses_even_when_test_would_choose_another():
    table = by_architecture(pd.DataFrame([run("resnet18", val=0.9, test=0.6), run("resnet50", val=0.8, test=0.9)]))
    chosen, rivals = choose(table)
    assert chosen["architecture"] == "resnet18"
    assert list(rivals["architecture"]) == ["resnet50"]


def test_of_two_equals_the_smaller_is_chosen():
    chosen, _ = choose(
        by_architecture(pd.DataFrame([run("resnet50", parameters=2e7), run("resnet18", parameters=1e7)]))
    )
    assert chosen["architecture"] == "resnet18"


def test_a_random_backbone_is_not_chosen_over_a_pretrained_one():
    runs = pd.DataFrame([run("resnet18", val=0.99, pretrained=False), run("resnet50", val=0.5)])
    chosen, rivals = choose(by_architecture(runs))
    assert chosen["architecture"] == "resnet50"
    assert rivals.empty


def test_names_from_the_dataset_and_the_configuration_cannot_become_markup():
    runs = pd.DataFrame([run("resnet18") | {"recipe": "<b>"}])
    for column in ("gmacs", "file_mb", "phase1_val_top1", "phase2_val_top1", "test_top5", "test_mean_per_class"):
        runs[column] = 0.5
    for column in ("test_macro_f1", "train_seconds", "peak_memory_mb", "latency_ms"):
        runs[column] = 1.0
    chosen, rivals = choose(by_architecture(runs))
    page = comparison_page(
        runs, chosen, rivals, {"class_names": ["a", "b"], "images": {"train": 1, "val": 1, "test": 1}}
    )
    assert "<b>" not in page
    assert "70.0 %" in page
