"""docs/benchmarks.md: every number of it comes from the measurements of one run."""

from __future__ import annotations

from dataclasses import dataclass

import limits
import magnified
from comparison import COST, Compared, Row, breakdown
from conditions import conditions, method
from growth import SMALL
from runs import SPLIT, Plan

ORDER = (
    "pixels",
    "phase1",
    "phase2_epoch",
    "evaluation",
    "whole_lesson",
    "augmentation_share",
    "peak_memory",
    "peak_memory_growth",
    "gemm_share",
    "planning_1000_runs",
)


@dataclass
class Findings:
    """Everything that one run of the benchmark measured."""

    rows: list[Row]
    compared: list[Compared]
    steps: dict[str, dict[str, list[dict]]]
    formats: dict[str, dict]
    images: list[dict]
    planned: list[dict]
    photographs: str
    pixels: dict
    minutes: float
    load: tuple[float, float]


def page(found: Findings, plan: Plan, weights: str, drawn: bool) -> str:
    """The whole page."""
    parts = [
        "# Benchmarks\n\nMade in full by `make benchmark`; do not edit. The same table for machines: "
        "[benchmarks.csv](benchmarks.csv).",
        conditions(found, plan, weights, drawn),
        summary(found.rows),
        limits.section(found),
        speeds(found.compared),
        formats(found.formats),
        allocator(found.steps),
        profiles(found.steps),
        growth(found),
        method(plan),
    ]
    return "\n\n".join(parts) + "\n"


def table(header: tuple[str, ...], rows: list[tuple]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [header, ("---",) + ("---:",) * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def short(value: float) -> str:
    """Three significant digits without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def summary(rows: list[Row]) -> str:
    """The rows of the CSV with their bars."""
    lines = []
    for row in rows:
        bar = limits.BARS.get((row.name, row.architecture))
        spread = f"{short(min(row.ratios))} … {short(max(row.ratios))}" if row.ratios else "–"
        lines.append(
            (f"`{row.name}`", row.architecture, short(row.ours), short(row.reference), row.unit, short(row.ratio))
            + (spread, bar.text if bar else "–", ("met" if bar.met(row) else "**not met**") if bar else "–")
        )
    header = ("name", "architecture", "ours", "reference", "unit", "ratio", "all repetitions", "bar", "verdict")
    text = (
        "`ratio` says how many times better ours is: ours / reference for images/s, reference / ours for "
        f"{' and '.join(COST)}. For shares, GFLOP/s and growths it is the quotient ours / reference itself. The "
        "reference of phases, evaluation and memory is the course's way, of `pixels` one thread of Pillow, of "
        "`gemm_share` the matrix product, of `planning_1000_runs` its limit."
    )
    return f"## Summary\n\n{table(header, lines)}\n\n{text}"


def speeds(compared: list[Compared]) -> str:
    rows = []
    for one in compared:
        for what, ours, course in breakdown(one):
            rows.append((one.architecture, what, short(ours), short(course) if course else "–"))
    return "## Speeds behind the ratios\n\n" + table(("architecture", "what", "ours", "course's way"), rows)


def formats(found: dict[str, dict]) -> str:
    """Number format, memory layout and compilation of a bare training step."""
    ways = list(dict.fromkeys(way for record in found.values() for way in record["images_per_second"]))
    rates = [
        (name, *(short(record["images_per_second"][way]) for way in ways), record["best"], record["chosen"])
        for name, record in found.items()
    ]
    why = [f"- {name}: {record['best']}: {magnified.reason(record)}." for name, record in found.items()]
    compiled = [f"- {name}: {magnified.verdict(record['compile'])}." for name, record in found.items()]
    return "\n\n".join(
        (
            "## Format, layout, compilation",
            f"A bare training step of {magnified.BARE_BATCH} images (half as many at 300 pixels), images/s:",
            table(("architecture", *ways, "fastest", "the library takes"), rates),
            "\n".join(why),
            "The library takes one format for all networks on a machine, so that their times and accuracies compare. "
            "bf16 also keeps half as much of the activations: where fp32 is as fast or somewhat faster, as for "
            "networks of depthwise convolutions, it would cost memory.",
            "`torch.compile` of the fastest, compiled once with an empty cache, paid back on "
            f"{SPLIT['train']} images an epoch:",
            "\n".join(compiled),
        )
    )


def allocator(found: dict[str, dict[str, list[dict]]]) -> str:
    """What the malloc settings of `devices.prepare_process` change."""
    rows = []
    names = {"kept": "memory kept (ours)", "default": "glibc's default"}
    for architecture, records in found.items():
        for name, (rate, faults, gib) in magnified.allocator_line(records).items():
            rows.append((architecture, names[name], short(rate), f"{faults:.0f}", short(gib)))
    header = ("architecture", "malloc", "training images/s", "page faults per step", "peak GiB")
    return "## Allocator\n\n" + table(header, rows)


def profiles(found: dict[str, dict[str, list[dict]]]) -> str:
    """Operators of one training step, augmentation included."""
    text = "## Profile of one training step\n\nSelf time on the CPU by torch.profiler, augmentation included."
    for architecture, records in found.items():
        rows = [
            (f"`{row['name']}`", row["calls"], f"{row['ms']:.1f}", f"{100 * row['share']:.1f} %")
            for row in records["kept"][0]["profile"]
        ]
        text += f"\n\n### {architecture}\n\n" + table(("operator", "calls", "ms", "share"), rows)
    return text


def growth(found: Findings) -> str:
    images = [
        (f"{row['images']}", short(row["pixels"]), short(row["images"] / row["pixels"]), short(row["train"]))
        + (short(row["images"] / row["train"]), short(row["memory"]))
        for row in found.images
    ]
    header = ("images", "pixels, s", "images/s", "training epoch, s", "images/s", "peak GiB of the training job")
    runs = [(row["runs"], row["problem"] or short(row["seconds"])) for row in found.planned]
    return "\n\n".join(
        (
            "## Growth",
            f"Drawn flowers, MobileNetV2 at {SMALL['crop']} pixels. The garden draws the first of them (its drawing is "
            "not what is measured); larger sets decode the same files again, each into rows of its own.",
            table(header, images),
            "`snakemake -n` of `config/demo.yaml`, by the number of runs (architecture × recipe × seed):",
            table(("runs", "seconds"), runs),
        )
    )
