"""What a finished run hands on: its model card, its zip, and the code that docs/use-in-your-code.md shows."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import zipfile

import onnx
import pandas as pd
import pytest
import yaml

from florilegium.bundle import write_archive
from support import ROOT

ARCHITECTURES = ("mobilenet_v2", "resnet18")
PAGE = (ROOT / "docs" / "use-in-your-code.md").read_text(encoding="utf-8")


def run_folder(workflow, architecture="resnet18"):
    return workflow.folder / "results" / "runs" / "tiny" / architecture / "seed42"


def photographs(workflow):
    return workflow.folder / "results" / "data" / "garden" / "test"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_card_holds_the_numbers_of_the_runs_files(small_run, architecture):
    folder = run_folder(small_run, architecture)
    card, facts = (folder / "model_card.md").read_text(), json.loads((folder / "model_card.json").read_text())
    metrics, cost = (json.loads((folder / name).read_text()) for name in ("metrics.json", "cost.json"))
    dataset = json.loads((small_run.folder / "results/data/dataset.json").read_text())
    numbers = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"][0]["metrics"]
    assert {entry["name"]: entry["value"] for entry in numbers} == {
        "top-1": metrics["test"]["top1"],
        "top-5": metrics["test"]["top5"],
        "mean per class": metrics["test"]["mean_per_class"],
        "macro F1": metrics["test"]["macro_f1"],
    }
    assert facts["evaluation"]["test"] == metrics["test"] and facts["provenance"] == metrics["provenance"]
    assert facts["classes"] == dataset["class_names"] and facts["data"]["images"] == dataset["images"]
    assert f"{cost['parameters'] / 1e6:.2f} M" in card and metrics["provenance"]["commit"] in card
    assert "The backbone started from random numbers" in card
    assert facts["hardest_classes"][0]["recall"] == pd.read_csv(folder / "per_class.csv")["recall"].min()
    check = json.loads((folder / "onnx_check.json").read_text())
    agreed = {file["format"]: file["top1_agreement"] for file in facts["files"]}
    expected = {name: found["top1_agreement"] for name, found in check["formats"].items()}
    assert agreed == expected | {"service": check["service"]["top1_agreement"]}
    assert {file["name"] for file in facts["files"]} == {path.name for path in folder.glob("*.onnx")}


def test_the_zip_works_by_itself_and_names_pictures_as_the_run_s_file_does(small_run, tmp_path):
    with zipfile.ZipFile(run_folder(small_run) / "tiny-resnet18-seed42.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    unpacked = tmp_path / "tiny-resnet18-seed42"
    names = {"README.md", "labels.json", "labels.txt", "model_card.md", "model_card.json", "predict.py", "model.onnx"}
    assert names <= {path.name for path in unpacked.iterdir()}
    labels = json.loads((unpacked / "labels.json").read_text())
    said = {entry.key: entry.value for entry in onnx.load(unpacked / "model.onnx").metadata_props}
    assert labels == json.loads(said["class_names"]) == (unpacked / "labels.txt").read_text().splitlines()
    command = [sys.executable, "-I", "predict.py", "--json", str(photographs(small_run))]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 5 * 6
    # The workflow resizes twice (40, then 32 pixels), predict.py once: nearly always the same answer.
    table = pd.read_csv(run_folder(small_run) / "predictions_test.csv").set_index("path")["predicted"]
    predicted = {str(small_run.folder / path): name for path, name in table.items()}
    assert sum(predicted[entry["path"]] == entry["predictions"][0]["class_name"] for entry in found) >= 0.8 * 30


def test_the_same_files_give_the_same_zip(small_run, tmp_path):
    first = (run_folder(small_run) / "tiny-resnet18-seed42.zip").read_bytes()
    with zipfile.ZipFile(run_folder(small_run) / "tiny-resnet18-seed42.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "tiny-resnet18-seed42"
    write_archive(tmp_path / "again.zip", folder.name, {path.name: path for path in folder.iterdir()})
    assert (tmp_path / "again.zip").read_bytes() == first


BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_has_code_that_needs_nothing_of_ours():
    assert len(BLOCKS) == 5
    assert [block for block in BLOCKS if "florilegium" in block] == []


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_code_of_the_page_runs_as_written(small_run, tmp_path, monkeypatch, capsys, number):
    """Each block by itself, beside the files that the page asks for."""
    for path in [*run_folder(small_run).glob("*.onnx"), run_folder(small_run) / "final.pth"]:
        (tmp_path / path.name).symlink_to(path)
    shutil.copy(next(photographs(small_run).rglob("*.jpg")), tmp_path / "photo.jpg")
    (tmp_path / "block.py").write_text(BLOCKS[number], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("block.py")
    assert capsys.readouterr().out.strip() != ""
