"""Every kind of data that cannot be trained on stops the manifest with one line that names it and says what to do."""

import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import manifest as step
from florilegium import configuration
from florilegium.errors import UserError

SPLIT = {"train": 0.6, "val": 0.2, "test": 0.2, "seed": 42, "folds": None}
PARTS = ("train", "val", "test")


@pytest.fixture
def photos(tmp_path, photograph):
    """photos/<split>/<class>/, two pictures each, and labels.csv that lists the same pictures."""
    rows = ["path,label,split"]
    for number, (part, name, picture) in enumerate((p, n, k) for p in PARTS for n in ("aster", "rose") for k in "01"):
        path = photograph(tmp_path / "photos" / part / name / f"{picture}.jpg", number)
        rows.append(f"{path.relative_to(tmp_path)},{name},{part}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def run(folder, root="photos", class_names=None, on_bad_image="error", **split):
    """The manifest step on `folder`; dataset.json."""
    kind = "csv" if root.endswith(".csv") else "folder"
    settings = {"kind": kind, "root": str(folder / root), "split": SPLIT | split, "on_bad_image": on_bad_image}
    settings["class_names"] = str(folder / class_names) if class_names else None
    out = folder / "out"
    output = SimpleNamespace(manifest=out / "manifest.csv", dataset=out / "dataset.json", listing=out / "listing.json")
    step.main(SimpleNamespace(params=SimpleNamespace(settings=settings), output=output, threads=1))
    return json.loads(output.dataset.read_text(encoding="utf-8"))


def refusal(folder, **settings):
    with pytest.raises(UserError) as caught:
        run(folder, **settings)
    assert "\n" not in str(caught.value), "an error is one line"
    assert not (folder / "out").exists(), "nothing is written"
    return str(caught.value)


def victim(folder, name="photos/train/rose/0.jpg"):
    return folder / name


def truncated(folder):
    path = victim(folder)
    path.write_bytes(path.read_bytes()[:400])


def bomb(folder):
    """A PNG of a few bytes that says it is 30000 x 30000 pixels."""
    with open(victim(folder, "photos/train/rose/bomb.png"), "wb") as stream:
        stream.write(PngImagePlugin._MAGIC)
        header = (30000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
        PngImagePlugin.putchunk(stream, b"IHDR", header)
        PngImagePlugin.putchunk(stream, b"IDAT", b"")


def broken_gif(folder):
    frames = [Image.fromarray(np.full((20, 20), shade, dtype=np.uint8)) for shade in (10, 200)]
    path = victim(folder, "photos/train/rose/moving.gif")
    frames[0].save(path, save_all=True, append_images=frames[1:])
    path.write_bytes(path.read_bytes()[:60])


BAD_FILES = {  # what is done to the folder: what the message says
    "truncated JPEG": (truncated, ["train/rose/0.jpg: unreadable or truncated"]),
    "text named .jpg": (
        lambda f: victim(f).write_text("<html>404 Not Found</html>"),
        ["train/rose/0.jpg: unreadable or truncated: cannot identify image file"],
    ),
    "zero bytes": (lambda f: victim(f).write_bytes(b""), ["train/rose/0.jpg: unreadable or truncated"]),
    "a link that leads nowhere": (
        lambda f: victim(f, "photos/val/rose/link.jpg").symlink_to("gone.jpg"),
        ["val/rose/link.jpg: a link that leads nowhere"],
    ),
    "decompression bomb": (bomb, ["bomb.png: too large", "900000000 pixels"]),
    "truncated animation": (broken_gif, ["moving.gif: unreadable or truncated"]),
    "tiny picture": (
        lambda f: Image.new("RGB", (30, 7)).save(victim(f)),
        ["train/rose/0.jpg: 30x7 pixels, smaller than 8"],
    ),
    "same picture, two labels": (
        lambda f: shutil.copy(victim(f), victim(f, "photos/val/aster/copy.jpg")),
        ["2 picture(s)", "train/rose/0.jpg: the same picture lies in another class", "val/aster/copy.jpg"],
    ),
}


@pytest.mark.parametrize(("spoil", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_by_name(photos, spoil, expected):
    spoil(photos)
    message = refusal(photos)
    for text in [*expected, "cannot be used; repair or remove them, or set dataset.on_bad_image to skip"]:
        assert text in message


@pytest.mark.parametrize(("spoil", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_can_be_skipped_and_is_listed_with_its_reason(photos, spoil, expected):
    spoil(photos)
    dataset = run(photos, on_bad_image="skip")
    reasons = "; ".join(f"{skipped['path']}: {skipped['problem']}" for skipped in dataset["skipped"])
    for text in expected:
        assert text in reasons or text == f"{len(dataset['skipped'])} picture(s)"
    listed = (photos / "out" / "manifest.csv").read_text(encoding="utf-8")
    assert not any(skipped["path"] in listed for skipped in dataset["skipped"])


def unsupported(folder):
    for path in (folder / "photos" / "train" / "rose").iterdir():
        path.rename(path.with_suffix(".heic"))


def only_one(folder):
    """photos/<class>/ instead, one of which has two pictures."""
    for name, count in (("aster", 4), ("tulip", 2)):
        (folder / "few" / name).mkdir(parents=True)
        for number in range(count):
            shutil.copy(victim(folder), folder / "few" / name / f"{number}.jpg")


BAD_FOLDERS = {
    "empty class": (
        lambda f: (f / "photos" / "train" / "tulip").mkdir(),
        {},
        ["class 'tulip'", "holds no pictures; expected at least one of .jpg"],
    ),
    "only unsupported files": (unsupported, {}, ["class 'rose'", "holds no pictures (only .heic)"]),
    "class missing from a split": (
        lambda f: shutil.rmtree(f / "photos" / "test" / "rose"),
        {},
        ["class 'rose' has no picture in test"],
    ),
    "a split is missing": (
        lambda f: shutil.rmtree(f / "photos" / "val"),
        {},
        ["has test, train but no val; expected all three or none"],
    ),
    "no folder": (lambda f: None, {"root": "nowhere"}, ["nowhere is not a folder"]),
    "too few pictures of a class": (only_one, {"root": "few"}, ["class 'tulip' has 2 picture(s); expected at least 3"]),
    "more folds than pictures": (
        lambda f: None,
        {"folds": 5},
        ["dataset.split.folds: 5, but class 'aster' has 4 picture(s) outside of test"],
    ),
    "a name that is not UTF-8": (
        lambda f: os.link(victim(f), os.fsencode(f / "photos" / "train" / "rose") + b"/Bl\xfcte.jpg"),
        {},
        ["Bl\\udcfcte.jpg is not UTF-8; rename the file or folder"],
    ),
}


@pytest.mark.parametrize(("spoil", "settings", "expected"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_a_bad_folder_is_refused_by_name(photos, spoil, settings, expected):
    spoil(photos)
    message = refusal(photos, **settings)
    for text in expected:
        assert text in message


def edit(name, old, new):
    """A function that replaces text in a file of the folder once."""

    def change(folder):
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


FIRST = "photos/train/aster/0.jpg,aster,train"
BAD_CSVS = {
    "no such CSV": (
        lambda f: (f / "labels.csv").unlink(),
        ["labels.csv does not exist; expected a CSV with path,label"],
    ),
    "no column": (edit("labels.csv", "path,label", "path,lable"), ["has no column 'label'; nearest: lable"]),
    "semicolons": (edit("labels.csv", "path,label,split", "path;label"), ["no column 'path'", "found path;label"]),
    "empty": (write("labels.csv", b""), ["labels.csv has no column 'path'; found nothing"]),
    "a quote that never ends": (
        write("labels.csv", b'path,label\n"a.jpg,rose\n'),
        ["labels.csv cannot be read as a CSV"],
    ),
    "a comma too many": (
        edit("labels.csv", FIRST, FIRST.replace("0.jpg", "a,b.jpg")),
        ["row 2 has 4 values; expected 3 as in the first row"],
    ),
    "heading only": (write("labels.csv", b"path,label\n"), ["labels.csv has no rows"]),
    "not UTF-8": (write("labels.csv", b"path,label\na.jpg,Bl\xfcte\n"), ["labels.csv is not UTF-8 text"]),
    "no label": (edit("labels.csv", FIRST, FIRST.replace(",aster,", ",,")), ["labels.csv row 2 has no label"]),
    "unknown split": (
        edit("labels.csv", ",aster,val", ",aster,valid"),
        ["row 6 has split 'valid'; expected train, val, test; nearest: val"],
    ),
    "a path twice": (
        edit("labels.csv", FIRST, f"{FIRST}\n./{FIRST}"),
        ["lists", "photos/train/aster/0.jpg in rows 2 and 3; expected every picture once"],
    ),
    "a path that does not exist": (
        edit("labels.csv", "photos/train/aster/0.jpg", "photos/train/aster/9.jpg"),
        ["1 picture(s) cannot be used", "photos/train/aster/9.jpg: does not exist"],
    ),
}


@pytest.mark.parametrize(("spoil", "expected"), BAD_CSVS.values(), ids=BAD_CSVS)
def test_a_bad_csv_is_refused_by_row_or_column(photos, spoil, expected):
    spoil(photos)
    message = refusal(photos, root="labels.csv")
    for text in expected:
        assert text in message


BAD_NAMES = {
    "a class is missing": (
        "names.csv",
        "name,shown\nrose,Rose\n",
        ["names.csv has no name for class 'aster'", "each of the 2 classes (1 missing)"],
    ),
    "an unknown class": (
        "names.yaml",
        "{aster: Aster, roses: Rose}",
        ["names.yaml names 'roses', which is no class of the dataset; nearest: rose"],
    ),
    "two shown alike": ("names.json", '{"aster": "A", "rose": "A"}', ["shows 'aster' and 'rose' both as 'A'"]),
    "shown as nothing": ("names.yaml", "{aster: Aster, rose: ' '}", ["shows 'rose' as nothing"]),
    "a class twice": ("names.csv", "name,shown\nrose,R\nrose,S\naster,A\n", ["lists 'rose' twice"]),
    "no mapping": ("names.yaml", "[aster, rose]", ["names.yaml is no mapping"]),
    "no YAML": ("names.json", '{"aster": ', ["names.json cannot be read as YAML or JSON"]),
    "no column": ("names.csv", "name,label\nrose,R\n", ["names.csv has no column 'shown'; found name, label"]),
}


@pytest.mark.parametrize(("name", "text", "expected"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_bad_mapping_of_names_is_refused_by_class(photos, name, text, expected):
    (photos / name).write_text(text, encoding="utf-8")
    message = refusal(photos, class_names=name)
    for part in ["dataset.class_names: ", *expected]:
        assert part in message


def test_a_missing_mapping_is_refused(photos):
    assert "names.yaml does not exist" in refusal(photos, class_names="names.yaml")
    assert "names.csv does not exist" in refusal(photos, class_names="names.csv")


BAD_SECTIONS = [
    ({"kind": "csv"}, "dataset.root: null; expected the CSV that lists your photographs, because dataset.kind is csv"),
    ({"kind": "csv", "root": "nowhere.csv"}, "dataset.root: nowhere.csv is not a file"),
    ({"class_names": "nowhere.yaml"}, "dataset.class_names: nowhere.yaml is not a file"),
    ({"on_bad_image": "ignore"}, "dataset.on_bad_image: 'ignore' is not one of ['error', 'skip']"),
    ({"split": {"folds": 1}}, "dataset.split.folds: 1 is less than the minimum of 2"),
    ({"split": {"fold": 5}}, "dataset.split.fold: unknown key; nearest: folds"),
]


@pytest.mark.parametrize(("section", "expected"), BAD_SECTIONS)
def test_an_impossible_dataset_section_is_refused_before_any_job(config, section, expected):
    config["dataset"] = {"kind": "flowers102"} | section
    with pytest.raises(UserError) as caught:
        configuration.complete(config)
    assert str(caught.value).startswith(expected)
