"""The training step by itself: shares, allocator, formats and compilation, for the architectures of a plan."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile

from comparison import Row, median_row
from runs import EPOCHS, SPLIT, Plan, measure, side_of

BARE_BATCH = 16  # images of a bare step; a quarter of the usual batch's time, and the comparison is the same


def step_records(plan: Plan) -> dict[str, dict[str, list[dict]]]:
    """By architecture and allocator setting (`kept` is the library's), the step probe, in turns."""
    found: dict[str, dict[str, list[dict]]] = {}
    for architecture in plan.barred:
        records: dict[str, list[dict]] = {"kept": [], "default": []}
        for _ in range(plan.repetitions):
            for allocator, several in records.items():
                print(f"{architecture}: training step, allocator {allocator}", file=sys.stderr)
                job = {"architecture": architecture, "weights": plan.weights[architecture], "data": plan.data}
                job |= side_of(plan, architecture) | {"steps": plan.steps, "allocator": allocator}
                flags = {"profile": True} if allocator == "kept" and not several else {}
                several.append(measure("steps.py", "step", **job, **flags))
        found[architecture] = records
    return found


def step_rows(found: dict[str, dict[str, list[dict]]]) -> list[Row]:
    """Augmentation's share and the share of the matrix-product rate."""
    rows = []
    for architecture, records in found.items():
        kept = records["kept"]
        rows.append(median_row("augmentation_share", architecture, "share", [(one["share"], 1.0) for one in kept]))
        pairs = [(one["achieved_gflops"], one["product_gflops"]) for one in kept]
        rows.append(median_row("gemm_share", architecture, "GFLOP/s", pairs))
    return rows


def format_records(plan: Plan) -> dict[str, dict]:
    """By architecture, images/s of every format and layout, and of the best of them compiled."""
    found = {}
    for architecture in plan.architectures:
        print(f"{architecture}: formats", file=sys.stderr)
        crop = side_of(plan, architecture)["crop"]
        job = {
            "architecture": architecture,
            "weights": plan.weights[architecture],
            "crop": crop,
            "steps": plan.format_steps,
        }
        job |= {"batch": BARE_BATCH if crop < 300 else BARE_BATCH // 2}
        record = measure("steps.py", "formats", **job)
        best = max(record["images_per_second"], key=record["images_per_second"].get)
        found[architecture] = record | {"best": best, "compile": {}}
        if architecture in plan.compiled:
            print(f"{architecture}: compile", file=sys.stderr)
            found[architecture]["compile"] = compile_record(plan, job | {"way": best})
    return found


def compile_record(plan: Plan, job: dict) -> dict:
    """Compile seconds, gain, and the epochs after which it has paid; or why not."""
    try:
        with tempfile.TemporaryDirectory() as cache:
            record = measure("steps.py", "compile", timeout=plan.compile_seconds, cache=cache, **job)
    except subprocess.TimeoutExpired:
        return {"problem": f"given up after {plan.compile_seconds} s"}
    except RuntimeError as error:
        return {"problem": "no C++ compiler" if "compiler" in str(error).lower() else "failed"}
    saved = SPLIT["train"] * (1 / record["eager"] - 1 / record["compiled"])
    return record | {"epochs": record["compile_seconds"] / saved if saved > 0 else float("inf")}


def reason(record: dict) -> str:
    """Why the winner wins, in one line, from the figures."""
    rates, best = record["images_per_second"], record["best"]
    name, layout = best.split(", ")
    other = next(way.split(", ")[1] for way in rates if way.startswith(name) and way != best)
    text = f"{layout} is {rates[best] / rates[f'{name}, {other}']:.2f} × {other}"
    rival = max((way for way in rates if not way.startswith(name)), key=rates.get)
    text += f"; {rival} reaches {rates[rival] / rates[best]:.2f} × of it"
    if record["bf16_gain"]:
        text += f" (a bf16 matrix product runs at {record['bf16_gain']:.2f} × fp32's speed here)"
    return text


def verdict(compiled: dict) -> str:
    """Whether compiling pays back within the lesson."""
    if not compiled:
        return "not measured in this run (`--compile` names the architectures)"
    if "problem" in compiled:
        return compiled["problem"]
    gain, epochs = compiled["compiled"] / compiled["eager"], EPOCHS["phase2"]
    eager = epochs * SPLIT["train"] / compiled["eager"]
    saved = (eager - eager / gain - compiled["compile_seconds"]) / eager
    back = f"after {compiled['epochs']:.1f} epochs" if compiled["epochs"] < epochs else f"never in {epochs} epochs"
    text = f"{gain:.2f} × after {compiled['compile_seconds']:.0f} s of compiling: paid back {back}"
    return f"{text}, {100 * saved:.0f} % of the training time of {epochs} epochs saved"


def allocator_line(records: dict[str, list[dict]]) -> dict[str, tuple[float, float, float]]:
    """Median images/s, page faults per step and GiB, by allocator setting."""
    keys = ("images_per_second", "page_faults", "peak_memory_gib")
    return {
        name: tuple(statistics.median(one[key] for one in several) for key in keys) for name, several in records.items()
    }
