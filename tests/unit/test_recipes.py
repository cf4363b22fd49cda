"""Recipes beside each other: tables against numbers computed by hand, figures against their tables."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from test_compared_figures import assert_readable, words
from test_figures import DEFICIENCIES, assert_apart

from florilegium import configuration, style
from florilegium.differences import recipe_changes
from florilegium.errors import UserError
from florilegium.recipe_figures import recipe_gains, time_to_accuracy
from florilegium.recipes import DOCUMENTED, ablation, mean_progress, paired_difference, progress, recipe_row

IMAGES = {"train": 1020, "val": 1000, "test": 6149}


def metrics(recipe="lesson", architecture="resnet18", seed=1, val=0.9, seconds=(10.0, 90.0), flip=None):
    """The parts of metrics.json that are read."""
    return {
        **{"recipe": recipe, "architecture": architecture, "seed": seed},
        "val": None if val is None else {"images": 1000, "top1": val},
        "test": {"top1": 0.87, "mean_per_class": 0.88},
        "calibration": {"ece_before": 0.05, "ece_after": 0.02},
        "test_time_flip": None if flip is None else {"top1": flip},
        "seconds": {"phase1": seconds[0], "phase2": seconds[1]},
    }


def answers(right, wrong, start=0):
    """path -> named right: so many images right, then so many wrong, rotated."""
    values = np.roll([True] * right + [False] * wrong, start)
    return pd.Series(values, index=[f"{i}.jpg" for i in range(right + wrong)])


def runs(*changes):
    """Rows of recipes.csv with their weights, from changes of `metrics`."""
    table = pd.DataFrame([recipe_row(metrics(**change), IMAGES) for change in changes])
    return table.assign(weights="IMAGENET1K_V1", pretrained=True)


def history(phase, *scores, seconds=2.0):
    return pd.DataFrame({"phase": phase, "epoch": range(1, len(scores) + 1), "seconds": seconds, "val_top1": scores})


# ---- Tables


def test_a_run_has_the_documented_columns_and_then_the_mirrored_test():
    row = recipe_row(metrics(flip=0.89), IMAGES)
    assert list(row) == [*DOCUMENTED, "test_top1_flip"]
    assert ",".join(DOCUMENTED) == (
        "recipe,architecture,seed,train_images,val_top1,test_top1,test_mean_per_class,ece,train_seconds"
    )
    assert list(row.values()) == ["lesson", "resnet18", 1, 1020, 0.9, 0.87, 0.88, 0.02, 100.0, 0.89]


def test_without_validation_all_images_train_and_what_was_not_measured_is_missing():
    row = recipe_row(metrics(val=None), IMAGES)
    assert row["train_images"] == 2020
    assert math.isnan(row["val_top1"]) and math.isnan(row["test_top1_flip"])


def test_differences_are_paired_by_seed_and_times_compared_over_the_same_seeds():
    table = runs(
        *({"seed": seed, "val": 0.6, "seconds": (10.0, 90.0)} for seed in (1, 2, 3)),
        *({"recipe": "tuned", "seed": seed, "val": 0.7, "seconds": (5.0, 20.0 * seed)} for seed in (2, 3)),
    )
    right = [answers(6, 4), answers(6, 4, 1), answers(6, 4, 2), answers(7, 3, 1), answers(8, 2, 2)]
    found = ablation(table, right, "lesson", {"tuned": {"resnet18": "x: 1 -> 2"}}).set_index("recipe")
    tuned, lesson = found.loc["tuned"], found.loc["lesson"]
    assert (tuned["seeds"], tuned["base"], tuned["changes"]) == (2, "lesson", "x: 1 -> 2")
    assert tuned["difference"] == pytest.approx((0.1 + 0.2) / 2)
    assert tuned["low"] < 0.15 < tuned["high"]
    assert tuned["train_seconds"] == pytest.approx((45 + 65) / 2)
    assert tuned["time_ratio"] == pytest.approx(55 / 100)
    assert tuned["interval_over"] == "validation images and seeds"
    assert (lesson["difference"], lesson["low"], lesson["high"], lesson["time_ratio"]) == (0, 0, 0, 1)
    assert lesson["changes"] == "" and lesson["seeds"] == 3


def test_the_table_that_recipes_are_chosen_by_has_no_test_number():
    table = ablation(runs({"seed": 1}), [answers(9, 1)], "lesson", {})
    assert [column for column in table if "test" in column or "ece" in column] == []
    assert 0.87 not in table.iloc[0].tolist() and 0.88 not in table.iloc[0].tolist()


def test_runs_on_train_and_val_are_left_out():
    table = runs({"seed": 1}, {"recipe": "all", "val": None})
    found = ablation(table, [answers(9, 1), None], "lesson", {})
    assert found["recipe"].tolist() == ["lesson"]
    assert progress(metrics(val=None), [history(1, math.nan), history(2, math.nan)]) == []
    nothing = ablation(table[1:], [None], "lesson", {})
    assert nothing.empty and "difference" in nothing


def test_an_architecture_that_the_base_lacks_has_no_difference():
    table = runs({}, {"recipe": "tuned"}, {"recipe": "tuned", "architecture": "vgg11"})
    found = ablation(table, [answers(8, 2), answers(9, 1), answers(9, 1)], "lesson", {})
    rows = found.set_index(["architecture", "recipe"])
    assert len(rows) == 3
    assert rows.loc[("resnet18", "tuned"), "difference"] == pytest.approx(0.1)
    assert rows.loc[("vgg11", "tuned"), ["difference", "low", "high", "time_ratio"]].isna().all()


def test_different_validation_images_are_refused():
    table = runs({}, {"recipe": "tuned"})
    with pytest.raises(
        UserError, match=r"predictions_val.csv of tuned/resnet18 \(11 images\).*evaluated on one manifest"
    ):
        ablation(table, [answers(8, 2), answers(9, 2)], "lesson", {})


def test_the_interval_of_one_seed_is_that_of_paired_images_in_any_order():
    base = answers(860, 160)
    mine = answers(900, 120)
    found = paired_difference([(mine[::-1], base)])
    spread = np.sqrt((40 / 1020) * (1 - 40 / 1020) / 1020)  # 40 images gained, none lost
    assert found["difference"] == pytest.approx(40 / 1020)
    assert found["low"] == pytest.approx(40 / 1020 - 1.96 * spread, abs=0.001)
    assert found["high"] == pytest.approx(40 / 1020 + 1.96 * spread, abs=0.001)
    assert found["interval_over"] == "validation images"


def test_seeds_that_disagree_widen_the_interval():
    same = [(answers(90, 10), answers(85, 15))] * 3
    apart = [(answers(right, 100 - right), answers(85, 15)) for right in (80, 90, 100)]
    one, other = paired_difference(same), paired_difference(apart)
    assert one["difference"] == pytest.approx(other["difference"])
    assert other["high"] - other["low"] > 2 * (one["high"] - one["low"])


def test_folds_hold_out_different_images_and_count_alike():
    first = answers(9, 1), answers(8, 2)
    second = [each.rename(index=lambda name: f"other/{name}") for each in (answers(7, 3), answers(7, 3))]
    found = paired_difference([first, second])
    assert found["difference"] == pytest.approx(0.05)
    assert found["low"] <= 0.05 <= found["high"]


def test_seconds_run_through_both_phases_and_epochs_without_validation_have_no_row():
    rows = progress(metrics(seconds=(10.0, 9.0)), [history(1, 0.5, 0.8), history(2, math.nan, 0.7, 0.9)])
    table = pd.DataFrame(rows)
    # Phase 1: 10 s, of which two epochs of 2 s; phase 2: 9 s, of which three epochs.
    assert table["seconds"].tolist() == [8, 10, 17, 19]
    assert table["val_top1"].tolist() == [0.5, 0.8, 0.7, 0.9]
    assert table["best_val_top1"].tolist() == [0.5, 0.8, 0.8, 0.9]
    assert table[["phase", "epoch"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 2], [2, 3]]


def test_the_mean_over_seeds_ends_where_the_seeds_end_on_average():
    one = progress(metrics(seed=1, seconds=(4.0, 4.0)), [history(1, 0.5, 0.8), history(2, 0.8, 0.9)])
    two = progress(metrics(seed=2, seconds=(2.0, 6.0)), [history(1, 0.6), history(2, 0.7, 0.8, 0.96)])
    mean = mean_progress(pd.DataFrame(one + two))
    assert mean[["phase", "epoch"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2], [2, 3]]
    assert mean["seconds"].tolist() == [2, 3, 5, 7, 8]
    assert mean["best_val_top1"].tolist() == pytest.approx([0.55, 0.7, 0.75, 0.85, 0.93])


def test_changes_are_named_key_by_key_with_overrides_and_none_for_the_base(project):
    config = configuration.read([project / "config.yaml"])
    definitions = {"tuned": {"extends": "lesson", "label_smoothing": 0.1, "dropout": 0.4, "phase2": {"epochs": 12}}}
    definitions["tuned"]["overrides"] = {"efficientnet_b3": {"batch_size": 8}}
    config = configuration.complete(
        {**config, "recipes": ["lesson", "tuned"], "recipe_definitions": config["recipe_definitions"] | definitions}
    )
    changes = recipe_changes(config)
    assert set(changes["lesson"].values()) == {""}
    assert set(changes["tuned"]["resnet18"].split("; ")) == {
        *("label_smoothing: 0.0 -> 0.1", "dropout: null -> 0.4", "phase2.epochs: 30 -> 12")
    }
    assert "batch_size: 24 -> 8" in changes["tuned"]["efficientnet_b3"]


# ---- Figures


def compared(architectures, recipes, seeds):
    """Tables of made-up runs: time_to_accuracy.csv and ablation.csv."""
    about, right, rows = [], [], []
    for k, architecture in enumerate(architectures):
        for i, recipe in enumerate(recipes):
            for seed in range(1, seeds + 1):
                named = {"recipe": recipe, "architecture": architecture, "seed": seed}
                score = 0.9 + i / 200 - k / 50 + seed / 500
                about.append(named | {"val": score, "seconds": (30.0, 60.0 * (i + 1))})
                right.append(answers(round(1000 * score), 1000 - round(1000 * score), 50 * seed))
                later = history(2, score - 0.05, math.nan, score, seconds=20.0 * (i + 1))
                rows += progress(metrics(**about[-1]), [history(1, score - 0.3, score - 0.1), later])
    changes = {recipe: dict.fromkeys(architectures, "phase2.epochs: 30 -> 12; a: 1 -> 2") for recipe in recipes[1:]}
    return pd.DataFrame(rows), ablation(runs(*about), right, recipes[0], changes)


SIZES = pytest.mark.parametrize(
    ("architectures", "recipes", "seeds"),
    [
        (["mobilenet_v2"], ["lesson", "tuned"], 1),
        (["mobilenet_v2"], ["lesson", *(f"one_more_{i}" for i in range(9))], 3),
        (["resnet18", "resnet50", "efficientnet_b0", "mobilenet_v2"], ["lesson", "tuned", "quick"], 3),
    ],
)


@SIZES
def test_accuracy_over_time_is_a_line_per_recipe_and_thin_ones_for_its_seeds(architectures, recipes, seeds):
    table, gains = compared(architectures, recipes, seeds)
    figure = time_to_accuracy(table, gains)
    assert_readable(figure)
    assert len(figure.axes) == len(architectures)
    longest = table["seconds"].max()
    for axes, architecture in zip(figure.axes, architectures, strict=True):
        lines = {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}
        assert list(lines) == recipes
        assert len([line for line in axes.get_lines() if line.get_linewidth() < 1]) == len(recipes) * seeds * (
            seeds > 1
        )
        for recipe, line in lines.items():
            mean = mean_progress(table[(table["architecture"] == architecture) & (table["recipe"] == recipe)])
            np.testing.assert_allclose(line.get_ydata(), 100 * mean["best_val_top1"])
            np.testing.assert_allclose(line.get_xdata(), mean["seconds"] / (60 if longest > 180 else 1))
        opened = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
        assert len(opened) == len(recipes), "ends of phase 1"
    assert ("log scale" in words(figure)) == (len(recipes) > 5)
    assert all(recipe in words(figure) for recipe in recipes)


@SIZES
def test_gains_are_dots_with_their_intervals_and_times_as_text(architectures, recipes, seeds):
    _, gains = compared(architectures, recipes, seeds)
    figure = recipe_gains(gains)
    assert_readable(figure)
    for axes, architecture in zip(figure.axes, architectures, strict=True):
        rows = gains[gains["architecture"] == architecture]
        bars = [line for line in axes.get_lines() if line.get_linewidth() == 3]
        np.testing.assert_allclose([line.get_xdata() for line in bars], 100 * rows[["low", "high"]].to_numpy())
        dots = [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() != "None"]
        np.testing.assert_allclose(dots, 100 * rows["difference"])
        assert [label.get_text().split("\n")[0] for label in axes.get_yticklabels()] == recipes
    assert f"+0.5 points, {150 / 90:.2f} × the time" in words(figure)
    assert "phase2.epochs: 30 -> 12; a: 1 -> 2" in words(figure)
    assert ("over validation images and seeds" in words(figure)) == (seeds > 1)


def test_no_validated_run_is_said():
    nothing = ablation(runs({"val": None}), [None], "lesson", {})
    empty = pd.DataFrame(columns=["recipe", "architecture", "seed", "phase", "epoch", "seconds", "best_val_top1"])
    for figure in (time_to_accuracy(empty, nothing), recipe_gains(nothing)):
        assert "no run kept validation images" in words(figure)


def test_a_recipe_without_its_base_is_drawn_without_a_difference():
    table = runs({"architecture": "vgg11"}, {"recipe": "tuned"})
    figure = recipe_gains(ablation(table, [answers(8, 2), answers(9, 1)], "lesson", {}))
    assert_readable(figure)
    assert "the base has no such run 90.0 % in 100 s" in words(figure)


def test_recipes_look_different_from_each_other_and_from_the_networks():
    names = ["lesson", *(f"recipe{i}" for i in range(40))]
    looks = style.recipe_looks(names, "lesson")
    assert list(looks) == names and len(set(looks.values())) == len(names)
    assert not {look.colour for look in looks.values()} & {colour for colour, _ in style.FIXED.values()}
    assert style.recipe_looks(["a", "b"], "b")["b"] == looks["lesson"], "the base is ink, wherever it stands"
    for eye in DEFICIENCIES:
        assert_apart([style.INK, *style.RECIPE_COLOURS], eye)
    for colour in style.RECIPE_COLOURS:
        assert 1.05 / (luminance(colour) + 0.05) >= 3, colour  # WCAG: graphics on white


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return np.dot(parts, [0.2126, 0.7152, 0.0722])
