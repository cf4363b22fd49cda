"""The file that takes photographs against model.onnx with the preprocessing that its metadata asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from florilegium.augment import MEAN, STD
from florilegium.calibration import probabilities
from florilegium.devices import DeviceImages
from florilegium.images import open_rgb, to_square
from florilegium.inference import batches
from florilegium.onnx_gate import Answer
from florilegium.onnx_preprocessing import PICTURES

PHOTOGRAPHS = 64  # originals, evenly over the split; decoding them takes longer than the networks
# Resampling rounds to whole grey levels, and a few pixels in a hundred are rounded to the next one by Pillow, torch or
# onnxruntime. A network may feel that in a single image; on average over the images it is next to nothing.
CLOSE_ON_AVERAGE = 0.01

# Images, share of the same answers, largest difference of a probability: of all images, and of each on average.
Found = tuple[int, float | None, float | None, float | None]


def documented_view(picture: Image.Image, crop: int, mode: str) -> np.ndarray:
    """(1, 3, crop, crop) of an upright RGB picture, made with Pillow as the metadata says."""
    levels = np.asarray(to_square(picture, crop, mode), dtype=np.float32)
    view = (levels / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return view.transpose(2, 0, 1)[None]


@dataclass(frozen=True)
class Answers:
    """What model.onnx says."""

    of_views: Answer
    logits: np.ndarray  # (n, classes) of the split's pixels, already asked
    temperature: float  # of the softmax


def compared_with_service(
    answers: Answers,
    service: onnxruntime.InferenceSession,
    images: DeviceImages,
    paths: Sequence[str],
    crop: int,
    mode: str,
) -> dict[str, Any]:
    """Both variants on the pixels of a whole split, and on some of its original photographs.

    Photographs that are gone since the pixels were made are left out; `photographs` says how many were read.

    Args:
        answers: of model.onnx.
        service: of model.service.onnx.
        images: the split's pixels.
        paths: its photographs.
        crop: side of the view.
        mode: how a photograph becomes a square, `squash`, `center` or `imagenet` (images.to_square).

    Returns:
        images, top1_agreement, max_abs_diff, mean_abs_diff (of each image's largest) on the pixels; the same on the
        photographs; `reason`, empty when both agree.
    """

    def said_by_service(pictures: np.ndarray) -> np.ndarray:
        return service.run(None, {PICTURES: pictures})[0]

    said = np.concatenate([said_by_service(images.batch(index).numpy()) for index in batches(images)])
    logits = answers.logits
    if mode == "imagenet":  # as photographs, these squares lose their margin a second time
        squares = (Image.fromarray(square.numpy()) for index in batches(images) for square in images.batch(index))
        views = (documented_view(square, crop, mode) for square in squares)
        logits = np.concatenate([answers.of_views(view) for view in views])
    pixels = _agreement(logits, said, answers.temperature)
    pairs = []
    for path in paths[:: max(1, len(paths) // PHOTOGRAPHS)][:PHOTOGRAPHS]:
        with contextlib.suppress(OSError):
            picture = open_rgb(path)
            said_of_it = said_by_service(np.asarray(picture)[None])
            pairs.append((answers.of_views(documented_view(picture, crop, mode)), said_of_it))
    logits, said = (np.concatenate(parts) for parts in zip(*pairs, strict=True)) if pairs else ((), ())
    photographs = _agreement(logits, said, answers.temperature)
    names = ("top1_agreement", "max_abs_diff", "mean_abs_diff")
    found = {"images": pixels[0], **dict(zip(names, pixels[1:], strict=True)), "photographs": photographs[0]}
    found |= {f"photographs_{name}": value for name, value in zip(names, photographs[1:], strict=True)}
    return found | {"reason": _reason(pixels) or _reason(photographs)}


def _agreement(logits: np.ndarray, said: np.ndarray, temperature: float) -> Found:
    if not len(said):
        return 0, None, None, None
    expected = probabilities(logits, temperature)
    same = float((expected.argmax(1) == said.argmax(1)).mean())
    largest = np.abs(expected - said).max(axis=1)
    return len(said), same, float(largest.max()), float(largest.mean())


def _reason(found: Found) -> str:
    count, same, difference, mean = found
    different = round(count * (1 - (same or 0)))
    if not count or (different <= max(1, count // 200) and mean <= CLOSE_ON_AVERAGE):
        return ""
    return (
        f"with its preprocessing inside it names {different} of {count} photographs otherwise than model.onnx, and a "
        f"probability differs by {difference:.2g} ({mean:.2g} on average), more than rounding explains"
    )
