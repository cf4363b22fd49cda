"""A GPU for each job: which there are, and a lock per GPU, so that jobs side by side on one machine never share one.

CUDA itself is not asked: from the first question on, a process cannot change which devices it sees.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

from florilegium.errors import UserError

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
LIST_COMMAND = ("nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader")
LIST_SECONDS = 60  # a driver that has to wake many GPUs takes its time
DEVICES = Path("/dev")
POLL_SECONDS = 0.5
_held: list[FileLock] = []  # never released here: the kernel does that when the process ends, however it ends


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, in order, by UUID; empty without any.

    CUDA_VISIBLE_DEVICES limits them as it limits CUDA: numbers (those of nvidia-smi), UUIDs or beginnings of UUIDs; the
    first that names no GPU ends the list.
    """
    there = _installed_gpus()
    if VISIBLE not in os.environ:
        return list(there.values())
    found: list[str] = []
    for name in os.environ[VISIBLE].replace(" ", "").split(","):
        if name.startswith("MIG-"):  # a slice of a GPU is a device of its own, which the list of GPUs does not show
            found.append(name)
            continue
        matches = [uuid for number, uuid in there.items() if name == number or _begins(uuid, name)]
        if len(matches) != 1:
            break
        found += matches
    return found


def _begins(uuid: str, name: str) -> bool:
    return name.startswith("GPU-") and uuid.startswith(name)


def _installed_gpus() -> dict[str, str]:
    """Number -> UUID of every GPU of this machine; the number stands for the UUID where nvidia-smi is missing."""
    try:
        done = subprocess.run(LIST_COMMAND, capture_output=True, text=True, timeout=LIST_SECONDS, check=True)
    except FileNotFoundError:
        numbers = (path.name.removeprefix("nvidia") for path in DEVICES.glob("nvidia[0-9]*"))
        return {number: number for number in sorted(numbers, key=int)}
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("nvidia-smi does not answer, so no GPU is used: %s", error)
        return {}
    return dict(re.findall(r"^(\d+), (GPU-\S+)$", done.stdout, re.MULTILINE))


def lease_gpu() -> str | None:
    """Wait for a GPU that no other job of this user on this machine has, and let CUDA see that one only.

    It is held until this process ends. Nothing happens without a GPU, or where SLURM has given this job just one.

    Returns:
        What CUDA_VISIBLE_DEVICES says then, or None if nothing was leased.

    Raises:
        UserError: the folder of the locks belongs to somebody else.
    """
    if _held:
        return os.environ[VISIBLE]
    gpus = visible_gpus()
    if not gpus or (len(gpus) == 1 and "SLURM_JOB_ID" in os.environ):
        return None
    folder = _lock_folder()
    gpu = _first_free(folder, gpus)
    if gpu is None:
        log.info("all %d GPUs are taken by other jobs (locks in %s); waiting for one", len(gpus), folder)
    while gpu is None:
        time.sleep(POLL_SECONDS)
        gpu = _first_free(folder, gpus)
    os.environ[VISIBLE] = gpu
    log.info("this job has GPU %s to itself", gpu)
    return gpu


def _first_free(folder: Path, gpus: list[str]) -> str | None:
    """Lock the first GPU that nobody has."""
    for gpu in gpus:
        lock = FileLock(folder / f"{gpu}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        _held.append(lock)
        return gpu
    return None


def _lock_folder() -> Path:
    """A folder for the locks, the same for all workflows that a user runs on a machine."""
    folder = Path(tempfile.gettempdir()) / f"florilegium-gpus-{os.getuid()}-{socket.gethostname()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder}: belongs to another user, so no GPU can be leased; remove it or set TMPDIR")
    return folder
