"""Where photographs come from: each kind of dataset as one table of files, labels and splits."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from florilegium.class_names import shown_names
from florilegium.errors import UserError
from florilegium.images import SUFFIXES, is_image
from florilegium.labels_csv import read_labels
from florilegium.listing import files_below
from florilegium.splits import SPLITS, drawn_split


def list_photographs(kind: str, root: Path, split: dict[str, Any], class_names: Path | None = None) -> pd.DataFrame:
    """One row per photograph.

    Args:
        kind: `flowers102`, `folder`, `csv` or `garden`.
        root: the dataset's folder; for `csv` the CSV file.
        split: shares `train`, `val`, `test` and `seed`, for photographs that are not split yet; `folds`.
        class_names: a mapping file from the dataset's own class names to the shown ones.

    Returns:
        Columns path, label (0 … classes - 1), class_name, split; sorted by split and path.

    Raises:
        UserError: the folder or file is missing, holds no classes, or names something impossible.
    """
    rows = {"flowers102": _flowers102, "csv": _csv}.get(kind, _folder)(root, split)
    table = pd.DataFrame(rows, columns=["path", "class_name", "split"])
    _refuse_undecodable(table["path"])
    names = flowers102_names() if kind == "flowers102" else sorted(table["class_name"].unique())
    table["label"] = table["class_name"].map({name: label for label, name in enumerate(names)})
    if class_names:
        table["class_name"] = table["class_name"].map(shown_names(class_names, names))
    order = table["split"].map({name: place for place, name in enumerate(SPLITS)})
    table = table.assign(order=order).sort_values(["order", "path"], ignore_index=True)
    return table[["path", "label", "class_name", "split"]]


def passed_over(kind: str, root: Path) -> dict[str, int]:
    """How many files of a folder are no photographs by their name, by suffix; empty for a dataset with a list."""
    if kind in ("flowers102", "csv"):
        return {}
    others = [path for path in map(Path, files_below(root)) if not is_image(path)]
    return dict(Counter(map(_suffix, others)).most_common())


def _suffix(path: Path) -> str:
    return "hidden" if path.name.startswith(".") else path.suffix.lower() or "no suffix"


def _refuse_undecodable(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            shown = path.encode("utf-8", "backslashreplace").decode()
            raise UserError(f"dataset.root: the name of {shown} is not UTF-8; rename the file or folder") from error


def flowers102_names() -> list[str]:
    """The 102 English names, pink primrose … blackberry lily, by label."""
    from torchvision.datasets import Flowers102

    return list(Flowers102.classes)


def _flowers102(root: Path, _split: dict[str, Any]) -> list[tuple[str, str, str]]:
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


def _csv(root: Path, split: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    table = read_labels(root)
    if "split" in table:
        return table.itertuples(index=False, name=None)
    return drawn_split(table.itertuples(index=False, name=None), split)


def _folder(root: Path, split: dict[str, Any]) -> list[tuple[str, str, str]]:
    if not root.is_dir():
        raise UserError(f"dataset.root: {root} is not a folder; expected train/val/test/<class>/ or <class>/ in it")
    present = {path.name for path in root.iterdir() if path.is_dir()} & {*SPLITS}
    missing = {*SPLITS} - present - ({"val"} if split.get("folds") else set())
    if present and missing:
        raise UserError(
            f"dataset.root: {root} has {', '.join(sorted(present))} but no {', '.join(sorted(missing))}; expected all "
            f"three or none"
        )
    if present:
        return [(path, name, part) for part in SPLITS if part in present for path, name in _classes_of(root / part)]
    return drawn_split(_classes_of(root), split)


def _classes_of(folder: Path) -> list[tuple[str, str]]:
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    rows = []
    for path in classes:
        files = [Path(file) for file in files_below(path)]  # links that lead nowhere too, for the audit to name them
        pictures = sorted(str(file) for file in files if is_image(file))
        if not pictures:
            others = ", ".join(sorted({_suffix(file) for file in files}))
            raise UserError(
                f"dataset.root: class '{path.name}' in {folder} holds no pictures"
                f"{f' (only {others})' if others else ''}; expected at least one of {' '.join(SUFFIXES)}"
            )
        rows += [(file, path.name) for file in pictures]
    if not rows:
        raise UserError(
            f"dataset.root: {folder} holds no class folders with pictures; expected {folder}/<class>/<picture>.jpg"
        )
    return rows
