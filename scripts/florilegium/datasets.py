"""Where photographs come from: each kind of dataset as one table of files, labels and splits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.model_selection import train_test_split

from florilegium.errors import UserError
from florilegium.images import is_image

SPLITS = ("train", "val", "test")


def list_photographs(kind: str, root: Path, split: dict[str, Any]) -> pd.DataFrame:
    """One row per photograph.

    Args:
        kind: `flowers102`, `folder` or `garden`.
        root: the dataset's folder.
        split: shares `train`, `val`, `test` and `seed`, for a folder that is not split yet.

    Returns:
        Columns path, label (0 … classes - 1), class_name, split; sorted by split and path.

    Raises:
        UserError: the folder is missing or holds no classes.
    """
    rows = _flowers102(root) if kind == "flowers102" else _folder(root, split)
    table = pd.DataFrame(rows, columns=["path", "class_name", "split"])
    names = flowers102_names() if kind == "flowers102" else sorted(table["class_name"].unique())
    table["label"] = table["class_name"].map({name: label for label, name in enumerate(names)})
    order = table["split"].map({name: place for place, name in enumerate(SPLITS)})
    table = table.assign(order=order).sort_values(["order", "path"], ignore_index=True)
    return table[["path", "label", "class_name", "split"]]


def flowers102_names() -> list[str]:
    """The 102 English names, pink primrose … blackberry lily, by label."""
    from torchvision.datasets import Flowers102

    return list(Flowers102.classes)


def _flowers102(root: Path) -> list[tuple[str, str, str]]:
    from torchvision.datasets import Flowers102

    folder = root if (root / "jpg").is_dir() else root / "flowers-102"
    names, rows = flowers102_names(), []
    with tempfile.TemporaryDirectory() as parent:
        # torchvision insists on the folder's name.
        (Path(parent) / "flowers-102").symlink_to(folder.resolve())
        for split in SPLITS:
            try:
                part = Flowers102(parent, split=split, download=False)
            except RuntimeError as error:
                raise UserError(missing_flowers102(root)) from error
            found = zip(part._image_files, part._labels, strict=True)
            rows += [(str(folder / "jpg" / path.name), names[label], split) for path, label in found]
    return rows


def missing_flowers102(root: Path) -> str:
    """One line: which files are missing, their checksums and where to put them."""
    from torchvision.datasets import Flowers102

    files = ", ".join(f"{name} (md5 {digest})" for name, digest in Flowers102._file_dict.values())
    place = root if root.name == "flowers-102" else root / "flowers-102"
    return (
        f"dataset.root: Flowers102 is not complete in {place}; expected {files} from {Flowers102._download_url_prefix} "
        f"with 102flowers.tgz unpacked there (it makes jpg/): put them there, or name their folder in dataset.root"
    )


def _folder(root: Path, split: dict[str, Any]) -> list[tuple[str, str, str]]:
    if not root.is_dir():
        raise UserError(f"dataset.root: {root} is not a folder; expected train/val/test/<class>/ or <class>/ in it")
    folders = {path.name for path in root.iterdir() if path.is_dir()}
    present = folders & {*SPLITS}
    if present and present != {*SPLITS}:
        missing = ", ".join(sorted({*SPLITS} - present))
        raise UserError(
            f"dataset.root: {root} has {', '.join(sorted(present))} but no {missing}; expected all three or none"
        )
    if present:
        return [(path, name, part) for part in SPLITS for path, name in _classes_of(root / part)]
    return _drawn_split(_classes_of(root), split)


def _classes_of(folder: Path) -> list[tuple[str, str]]:
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    rows = []
    for path in classes:
        files = sorted(str(file) for file in path.rglob("*") if file.is_file() and is_image(file))
        if not files:
            raise UserError(f"dataset.root: class '{path.name}' in {folder} holds no pictures; expected at least one")
        rows += [(file, path.name) for file in files]
    if not rows:
        raise UserError(
            f"dataset.root: {folder} holds no class folders with pictures; expected {folder}/<class>/<picture>.jpg"
        )
    return rows


def _drawn_split(rows: list[tuple[str, str]], split: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Split class by class with the given shares; deterministic for a seed."""
    table = pd.DataFrame(rows, columns=["path", "class_name"])
    counts = table["class_name"].value_counts()
    if counts.min() < 3:
        raise UserError(
            f"dataset.split: class '{counts.idxmin()}' has {counts.min()} picture(s); "
            f"expected at least 3, one each for train, val and test"
        )
    drawn = []
    for name, group in table.groupby("class_name"):
        files = group["path"].tolist()
        # At least one picture each, whatever the shares round to.
        held_out = max(2, round(len(files) * (split["val"] + split["test"])))
        held_out = min(held_out, len(files) - 1)
        test = min(max(1, round(held_out * split["test"] / (split["val"] + split["test"]))), held_out - 1)
        train_files, rest = train_test_split(files, test_size=held_out, random_state=split["seed"])
        val_files, test_files = train_test_split(rest, test_size=test, random_state=split["seed"])
        parts = {"train": train_files, "val": val_files, "test": test_files}
        drawn += [(file, name, part) for part, chosen in parts.items() for file in chosen]
    return drawn
