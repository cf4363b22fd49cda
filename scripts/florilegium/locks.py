"""One writer at a time: a lock that the operating system takes back when its process ends, however it ends."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from florilegium.environment import seconds_to_wait
from florilegium.errors import UserError
from florilegium.files import read_json, write_json

log = logging.getLogger(__name__)

# Seconds. Long enough for a file server to notice that a lost node will not come back (NFS: 90), short enough not to
# keep a GPU of the second copy idle for an evening. FLORILEGIUM_LOCK_WAIT overrides.
PATIENCE = 600.0


@contextmanager
def only_writer(path: Path) -> Iterator[bool]:
    """Hold the lock file `path`; yields whether another process had it first.

    Raises:
        UserError: the other process still has it after PATIENCE seconds; the line says who that is and what to do.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, record = FileLock(path), path.with_suffix(".holder.json")
    waited = not _acquired(lock, 0)
    if waited:
        patience = seconds_to_wait("FLORILEGIUM_LOCK_WAIT", PATIENCE, zero=True)
        log.info("%s is held by %s; waiting up to %.0f s for it to end", path, _holder(path, record)[0], patience)
        if not _acquired(lock, patience):
            who, how = _holder(path, record)
            raise UserError(
                f"{path} is held by {who}: this training is already running; let it finish and run again, "
                f"or end it ({how}) and run again to continue from its last epoch"
            )
    try:
        write_json(record, _myself())
        yield waited
    finally:
        record.unlink(missing_ok=True)
        lock.release()


def _acquired(lock: FileLock, seconds: float) -> bool:
    try:
        lock.acquire(timeout=seconds, poll_interval=0.5)
    except Timeout:
        return False
    return True


def _myself() -> dict[str, str | int | None]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _holder(path: Path, record: Path) -> tuple[str, str]:
    """Who holds the lock, in words, and the command that ends them."""
    try:
        about = read_json(record)
        pid, host, slurm_job = about["pid"], about["host"], about["slurm_job"]
        who = f"process {pid} on {host} since {about['since']}"
    except (OSError, json.JSONDecodeError, KeyError):  # it has the lock but has not written down who it is
        return "another process", f"fuser {path} names it"
    if slurm_job:
        return f"{who} (SLURM job {slurm_job})", f"scancel {slurm_job}"
    return who, f"kill {pid} on {host}"
