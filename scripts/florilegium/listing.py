"""The photographs as the file system shows them: this tells planning whether they must be listed again.

Reading every byte of a hundred thousand files would make planning slow. So names, sizes and times are compared first,
and only a file whose time changed is read, to tell a touched or copied file from another picture.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from florilegium.errors import UserError
from florilegium.files import file_digest, read_json
from florilegium.provenance import digest_of


def states(root: str | os.PathLike) -> dict[str, list[int]]:
    """Size (bytes) and time of the last change (ns) of every file below a folder, or of every picture that a CSV lists.

    The keys are the paths, as in the manifest. Hidden files and folders are left out, linked ones count as what they
    point to, missing files are left to the audit. {} when `root` is neither a folder nor such a CSV.
    """
    paths = _visible(root) if os.path.isdir(root) else _listed(Path(root))
    found = {}
    for path in paths:
        try:
            state = os.stat(path)
        except OSError:
            continue
        found[os.path.normpath(path)] = [state.st_size, state.st_mtime_ns]
    return dict(sorted(found.items()))


def _visible(folder: str | os.PathLike) -> list[str]:
    return [path for path in files_below(folder) if not os.path.basename(path).startswith(".")]


def files_below(folder: str | os.PathLike, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths of all files below a folder, hidden ones and broken links too; nothing below a hidden folder.

    Linked folders are entered like others, except those that lead back up.

    Args:
        folder: where to begin.
        above: real paths of the folders on the way there, for the recursion.

    Raises:
        UserError: a folder cannot be read.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = os.scandir(folder)
    except OSError as error:
        raise UserError(
            f"dataset.root: the folder {folder} cannot be read ({error.strerror}); allow it, or take the folder away"
        ) from error
    with entries:
        for entry in entries:
            if not _is_folder(entry):
                yield entry.path
            elif not entry.name.startswith("."):
                yield from files_below(entry.path, (*above, real))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _listed(path: Path) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return [str(path.parent / row["path"]) for row in csv.DictReader(stream) if row.get("path")]
    except (OSError, UnicodeDecodeError, csv.Error):  # the step `manifest` says what is wrong with it
        return []


def fingerprint(root: str | os.PathLike, record: str | os.PathLike, manifest: str | os.PathLike) -> str:
    """What changes when, and only when, a picture of `root` was changed, added or removed since it was listed.

    Args:
        root: folder of the photographs, or the CSV that lists them.
        record: what the step `manifest` wrote down: this fingerprint then, and the states of all files.
        manifest: its table, with the sha256 of every picture.
    """
    now = states(root)
    current = digest_of(now)
    if not (os.path.exists(record) and os.path.exists(manifest)):
        return current
    before = read_json(record)
    if before["fingerprint"] == current:
        return current
    return before["fingerprint"] if _same_content(now, before["files"], manifest) else current


def _same_content(now: dict[str, list[int]], before: dict[str, list[int]], manifest: str | os.PathLike) -> bool:
    if now.keys() != before.keys():
        return False
    touched = [path for path in now if now[path] != before[path]]
    if any(now[path][0] != before[path][0] for path in touched):
        return False
    with open(manifest, encoding="utf-8", newline="") as stream:
        digests = {os.path.normpath(row["path"]): row["sha256"] for row in csv.DictReader(stream)}
    return all(digests.get(path) == file_digest(path) for path in touched)
