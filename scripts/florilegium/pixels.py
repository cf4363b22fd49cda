"""Pixels once: every photograph decoded and resized a single time into one uint8 array on disk."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from florilegium.errors import UserError
from florilegium.files import reserve_space
from florilegium.images import square_pixels

CHUNK = 64  # images a worker takes at a time


def write_pixels(
    target: Path, paths: list[str], side: int, workers: int, sha256: list[str] | None = None, mode: str = "squash"
) -> None:
    """Decode `paths` into `target`, a .npy of shape (len(paths), side, side, 3), uint8, row i from path i.

    Every worker writes its rows straight into the file, so no pixel crosses between processes.

    Args:
        target: the file.
        paths: photographs.
        side: height and width in pixels.
        workers: processes.
        sha256: of every photograph, hexadecimal; None takes them as they are.
        mode: how a photograph becomes a square, `squash`, `center` or `imagenet` (images.to_square).

    Raises:
        UserError: a photograph of the manifest is gone, no longer readable or another one; named.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(paths), side, side, 3)}
    with open(target, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        first = stream.tell()
        stream.truncate(first + len(paths) * side * side * 3)
    reserve_space(target)  # a disk too small says so now, not after the last photograph but one
    starts = range(0, len(paths), CHUNK)
    images = list(zip(paths, sha256 or [None] * len(paths), strict=True))
    jobs = [(target, first + start * side * side * 3, images[start : start + CHUNK], side, mode) for start in starts]
    with ProcessPoolExecutor(workers) as pool, tqdm(total=len(paths), desc="pixels", unit="image", disable=None) as bar:
        for written in pool.map(_write_rows, jobs):
            bar.update(written)


def _write_rows(job: tuple[Path, int, list[tuple[str, str | None]], int, str]) -> int:
    target, place, images, side, mode = job
    # Written like a stream: through a memory map every page would cost a fault.
    with open(target, "r+b") as stream:
        stream.seek(place)
        for path, digest in images:
            stream.write(_decoded(path, digest, side, mode))
    return len(images)


def _decoded(path: str, digest: str | None, side: int, mode: str) -> np.ndarray:
    try:
        content = Path(path).read_bytes()
        if digest and hashlib.sha256(content).hexdigest() != digest:
            raise UserError(
                f"dataset: {path} is not the picture that the manifest lists (its sha256 is another); put it back, "
                f"or delete the manifest and run again"
            )
        return square_pixels(io.BytesIO(content), side, mode)
    except OSError as error:
        raise UserError(
            f"dataset: {path} was in the manifest but cannot be read now ({error}); put it back, or delete "
            f"the manifest and run again"
        ) from error


class Pixels:
    """The rows of one split of a pixel file, read through a memory map that does not grow the process.

    Indexing with an integer array gives a new (n, side, side, 3) uint8 array. The pages read are handed back to the
    operating system at once (they stay in its cache), so a dataset larger than memory costs no more than a small one.
    """

    def __init__(self, path: str | os.PathLike, rows: np.ndarray):
        """Open `path` (a C-ordered .npy); `rows` are the positions of this split in it."""
        with open(path, "rb") as stream:
            version = np.lib.format.read_magic(stream)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(stream)
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            self._array = np.ndarray(shape, dtype, buffer=self._map, offset=stream.tell())
        if len(rows) and rows.max() >= shape[0]:
            raise ValueError(f"{path} holds {shape[0]} images, row {rows.max()} was asked for")
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        batch = self._array[self._rows[index]]
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
        return batch

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return self._array.shape[1]
