"""The course's way against ours: every part of both in a process of its own, in turns, several times."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field

from runs import EPOCHS, SPLIT, Plan, estimate, measure, side_of

# What `ratio` says, by unit: how many times better ours is, except for shares and growths, which are quotients.
RATE, COST, QUOTIENT = ("images/s",), ("s", "GiB"), ("share", "GFLOP/s", "times")


@dataclass
class Row:
    """One line of docs/benchmarks.csv."""

    name: str
    architecture: str
    ours: float
    reference: float
    unit: str
    repetitions: int
    ratios: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Rates: ours / reference. Seconds and GiB: reference / ours. Shares and growths: ours / reference."""
        return self.reference / self.ours if self.unit in COST else self.ours / self.reference


def median_row(name: str, architecture: str, unit: str, pairs: list[tuple[float, float]]) -> Row:
    """The repetition (ours, reference) whose ratio is the median (of an even number, the lower of the middle two)."""
    rows = sorted((Row(name, architecture, *pair, unit, len(pairs)) for pair in pairs), key=lambda row: row.ratio)
    middle = rows[(len(rows) - 1) // 2]
    middle.ratios = [row.ratio for row in rows]
    return middle


@dataclass
class Compared:
    """All repetitions of one architecture: records of course_way.py and our_way.py by part."""

    architecture: str
    images: dict[str, int]
    course: dict[str, list[dict]] = field(default_factory=dict)
    ours: dict[str, list[dict]] = field(default_factory=dict)


def compare(plan: Plan, architecture: str, weights: str) -> Compared:
    """Measure one architecture; evaluation and repetitions only where there are bars for it."""
    barred = architecture in plan.barred
    found = Compared(architecture, plan.images if barred else plan.others)
    jobs = (("phase1", "evaluation") if barred else ("phase1",), ("phase2",))
    common = {"architecture": architecture, "weights": weights} | found.images | side_of(plan, architecture)
    repetitions = plan.repetitions if barred else 1
    for repetition in range(repetitions):
        for parts in jobs:
            print(f"{architecture}: {' and '.join(parts)}, {repetition + 1} of {repetitions}", file=sys.stderr)
            epochs = plan.phase1_epochs if "phase1" in parts else 1
            course = measure("course_way.py", root=plan.root, parts=parts, **common)
            ours = measure("our_way.py", data=plan.data, parts=parts, epochs=epochs, **common)
            for part in parts:
                found.course.setdefault(part, []).append(course)
                found.ours.setdefault(part, []).append(ours)
    return found


def phase1_seconds(course: dict, ours: dict, epochs: int = EPOCHS["phase1"]) -> tuple[float, float]:
    """(ours, course's) seconds of phase 1 on the whole dataset, estimated from one repetition of each."""
    theirs, mine = course["phase1"], ours["phase1"]
    views = epochs * SPLIT["train"]
    seconds = estimate(mine["engine"], 0) + estimate(mine["val"], SPLIT["val"])
    seconds += estimate(mine["train"], views) + estimate(mine["head"], views)
    return seconds, epochs * (estimate(theirs["train"], SPLIT["train"]) + estimate(theirs["val"], SPLIT["val"]))


def epoch_seconds(record: dict) -> float:
    """Seconds of one epoch of phase 2, training and validation, on the whole dataset."""
    return estimate(record["phase2"]["train"], SPLIT["train"]) + estimate(record["phase2"]["val"], SPLIT["val"])


def startup(record: dict) -> float:
    """Seconds of a process that are not in its passes: imports, building the network."""
    parts = [record[part] for part in ("phase1", "phase2", "evaluation") if part in record]
    return record["wall"] - sum(one["seconds"] for part in parts for passes in part.values() for one in passes)


def lesson_seconds(found: Compared, repetition: int) -> tuple[float, float]:
    """(ours, course's) seconds of both phases of one architecture; ours starts three processes, the course one."""
    place = min(repetition, len(found.ours["phase1"]) - 1)  # some architectures are measured once only
    one = {part: found.course[part][place] for part in ("phase1", "phase2")}
    two = {part: found.ours[part][place] for part in ("phase1", "phase2")}
    ours, course = phase1_seconds(one["phase1"], two["phase1"])
    ours += EPOCHS["phase2"] * epoch_seconds(two["phase2"]) + 3 * max(0.0, startup(two["phase1"]))
    course += EPOCHS["phase2"] * epoch_seconds(one["phase2"]) + max(0.0, startup(one["phase1"]))
    return ours, course


def rows_of(found: Compared) -> list[Row]:
    """The rows of one architecture."""
    name = found.architecture
    pairs = {part: list(zip(found.ours[part], found.course[part], strict=True)) for part in found.ours}
    phase1 = [phase1_seconds(course, ours) for ours, course in pairs["phase1"]]
    phase2 = [(epoch_seconds(ours), epoch_seconds(course)) for ours, course in pairs["phase2"]]
    memory = [(ours["peak_memory_gib"], course["peak_memory_gib"]) for ours, course in pairs["phase2"]]
    rows = [
        median_row("phase1", name, "s", phase1),
        median_row("phase2_epoch", name, "s", phase2),
        median_row("peak_memory", name, "GiB", memory),
    ]
    if "evaluation" in pairs:
        tests = [
            tuple(estimate(side["evaluation"]["test"], SPLIT["test"]) for side in pair) for pair in pairs["evaluation"]
        ]
        rows.append(median_row("evaluation", name, "s", tests))
    return rows


def lesson_row(compared: list[Compared], pixel_seconds: float, repetitions: int) -> Row:
    """Both phases of all architectures; ours also decodes the whole dataset once for each size."""
    pairs = []
    for repetition in range(repetitions):
        both = [lesson_seconds(found, repetition) for found in compared]
        pairs.append((sum(ours for ours, _ in both) + pixel_seconds, sum(course for _, course in both)))
    return median_row("whole_lesson", "all", "s", pairs)


def breakdown(found: Compared) -> list[tuple[str, float, float]]:
    """(what, ours, course's) medians in images/s, and the fixed seconds of ours."""
    rows = []
    for part, split in (("phase1", "train"), ("phase1", "val"), ("phase2", "train"), ("phase2", "val")):
        rows.append(
            (f"{part}, {split}, images/s", pace(found.ours[part], part, split), pace(found.course[part], part, split))
        )
    if "evaluation" in found.ours:
        ours, course = found.ours["evaluation"], found.course["evaluation"]
        rows.append(("evaluation, images/s", pace(ours, "evaluation", "test"), pace(course, "evaluation", "test")))
    engine = statistics.median(record["phase1"]["engine"][0]["seconds"] for record in found.ours["phase1"])
    head = statistics.median(record["phase1"]["head"][0]["images_per_second"] for record in found.ours["phase1"])
    rows.append(("phase1, engine made once, s", engine, 0.0))
    rows.append(("phase1, head on features, images/s", head, 0.0))
    return rows


def pace(records: list[dict], part: str, split: str) -> float:
    """Median steady images/s."""
    found = []
    for record in records:
        for one in record[part][split]:
            found.append((one["images"] - one["fixed_images"]) / max(1e-9, one["seconds"] - one["fixed"]))
    return statistics.median(found)
