"""Downloads from a server that misbehaves: resumed, tried again, checked; and archives that would write elsewhere."""

import fcntl
import hashlib
import importlib
import io
import os
import tarfile
from types import SimpleNamespace

import pytest
import torchvision.datasets

from faulty_server import (
    CONTENT,
    HALF,
    SHA256,
    Server,
    another_rest,
    broken_off,
    corrupted,
    silent,
    slow,
    stalled,
    status,
    whole,
    without_ranges,
)
from florilegium import downloads
from florilegium.errors import UserError


@pytest.fixture
def served(monkeypatch, tmp_path):
    """A function: fetch from a server that gives these answers; returns the target and what was asked of the server."""
    servers = []
    monkeypatch.setenv("FLORILEGIUM_TIMEOUT", "0.4")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloads, "BACKOFF", 0.01)

    def fetch(*answers):
        servers.append(Server(*answers))
        downloads.download(servers[-1].url, tmp_path / "w.pth", "sha256", SHA256[:8], "put it there by hand")
        return [range_ for _, range_ in servers[-1].asked]

    fetch.servers = servers
    yield fetch
    for server in servers:
        server.stop()


REST = f"bytes={HALF}-"


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        ([whole], [None]),
        ([broken_off, whole], [None, REST]),
        ([broken_off, broken_off, whole], [None, REST, REST]),
        ([broken_off, without_ranges], [None, REST]),
        ([stalled, whole], [None, REST]),
        ([silent, whole], [None, None]),
        ([slow], [None]),
        ([corrupted, whole], [None, None]),
        ([broken_off, another_rest, whole], [None, REST, None]),
        ([status(500), status(503), whole], [None, None, None]),
        ([status(429), whole], [None, None]),
        ([broken_off, status(502), whole], [None, REST, REST]),
    ],
    ids=lambda answers: ", ".join(getattr(answer, "__name__", str(answer)) for answer in answers),
)
def test_a_passing_fault_ends_with_the_whole_file_and_nothing_beside_it(served, tmp_path, answers, ranges):
    asked = served(*answers)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["w.pth"]
    assert asked == ranges


@pytest.mark.parametrize(
    ("answer", "line", "requests_made"),
    [
        (status(404), "download failed (404 Not Found)", 1),
        (status(403), "download failed (403 Forbidden)", 1),
        (status(500), "download failed (500 Internal Server Error)", 1 + downloads.TRIES),
        (silent, "download failed (timed out)", 1 + downloads.TRIES),
        (corrupted, f"instead of {SHA256[:8]}", downloads.TRIES),
        (broken_off, "IncompleteRead(0 bytes read", downloads.TRIES),
    ],
    ids=["404", "403", "500", "silent", "corrupted", "broken off"],
)
def test_a_lasting_fault_ends_in_one_line_that_says_what_to_do(served, tmp_path, answer, line, requests_made):
    with pytest.raises(UserError) as error:
        served(answer)
    text = str(error.value)
    assert line in text and text.startswith(served.servers[0].url) and text.endswith("put it there by hand")
    assert "\n" not in text
    assert len(served.servers[0].asked) == requests_made
    assert os.listdir(tmp_path) == ([".w.pth.part"] if answer is broken_off else [])


def test_the_next_run_goes_on_where_the_last_one_ended(served, tmp_path):
    with pytest.raises(UserError):
        served(broken_off)
    assert os.listdir(tmp_path) == [".w.pth.part"]
    assert served(whole) == [REST]
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "left", [CONTENT, CONTENT + b"more", b"x" * HALF], ids=["complete", "too long", "another file"]
)
def test_whatever_an_earlier_run_left_behind_the_file_is_right_in_the_end(served, tmp_path, left):
    (tmp_path / ".w.pth.part").write_bytes(left)
    asked = served(whole)
    assert (tmp_path / "w.pth").read_bytes() == CONTENT and os.listdir(tmp_path) == ["w.pth"]
    assert asked == [f"bytes={len(left)}-"] + [None] * (left != CONTENT)


