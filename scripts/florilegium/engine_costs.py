"""What each engine of a run costs to serve: all of them measured in turns, so that a busy machine slows all alike."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from florilegium import engine_worker

TURN, MOST = 5, 50  # answers of an engine before the next has its turn; in all
THROUGHPUT_BATCH = 32
LIMIT_SECONDS = 20  # for one setting of all engines together, from the second turn on


class Worker:
    """An engine in a fresh process."""

    def __init__(self, kind: str, path: str | os.PathLike, crop: int):
        """Start the process and wait until it has answered a first picture."""
        command = [sys.executable, "-m", engine_worker.__name__, kind, os.fspath(path), str(crop)]
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.loading: dict[str, float] = self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the measuring process ended with status {self._process.wait()}; its words are above")
        return json.loads(line)

    def seconds(self, threads: int, batch: int, repetitions: int) -> list[float]:
        """How long each of some answers took."""
        order = {"threads": threads, "batch": batch, "repetitions": repetitions}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._read()["seconds"]

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def in_turns(workers: Mapping[str, Worker], threads: int, batch: int) -> dict[str, list[float]]:
    """Seconds of each worker's answers; the first two of each do not count."""
    found: dict[str, list[float]] = {name: [] for name in workers}
    for worker in workers.values():
        worker.seconds(threads, batch, 2 if batch == 1 else 1)
    start = time.monotonic()
    turn = TURN if batch == 1 else 1
    most = MOST if batch == 1 else MOST // TURN
    while len(found[next(iter(found))]) < most:
        for name, worker in workers.items():
            found[name] += worker.seconds(threads, batch, turn)
        if time.monotonic() - start > LIMIT_SECONDS:
            break
    return found


def measure(files: Mapping[str, str | os.PathLike], crop: int, threads: int) -> dict[str, dict[str, float]]:
    """Size, load time, memory, latencies and throughput by engine.

    Args:
        files: path by engine: `torch` is a checkpoint, everything else an ONNX file.
        crop: height and width of the view.
        threads: all that there are.

    Returns:
        By engine: file_mb (10^6 bytes), load_seconds, peak_memory_mb (MiB, of a fresh process that answered one
        picture), p50 and p95 milliseconds of one picture on one thread and on all, throughput (pictures a second in
        batches of THROUGHPUT_BATCH on all threads).
    """
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, path in files.items():
            workers[name] = Worker("torch" if name == "torch" else "onnx", path, crop)
            stack.callback(workers[name].close)
        single, every = in_turns(workers, 1, 1), in_turns(workers, threads, 1)
        batches = in_turns(workers, threads, THROUGHPUT_BATCH)
        return {
            name: {"file_mb": Path(path).stat().st_size / 1e6, **workers[name].loading}
            | {f"p50_ms_{key}": 1000 * float(np.median(t[name])) for key, t in (("1thread", single), ("all", every))}
            | {f"p95_ms_{key}": 1000 * _p95(t[name]) for key, t in (("1thread", single), ("all", every))}
            | {"throughput": THROUGHPUT_BATCH / float(np.median(batches[name]))}
            for name, path in files.items()
        }


def _p95(seconds: list[float]) -> float:
    return float(np.percentile(seconds, 95))
