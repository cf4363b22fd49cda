"""What the workflow's driver does when it is told to stop: the steps that it runs on this machine stop too.

Snakemake itself passes no signal on: at SIGTERM, and at a SIGINT that only the driver gets, it waits for its local
jobs, which for a training can be hours. (Ctrl-C in a terminal reaches the steps by itself.)
"""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

import psutil


def pass_signals_on() -> None:
    """From now on SIGINT and SIGTERM go to the running steps first, then to Snakemake as before."""
    for number in (signal.SIGINT, signal.SIGTERM):
        _handle(number)


def _handle(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def stop(number: int, frame: FrameType | None) -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if _is_step(process):
                    process.terminate()
        if callable(before):
            before(number, frame)

    signal.signal(number, stop)


def _is_step(process: psutil.Process) -> bool:
    """Whether a process runs a step itself: not the shell around it, nor a scheduler's client."""
    return any("/.snakemake/scripts/" in word and os.path.isfile(word) for word in process.cmdline()[1:])
