"""The most memory that a process and its workers held at once; imports nothing but the standard library."""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path

INTERVAL = 0.2  # seconds between two looks


class PeakMemory:
    """A thread that samples the proportional set size (PSS) of this process and all its descendants.

    PSS counts a page that n processes share as 1/n in each, so the sum over a process tree counts it once. A sample
    can miss a short peak: the kernel's high-water mark of this process alone is a lower bound, and taken into account.
    """

    def __init__(self) -> None:
        """Start sampling (Linux only; elsewhere the high-water marks of self and workers are added)."""
        self._peak, self._stop = 0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        if sys.platform == "linux":
            self._thread.start()

    def gib(self) -> float:
        """Stop, and return the peak in GiB."""
        if sys.platform != "linux":
            unit = 1 if sys.platform == "darwin" else 1024
            whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            return sum(resource.getrusage(who).ru_maxrss for who in whose) * unit / 2**30
        self._stop.set()
        self._thread.join()
        return max(self._peak, _kilobytes(Path("/proc/self/status"), "VmHWM:")) / 2**20

    def _sample(self) -> None:
        while True:
            tree = descendants(os.getpid())
            self._peak = max(self._peak, sum(_kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in tree))
            if self._stop.wait(INTERVAL):
                return


def descendants(pid: int) -> list[int]:
    """`pid` and every process below it."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        for children in Path(f"/proc/{current}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in children.read_text().split()]
            except OSError:  # the thread has ended
                continue
    return found


def _kilobytes(path: Path, key: str) -> int:
    """The value of a line of a /proc file in KiB; 0 when the process has ended."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)
