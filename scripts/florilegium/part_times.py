"""How long each part of a training epoch takes: data, forward, backward, update.

A training loop says what it has just finished (`lap`), so the parts leave nothing out. No device is asked to finish a
batch for it: a GPU notes the time of each lap itself, and the notes are read when the epoch is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import torch

PARTS = ("data", "forward", "backward", "update")
FOLD = 4096  # laps whose events are kept at most: then the device is waited for once, and they are used again
SAMPLED = 16  # of so many batches one is measured on MPS


class PartClock:
    """For a device that has finished what the host has gone past: the CPU.

    Laps count between `start` and `read` only, so whatever trains outside an epoch may lap, too.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        """`now` gives seconds."""
        self._now = now
        self._running = False
        self._mark = 0.0
        self._seconds = dict.fromkeys(PARTS, 0.0)

    def start(self) -> None:
        """An epoch begins, and with it its first part."""
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._running = True
        self._mark = self._now()

    def lap(self, part: str) -> None:
        """What was done since the last lap was `part`, one of PARTS."""
        if self._running:
            now = self._now()
            self._seconds[part] += now - self._mark
            self._mark = now

    def read(self, trained: float) -> dict[str, float]:
        """The epoch is over: seconds of each part, named as in the history; `trained` are those of the whole epoch."""
        self._running = False
        return {f"{part}_seconds": seconds for part, seconds in self._seconds.items()}


class Event(Protocol):
    """A note of the time on a device, as torch.cuda.Event."""

    def record(self) -> None:
        """Note the time when everything before is done."""

    def synchronize(self) -> None:
        """Wait until it is noted."""

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds until `end`."""


class EventClock(PartClock):
    """For CUDA. While the device waits for the host, that time belongs to the part that it waits for."""

    def __init__(self, new_event: Callable[[], Event]):
        """`new_event` makes an event that notes times."""
        super().__init__()
        self._new_event, self._events = new_event, []
        self._laps: list[str] = []  # lap i lies between events i and i + 1

    def start(self) -> None:
        """See PartClock."""
        super().start()
        self._laps.clear()
        self._record()

    def lap(self, part: str) -> None:
        """See PartClock."""
        if self._running:
            self._laps.append(part)
            self._record()
            if len(self._laps) == FOLD:
                self._fold()

    def read(self, trained: float) -> dict[str, float]:
        """See PartClock."""
        self._fold()
        return super().read(trained)

    def _record(self) -> None:
        if len(self._laps) == len(self._events):
            self._events.append(self._new_event())
        self._events[len(self._laps)].record()

    def _fold(self) -> None:
        events, last = self._events, len(self._laps)
        events[last].synchronize()
        for part, before, after in zip(self._laps, events, events[1 : last + 1], strict=False):
            self._seconds[part] += before.elapsed_time(after) / 1000
        events[0], events[last] = events[last], events[0]
        self._laps.clear()


class SampledClock(PartClock):
    """For MPS, whose own events have hung and run backwards (github.com/pytorch/pytorch/pull/196395).

    One batch of SAMPLED waits for the device after each part and stands for the others: what is measured are shares,
    the seconds are these shares of the epoch. The first batch, which compiles kernels, is none of them; an epoch of a
    single batch is not measured (not-a-number).
    """

    def __init__(self, wait: Callable[[], None], now: Callable[[], float] = time.perf_counter):
        """`wait` returns when the device has finished everything."""
        super().__init__(now)
        self._wait, self._batch = wait, 0

    def start(self) -> None:
        """See PartClock."""
        super().start()
        self._batch = 0

    def lap(self, part: str) -> None:
        """See PartClock; an update ends a batch."""
        if self._running and self._batch % SAMPLED == 1:
            self._wait()
            super().lap(part)
        if self._running and part == "update":
            self._batch += 1
            if self._batch % SAMPLED == 1:
                self._wait()
                self._mark = self._now()

    def read(self, trained: float) -> dict[str, float]:
        """See PartClock."""
        measured = sum(self._seconds.values())
        scale = trained / measured if measured else float("nan")
        return {name: scale * seconds for name, seconds in super().read(trained).items()}


def part_clock(device: torch.device) -> PartClock:
    """The clock of a device."""
    if device.type == "cuda":
        return EventClock(lambda: torch.cuda.Event(enable_timing=True))
    return SampledClock(torch.mps.synchronize) if device.type == "mps" else PartClock()
