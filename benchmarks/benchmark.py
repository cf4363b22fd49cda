"""Measure the course's way against ours, side by side on this machine; write docs/benchmarks.csv and .md.

    python benchmarks/benchmark.py --root ../shared/flowers-102 --weights ../shared/weights/mobilenet_v2-imagenet.pth

Without --root the photographs are drawn; --quick takes a minute or two and only shows that everything runs.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from pathlib import Path

import comparison
import growth
import magnified
import report
from comparison import Row, median_row
from runs import BARRED, LESSON, ROOT, SPLIT, Plan, measure, quick, side_of

COLUMNS = ("name", "architecture", "ours", "reference", "ratio", "unit", "repetitions")


def drawn_photographs(folder: Path, plan: Plan) -> Path:
    """A garden with enough pictures for the plan, where there are no photographs."""
    from florilegium.garden import draw_garden

    size = plan.small.get("resize", 256)
    pictures = {split: -(-count // 10) for split, count in plan.images.items()}
    draw_garden(folder, 10, pictures, size, 42)
    return folder


def decode(plan: Plan) -> tuple[Row, float, dict]:
    """The row `pixels`, the seconds that the whole dataset would take at all sizes, and the record."""
    limits = dict.fromkeys(SPLIT, plan.decoded)
    sides = sorted({side_of(plan, name)["resize"] for name in plan.architectures})
    records = {}
    for side in sides:
        print(f"pixels at {side}", file=sys.stderr)
        job = {"root": plan.root, "data": plan.data, "side": side}
        job |= {"repetitions": plan.decodings if side == sides[0] else 1}
        job |= {"enlarged": plan.enlarged if side == sides[0] else 0}
        records[side] = measure("probes.py", "pixels", **job, **limits)
    first = records[sides[0]]
    row = median_row("pixels", "all", "images/s", list(zip(first["ours"], first["reference"], strict=True)))
    rates = [median_row("pixels", "", "images/s", [(rate, 1.0) for rate in one["ours"]]) for one in records.values()]
    return row, sum(sum(SPLIT.values()) / rate.ours for rate in rates), first


def settle_weights(plan: Plan, given: str) -> None:
    """`given` for MobileNetV2; for the others random numbers with settled BatchNorm statistics, both sides alike."""
    for architecture in plan.architectures:
        side = side_of(plan, architecture)
        target = plan.data / f"{architecture}-random.pth"
        if given != "none" and architecture == "mobilenet_v2":
            plan.weights[architecture] = given
            continue
        job = {"data": plan.data, "architecture": architecture, "target": target}
        measure("probes.py", "initialise", **job, side=side["resize"], crop=side["crop"])
        plan.weights[architecture] = str(target)


def everything(plan: Plan, weights: str) -> report.Findings:
    """All measurements, the ones with bars first."""
    start, load = time.time(), os.getloadavg()[0]
    pixels, pixel_seconds, pixel_record = decode(plan)
    settle_weights(plan, weights)
    order = [*plan.barred, *(name for name in plan.architectures if name not in plan.barred)]
    compared = [comparison.compare(plan, name, plan.weights[name]) for name in order]
    steps = magnified.step_records(plan)
    formats = magnified.format_records(plan)
    print("growth", file=sys.stderr)
    images, planned = growth.images(plan), growth.planning()
    rows = [pixels, *(row for found in compared for row in comparison.rows_of(found))]
    rows += [comparison.lesson_row(compared, pixel_seconds, plan.repetitions), *magnified.step_rows(steps)]
    rows += [growth.memory_row(plan, 1), growth.planning_row(planned)]
    return report.Findings(
        rows=sorted(rows, key=lambda row: report.ORDER.index(row.name)),
        compared=compared,
        steps=steps,
        formats=formats,
        images=images,
        planned=planned,
        pixels=pixel_record,
        photographs="{} of them (the first of {} × {} pixels)".format(pixel_record["images"], *pixel_record["size"]),
        minutes=(time.time() - start) / 60,
        load=(load, os.getloadavg()[0]),
    )


def write_csv(path: Path, rows: list[Row]) -> None:
    """The table for machines; four significant digits."""
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            figures = [f"{value:.4g}" for value in (row.ours, row.reference, row.ratio)]
            writer.writerow([row.name, row.architecture, *figures, row.unit, row.repetitions])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--root", type=Path, help="Flowers102, or a folder train/val/test/<class>/; none: drawn flowers"
    )
    parser.add_argument("--weights", default="none", help="a state dict of MobileNetV2; the others start from random")
    parser.add_argument("--repetitions", type=int, help="of everything that is compared (default 3)")
    parser.add_argument("--architectures", nargs="+", default=list(LESSON), help="of the lesson")
    parser.add_argument("--compile", nargs="*", help="architectures to try torch.compile on, a minute or two each")
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="folder of benchmarks.csv and benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="only show that it runs: the numbers mean nothing")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        data = Path(scratch)
        root = given.root or data / "photographs"
        plan = quick(root, data) if given.quick else Plan(root, data, architectures=tuple(given.architectures))
        plan.barred = tuple(name for name in BARRED if name in plan.architectures)
        plan.compiled = plan.compiled if given.compile is None else tuple(given.compile)
        plan.repetitions = given.repetitions or plan.repetitions
        if not given.root:
            drawn_photographs(root, plan)
        findings = everything(plan, given.weights)
    given.output.mkdir(parents=True, exist_ok=True)
    write_csv(given.output / "benchmarks.csv", findings.rows)
    page = report.page(findings, plan, given.weights, given.root is None)
    (given.output / "benchmarks.md").write_text(page, encoding="utf-8")
    print(f"wrote benchmarks.csv and benchmarks.md in {findings.minutes:.0f} minutes")


if __name__ == "__main__":
    main()
