"""Training on train + val, after the choices were made: labelled everywhere, and never chosen."""

import json

import pandas as pd
import pytest
import yaml

from support import Workflow, said_by


@pytest.fixture(scope="module")
def both_protocols(tmp_path_factory):
    """One network with the recipe `tiny`, and with `tiny` on train + val, up to the comparison."""
    workflow = Workflow(tmp_path_factory.mktemp("protocols"))
    small = yaml.safe_load((workflow.folder / "tests" / "small.yaml").read_text())
    small["architectures"], small["recipes"] = ["resnet18"], ["tiny", "tiny_all"]
    small["recipe_definitions"]["tiny_all"] = {"extends": "tiny", "train_on": "train+val"}
    small["evaluation"]["test_time_flip"] = True
    (workflow.folder / "both.yaml").write_text(yaml.safe_dump(small))
    figures = ("learning_curves", "confusion_matrix", "per_class", "reliability", "confident_mistakes")
    targets = [f"results/runs/tiny_all/resnet18/seed42/figures/{name}.png" for name in figures]
    targets += ["results/comparison/table.html", "results/comparison/figures/accuracy.png"]
    targets += ["results/comparison/figures/formats.png"]
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
    assert runs["val_top1"].isna().to_dict() == {"tiny": False, "tiny_all": True}
    assert runs.loc["tiny_all", "protocol"].startswith("trained on train + val")
    page = (both_protocols / "comparison" / "table.html").read_text()
    assert "(recipe tiny) is what validation chooses" in page
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
    assert report.count("Recipe tiny_all trained on train") == 15, (
        "first page, table, choice, twelve figures with accuracies"
    )
