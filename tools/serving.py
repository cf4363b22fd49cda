"""Every exported network of a result folder, and what each says of one photograph; `tools/app.py` shows it."""

from __future__ import annotations

import functools
import io
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import predict
from florilegium.errors import UserError
from florilegium.files import read_json
from florilegium.style import display_name

TOP, REPETITIONS = 5, 5
KEPT_OPEN = 16  # networks in memory; the one not used for longest makes room
# Shown in this order; a run may lack any but the first.
FILES = {
    "model.onnx": "fp32",
    "model.fp16.onnx": "fp16",
    "model.int8.onnx": "int8",
    "model.service.onnx": "service",
}


@dataclass(frozen=True)
class Run:
    """A finished run with its exported files."""

    folder: Path
    recipe: str
    architecture: str
    seed: int
    pretrained: bool

    @property
    def title(self) -> str:
        """As people call its network."""
        return display_name(self.architecture)

    @property
    def files(self) -> list[Path]:
        """Its ONNX files, model.onnx first."""
        return [self.folder / name for name in FILES if (self.folder / name).exists()]

    def avoided(self, path: Path) -> bool:
        """Whether the check of the export does not recommend a file."""
        check = self.folder / "onnx_check.json"
        formats = read_json(check).get("formats", {}) if check.exists() else {}
        return not formats.get(FILES[path.name], {}).get("recommended", True)


@dataclass(frozen=True)
class Reply:
    """What one file says of a photograph."""

    file: str  # its name
    format: str
    best: list[tuple[str, float]]  # class name and probability, the most probable first
    sure: bool | None
    milliseconds: float  # median, of the network alone
    avoided: bool


def finished_runs(results: Path) -> list[Run]:
    """All runs with a model.onnx, by recipe, network and seed.

    Raises:
        UserError: there are none.
    """
    folders = sorted(path.parent for path in results.glob("runs/*/*/seed*/model.onnx"))
    if not folders:
        raise UserError(f"{results} holds no exported network; run the workflow first (`make demo` takes minutes)")
    found = []
    for folder in folders:
        metrics = folder / "metrics.json"
        known = read_json(metrics).get("pretrained", True) if metrics.exists() else True
        recipe, architecture, seed = folder.parts[-3:]
        found.append(Run(folder, recipe, architecture, int(seed.removeprefix("seed")), known))
    return found


def picture_of(name: str, content: bytes) -> Image.Image:
    """An uploaded file as upright RGB, large enough for every network here.

    Raises:
        UserError: it is no picture, or too large a one; one line.
    """
    try:
        return predict.read(io.BytesIO(content), 512)
    except Exception as error:  # Pillow's decoders raise anything on a damaged file
        raise UserError(f"{name}: {predict.problem(error)}") from error


def replies(run: Run, picture: Image.Image) -> Iterator[Reply]:
    """What each file of a run says, one after the other.

    Raises:
        UserError: a file cannot be run here.
    """
    for path in run.files:
        network = _opened(path, path.stat().st_mtime_ns)
        view, times = network.view(picture), []
        for _ in range(1 + REPETITIONS):
            start = time.perf_counter()
            (row,) = network.probabilities([view])
            times.append(1000 * (time.perf_counter() - start))
        order = row.argsort(kind="stable")[::-1][:TOP]
        best = [(network.class_names[label], float(row[label])) for label in order]
        sure = None if network.threshold is None else best[0][1] >= network.threshold
        # The first pass allocates memory and is no measure.
        yield Reply(path.name, FILES[path.name], best, sure, statistics.median(times[1:]), run.avoided(path))


@functools.lru_cache(KEPT_OPEN)
def _opened(path: Path, changed: int) -> predict.Network:
    """An ONNX file on one thread; one that `changed` since is opened again."""
    try:
        return predict.Network(path, threads=1)
    except predict.Unusable as error:
        raise UserError(str(error)) from error
