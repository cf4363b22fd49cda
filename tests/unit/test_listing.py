"""A folder's fingerprint changes with its pictures, and with nothing else."""

import os
from pathlib import Path

import pytest

from florilegium.datasets import list_photographs, passed_over
from florilegium.errors import UserError
from florilegium.files import file_digest, write_json
from florilegium.listing import fingerprint, states


@pytest.fixture
def listed(tmp_path):
    """A folder of three pictures and a function that gives its fingerprint, as planned after it was listed once."""
    root, record, manifest = tmp_path / "photos", tmp_path / "listing.json", tmp_path / "manifest.csv"
    for name in ("red/1.jpg", "red/2.jpg", "blue/1.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    first = fingerprint(root, record, manifest)
    write_json(record, {"fingerprint": first, "files": states(root)})
    rows = [f"{path},{file_digest(path)}" for path in sorted(root.rglob("*.jpg"))]
    manifest.write_text("\n".join(["path,sha256", *rows]) + "\n")
    return root, first, lambda: fingerprint(root, record, manifest)


def aged(path, seconds=100):
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - seconds * 10**9))


def test_states_are_sizes_and_times_by_path(listed):
    root, *_ = listed
    paths = [str(root / name) for name in ("blue/1.jpg", "red/1.jpg", "red/2.jpg")]
    assert list(states(root)) == paths
    assert states(root)[paths[1]] == [9, (root / "red/1.jpg").stat().st_mtime_ns]
    assert states(root / "nowhere") == {}


def test_a_csv_stands_for_the_pictures_that_it_lists(listed, tmp_path):
    root, *_ = listed
    (tmp_path / "labels.csv").write_text(
        f"path,label\nphotos/red/1.jpg,red\n{root}/blue/1.jpg,blue\nphotos/no.jpg,red\n"
    )
    assert states(tmp_path / "labels.csv") == {
        path: states(root)[path] for path in map(str, sorted(root.glob("*/1.jpg")))
    }
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00")
    assert states(tmp_path / "labels.csv") == {}


def test_nothing_changes_when_nothing_or_only_times_changed(listed):
    root, first, now = listed
    assert now() == first
    aged(root / "red/1.jpg")
    assert now() == first, "touched"
    (root / "red/.DS_Store").touch()
    assert now() == first, "hidden"


def test_a_changed_added_removed_or_renamed_picture_shows(listed):
    root, first, now = listed
    picture = root / "red/1.jpg"
    before = picture.read_bytes()
    picture.write_bytes(before[::-1])
    aged(picture)
    assert now() != first, "changed, same size"
    picture.write_bytes(before)
    assert now() == first, "back again"
    (root / "red/3.jpg").touch()
    assert now() != first, "added"
    (root / "red/3.jpg").unlink()
    (root / "red/2.jpg").rename(root / "blue/2.jpg")
    assert now() != first, "of another class"
    (root / "blue/2.jpg").unlink()
    assert now() != first, "removed"


def test_a_touched_file_that_was_never_a_picture_of_the_manifest_shows(listed, tmp_path):
    root, first, now = listed
    (tmp_path / "manifest.csv").write_text("path,sha256\n")
    assert now() == first
    aged(root / "red/1.jpg")
    assert now() != first, "its content then is unknown"


def test_links_are_followed_and_circles_and_broken_links_are_survived(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/1.jpg").write_bytes(b"123")
    root = tmp_path / "photos"
    root.mkdir()
    (root / "red").symlink_to(tmp_path / "elsewhere")
    (root / "circle").symlink_to(root)
    (root / "broken.jpg").symlink_to(Path("nowhere.jpg"))
    assert {path: size for path, (size, _) in states(root).items()} == {str(root / "red/1.jpg"): 3}


def test_planning_and_the_manifest_see_the_same_pictures(tmp_path, photograph):
    root, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    for number, name in enumerate(("red/1.jpg", "red/2.jpg", "red/3.jpg", "blue/1.jpg", "blue/2.jpg", "blue/3.jpg")):
        photograph(root / name, number)
    photograph(elsewhere / "deep/1.jpg", 10)
    photograph(root / "red/.thumbnails/1.jpg", 11)
    photograph(root / "red/.hidden.jpg", 12)
    (root / "red/linked").symlink_to(elsewhere)
    (elsewhere / "deep/up").symlink_to(root / "red")
    (root / "blue/itself").symlink_to(root / "blue/itself")
    (root / "green").symlink_to(root / "blue")
    table = list_photographs("folder", root, {"train": 0.6, "val": 0.2, "test": 0.2, "seed": 42})
    assert sorted(table["path"]) == list(states(root))
    assert table["class_name"].value_counts().to_dict() == {"red": 4, "blue": 3, "green": 3}
    assert passed_over("folder", root) == {"hidden": 1, "no suffix": 2}, "the link to itself, in blue and in green"


def test_a_folder_that_cannot_be_read_is_refused_by_name(tmp_path, monkeypatch):
    def refused(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(UserError, match=r"the folder .* cannot be read \(Permission denied\); allow it"):
        states(tmp_path)


def test_a_name_that_is_not_utf8_is_left_to_the_step_that_refuses_it(listed):
    root, first, now = listed
    os.close(os.open(os.fsencode(root) + b"/red/Bl\xfcte.jpg", os.O_CREAT))
    assert now() != first
