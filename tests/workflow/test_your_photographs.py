"""A folder of real photographs needs one overlay of a few lines; cross-validation is the seed axis."""

import json
import re

import pandas as pd
import pytest
import yaml

from support import ROOT, Workflow, said_by

CLASSES, PICTURES = 10, 10
PAGE = ROOT / "docs" / "your-photographs.md"


@pytest.fixture(scope="module")
def photographs(flowers102, tmp_path_factory):
    """A project with photos/<class>/: ten flowers of Flowers102, linked, and the overlay of the documentation."""
    from florilegium.datasets import list_photographs

    workflow = Workflow(tmp_path_factory.mktemp("photographs"))
    listed = list_photographs("flowers102", flowers102, {})
    for row in listed[listed["label"] < CLASSES].groupby("label").head(PICTURES).itertuples():
        folder = workflow.folder / "photos" / row.class_name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / row.path.rsplit("/", 1)[1]).symlink_to(row.path)
    overlay = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    (workflow.folder / "photos.yaml").write_text(overlay)
    return workflow


def test_the_documented_overlay_has_at_most_ten_lines(photographs):
    text = (photographs.folder / "photos.yaml").read_text()
    assert len(text.splitlines()) <= 10
    assert yaml.safe_load(text)["dataset"] == {"kind": "folder", "root": "photos"}


def test_a_folder_of_photographs_goes_the_whole_road(photographs):
    done = photographs.snakemake(config="photos.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    results = photographs.folder / "results"
    manifest = pd.read_csv(results / "data" / "manifest.csv")
    assert manifest["class_name"].nunique() == CLASSES
    assert manifest["split"].value_counts().to_dict() == {"train": 60, "val": 20, "test": 20}
    (metrics,) = results.rglob("metrics.json")
    assert json.loads(metrics.read_text())["test"]["images"] == 20
    assert f"{CLASSES * PICTURES} photographs of {CLASSES} classes" in (results / "data" / "audit.html").read_text()
    assert (results / "runs/quick/resnet18/seed42/model.onnx").exists()


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """Two seeds, two folds, up to the comparison."""
    workflow = Workflow(tmp_path_factory.mktemp("folds"))
    small = yaml.safe_load((workflow.folder / "tests" / "small.yaml").read_text())
    small["dataset"]["split"], small["seeds"], small["architectures"] = {"folds": 2}, [4, 7], ["resnet18"]
    small["recipe_definitions"]["tiny"] |= {"phase1": {"epochs": 1}, "phase2": {"epochs": 1}}
    (workflow.folder / "folds.yaml").write_text(yaml.safe_dump(small))
    done = workflow.snakemake("results/comparison/table.html", config="folds.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return workflow.folder / "results"


def test_each_seed_validates_on_its_own_fold(folds):
    manifest = pd.read_csv(folds / "data" / "manifest.csv")
    pool, seen = set(manifest.loc[manifest["split"] != "test", "path"]), []
    for seed, fold in ((4, 0), (7, 1)):
        run = folds / "runs" / "tiny" / "resnet18" / f"seed{seed}"
        held_out = pd.read_csv(run / "predictions_val.csv")["path"].tolist()
        assert set(held_out) == set(manifest.loc[manifest["fold"] == fold, "path"])
        assert len(pd.read_csv(run / "predictions_test.csv")) == (manifest["split"] == "test").sum()
        assert json.loads((run / "metrics.json").read_text())["fold"] == fold
        seen += held_out
    assert sorted(seen) == sorted(pool), "every picture outside of test is held out once"


def test_numbers_from_folds_say_so(folds):
    words = "2-fold cross-validation: seed s holds out fold s mod 2 of train + val"
    runs = pd.read_csv(folds / "comparison" / "runs.csv")
    assert runs["fold"].tolist() == [0, 1] and runs["protocol"].str.startswith(words).all()
    assert pd.read_csv(folds / "comparison" / "architectures.csv")["protocol"].str.startswith(words).all()
    page = (folds / "comparison" / "table.html").read_text()
    assert words in page and "hold out 2 of 2 folds" in page
    for path in folds.rglob("metrics.json"):
        assert json.loads(path.read_text())["protocol"].startswith(words)
    for seed, fold in ((4, 0), (7, 1)):
        for name in ("phase1_best.pth", "phase2_best.pth", "final.pth", "model.onnx"):
            provenance = said_by(folds / "runs" / "tiny" / "resnet18" / f"seed{seed}" / name)["provenance"]
            assert provenance["protocol"].startswith(words) and provenance["fold"] == fold, name