def test_two_processes_do_not_write_one_file(served, tmp_path):
    with open(tmp_path / ".w.pth.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=r"\.w\.pth\.part is being written by another process; wait"):
            served(whole)
    assert served.servers[0].asked == []
    served(whole)


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan"])
def test_an_impossible_timeout_is_refused(served, monkeypatch, seconds):
    monkeypatch.setenv("FLORILEGIUM_TIMEOUT", seconds)
    with pytest.raises(UserError, match=f"FLORILEGIUM_TIMEOUT: '{seconds}' is no time to wait"):
        served(whole)


def test_nobody_listens_at_the_address(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "BACKOFF", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server(whole)
    server.stop()
    with pytest.raises(UserError, match="Connection refused.*by hand"):
        downloads.download(server.url, tmp_path / "w.pth", "sha256", SHA256, "by hand")


def test_a_mirror_is_asked_for_the_file_by_its_name(served, tmp_path, monkeypatch):
    served(whole)
    monkeypatch.setenv("FLORILEGIUM_MIRROR", served.servers[0].url.removesuffix("w.pth"))
    downloads.download("https://example.invalid/a/b/other.pth", tmp_path / "o.pth", "sha256", SHA256, "")
    assert served.servers[0].asked[-1][0] == "/folder/other.pth"


def archive(path, *members):
    """A tar archive of (name, type, link target) beside a harmless picture."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, target in [("jpg/image_00001.jpg", tarfile.REGTYPE, ""), *members]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"evil") if info.size else None)
    return path


HOSTILE = {
    "parent": [("../escaped", tarfile.REGTYPE, "")],
    "deep parent": [("jpg/../../escaped", tarfile.REGTYPE, "")],
    "absolute": [("{outside}/escaped", tarfile.REGTYPE, "")],
    "symbolic link": [("jpg/out", tarfile.SYMTYPE, "{outside}"), ("jpg/out/escaped", tarfile.REGTYPE, "")],
    "relative link": [("jpg/out", tarfile.SYMTYPE, "../.."), ("jpg/out/escaped", tarfile.REGTYPE, "")],
    "link inside": [("jpg/in", tarfile.SYMTYPE, "image_00001.jpg")],
    "hard link": [("jpg/hard", tarfile.LNKTYPE, "{outside}/secret")],
    "device": [("jpg/null", tarfile.CHRTYPE, "")],
    "pipe": [("jpg/pipe", tarfile.FIFOTYPE, "")],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_an_archive_cannot_write_outside_of_its_folder(tmp_path, members):
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "secret").write_text("kept")
    filled = [(name.format(outside=outside), kind, target.format(outside=outside)) for name, kind, target in members]
    path = archive(tmp_path / "hostile.tgz", *filled)
    with pytest.raises(UserError, match="hostile.tgz: refused, .*; delete it"):
        downloads.unpack(path, outside / "folder")
    assert sorted(os.listdir(outside)) == ["folder", "secret"] and (outside / "secret").read_text() == "kept"
    found = [entry for entry in (outside / "folder").rglob("*") if entry.name != "jpg"]
    assert [entry.name for entry in found if entry.is_symlink() or not entry.is_file()] == []


def test_a_truncated_archive_is_named(tmp_path):
    path = archive(tmp_path / "a.tgz")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match="a.tgz: no readable archive"):
        downloads.unpack(path, tmp_path / "folder")


@pytest.fixture
def flowers(monkeypatch, tmp_path):
    """Flowers102 in small: its three files behind a server, their checksums known to torchvision's class."""
    parts = {"image": archive(tmp_path / "102flowers.tgz").read_bytes(), "label": b"labels", "setid": b"splits"}
    names = {"image": "102flowers.tgz", "label": "imagelabels.mat", "setid": "setid.mat"}
    sums = {part: (names[part], hashlib.md5(content).hexdigest()) for part, content in parts.items()}
    by_name = {names[part]: content for part, content in parts.items()}
    monkeypatch.setattr(torchvision.datasets.Flowers102, "_file_dict", sums)
    monkeypatch.setattr(downloads, "BACKOFF", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server(lambda handler: whole(handler, by_name[handler.path.rsplit("/", 1)[1]]))
    monkeypatch.setenv("FLORILEGIUM_MIRROR", f"http://127.0.0.1:{server.server_port}/102")
    yield server
    server.stop()


def fetch_flowers(folder):
    labels = folder / "resources" / "flowers-102" / "imagelabels.mat"
    importlib.import_module("download_flowers102").main(SimpleNamespace(output=SimpleNamespace(labels=str(labels))))
    return labels.parent


def test_flowers102_lands_unpacked_where_the_rules_look_for_it(flowers, tmp_path):
    root = fetch_flowers(tmp_path)
    assert sorted(os.listdir(root)) == ["102flowers.tgz", "imagelabels.mat", "jpg", "setid.mat"]
    assert os.listdir(root / "jpg") == ["image_00001.jpg"]
    assert [path for path, _ in flowers.asked] == ["/102/102flowers.tgz", "/102/imagelabels.mat", "/102/setid.mat"]


def test_what_lies_there_already_is_not_fetched_again(flowers, tmp_path):
    root = fetch_flowers(tmp_path)
    (root / "setid.mat").write_bytes(b"damaged")
    (root / "jpg" / "image_00001.jpg").unlink()
    flowers.asked.clear()
    fetch_flowers(tmp_path)
    assert [path for path, _ in flowers.asked] == ["/102/setid.mat"]
    assert (root / "setid.mat").read_bytes() == b"splits" and os.listdir(root / "jpg") == ["image_00001.jpg"]


def test_photographs_put_there_by_hand_are_not_fetched(flowers, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.import_module("download_flowers102"), "PHOTOGRAPHS", 1)
    by_hand = tmp_path / "resources" / "flowers-102" / "jpg" / "image_00001.jpg"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(b"mine")
    fetch_flowers(tmp_path)
    assert [path for path, _ in flowers.asked] == ["/102/imagelabels.mat", "/102/setid.mat"]
    assert by_hand.read_bytes() == b"mine"


def test_a_failed_download_names_files_checksums_and_place(flowers, tmp_path):
    md5 = torchvision.datasets.Flowers102._file_dict["image"][1]
    flowers.answers = [status(404)]
    with pytest.raises(UserError) as error:
        fetch_flowers(tmp_path)
    expected = ("404 Not Found", f"102flowers.tgz (md5 {md5})", "imagelabels.mat (md5", "setid.mat (md5", str(tmp_path))
    assert [part for part in expected if part not in str(error.value)] == []


def test_weights_are_checked_against_the_hash_in_their_name(served, tmp_path, monkeypatch):
    served(whole)
    step = importlib.import_module("download_weights")
    url = served.servers[0].url.replace("w.pth", "resnet18-{}.pth")
    job = SimpleNamespace(
        output=SimpleNamespace(weights=str(tmp_path / "resnet18.pth")),
        wildcards=SimpleNamespace(architecture="resnet18", entry="IMAGENET1K_V1"),
    )
    monkeypatch.setattr(step, "weights_url", lambda *_: url.format("0" * 8))
    with pytest.raises(UserError, match=r"instead of 00000000\); download .*00000000….*resnet18.pth, or name"):
        step.main(job)
    monkeypatch.setattr(step, "weights_url", lambda *_: url.format(SHA256[:8]))
    step.main(job)
    assert (tmp_path / "resnet18.pth").read_bytes() == CONTENT
