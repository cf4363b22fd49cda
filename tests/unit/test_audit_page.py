"""The audit page says what the manifest holds, in one file that a browser can open anywhere."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import audit as page_step
import manifest as manifest_step
from florilegium.errors import UserError
from florilegium.files import read_json

SPLIT = {"train": 0.6, "val": 0.2, "test": 0.2, "seed": 42, "folds": None}


@pytest.fixture
def audit(tmp_path, photograph):
    """A function: both steps on photos/, which it may change first; the page's text and dataset.json."""
    root = tmp_path / "photos"
    for place, (part, count) in enumerate({"train": 4, "val": 2, "test": 2}.items()):
        for other, name in enumerate(("aster", "<b>rose")):
            for number in range(count + 2 * other * (part == "test")):
                photograph(root / part / name / f"{number}.jpg", 100 * place + 10 * other + number, size=(40, 30))

    def run(**split):
        settings = {"kind": "folder", "root": str(root), "class_names": None, "on_bad_image": "skip"}
        settings["split"] = SPLIT | split
        names = {"manifest": "manifest.csv", "dataset": "dataset.json", "listing": "listing.json"}
        files = SimpleNamespace(**{key: tmp_path / name for key, name in names.items()})
        manifest_step.main(SimpleNamespace(params=SimpleNamespace(settings=settings), output=files, threads=1))
        page = SimpleNamespace(page=tmp_path / "audit.html")
        page_step.main(SimpleNamespace(input=files, output=page))
        return page.page.read_text(encoding="utf-8"), read_json(files.dataset)

    run.root = root
    return run


def numbers(page, name):
    """The numbers in the line of a table that begins with a name."""
    (line,) = re.findall(f'<tr><td class="text">{re.escape(name)}</td>.*', page)
    return [int(number) for number in re.findall(r"<td>(\d+)</td>", line)]


def test_counts_and_imbalance_are_those_of_the_manifest(audit):
    page, dataset = audit()
    assert "<h1>18 photographs of 2 classes can be trained on</h1>" in page
    assert "train 1.0 to 1, val 1.0 to 1, test 2.0 to 1; over all from &lt;b&gt;rose" in page
    assert dataset["images"] == {"train": 8, "val": 4, "test": 6}
    assert numbers(page, "aster") == [8, 4, 2, 2]
    assert numbers(page, "&lt;b&gt;rose") == [10, 4, 2, 4]


def test_the_page_is_self_contained_and_class_names_are_no_markup(audit):
    page, _ = audit()
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)
    assert "<b>" not in page
    assert "prefers-color-scheme: dark" in page


def test_conversions_are_counted(audit, photograph):
    picture = photograph(audit.root / "train" / "aster" / "grey.png", 900, size=(40, 30))
    Image.open(picture).convert("L").save(picture)
    Image.open(photograph(audit.root / "train" / "aster" / "print.jpg", 901, size=(40, 30))).convert("CMYK").save(
        audit.root / "train" / "aster" / "print.jpg"
    )
    frames = [Image.new("L", (20, 20), shade).quantize(2) for shade in (10, 200)]
    frames[0].save(audit.root / "train" / "aster" / "moving.gif", save_all=True, append_images=frames[1:])
    page, dataset = audit()
    assert dataset["converted"] == {"greyscale": 1, "CMYK": 1, "palette, first of several frames": 1}
    assert "3 picture(s) converted" in page and "<td>1</td>" in page


def test_duplicates_in_two_splits_are_shown(audit):
    coarse = Image.fromarray(np.random.default_rng(5).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth, original = coarse.resize((80, 60), Image.Resampling.BICUBIC), audit.root / "train" / "aster" / "smooth.png"
    smooth.save(original)
    (audit.root / "test" / "aster" / "copy.png").write_bytes(original.read_bytes())
    smooth.resize((48, 32)).save(audit.root / "val" / "aster" / "near.jpg")
    page, dataset = audit()
    (exact,), (near,) = dataset["duplicates_across_splits"], dataset["near_duplicates_across_splits"]
    assert [picture["part"] for picture in exact] == ["train", "test"]
    assert [picture["part"] for picture in near] == ["train", "val", "test"]
    assert "1 picture(s) with the same picture in another split" in page
    assert page.count("<figcaption>test: aster") == 2, "once as the same, once as nearly the same"


def test_skipped_and_passed_over_files_are_listed_with_the_reason(audit):
    (audit.root / "train" / "aster" / "page.jpg").write_text("<html>")
    (audit.root / "train" / "aster" / "phone.heic").touch()
    page, dataset = audit()
    assert len(dataset["skipped"]) == 1
    assert "page.jpg</td>" in page and "unreadable or truncated: cannot identify image file" in page
    assert "Files passed over because of their name: 1 .heic" in page


def test_folds_are_listed_with_their_sizes(audit):
    page, dataset = audit(folds=3)
    assert dataset["folds"] == 3 and dataset["protocol"] in page
    assert [numbers(page, f"fold {number}") for number in range(3)] == [[4, 8]] * 3


def test_another_cut_of_the_folds_is_another_dataset(audit):
    fingerprints = {audit(**split)[1]["fingerprint"] for split in ({}, {"folds": 3}, {"folds": 3, "seed": 1})}
    assert len(fingerprints) == 3
    assert audit()[1]["fingerprint"] in fingerprints


def test_a_picture_that_is_gone_since_the_manifest_is_named(audit, tmp_path):
    audit()
    gone = audit.root / "train" / "aster" / "0.jpg"
    gone.unlink()
    files = SimpleNamespace(manifest=tmp_path / "manifest.csv", dataset=tmp_path / "dataset.json")
    with pytest.raises(UserError, match="0.jpg was in the manifest but cannot be read now"):
        page_step.main(SimpleNamespace(input=files, output=SimpleNamespace(page=tmp_path / "audit.html")))
