"""Files that are either whole or not there: everything is written beside its target and renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from florilegium.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_BELOW = 1 << 20  # bytes; torch says only that a write failed, then the disk is asked


@contextmanager
def written_whole(target: str | os.PathLike) -> Iterator[Path]:
    """Yield a path beside `target` to write to; it becomes `target` on success and is removed on an error.

    Raises:
        UserError: the disk is full; names `target`.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with room_for(target):
            yield partial
            os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def room_for(target: str | os.PathLike) -> Iterator[None]:
    """Say in one line that there was no room for `target`, whatever the writer's library made of it.

    Raises:
        UserError: the disk or the quota is full.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        free = shutil.disk_usage(Path(target).parent).free
        if not _out_of_space(error, free):
            raise
        raise UserError(
            f"{target}: no space left on its disk or quota ({free / 1e6:.1f} MB free); what was written before is "
            f"whole: make room and run again"
        ) from error


def _out_of_space(error: BaseException | None, free: int) -> bool:
    if isinstance(error, RuntimeError) and free < FULL_BELOW:
        return True
    while error and getattr(error, "errno", None) not in FULL:
        error = error.__context__
    return error is not None


def reserve_space(path: str | os.PathLike) -> None:
    """Take the whole length of a sparse file on the disk now: a memory map that finds no room later ends the process.

    Raises:
        OSError: no space left.
    """
    with open(path, "r+b") as stream:
        size = os.fstat(stream.fileno()).st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        elif shutil.disk_usage(path).free < size:  # macOS
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def write_text(target: str | os.PathLike, text: str) -> None:
    """Write `text` (UTF-8) to `target`, whole or not at all."""
    with written_whole(target) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(target: str | os.PathLike, content: Any) -> None:
    """Write `content` as indented JSON to `target`, whole or not at all."""
    write_text(target, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """The content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def file_digest(path: str | os.PathLike, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file, read in blocks."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
