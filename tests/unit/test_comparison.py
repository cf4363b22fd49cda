"""The comparison: rows, means and intervals; what may be chosen; the page that heads the report."""

import math

import pandas as pd
import pytest
from scipy import stats

from florilegium.comparison import METRICS, by_architecture, candidates, in_order, run_row
from florilegium.pages import comparison_page
from made_up import network, table


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
        "gmacs": 0.5,
        "val_top1": val,
        "test_top1": test,
        "test_top1_low": test - 0.02,
        "test_top1_high": test + 0.02,
        "test_macro_f1": test - 0.1,
        "phase_gain": val - 0.7,
    }


def test_a_run_has_every_metric_of_both_splits_with_its_interval():
    section = {f"{metric}{end}": i / 100 for i, metric in enumerate(METRICS) for end in ("", "_low", "_high")}
    metrics = dict.fromkeys(("recipe", "architecture", "seed", "protocol", "fold", "weights", "pretrained"))
    metrics |= {"val": {"top1": 0.9}, "test": section, "seconds": {"phase1": 2.0, "phase2": 3.0}}
    cost = {"parameters": 5, "gmacs": 1, "file_mb": 2, "latency_ms": 3}
    history = pd.DataFrame({"val_top1": [0.5, 0.7, 0.6], "peak_memory_mb": 10})
    row = run_row(metrics, cost, {"top1_agreement": 1.0}, history, history + 0.1)
    assert {key.removeprefix("test_"): row[key] for key in row if key.startswith("test_")} == section
    assert (row["val_top1"], row["train_seconds"]) == (0.9, 5.0)
    assert math.isnan(row["val_top1_low"]), "a metrics.json without intervals leaves them out"
    assert row["phase_gain"] == pytest.approx(0.1)
    unvalidated = run_row(metrics | {"val": None}, cost, {"top1_agreement": 1.0}, history, history)
    assert math.isnan(unvalidated["val_top1"])


@pytest.mark.parametrize("metric", ["test_top1", "test_macro_f1", "val_top1", "phase_gain"])
def test_several_seeds_give_their_mean_and_the_t_interval_of_every_metric(metric):
    values = [(0.80, 0.70), (0.82, 0.72), (0.81, 0.77)]
    runs = pd.DataFrame([run("resnet18", seed, *pair) for seed, pair in enumerate(values)])
    row = by_architecture(runs).iloc[0]
    low, high = stats.t.interval(0.95, 2, loc=runs[metric].mean(), scale=stats.sem(runs[metric]))
    assert row["seeds"] == 3
    assert (row[metric], row[f"{metric}_low"], row[f"{metric}_high"]) == pytest.approx((runs[metric].mean(), low, high))
    assert row["interval_over"] == "seeds"


def test_an_interval_over_seeds_stays_within_what_a_share_can_be():
    row = by_architecture(pd.DataFrame([run("resnet18", seed, test=t) for seed, t in enumerate((0.7, 1.0))])).iloc[0]
    assert (row["test_top1_low"], row["test_top1_high"]) == (0, 1)


def test_accuracy_is_also_given_per_million_parameters_and_per_gmac():
    row = by_architecture(pd.DataFrame([run("resnet18", test=0.6, parameters=3e6)])).iloc[0]
    assert row["test_top1_per_million_parameters"] == pytest.approx(0.2)
    assert row["test_top1_per_gmac"] == pytest.approx(1.2)


def test_seeds_that_hold_out_folds_give_an_interval_over_folds():
    runs = [run("resnet18", seed, test=0.7 + seed / 100) | {"fold": seed, "protocol": "2-fold"} for seed in range(2)]
    row = by_architecture(pd.DataFrame(runs)).iloc[0]
    assert (row["interval_over"], row["protocol"]) == ("folds", "2-fold")


def test_one_seed_keeps_the_interval_over_images_and_says_so():
    row = by_architecture(pd.DataFrame([run("resnet18")])).iloc[0]
    assert (row["test_top1_low"], row["interval_over"]) == (pytest.approx(0.68), "test images")


def test_random_backbones_and_runs_without_validation_are_candidates_only_where_nothing_else_ran():
    rows = [network("resnet18", pretrained=False), network("resnet50", val=float("nan")), network("mobilenet_v2")]
    assert list(candidates(table(*rows))["architecture"]) == ["mobilenet_v2"]
    assert list(candidates(table(*rows[:2]))["architecture"]) == ["resnet18"]
    assert candidates(table(rows[1])).empty


def test_files_follow_the_runs_whatever_order_the_configuration_lists_them_in():
    runs = pd.DataFrame([run("resnet50", 2), run("resnet18", 1)])
    paths = ["results/runs/lesson/resnet18/seed1/a.csv", "results/runs/lesson/resnet50/seed2/a.csv"]
    assert in_order(runs, paths) == paths[::-1]


def test_names_from_the_dataset_and_the_configuration_cannot_become_markup():
    runs = pd.DataFrame([run("resnet18") | {"recipe": "<b>"}])
    for column in ("gmacs", "file_mb", "phase1_val_top1", "phase2_val_top1", "test_top5", "test_mean_per_class"):
        runs[column] = 0.5
    for column in ("test_macro_f1", "train_seconds", "peak_memory_mb", "latency_ms"):
        runs[column] = 1.0
    selection = {"headline": "<b> wins", "sentences": ["Why: <b>"], "chosen": {"recipe": "<b>", "architecture": "x"}}
    dataset = {"class_names": ["a", "b"], "images": {"train": 1, "val": 1, "test": 1}}
    page = comparison_page(runs, selection, dataset)
    assert "<b>" not in page
    assert "70.0 %" in page and "Why: " in page
