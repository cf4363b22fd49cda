"""A progress file serves the training it belongs to and no other; what cannot be used is kept and said."""

import logging
import os
import struct
import zipfile

import pytest
import torch

from florilegium import progress as progress_module
from florilegium.progress import Progress, file_stamp, finished_elsewhere, remove_partials

DECIDES = {"settings": {"phase2": {"epochs": 30}}, "seed": 42}


class Counter:
    """Something with a state."""

    def __init__(self, number):
        self.number = number

    def state_dict(self):
        return {"number": self.number, "tensor": torch.tensor([self.number])}

    def load_state_dict(self, state):
        assert state["tensor"].item() == state["number"]
        self.number = state["number"]


def restored(progress):
    counter = Counter(0)
    progress.restore({"counter": counter})
    return counter.number


def names(folder):
    return sorted(os.listdir(folder))


def test_the_last_state_comes_back_and_is_gone_after_success(tmp_path):
    progress = Progress(tmp_path, "phase2", DECIDES)
    assert restored(progress) == 0
    for number in (1, 2):
        progress.save({"counter": Counter(number)})
    assert restored(Progress(tmp_path, "phase2", DECIDES)) == 2
    assert names(tmp_path) == [progress.path.name], "one file, whole"
    progress.discard()
    assert names(tmp_path) == [] and restored(progress) == 0


@pytest.mark.parametrize(
    "other",
    [
        {**DECIDES, "seed": 43},
        {**DECIDES, "settings": {"phase2": {"epochs": 20}}},
        {**DECIDES, "pixels": [10, 20]},
    ],
)
def test_progress_of_another_training_is_set_aside_with_a_line(tmp_path, caplog, other):
    old, new = Progress(tmp_path, "phase2", other), Progress(tmp_path, "phase2", DECIDES)
    old.save({"counter": Counter(7)})
    with caplog.at_level(logging.INFO):
        assert restored(new) == 0
    assert names(tmp_path) == [f"{old.path.name}.aside"]
    (line,) = caplog.messages
    assert str(old.path) in line and "other settings, inputs, code or versions; the training starts from the" in line
    caplog.clear()
    assert restored(new) == 0 and caplog.messages == []


def test_another_version_of_a_package_or_an_edited_module_is_another_training(tmp_path, monkeypatch):
    before = Progress(tmp_path, "phase2", DECIDES)
    assert Progress(tmp_path, "phase2", DECIDES).path == before.path
    monkeypatch.setattr(progress_module, "versions", lambda: {"torch": "9.9"})
    other = Progress(tmp_path, "phase2", DECIDES)
    assert other.path != before.path
    monkeypatch.setattr(progress_module, "file_digest", lambda path: "edited")
    assert Progress(tmp_path, "phase2", DECIDES).path not in (before.path, other.path)


class Hostile:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def cut(path, trace):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path, trace):
    path.write_bytes(b"")


def flip_record(path, ending):
    """Flip the first byte that the archive stores for the record of this ending."""
    (record,) = (info for info in zipfile.ZipFile(path).infolist() if info.filename.endswith(ending))
    content = bytearray(path.read_bytes())
    header = content[record.header_offset : record.header_offset + 30]
    name_and_extra = sum(struct.unpack("<HH", header[26:30]))
    content[record.header_offset + 30 + name_and_extra] ^= 1
    path.write_bytes(content)


def flipped_structure(path, trace):
    flip_record(path, "data.pkl")


def flipped_tensor(path, trace):
    flip_record(path, "data/0")


def renamed(path, trace):
    other = Progress(path.parent / "elsewhere", "phase2", {"seed": 1})
    other.save({"counter": Counter(9)})
    os.replace(other.path, path)


def hostile(path, trace):
    torch.save({"fingerprint": Hostile(f"touch {trace}"), "states": {}}, path)


def poor(path, trace):
    content = torch.load(path, weights_only=True)
    torch.save(content | {"states": {}}, path)


@pytest.mark.parametrize("damage", [cut, empty, flipped_structure, flipped_tensor, renamed, hostile, poor])
def test_a_damaged_file_is_set_aside_with_a_line_and_never_run(tmp_path, caplog, damage):
    progress = Progress(tmp_path / "resume", "phase2", DECIDES)
    progress.save({"counter": Counter(7)})
    damage(progress.path, tmp_path / "trace")
    content = progress.path.read_bytes()
    with caplog.at_level(logging.INFO):
        assert restored(progress) == 0
    aside = progress.path.with_name(f"{progress.path.name}.aside")
    assert aside.read_bytes() == content, "kept"
    assert len(caplog.messages) == 1 and "cannot be used" in caplog.text and "\n" not in caplog.messages[0]
    assert not (tmp_path / "trace").exists()


def test_the_two_phases_do_not_disturb_each_other(tmp_path):
    first, second = Progress(tmp_path, "phase1", DECIDES), Progress(tmp_path, "phase2", DECIDES)
    first.save({"counter": Counter(1)})
    second.save({"counter": Counter(2)})
    assert (restored(first), restored(second)) == (1, 2)


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    progress = Progress(tmp_path, "phase2", DECIDES)
    progress.save({"counter": Counter(3)})
    for name in (progress.path.name, "phase2-of-another.pth"):
        (tmp_path / f".{name}.123.partial").write_bytes(b"half")
    assert restored(progress) == 3 and names(tmp_path) == [progress.path.name]
    for name in (".final.pth.77.partial", ".final.pth.78.partial", ".other.pth.77.partial", "final.pth"):
        (tmp_path / name).write_bytes(b"half")
    remove_partials([tmp_path / "final.pth"])
    assert names(tmp_path) == [".other.pth.77.partial", "final.pth", progress.path.name]


def test_a_pixel_file_is_another_one_when_its_size_or_time_differs(tmp_path):
    path = tmp_path / "pixels.npy"
    path.write_bytes(b"1234")
    stamp = file_stamp(path)
    assert file_stamp(path) == stamp
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert file_stamp(path) != stamp


def test_only_results_of_this_very_training_are_taken_from_another_process(tmp_path):
    progress, results = Progress(tmp_path, "phase2", DECIDES), [tmp_path / "best.pth", tmp_path / "history.csv"]
    assert not finished_elsewhere(progress, results)
    torch.save({"state_dict": {}, "metadata": {"training": progress.fingerprint}}, results[0])
    assert not finished_elsewhere(progress, results), "the history is missing"
    results[1].write_text("epoch\n")
    assert finished_elsewhere(progress, results)
    assert not finished_elsewhere(Progress(tmp_path, "phase2", {}), results)
