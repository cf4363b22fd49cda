"""Where a result comes from: code, versions, machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from florilegium.files import file_digest

PROJECT = Path(__file__).parents[2]
PACKAGES = (
    *(
        "torch",
        "torchvision",
        "snakemake",
        "numpy",
        "pandas",
        "pillow",
        "scipy",
        "scikit-learn",
        "statsmodels",
        "captum",
    ),
    *("onnx", "onnxruntime"),
)


def versions() -> dict[str, str]:
    """Version of Python and of every package that decides a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """The workflow's git commit, `-dirty` when a tracked file differs; `unknown` without git or a checkout."""
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # compute nodes often have no git
        return "unknown"


def code_digest() -> str:
    """sha256 over the Snakefile, the rules and the scripts: tells two uncommitted states of one commit apart."""
    files = [PROJECT / "Snakefile", *(PROJECT / "rules").glob("*.smk"), *(PROJECT / "scripts").rglob("*.py")]
    return digest_of({str(path.relative_to(PROJECT)): file_digest(path) for path in files})


def now() -> str:
    """The time as ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def origin(config: Any, dataset: str) -> dict[str, Any]:
    """What decided a result, and when and where it was written.

    Args:
        config: the part of the configuration that decided it.
        dataset: fingerprint of the photographs.
    """
    return {
        "config_sha256": digest_of(config),
        "dataset_sha256": dataset,
        "commit": commit(),
        "code_sha256": code_digest(),
        "versions": versions(),
        "hardware": hardware(),
        "written": now(),
    }


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in GiB, GPUs (those of NVIDIA) and operating system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "gpus": _gpus(),
        "system": platform.platform(terse=True),
    }


def _gpus() -> list[str]:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def digest_of(content: Any) -> str:
    """sha256 of a value's canonical JSON: the same for re-ordered keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    # A file's name need not be UTF-8; the audit refuses it, planning must get that far.
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
