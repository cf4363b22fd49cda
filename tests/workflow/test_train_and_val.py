"""Training on train + val, after the choices were made: labelled everywhere, and never chosen; recipes compared."""

import json

import pandas as pd
import pytest
import yaml

from support import Workflow, said_by


@pytest.fixture(scope="module")
def both_protocols(tmp_path_factory):
    """One network with the recipe `tiny`, a softer one, and `tiny` on train + val, up to the comparison."""
    workflow = Workflow(tmp_path_factory.mktemp("protocols"))
    small = yaml.safe_load((workflow.folder / "tests" / "small.yaml").read_text())
    small["architectures"], small["recipes"] = ["resnet18"], ["tiny", "tiny_all", "soft"]
    small["recipe_definitions"]["tiny_all"] = {"extends": "tiny", "train_on": "train+val"}
    small["recipe_definitions"]["soft"] = {"extends": "tiny", "label_smoothing": 0.1, "phase2": {"epochs": 1}}
    small["evaluation"]["test_time_flip"] = True
    (workflow.folder / "both.yaml").write_text(yaml.safe_dump(small))
    figures = ("learning_curves", "confusion_matrix", "per_class", "reliability", "confident_mistakes")
    targets = [f"results/runs/tiny_all/resnet18/seed42/figures/{name}.png" for name in figures]
    targets += ["results/comparison/table.html", "results/comparison/figures/accuracy.png"]
    targets += ["results/comparison/figures/formats.png"]
    targets += [f"results/comparison/figures/{name}.png" for name in ("time_to_accuracy", "recipe_gains")]
    for report in ([], ["--report", "results/report.html"]):
        done = workflow.snakemake(*targets, *report, config="both.yaml")
        assert done.returncode == 0, done.stdout + done.stderr
    return workflow.folder / "results"


def test_all_images_of_both_splits_train_and_the_last_epoch_counts(both_protocols):
    run = both_protocols / "runs" / "tiny_all" / "resnet18" / "seed42"
    counts = json.loads((both_protocols / "data" / "dataset.json").read_text())["images"]
    for phase, epochs in ((1, 3), (2, 2)):
        history = pd.read_csv(run / f"history_phase{phase}.csv")
        assert len(history) == epochs
        assert history["val_top1"].isna().all()
        assert history["train_top1"].between(0, 1).all()
        about = said_by(run / f"phase{phase}_best.pth")
        assert (about["epoch"], about["val_top1"]) == (epochs, None)
    for name in ("phase1_best.pth", "phase2_best.pth", "final.pth", "model.onnx"):
        protocol = said_by(run / name)["provenance"]["protocol"]
        assert f"trained on train + val ({counts['train'] + counts['val']} images)" in protocol, name
    assert said_by(run / "final.pth")["phase"] == 2


def test_exports_are_compared_on_images_that_are_said_to_have_trained(both_protocols):
    found = {
        recipe: json.loads((both_protocols / f"runs/{recipe}/resnet18/seed42/onnx_check.json").read_text())
        for recipe in ("tiny", "tiny_all")
    }
    assert found["tiny"]["images_are"] == "validation"
    assert found["tiny_all"]["images_are"] == "validation, which trained this run, too (train + val)"
    assert found["tiny_all"]["images"] == found["tiny"]["images"] == 25


def test_no_validation_number_is_shown_and_such_a_run_is_never_chosen(both_protocols):
    metrics = json.loads((both_protocols / "runs/tiny_all/resnet18/seed42/metrics.json").read_text())
    assert metrics["val"] is None
    assert metrics["test"]["images"] == 30
    runs = pd.read_csv(both_protocols / "comparison" / "runs.csv").set_index("recipe")
    assert runs["val_top1"].isna().to_dict() == {"tiny": False, "tiny_all": True, "soft": False}
    assert runs.loc["tiny_all", "protocol"].startswith("trained on train + val")
    page = (both_protocols / "comparison" / "table.html").read_text()
    best = runs.index[runs["val_top1"] == runs["val_top1"].max()]  # on 25 images two may be alike
    assert any(f"(recipe {recipe}) is what validation chooses" in page for recipe in best)
    assert "have no validation left" in page
    assert "nan" not in page


def test_without_validation_no_temperature_is_fitted_and_no_threshold_chosen(both_protocols):
    folder = both_protocols / "runs/tiny_all/resnet18/seed42"
    metrics = json.loads((folder / "metrics.json").read_text())
    calibration = metrics["calibration"]
    assert (calibration["fitted_on"], calibration["temperature"]) == (None, 1.0)
    assert calibration["ece_before"] == calibration["ece_after"]
    assert metrics["sure"]["threshold"] is None
    test = pd.read_csv(folder / "predictions_test.csv")
    assert (test["calibrated_probability"] == test["probability"]).all()


@pytest.mark.parametrize("recipe", ["tiny", "tiny_all"])
def test_the_mean_with_the_mirror_images_stands_beside_the_photographs_alone(both_protocols, recipe):
    metrics = json.loads((both_protocols / "runs" / recipe / "resnet18/seed42/metrics.json").read_text())
    assert metrics["test_time_flip"].keys() - {"averaged"} == metrics["test"].keys()
    assert metrics["test_time_flip"]["images"] == 30


def test_the_captions_of_the_report_say_it(both_protocols):
    report = (both_protocols / "report.html").read_text()
    assert report.count("the last epoch of each phase counts") == 8, "the figures of its run"
    assert report.count("Recipe tiny_all trained on train") == 17, (
        "first page, table, choice, fourteen figures with accuracies"
    )


def test_recipes_are_held_against_the_first_on_validation_and_nothing_else(both_protocols):
    folder, counts = (
        both_protocols / "comparison",
        json.loads((both_protocols / "data/dataset.json").read_text())["images"],
    )
    recipes = pd.read_csv(folder / "recipes.csv").set_index("recipe")
    everything = counts["train"] + counts["val"]
    trained = {"tiny": counts["train"], "tiny_all": everything, "soft": counts["train"]}
    assert recipes["train_images"].to_dict() == trained
    for recipe, row in recipes.iterrows():
        metrics = json.loads((both_protocols / f"runs/{recipe}/resnet18/seed42/metrics.json").read_text())
        assert row["train_seconds"] == pytest.approx(sum(metrics["seconds"].values()))
        assert row["test_top1_flip"] == pytest.approx(metrics["test_time_flip"]["top1"])
        assert row["ece"] == pytest.approx(metrics["calibration"]["ece_after"])
    gains = pd.read_csv(folder / "ablation.csv").set_index("recipe")
    assert list(gains.index) == ["tiny", "soft"] and not [column for column in gains if "test" in column]
    soft = gains.loc["soft"]
    assert soft["difference"] == pytest.approx(recipes.loc["soft", "val_top1"] - recipes.loc["tiny", "val_top1"])
    assert soft["low"] <= soft["difference"] <= soft["high"]
    assert set(soft["changes"].split("; ")) == {"label_smoothing: 0.0 -> 0.1", "phase2.epochs: 2 -> 1"}
    progress = pd.read_csv(folder / "time_to_accuracy.csv")
    assert progress.groupby("recipe").size().to_dict() == {"tiny": 5, "soft": 4}
    last = progress.groupby("recipe")["seconds"].last()
    assert last["tiny"] == pytest.approx(recipes.loc["tiny", "train_seconds"])
