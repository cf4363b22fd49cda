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
from florilegium.onnx_gate import Answer
from florilegium.onnx_sessions import cpu_session
from florilegium.onnx_variants import PICTURES

PHOTOGRAPHS = 64  # originals, evenly over the split; decoding them takes longer than the networks
# Resampling rounds to whole grey levels, and a few pixels in a hundred are rounded to the next one by Pillow, torch or
# onnxruntime. A network may feel that in a single image; on average over the images it is next to nothing.
CLOSE_ON_AVERAGE = 0.01

# Images, share of the same answers, largest difference of a probability: of all images, and of each on average.
Found = tuple[int, float | None, float | None, float | None]


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
        images, top1_agreement, max_abs_diff, mean_abs_diff (of each image's largest) on the pixels; the same on the
        photographs; `reason`, empty when both agree.
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
    names = ("top1_agreement", "max_abs_diff", "mean_abs_diff")
    found = {"images": pixels[0], **dict(zip(names, pixels[1:], strict=True)), "photographs": photographs[0]}
    found |= {f"photographs_{name}": value for name, value in zip(names, photographs[1:], strict=True)}
    return found | {"reason": _reason(pixels) or _reason(photographs)}


def _agreement(pairs: list[tuple[np.ndarray, np.ndarray]], temperature: float) -> Found:
    if not pairs:
        return 0, None, None, None
    expected = probabilities(np.concatenate([logits for logits, _ in pairs]), temperature)
    found = np.concatenate([answers for _, answers in pairs])
    same = float((expected.argmax(1) == found.argmax(1)).mean())
    largest = np.abs(expected - found).max(axis=1)
    return len(found), same, float(largest.max()), float(largest.mean())


def _reason(found: Found) -> str:
    count, same, difference, mean = found
    different = round(count * (1 - (same or 0)))
    if not count or (different <= max(1, count // 200) and mean <= CLOSE_ON_AVERAGE):
        return ""
    return (
        f"with its preprocessing inside it names {different} of {count} photographs otherwise than model.onnx, and a "
        f"probability differs by {difference:.2g} ({mean:.2g} on average), more than rounding explains"
    )
