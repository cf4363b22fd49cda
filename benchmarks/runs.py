"""What every part of the benchmark shares: the plan, and measurements in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "scripts"))  # benchmark.py and report.py import the library's provenance and garden

LESSON = ("resnet18", "resnet50", "efficientnet_b0", "efficientnet_b3", "mobilenet_v2")
BARRED = ("mobilenet_v2", "resnet18")  # the two with bars of their own
SPLIT = {"train": 1020, "val": 1020, "test": 6149}  # Flowers102's official split, what estimates are made for
EPOCHS = {"phase1": 20, "phase2": 30}  # of the lesson


@dataclass
class Plan:
    """How much is measured."""

    root: Path
    data: Path  # scratch: pixels, weights
    repetitions: int = 3
    architectures: tuple[str, ...] = LESSON
    barred: tuple[str, ...] = BARRED
    images: dict[str, int] = field(default_factory=lambda: {"train": 256, "val": 128, "test": 512})
    others: dict[str, int] = field(default_factory=lambda: {"train": 48, "val": 48})
    phase1_epochs: int = 3  # of our side; the course's side has one, its epochs being alike
    steps: int = 8  # of the step probe
    format_steps: int = 4  # of each format and layout
    compiled: tuple[str, ...] = (*BARRED, "efficientnet_b0")
    compile_seconds: int = 120  # after which a compilation is given up
    growth: tuple[int, ...] = (1000, 5000, 25000)
    drawn: int = 1000
    memory_images: int = 100  # and ten times as many
    small: dict[str, int] = field(default_factory=dict)  # resize, crop and batch instead of the lesson's, for tests
    weights: dict[str, str] = field(default_factory=dict)
    decoded: int = 2048  # images of each split, at most, through the pixels
    enlarged: int = 768  # images that are decoded once more at twice their size
    decodings: int = 7  # repetitions of it: short, and the most sensitive to what else the machine does


def quick(root: Path, data: Path) -> Plan:
    """Seconds for each part; the numbers mean nothing."""
    return Plan(
        root,
        data,
        repetitions=1,
        architectures=("mobilenet_v2",),
        barred=("mobilenet_v2",),
        images={"train": 32, "val": 32, "test": 32},
        phase1_epochs=1,
        steps=1,
        format_steps=1,
        enlarged=16,
        decodings=1,
        compiled=(),
        growth=(20, 40, 80),
        drawn=20,
        memory_images=16,
        small={"resize": 72, "crop": 64, "batch": 16},
    )


def side_of(plan: Plan, architecture: str) -> dict[str, int]:
    """Resize and crop, in pixels, and batch size of an architecture in the lesson."""
    large = {"resize": 320, "crop": 300, "batch": 24}
    return plan.small or (large if architecture == "efficientnet_b3" else {"resize": 256, "crop": 224, "batch": 32})


def options(**values: object) -> list[str]:
    """Command-line options; a list gives several values, True a flag."""
    words: list[str] = []
    for name, value in values.items():
        rest = [] if value is True else value if isinstance(value, (list, tuple)) else [value]
        words += [f"--{name}", *map(str, rest)]
    return words


def measure(script: str, *words: str, timeout: float | None = None, **values: object) -> dict:
    """Run one of the scripts here in a process of its own; its JSON line, with `wall` seconds of the process.

    Raises:
        RuntimeError: it failed; with the end of what it said.
        subprocess.TimeoutExpired: it took longer than `timeout` seconds.
    """
    command = [sys.executable, str(HERE / script), *words, *options(**values)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} {' '.join(words)} failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1]) | {"wall": time.perf_counter() - start}


def estimate(passes: list[dict], images: int) -> float:
    """Seconds of a pass over `images`, from measured ones: what is fixed, plus the steady part scaled.

    Args:
        passes: records with `seconds` of `images`, of which `fixed` for the first `fixed_images`.
    """
    found = []
    for one in passes:
        rest = one["images"] - one["fixed_images"]
        pace = (one["seconds"] - one["fixed"]) / rest if rest else 0.0
        found.append(one["fixed"] + pace * max(0, images - one["fixed_images"]))
    return sum(found) / len(found)
