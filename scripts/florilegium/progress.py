"""A training's progress: its state after the last whole epoch, in a file that is no output of its rule.

Snakemake deletes the outputs of a failed job, so what an interrupted training has learned lies beside them, in
`resume/` of the run's folder. The file is named by the fingerprint of everything that decides the result: a training
of other settings, inputs, code or versions never reads it.
"""

from __future__ import annotations

import logging
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from florilegium.checkpoints import read_metadata
from florilegium.files import file_digest, written_whole
from florilegium.provenance import digest_of, versions

log = logging.getLogger(__name__)


class Stateful(Protocol):
    """What can be kept and restored: networks, optimizers, schedules …, with tensors and plain values only."""

    def state_dict(self) -> Mapping[str, Any]:
        """Everything that has to be kept."""

    def load_state_dict(self, state: Any) -> Any:
        """Become what `state_dict` described."""


class Progress:
    """The progress file of one training."""

    def __init__(self, folder: Path, name: str, decides: Mapping[str, Any]):
        """Name the file.

        Args:
            folder: where it lies; nobody else may write progress of this `name` there (see locks.only_writer).
            name: of the training in this folder, as `phase2`.
            decides: everything that decides the result, as JSON can hold it; code and versions are added here.
        """
        self._name = name
        self.fingerprint = digest_of({**decides, "name": name, "code": _code(), "versions": versions()})
        self.path = folder / f"{name}-{self.fingerprint[:16]}.pth"

    def restore(self, parts: Mapping[str, Stateful]) -> bool:
        """Put the kept state into `parts`; return whether there was any.

        A file of another training under this name, or one that cannot be read, is renamed to `….aside` and kept.
        """
        remove_partials([self.path.with_name(f"{self._name}-*.pth")])
        for other in sorted(self.path.parent.glob(f"{self._name}-*.pth")):
            if other != self.path:
                _set_aside(other, "it belongs to other settings, inputs, code or versions")
        if not self.path.exists():
            return False
        try:
            # torch.load takes the bytes of a tensor without looking at their checksum.
            with zipfile.ZipFile(self.path) as archive:
                damaged = archive.testzip()
            if damaged:
                raise ValueError(f"{damaged} in it is not what was written")
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            if content["fingerprint"] != self.fingerprint:
                raise ValueError("it belongs to another training")
            states = {name: content["states"][name] for name in parts}
        except Exception as error:  # whatever a damaged file makes of torch.load
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            _set_aside(self.path, f"it cannot be used ({reason})")
            return False
        for name, part in parts.items():
            part.load_state_dict(states[name])
        return True

    def save(self, parts: Mapping[str, Stateful]) -> None:
        """Keep the state of `parts`; the file holds the last state or this one, never half of it."""
        states = {name: part.state_dict() for name, part in parts.items()}
        with written_whole(self.path) as partial:
            torch.save({"fingerprint": self.fingerprint, "states": states}, partial)

    def discard(self) -> None:
        """The training is finished and its results are written: remove the file."""
        self.path.unlink(missing_ok=True)


def finished_elsewhere(progress: Progress, results: Sequence[str | os.PathLike]) -> bool:
    """Whether another process has written all results of this very training; the first is the phase's checkpoint."""
    if not all(Path(path).exists() for path in results):
        return False
    return read_metadata(results[0]).get("training") == progress.fingerprint


def remove_partials(results: Sequence[str | os.PathLike]) -> None:
    """Remove what a killed process was writing of `results` (* for any); only their one writer may call this."""
    for path in map(Path, results):
        for partial in path.parent.glob(f".{path.name}.*.partial"):
            partial.unlink()


def _set_aside(path: Path, reason: str) -> None:
    aside = path.with_name(f"{path.name}.aside")
    os.replace(path, aside)
    log.info("progress %s is set aside as %s: %s; the training starts from the beginning", path, aside.name, reason)


def _code() -> dict[str, str]:
    """Digest of every module of this library that the process has loaded."""
    modules = {name: module for name, module in sys.modules.items() if name.startswith("florilegium.")}
    return {name: file_digest(module.__file__) for name, module in sorted(modules.items())}


def file_stamp(path: str | os.PathLike) -> list[int]:
    """Size and time of change of a file too large to be read for its digest."""
    about = os.stat(path)
    return [about.st_size, about.st_mtime_ns]
