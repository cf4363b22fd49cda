"""What a model card says of a run, gathered from the run's own files: nothing in it is typed in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from florilegium.files import file_digest
from florilegium.style import display_name

# Of each kind of dataset: how people call it, and its id in the card's metadata.
DATASETS = {
    "flowers102": ("Oxford Flowers102", "oxford_flowers102"),
    "garden": ("drawn flowers", "florilegium-garden"),
    "folder": ("photographs in folders", "folder"),
    "csv": ("photographs in a list", "list"),
}
# Of each exported file: its format, and what to hand to it.
FORMATS = {
    "model.onnx": ("fp32", "prepared picture, logits"),
    "model.fp16.onnx": ("fp16", "prepared picture, logits"),
    "model.int8.onnx": ("int8", "prepared picture, logits"),
    "model.service.onnx": ("service", "uint8 pictures of any size, calibrated probabilities"),
}
HARDEST = 5  # classes
RUN = ("recipe", "architecture", "seed", "weights", "pretrained", "protocol", "fold")
COST = ("parameters", "gmacs", "latency_ms", "latency_conditions")


def card_facts(
    metrics: Mapping[str, Any],
    cost: Mapping[str, Any],
    check: Mapping[str, Any],
    dataset: Mapping[str, Any],
    per_class: pd.DataFrame,
    said: Mapping[str, Any],
    models: list[Path],
) -> dict[str, Any]:
    """Everything that the card says, as plain data.

    Args:
        metrics: the run's metrics.json.
        cost: its cost.json.
        check: its onnx_check.json.
        dataset: dataset.json.
        per_class: its per_class.csv.
        said: what model.onnx says of itself, read from JSON: `class_names`, `preprocessing`, `run`.
        models: the exported files.
    """
    kind = dataset["kind"]
    return {
        "name": f"{display_name(metrics['architecture'])} for {DATASETS[kind][0]}, {run_name(metrics)}",
        **{key: metrics[key] for key in RUN},
        "classes": said["class_names"],
        "data": {
            "kind": kind,
            "name": DATASETS[kind][0],
            "images": images_of(metrics, dataset),
            "test_images_of_a_class": [int(per_class["support"].min()), int(per_class["support"].max())],
            "fingerprint": dataset["fingerprint"],
            **{f"{key}": len(dataset.get(key, ())) for key in OVERLAPS},
            "skipped": len(dataset.get("skipped", ())),
        },
        "training": {
            # A card is published: where a weights file lies on this machine is nobody's business.
            "settings": said["run"]["settings"] | {"weights": metrics["weights"]},
            "kept": {"phase": metrics["phase"], "epoch": metrics["epoch"]},
            "epochs": metrics.get("epochs"),
            "seconds": metrics["seconds"],
        },
        "preprocessing": said["preprocessing"],
        "evaluation": {key: metrics.get(key) for key in ("val", "test", "test_time_flip")},
        "arithmetic": metrics["arithmetic"],
        "calibration": metrics.get("calibration"),
        "sure": metrics.get("sure"),
        "hardest_classes": hardest(per_class),
        "cost": {key: cost[key] for key in COST},
        "files": [file_facts(path, check, cost) for path in models],
        "provenance": metrics["provenance"],
    }


OVERLAPS = ("duplicates_across_splits", "near_duplicates_across_splits")


def run_name(metrics: Mapping[str, Any]) -> str:
    """`recipe lesson, seed 42`."""
    return f"recipe {metrics['recipe']}, seed {metrics['seed']}"


def images_of(metrics: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, int]:
    """Images by split as this run used them; with folds, and with train + val, that differs from the listed splits."""
    listed, test = dataset["images"], metrics["test"]["images"]
    val = metrics["val"]["images"] if metrics["val"] else 0
    return {"train": listed["train"] + listed["val"] - val, "val": val, "test": test}


def hardest(per_class: pd.DataFrame) -> list[dict[str, Any]]:
    """The classes with the lowest recall on test: class_name, recall, support (test images)."""
    worst = per_class.sort_values("recall", kind="stable").head(HARDEST)
    return worst[["class_name", "recall", "support"]].to_dict("records")


def file_facts(path: Path, check: Mapping[str, Any], cost: Mapping[str, Any]) -> dict[str, Any]:
    """Of one exported file: name, format, size, digest, how it agrees with torch, its speed, whether to use it."""
    format_, takes = FORMATS[path.name]
    agreement = (check.get("formats", {}) | {"service": check.get("service", {})}).get(format_, {})
    if format_ == "fp32":
        agreement = {"top1": check["val_top1_onnx"], "top1_agreement": check["top1_agreement"]} | agreement
    speed = cost.get("formats", {}).get(format_, {})
    return {
        "name": path.name,
        "format": format_,
        "takes": takes,
        "file_mb": path.stat().st_size / 1e6,
        "sha256": file_digest(path),
        "val_top1": agreement.get("top1"),
        "top1_agreement": agreement.get("top1_agreement"),
        "p50_ms_1thread": speed.get("p50_ms_1thread"),
        "recommended": bool(agreement.get("recommended", True)),
        "reason": agreement.get("reason"),
    }


def front_matter(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a Hugging Face model card, `model-index` included; accuracies are shares 0 … 1."""
    name, dataset = DATASETS[facts["data"]["kind"]]
    test = facts["evaluation"]["test"]
    measured = (
        ("accuracy", "top1", "top-1"),
        ("accuracy", "top5", "top-5"),
        ("accuracy", "mean_per_class", "mean per class"),
        ("f1", "macro_f1", "macro F1"),
    )
    numbers = [{"type": kind, "name": shown, "value": test[key]} for kind, key, shown in measured]
    result = {
        "task": {"type": "image-classification", "name": "Image classification"},
        "dataset": {"type": dataset, "name": name, "split": "test"},
        "metrics": numbers,
    }
    backbone = "random-backbone" if not facts["pretrained"] else "transfer-learning"
    return {
        "license": "other",
        "license_name": "see-licences-below",
        "library_name": "onnxruntime",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "onnx", "torchvision", facts["architecture"], backbone, "florilegium"],
        "datasets": [dataset],
        "metrics": ["accuracy", "f1"],
        "model-index": [{"name": facts["name"], "results": [result]}],
    }
