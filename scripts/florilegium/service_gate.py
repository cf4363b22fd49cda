"""The file that takes photographs against model.onnx with the preprocessing that its metadata asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from PIL import Image

from florilegium.augment import MEAN, STD, evaluation_view
from florilegium.calibration import probabilities
from florilegium.devices import DeviceImages
from florilegium.images import open_rgb
from florilegium.inference import batches
from florilegium.onnx_gate import AGREEMENT, Answer
from florilegium.onnx_sessions import cpu_session
from florilegium.onnx_variants import PICTURES

PHOTOGRAPHS = 64  # originals, evenly over the split; decoding them takes longer than the networks
# Resampling rounds to whole grey levels, and at most a few pixels in a hundred are rounded to the next one by Pillow,
# torch or onnxruntime: what a network makes of that is bounded, not nothing.
CLOSE = 0.05

Found = tuple[int, float | None, float | None]  # images, share of the same answers, largest difference


def documented_view(path: str, crop: int) -> np.ndarray:
    """(1, 3, crop, crop) of a photograph, made with Pillow as the metadata says."""
    image = open_rgb(path).resize((crop, crop), Image.Resampling.BILINEAR)  # antialiased
    levels = np.asarray(image, dtype=np.float32)
    view = (levels / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return view.transpose(2, 0, 1)[None]


def compared_with_service(
    plain: Answer,
    service: onnx.ModelProto,
    images: DeviceImages,
    paths: Sequence[str],
    crop: int,
    temperature: float,
    threads: int,
) -> dict:
    """Both variants on the pixels of a whole split, and on some of its original photographs.

    Photographs that are gone since the pixels were made are left out; `photographs` says how many were read.

    Args:
        plain: model.onnx.
        service: the graph of model.service.onnx.
        images: the split's pixels.
        paths: its photographs.
        crop: side of the view.
        temperature: of the softmax.
        threads: of the session.

    Returns:
        images, top1_agreement, max_abs_diff of the pixels; photographs, photographs_top1_agreement,
        photographs_max_abs_diff; `reason`, empty when both agree.
    """
    session = cpu_session(service, threads)

    def pairs_of_pixels() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for index in batches(images):
            pictures = images.batch(index)
            yield plain(evaluation_view(pictures, crop).numpy()), session.run(None, {PICTURES: pictures.numpy()})[0]

    def pairs_of_photographs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        step = max(1, len(paths) // PHOTOGRAPHS)
        for path in paths[::step][:PHOTOGRAPHS]:
            with contextlib.suppress(OSError):
                picture = np.asarray(open_rgb(path))[None]
                yield plain(documented_view(path, crop)), session.run(None, {PICTURES: picture})[0]

    pixels, photographs = (_agreement(list(pairs()), temperature) for pairs in (pairs_of_pixels, pairs_of_photographs))
    found = {"images": pixels[0], "top1_agreement": pixels[1], "max_abs_diff": pixels[2]}
    names = ("photographs", "photographs_top1_agreement", "photographs_max_abs_diff")
    return found | dict(zip(names, photographs, strict=True)) | {"reason": _reason(pixels) or _reason(photographs)}


def _agreement(pairs: list[tuple[np.ndarray, np.ndarray]], temperature: float) -> Found:
    if not pairs:
        return 0, None, None
    expected = probabilities(np.concatenate([logits for logits, _ in pairs]), temperature)
    found = np.concatenate([answers for _, answers in pairs])
    same = float((expected.argmax(1) == found.argmax(1)).mean())
    return len(found), same, float(np.abs(expected - found).max())


def _reason(found: Found) -> str:
    count, same, difference = found
    if count and (same < AGREEMENT["fp16"] or difference > CLOSE):
        return (
            f"with its preprocessing inside it names the same class as model.onnx on {100 * same:.2f} % of {count} "
            f"photographs, and a probability differs by {difference:.2g}; expected {100 * AGREEMENT['fp16']:.1f} % "
            f"and at most {CLOSE:g}"
        )
    return ""
