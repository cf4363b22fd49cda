"""Downloads land where the rules expect them, and a failure says what to do by hand."""

import importlib
from types import SimpleNamespace

import pytest
import torchvision.datasets

from florilegium.errors import UserError


def job(folder):
    return SimpleNamespace(output=SimpleNamespace(labels=str(folder / "flowers-102" / "imagelabels.mat")))


def test_flowers102_is_downloaded_into_the_folder_that_the_rule_declares(tmp_path, monkeypatch):
    asked = []

    class Downloaded(torchvision.datasets.Flowers102):
        def __init__(self, root, split, download):
            self._base_folder = tmp_path / "elsewhere"
            asked.append((root / "flowers-102", split, download))

    monkeypatch.setattr(torchvision.datasets, "Flowers102", Downloaded)
    importlib.import_module("download_flowers102").main(job(tmp_path))
    assert asked == [(tmp_path / "flowers-102", split, True) for split in ("train", "val", "test")]


def test_a_failed_download_names_files_checksums_and_place(tmp_path, monkeypatch):
    class Unreachable(torchvision.datasets.Flowers102):
        def download(self):
            raise OSError("no route to host")

    monkeypatch.setattr(torchvision.datasets, "Flowers102", Unreachable)
    with pytest.raises(UserError) as error:
        importlib.import_module("download_flowers102").main(job(tmp_path))
    for part in (
        "no route to host",
        "102flowers.tgz (md5 5280",
        "imagelabels.mat (md5",
        "setid.mat (md5",
        str(tmp_path),
    ):
        assert part in str(error.value)
