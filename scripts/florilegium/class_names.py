"""The names that people read, from a mapping file: folder name or label -> shown name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from florilegium.errors import UserError, nearest
from florilegium.labels_csv import read_text_table


def shown_names(path: Path, found: Sequence[str]) -> dict[str, str]:
    """Shown name of every class in `found`.

    Args:
        path: a CSV with the columns `name,shown`, or a YAML or JSON mapping.
        found: names of the dataset's classes (of its folders or labels).

    Raises:
        UserError: the file names a class that the dataset has not, lacks one, or shows two alike.
    """
    mapping = _read_csv(path) if path.suffix.lower() == ".csv" else _read_yaml(path)
    unknown = [name for name in mapping if name not in found]
    if unknown:
        raise UserError(
            f"dataset.class_names: {path} names '{unknown[0]}', which is no class of the dataset"
            f"{nearest(unknown[0], found)}"
        )
    missing = [name for name in found if name not in mapping]
    if missing:
        raise UserError(
            f"dataset.class_names: {path} has no name for class '{missing[0]}'{nearest(missing[0], mapping)}; "
            f"expected one for each of the {len(found)} classes ({len(missing)} missing)"
        )
    owners: dict[str, str] = {}
    for name, shown in mapping.items():
        if not shown.strip():
            raise UserError(f"dataset.class_names: {path} shows '{name}' as nothing; expected a name")
        if owners.setdefault(shown, name) != name:
            raise UserError(
                f"dataset.class_names: {path} shows '{owners[shown]}' and '{name}' both as '{shown}'; "
                f"expected different names, or one class for both"
            )
    return mapping


def _read_csv(path: Path) -> dict[str, str]:
    table = read_text_table(path, "dataset.class_names", ("name", "shown"))
    for name in table["name"][table["name"].duplicated()]:
        raise UserError(f"dataset.class_names: {path} lists '{name}' twice; expected every class once")
    return dict(zip(table["name"], table["shown"], strict=True))


def _read_yaml(path: Path) -> dict[str, str]:
    try:
        # BaseLoader leaves every value as text: a class may be called 0012, no or null. JSON is YAML.
        mapping = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except FileNotFoundError as error:
        raise UserError(f"dataset.class_names: {path} does not exist; expected a CSV, YAML or JSON file") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            f"dataset.class_names: {path} cannot be read as YAML or JSON: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(mapping, dict) or not all(isinstance(shown, str) for shown in mapping.values()):
        raise UserError(f"dataset.class_names: {path} is no mapping; expected one `name: shown name` for each class")
    return mapping
