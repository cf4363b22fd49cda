"""A file is whole or not there, and its digest is the one everybody computes."""

import errno
import hashlib
import os

import pytest

from florilegium import files
from florilegium.errors import UserError
from florilegium.provenance import digest_of


def names(folder):
    return sorted(os.listdir(folder))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "metrics.json"
    target.write_text("old")
    with pytest.raises(KeyError), files.written_whole(target) as partial:
        partial.write_text("half of the n")
        raise KeyError("in the middle")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


def test_a_first_write_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.written_whole(tmp_path / "new.csv") as partial:
        partial.write_text("a,b\n1,")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_the_target_is_not_touched_before_the_end(tmp_path):
    target = tmp_path / "folder" / "table.csv"
    with files.written_whole(target) as partial:
        partial.write_text("new")
        assert not target.exists()
        assert partial.parent == target.parent, "only a rename within one file system is atomic"
    assert target.read_text() == "new"
    assert names(target.parent) == ["table.csv"]


def full_disk(wrapped):
    """What writers raise on a full disk: the error itself, or one of their own around it, as torch does."""
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        if wrapped:
            raise RuntimeError("unexpected pos 704 vs 598") from error
        raise


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
def test_a_full_disk_is_one_line_that_names_the_file(tmp_path, wrapped):
    target = tmp_path / "best.pth"
    target.write_text("old")
    with pytest.raises(UserError) as error, files.written_whole(target) as partial:
        partial.write_text("half")
        full_disk(wrapped)
    assert str(error.value).startswith(f"{target}: no space left on its disk or quota (")
    assert str(error.value).endswith("make room and run again") and "\n" not in str(error.value)
    assert target.read_text() == "old" and names(tmp_path) == ["best.pth"]


@pytest.mark.parametrize("error", [PermissionError("no"), RuntimeError("shapes differ"), ValueError("no")])
def test_other_errors_are_not_taken_for_a_full_disk(tmp_path, error):
    with pytest.raises(type(error), match=str(error)), files.written_whole(tmp_path / "a"):
        raise error


def test_reserved_space_is_really_taken(tmp_path):
    with open(tmp_path / "a", "wb") as stream:
        stream.truncate(1 << 20)
    assert os.stat(tmp_path / "a").st_blocks == 0, "a sparse file"
    files.reserve_space(tmp_path / "a")
    found = os.stat(tmp_path / "a")
    assert found.st_blocks * 512 >= found.st_size == 1 << 20


def test_json_comes_back_as_it_was_with_its_umlauts_readable(tmp_path):
    content = {"class_names": ["Blütenstern", "NA"], "top1": 0.1 + 0.2, "none": None}
    files.write_json(tmp_path / "a.json", content)
    assert files.read_json(tmp_path / "a.json") == content
    assert "Blütenstern" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_digests_are_the_standard_ones(tmp_path):
    content = bytes(range(256)) * 1000
    (tmp_path / "a").write_bytes(content)
    assert files.file_digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    assert files.file_digest(tmp_path / "a", "md5") == hashlib.md5(content).hexdigest()


def test_the_fingerprint_of_settings_ignores_the_order_of_keys_and_nothing_else():
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest_of({"a": 20, "b": 30}) != digest_of({"a": 30, "b": 20})
    assert digest_of(["a", "b"]) != digest_of(["b", "a"])
