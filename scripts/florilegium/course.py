"""What the course expects of its five networks and what its own notebooks measured, beside what was achieved here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

SOURCE = "the course's table of its five lessons on Flowers102, and the outputs of its notebooks"
CONDITIONS = (
    "course: Flowers102 with its official split, ImageNet weights, recipe lesson, seed 42, best validation epoch; its "
    "frozen BatchNorm went on averaging in phase 1; parameters with 1000 classes; times on an Apple GPU"
)


class Lesson(NamedTuple):
    """The course's numbers of one network: accuracies are validation top-1 after phase 1 and phase 2, as shares."""

    parameters: float  # with the head for ImageNet's 1000 classes
    gmacs: float  # of one picture of `crop` pixels
    crop: int
    expected: tuple[float, float]
    measured: tuple[float, float] | None = None  # None: its notebook was never run
    minutes: float | None = None  # of both phases


COURSE = {
    "resnet18": Lesson(11.7e6, 1.8, 224, (0.75, 0.85), (0.777, 0.892), 17.1),
    "resnet50": Lesson(25.6e6, 4.1, 224, (0.78, 0.88), (0.794, 0.899), 31.2),
    "efficientnet_b0": Lesson(5.3e6, 0.39, 224, (0.80, 0.90), (0.806, 0.903), 24.1),
    "efficientnet_b3": Lesson(12.2e6, 1.8, 300, (0.82, 0.92)),
    "mobilenet_v2": Lesson(3.5e6, 0.3, 224, (0.80, 0.87)),
}
OURS = (
    *("seeds", "weights", "protocol", "pretrained", "parameters", "gmacs", "phase1_val_top1", "phase2_val_top1"),
    *(
        "phase2_val_top1_low",
        "phase2_val_top1_high",
        "val_top1",
        "test_top1",
        "test_top1_low",
        "test_top1_high",
        "interval_over",
    ),
)
COLUMNS = (
    *("recipe", "architecture", *OURS, "train_minutes", "resolution", "expected_phase1", "expected_phase2"),
    *("course_phase1", "course_phase2", "course_minutes", "course_parameters", "course_gmacs", "course_resolution"),
    *("comparable", "conditions"),
)


def expected(architectures: pd.DataFrame, kind: str, crops: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """expected.csv: the course's numbers beside those of architectures.csv, and whether the accuracies can be compared.

    Args:
        architectures: architectures.csv.
        kind: the dataset's.
        crops: recipe -> architecture -> side of the view that evaluates.
    """
    rows = []
    for network in architectures.to_dict("records"):
        lesson = COURSE.get(network["architecture"])
        if lesson is None:
            continue
        obstacles = _obstacles(network, kind)
        row = {key: network.get(key) for key in ("recipe", "architecture", *OURS)} | _columns_of(lesson)
        row["train_minutes"] = network["train_seconds"] / 60
        row["resolution"] = crops[network["recipe"]][network["architecture"]]
        row["comparable"] = not obstacles
        ours = f"ours: recipe {network['recipe']}, weights {network['weights']}, {network['seeds']} seed(s)"
        row["conditions"] = f"not comparable: {', '.join(obstacles)}" if obstacles else f"{CONDITIONS}. {ours}"
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _obstacles(network: Mapping[str, Any], kind: str) -> list[str]:
    """Why accuracies do not compare with the course's."""
    data = {"garden": "drawn flowers", "folder": "other photographs", "csv": "other photographs"}
    found = [data[kind]] if kind in data else []
    found += ["random backbone"] * (not network["pretrained"])
    return found + ["trained on train + val"] * bool(pd.isna(network["val_top1"]))


def _columns_of(lesson: Lesson) -> dict[str, Any]:
    first, second = lesson.measured or (None, None)
    return {
        "expected_phase1": lesson.expected[0],
        "expected_phase2": lesson.expected[1],
        "course_phase1": first,
        "course_phase2": second,
        "course_minutes": lesson.minutes,
        "course_parameters": lesson.parameters,
        "course_gmacs": lesson.gmacs,
        "course_resolution": lesson.crop,
    }
