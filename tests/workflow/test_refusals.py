"""Bad input is refused before any training, in one line that names it."""

import shutil
import time

import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("sedes=[1]", "sedes: unknown key; nearest: seeds"),
        ("architectures=[resnet19]", "no classification network 'resnet19'; nearest: resnet18"),
        ("recipes=[tyni]", "'tyni' is not defined in recipe_definitions"),
        ("recipe_definitions={tiny: {crop: 64}}", "recipe_definitions.tiny.crop: 64"),
        (
            "recipe_definitions={tiny: {weight_decay: .nan}}",
            "weight_decay: nan is not of type 'number'; expected a fin",
        ),
        ("recipe_definitions={tiny: {batch_size: 41}}", "batch_size: 41 (for mobilenet_v2) is larger than the train"),
        ("recipe_definitions={tiny: {extends: tyni}}", "recipe_definitions.tiny.extends: 'tyni' is not defined"),
        ("weights={resnet18: IMAGENET1K_V9}", "weights.resnet18: torchvision has no weights 'IMAGENET1K_V9'"),
        ("dataset={split: {val: 0.3}}", "dataset.split: train + val + test add up to 1.1; expected 1"),
    ],
)
def test_a_bad_configuration_stops_before_any_job(small_run, change, line):
    done = small_run.snakemake("--config", change)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert line in output
    assert "Traceback" not in output
    assert "Job stats" not in output


def photographs(folder):
    for split, count in (("train", 3), ("val", 1), ("test", 1)):
        for name, hue in (("Gänse blümchen", 40), ("red rose", 200)):
            for number in range(count):
                path = folder / split / name / f"Bild {number} ä.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                seed = number + 10 * ("train", "val", "test").index(split)
                Image.new("RGB", (40 + number, 50), (hue, seed * 7 % 256, 90)).save(path)
    return folder


def manifest_of(workflow, folder):
    overlay = workflow.folder / "photos.yaml"
    overlay.write_text(f"dataset: {{kind: folder, root: '{folder}'}}\nweights: {{default: none}}\n")
    done = workflow.snakemake("results/data/manifest.csv", config="photos.yaml")
    return done.returncode, done.stdout + done.stderr


def test_names_with_spaces_and_umlauts_are_fine(fresh_workflow, tmp_path):
    code, output = manifest_of(fresh_workflow, photographs(tmp_path / "my photos"))
    assert code == 0, output
    assert "Gänse blümchen" in (fresh_workflow.folder / "results/data/manifest.csv").read_text()


def test_a_truncated_photograph_is_named(fresh_workflow, tmp_path):
    folder = photographs(tmp_path / "photos")
    broken = folder / "train" / "red rose" / "Bild 1 ä.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    code, output = manifest_of(fresh_workflow, folder)
    assert code != 0
    assert "Bild 1 ä.jpg" in output
    assert "Traceback" not in output


def test_a_class_missing_from_a_split_is_named(fresh_workflow, tmp_path):
    folder = photographs(tmp_path / "photos")
    shutil.rmtree(folder / "test" / "red rose")
    code, output = manifest_of(fresh_workflow, folder)
    assert code != 0
    assert "class 'red rose' has no picture in test" in output


def test_missing_flowers102_says_which_files_belong_where(fresh_workflow):
    (fresh_workflow.folder / "full.yaml").write_text("dataset: {root: nowhere/flowers-102}\n")
    start = time.monotonic()
    done = fresh_workflow.snakemake("results/data/manifest.csv", config="full.yaml")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert time.monotonic() - start < 30
    for expected in (
        "102flowers.tgz (md5 52808999861908f626f3c1f4e79d11fa)",
        "imagelabels.mat",
        "setid.mat",
        "nowhere/flowers-102",
    ):
        assert expected in output


def test_a_batch_larger_than_a_folder_is_refused_before_the_head_is_trained(fresh_workflow, tmp_path):
    small = (fresh_workflow.folder / "tests/small.yaml").read_text()
    folder = photographs(tmp_path / "photos")
    mine = small.replace("kind: garden", f"kind: folder\n  root: {folder}").replace("mobilenet_v2, ", "")
    (fresh_workflow.folder / "mine.yaml").write_text(mine)
    done = fresh_workflow.snakemake("results/runs/tiny/resnet18/seed42/phase1_best.pth", config="mine.yaml")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    line = (
        "recipe_definitions.tiny.batch_size: 16 (for resnet18) is larger than the training set; expected at most its 6"
    )
    assert line in output
    assert "Traceback" not in output
