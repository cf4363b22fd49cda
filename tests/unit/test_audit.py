"""What cannot be trained on is refused before training, by name; what is suspicious is reported."""

import pandas as pd
import pytest

from florilegium import audit, datasets, duplicates, splits
from florilegium.errors import UserError

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2, "seed": 42}
PARTS = [f"{split}/{name}" for split in ("train", "val", "test") for name in ("aster", "rose")]


@pytest.fixture
def photos(tmp_path, photograph):
    """Two classes with two pictures each in every split."""
    root = tmp_path / "photos"
    for place, part in enumerate(PARTS):
        for number in range(2):
            photograph(root / part / f"{number}.jpg", 10 * place + number)
    return root


def audited(root):
    good, skipped = audit.audited(datasets.list_photographs("folder", root, SHARES), workers=1)
    assert skipped.empty
    return good.assign(fold=pd.NA)


def refusal(root):
    with pytest.raises(UserError) as caught:
        audited(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_good_pictures_are_measured_upright_and_digested(photos, photograph):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(photos / "train" / "rose" / "turned.jpg", 77, size=(40, 20), exif=exif)
    table = audited(photos).set_index("path")
    assert table["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    turned = table.loc[str(photos / "train" / "rose" / "turned.jpg")]
    assert (turned["width"], turned["height"], turned["converted"]) == (20, 40, "EXIF rotation")
    assert (table["converted"] == "").sum() == 12
    assert "problem" not in table


@pytest.mark.parametrize("keep", [0, 3, 0.5, 0.9])
def test_a_truncated_jpeg_is_refused_by_its_path(photos, keep):
    victim = photos / "val" / "rose" / "1.jpg"
    content = victim.read_bytes()
    victim.write_bytes(content[: keep if keep in (0, 3) else int(keep * len(content))])
    message = refusal(photos)
    assert "1 picture(s) cannot be used" in message and str(victim) in message and "truncated" in message


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_is_read_to_its_last_row_too(photos, photograph, keep, progressive):
    victim = photograph(photos / "val" / "rose" / "large.jpg", 9, size=(1600, 1200), progressive=progressive)
    found = audited(photos).set_index("path").loc[str(victim)]
    assert (found["width"], found["height"]) == (1600, 1200)
    content = victim.read_bytes()
    victim.write_bytes(content[: int(keep * len(content))])
    assert f"{victim}: unreadable or truncated: image file is truncated" in refusal(photos)


@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>", b"\xff\xd8\xff" + bytes(500), bytes(1000)])
def test_a_file_that_is_no_picture_is_refused_by_its_path(photos, content):
    victim = photos / "test" / "aster" / "0.jpg"
    victim.write_bytes(content)
    assert str(victim) in refusal(photos)


@pytest.mark.parametrize("suffix", ["png", "gif", "tif", "bmp", "webp"])
def test_truncated_pictures_of_other_formats_are_refused_too(photos, photograph, suffix):
    victim = photograph(photos / "train" / "aster" / f"Blüte im März.{suffix}", 88)
    victim.write_bytes(victim.read_bytes()[:200])
    assert str(victim) in refusal(photos)


def test_many_bad_files_are_counted_and_the_first_are_named(photos):
    for part in PARTS:
        (photos / part / "0.jpg").write_bytes(b"")
    message = refusal(photos)
    assert "6 picture(s)" in message and message.count(".jpg: ") == audit.NAMED and "and 1 more" in message


def test_a_picture_smaller_than_eight_pixels_is_refused_with_its_size(photos, photograph):
    victim = photograph(photos / "train" / "rose" / "tiny.png", 5, size=(30, 7))
    message = refusal(photos)
    assert str(victim) in message and "30x7 pixels, smaller than 8" in message
    photograph(victim, 5, size=(8, 8))
    assert len(audited(photos)) == 13


def test_a_class_that_is_missing_from_a_split_is_refused_by_name(photos, photograph):
    photograph(photos / "train" / "Königskerze" / "0.jpg", 60)
    assert "class 'Königskerze' has no picture in val" in refusal(photos)


def test_one_class_only_is_refused(tmp_path, photograph):
    for number in range(5):
        photograph(tmp_path / "rose" / f"{number}.jpg", number)
    assert "one class only, 'rose'; expected at least two" in refusal(tmp_path)


@pytest.mark.parametrize("split", splits.SPLITS)
def test_a_split_without_images_is_refused(split):
    rows = [(f"{name}.jpg", 0, name, part) for name in "ab" for part in splits.SPLITS if part != split]
    table = pd.DataFrame(rows, columns=["path", "label", "class_name", "split"])
    with pytest.raises(UserError, match=f"zero {split} images"):
        splits.check_classes(table)


def test_the_same_picture_in_two_splits_is_listed_with_both_places(photos):
    original, copy = photos / "train" / "rose" / "0.jpg", photos / "test" / "rose" / "copy of rose.jpg"
    copy.write_bytes(original.read_bytes())
    within = photos / "train" / "rose" / "again.jpg"  # within one split nothing leaks
    within.write_bytes((photos / "train" / "rose" / "1.jpg").read_bytes())
    (pair,) = duplicates.across_splits(audited(photos), "sha256")
    assert pair == [
        {"path": str(original), "class_name": "rose", "part": "train"},
        {"path": str(copy), "class_name": "rose", "part": "test"},
    ]


def test_different_pictures_are_no_duplicates(photos):
    table = audited(photos)
    assert duplicates.across_splits(table, "sha256") == []
    assert duplicates.across_splits(table.assign(near=duplicates.near_groups(table["hash"])), "near") == []


def test_the_same_picture_in_two_folds_is_listed(photos):
    original, copy = photos / "train" / "rose" / "0.jpg", photos / "train" / "rose" / "again.jpg"
    copy.write_bytes(original.read_bytes())
    table = audited(photos)
    table["fold"] = pd.Series(range(len(table)), dtype="Int64") % 2
    table.loc[table["path"].isin([str(original), str(copy)]), "fold"] = [0, 1]
    (pair,) = duplicates.across_splits(table, "sha256")
    assert [picture["part"] for picture in pair] == ["fold 0", "fold 1"]


def test_skipping_goes_on_without_bad_pictures_and_says_why(photos):
    (photos / "train" / "rose" / "bad.jpg").write_bytes(b"<html>")
    listed = datasets.list_photographs("folder", photos, SHARES)
    good, skipped = audit.audited(listed, 1, on_bad_image="skip")
    assert len(good) == 12 and good.index.tolist() == list(range(12))
    assert skipped["path"].tolist() == [str(photos / "train" / "rose" / "bad.jpg")]
    assert skipped["problem"].iloc[0].startswith("unreadable or truncated: cannot identify image file")
    pd.testing.assert_frame_equal(good, audited(photos_without(photos, "bad.jpg")).drop(columns="fold"))


def photos_without(photos, name):
    for path in photos.rglob(name):
        path.unlink()
    return photos


def test_skipping_every_picture_of_a_class_is_refused(photos):
    for path in photos.rglob("rose/*.jpg"):
        path.write_bytes(b"")
    listed = datasets.list_photographs("folder", photos, SHARES)
    with pytest.raises(UserError, match="class 'rose' has no usable picture left"):
        audit.audited(listed, 1, on_bad_image="skip")


def test_two_processes_find_what_one_finds(photos):
    listed = datasets.list_photographs("folder", photos, SHARES)
    pd.testing.assert_frame_equal(audit.audited(listed, 2)[0], audit.audited(listed, 1)[0])
