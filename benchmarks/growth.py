"""How cost grows: with images through pixels and an epoch, with runs through planning, and memory with images."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

import yaml
from comparison import Row, median_row
from runs import ROOT, Plan, measure

PLANNED = (10, 100, 1000)  # runs
PLANNING_LIMIT = 60  # seconds for 1000 runs
ARCHITECTURES = 5  # of config/demo.yaml, which names none and so has all
SMALL = {"resize": 40, "crop": 32, "batch": 32}  # of the growth with images


def planning() -> list[dict]:
    """Seconds of `snakemake -n` for 10, 100 and 1000 runs of config/demo.yaml, by the number of seeds."""
    found = []
    for runs in PLANNED:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as seeds:
            yaml.safe_dump({"seeds": list(range(runs // ARCHITECTURES))}, seeds)
            seeds.flush()
            command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--configfile"]
            start = time.perf_counter()
            done = subprocess.run(
                [*command, "config/demo.yaml", seeds.name], cwd=ROOT, capture_output=True, text=True, check=False
            )
            seconds = time.perf_counter() - start
        text = (done.stdout + done.stderr).strip()
        problem = "" if done.returncode == 0 else next((x for x in text.splitlines() if "rror" in x), "failed")
        found.append({"runs": runs, "seconds": seconds, "problem": problem.replace(str(ROOT) + "/", "")})
    return found


def planning_row(found: list[dict]) -> Row:
    """Against the limit."""
    return Row("planning_1000_runs", "all", found[-1]["seconds"], PLANNING_LIMIT, "s", 1)


def images(plan: Plan) -> list[dict]:
    """Drawn flowers through pixels and one epoch of MobileNetV2 at 32 pixels."""
    from florilegium.garden import draw_garden

    garden = plan.data / "garden"
    start = time.perf_counter()
    draw_garden(garden, 10, {"train": max(2, plan.drawn // 10)}, 48, 42)
    drawing = time.perf_counter() - start
    found = []
    for count in plan.growth:
        with tempfile.TemporaryDirectory() as folder:
            decoded = measure("probes.py", "decode", root=garden, data=folder, images=count, side=SMALL["resize"])
            epoch = measure("our_way.py", data=folder, parts="phase2", architecture="mobilenet_v2", **SMALL)
        passes = epoch["phase2"]
        found.append(
            {
                "images": count,
                "pixels": decoded["seconds"],
                "train": passes["train"][0]["seconds"],
                "val": passes["val"][0]["seconds"],
                "memory": epoch["peak_memory_gib"],
                "drawing": drawing,
            }
        )
    return found


def memory_row(plan: Plan, repetitions: int) -> Row:
    """Peak memory of training on ten times the images over that on once; the views are small, so that it shows."""
    root = plan.data / "garden"
    pairs = []
    size = {"resize": 256, "crop": 64, "batch": 16}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repetitions):
            peaks = []
            for images in (plan.memory_images, 10 * plan.memory_images):
                measure("probes.py", "decode", root=root, data=folder, images=images, side=size["resize"])
                job = measure("our_way.py", data=folder, parts="phase2", architecture="mobilenet_v2", **size)
                peaks.append(job["peak_memory_gib"])
            pairs.append((peaks[1] / peaks[0], 1.0))
    return median_row("peak_memory_growth", "mobilenet_v2", "times", pairs)
