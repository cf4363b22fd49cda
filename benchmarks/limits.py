"""The bars, whether they are met, and what limits the ones that are not: from the figures of the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comparison import Compared, Row, breakdown, pace
from magnified import verdict

from florilegium.provenance import hardware

if TYPE_CHECKING:
    from report import Findings

PROFILED = 4  # operators named in an explanation
PRODUCTS = ("convolution", "addmm", "bmm", "aten::mm")  # operators that multiply matrices


@dataclass(frozen=True)
class Bar:
    """A limit on one figure of a row."""

    column: str  # ours or ratio
    limit: float
    at_least: bool

    @property
    def text(self) -> str:
        """As it stands in the table."""
        return f"{self.column} {'≥' if self.at_least else '≤'} {self.limit:g}"

    def met(self, row: Row) -> bool:
        """Whether a row keeps it."""
        value = getattr(row, self.column)
        return value >= self.limit if self.at_least else value <= self.limit


BARS = {
    ("pixels", "all"): Bar("ratio", 1.8, True),
    ("phase1", "mobilenet_v2"): Bar("ratio", 12, True),
    ("phase1", "resnet18"): Bar("ratio", 6, True),
    ("phase2_epoch", "mobilenet_v2"): Bar("ratio", 3.5, True),
    ("phase2_epoch", "resnet18"): Bar("ratio", 3, True),
    ("evaluation", "mobilenet_v2"): Bar("ratio", 6, True),
    ("evaluation", "resnet18"): Bar("ratio", 3.5, True),
    ("whole_lesson", "all"): Bar("ratio", 3, True),
    ("augmentation_share", "mobilenet_v2"): Bar("ratio", 0.12, False),
    ("augmentation_share", "resnet18"): Bar("ratio", 0.12, False),
    ("peak_memory", "mobilenet_v2"): Bar("ours", 2, False),
    ("peak_memory", "resnet18"): Bar("ours", 2, False),
    ("peak_memory_growth", "mobilenet_v2"): Bar("ratio", 1.1, False),
    ("gemm_share", "resnet18"): Bar("ratio", 0.7, True),
    ("planning_1000_runs", "all"): Bar("ours", 60, False),
}


def section(found: Findings) -> str:
    """One paragraph for every bar that is not met."""
    missed = [row for row in found.rows if (bar := BARS.get((row.name, row.architecture))) and not bar.met(row)]
    if not missed:
        return "## What limits\n\nAll bars are met."
    lines = [
        f"- **{row.name}, {row.architecture}** ({BARS[row.name, row.architecture].text}). {explain(row, found)}"
        for row in missed
    ]
    return "## What limits\n\n" + "\n".join(lines)


def explain(row: Row, found: Findings) -> str:
    """What limits a row."""
    special: dict[str, Callable[[Row, Findings], str]] = {
        "pixels": _pixels,
        "phase1": _phase1,
        "phase2_epoch": _phase2,
        "evaluation": _inference,
        "gemm_share": _profile,
        "augmentation_share": _profile,
        "peak_memory": _memory,
        "whole_lesson": _lesson,
    }
    return special.get(row.name, lambda row, found: "See the tables below.")(row, found)


def _of(found: Findings, architecture: str) -> Compared:
    return next(one for one in found.compared if one.architecture == architecture)


def _ceiling(row: Row, found: Findings, part: str, split: str, flops: int) -> str:
    """How much faster than the course's way any arithmetic in this format could be."""
    one = found.steps[row.architecture]["kept"][0]
    course = pace(_of(found, row.architecture).course[part], part, split) * flops * one["forward_gflop"]
    return (
        f"The course's way itself computes {course:.0f} GFLOP/s here, and a matrix product, the fastest thing that "
        f"this machine does in the same format, {one['product_gflops']:.0f}: no way of computing them could be more "
        f"than {one['product_gflops'] / course:.1f} × as fast."
    )


def _pixels(row: Row, found: Findings) -> str:
    cores, larger = hardware()["cores"], found.pixels["enlarged"]
    ours, reference = statistics.median(larger["ours"]), statistics.median(larger["reference"])
    width, height = found.pixels["size"]
    return (
        f"Pillow decodes and resizes on both sides: {cores} cores can be {cores} × as fast as one thread at most, less "
        "the start of the workers, and writing the array, which the one thread does not do. Photographs of "
        f"{width} × {height} pixels are nearly as small as what is written; enlarged to twice that width and height "
        f"they are decoded at {ours:.0f} against {reference:.0f} images/s, {ours / reference:.2f} ×. Decoding at a "
        "reduced size gains more, but only where photographs are at least four times as wide and high as the pixels."
    )


def _phase1(row: Row, found: Findings) -> str:
    figures = {what: ours for what, ours, _ in breakdown(_of(found, row.architecture))}
    views = figures["phase1, train, images/s"]
    return (
        f"Making the engine costs {figures['phase1, engine made once, s']:.1f} s once, a view 1/{views:.0f} s. "
        + _ceiling(row, found, "phase1", "train", 1)
    )


def _inference(row: Row, found: Findings) -> str:
    return _ceiling(row, found, "evaluation", "test", 1)


def _phase2(row: Row, found: Findings) -> str:
    records = found.formats.get(row.architecture)
    tried = ""
    if records:
        rates = records["images_per_second"]
        tried = " Tried: " + ", ".join(f"{way} {rate:.0f} images/s" for way, rate in rates.items())
        tried += f"; torch.compile {verdict(records['compile'])}."
    return _ceiling(row, found, "phase2", "train", 3) + " " + _profile(row, found) + tried


def _profile(row: Row, found: Findings) -> str:
    one = found.steps[row.architecture]["kept"][0]
    top = ", ".join(f"`{part['name']}` {100 * part['share']:.0f} %" for part in one["profile"][:PROFILED])
    share = one["achieved_gflops"] / one["product_gflops"]
    products = sum(part["share"] for part in one["profile"] if any(name in part["name"] for name in PRODUCTS))
    return (
        f"Our step reaches {100 * share:.0f} % of the matrix product's rate. Convolutions and products are "
        f"{100 * products:.0f} % of its time, so they alone run at about {100 * share / products:.0f} % of that rate; "
        "the rest moves numbers through memory (normalisation, activations, pooling, augmentation, the optimizer). "
        f"Its time goes to {top} (profile below)."
    )


def _memory(row: Row, found: Findings) -> str:
    records = found.steps[row.architecture]
    peaks = {name: records[name][0]["peak_memory_gib"] for name in records}
    return (
        f"A job of training steps alone takes {peaks['kept']:.1f} GiB with the memory kept for the next batch and "
        f"{peaks['default']:.1f} GiB with glibc's default (section Allocator shows what that costs in speed)."
    )


def _lesson(row: Row, found: Findings) -> str:
    parts = [
        f"{one.name} {one.architecture} {one.ratio:.1f} ×"
        for one in found.rows
        if one.name in ("phase1", "phase2_epoch")
    ]
    return "It is the sum of the phases: " + ", ".join(parts) + "."
