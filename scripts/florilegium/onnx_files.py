"""The files that a run is exported to: their names, and what each says of itself in its metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import onnx
from onnxruntime.quantization.onnx_model import ONNXModel

from florilegium.augment import MEAN, STD
from florilegium.files import written_whole

FORMATS = ("fp32", "fp16", "int8")  # what takes prepared views; the fourth file, `service`, takes photographs
PICTURES = "RGB photographs of any size, upright, uint8 (n, height, width, 3); all preprocessing is inside the file"


def describe(about: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, str]:
    """What every file of a run says: its classes by index, what to do to a picture first, where it comes from.

    Args:
        about: metadata of the checkpoint.
        metrics: the run's metrics.json; the temperature that its logits are divided by before the softmax, and the
            probability below which an answer is not sure (null without validation).
    """
    crop, mode = about["settings"]["test_crop"], about["settings"]["resize_mode"]
    made = {
        "squash": "squashed to",
        "center": "the middle square at",
        "imagenet": "the middle square of 7/8 of the shorter side at",
    }[mode]
    preprocessing = {
        "input": f"RGB, {made} {crop} x {crop} pixels with antialiased bilinear resampling, scaled to 0 … 1, CHW",
        "size": crop,
        "resize_mode": mode,
        "mean": MEAN,
        "std": STD,
    }
    keys = ("recipe", "architecture", "seed", "weights", "pretrained", "val_top1", "seconds", "settings", "provenance")
    texts = {
        "class_names": about["class_names"],
        "preprocessing": preprocessing,
        "run": {key: about[key] for key in keys},
        "temperature": temperature(metrics),
        "sure_threshold": (metrics.get("sure") or {}).get("threshold"),
    }
    return {"producer": "florilegium"} | {key: json.dumps(value, ensure_ascii=False) for key, value in texts.items()}


def temperature(metrics: Mapping[str, Any]) -> float:
    """What logits are divided by before the softmax; 1 where evaluation fitted none."""
    return float((metrics.get("calibration") or {}).get("temperature", 1.0))


def as_service(texts: Mapping[str, str]) -> dict[str, str]:
    """The same description for the file that takes photographs."""
    preprocessing = json.loads(texts["preprocessing"]) | {"input": PICTURES}
    return {**texts, "preprocessing": json.dumps(preprocessing, ensure_ascii=False)}


def save(
    path: str | os.PathLike, model: onnx.ModelProto, texts: Mapping[str, str], name: str, reason: str = ""
) -> None:
    """Write one self-contained file, whole or not at all.

    Args:
        path: the file.
        model: the graph.
        texts: its description.
        name: of the format, as in FORMATS, or `service`.
        reason: why the file is not recommended; nothing recommends it.
    """
    verdict = {"format": name, "recommended": not reason, "reason": reason}
    said = {key: json.dumps(value, ensure_ascii=False) for key, value in verdict.items()}
    ONNXModel(model).topological_sort()  # what was made from a graph may have appended to it
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**texts, **said})
    onnx.checker.check_model(model, full_check=name in ("fp32", "service"))
    with written_whole(path) as partial:
        onnx.save(model, partial)


def description_of(model: onnx.ModelProto) -> dict[str, str]:
    """What a file's metadata says, to be passed on to a file made from it."""
    own = ("format", "recommended", "reason")
    return {entry.key: entry.value for entry in model.metadata_props if entry.key not in own}
