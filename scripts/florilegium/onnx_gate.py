"""What an exported file must keep to, measured on real photographs: the same answers as torch, for every batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from florilegium.augment import evaluation_view
from florilegium.calibration import probabilities
from florilegium.devices import DeviceImages
from florilegium.inference import batches
from florilegium.onnx_export import INPUT
from florilegium.onnx_sessions import cpu_session

AGREEMENT = {"fp32": 0.999, "fp16": 0.995}  # share of the images on which torch names the same class, at least
SAME = 1e-3  # largest difference of a probability that is arithmetic and nothing else
BATCHES = (1, 7, 64)
# Between batch sizes: sums in another order may tip a value to the next of the 2^11 or 2^8 steps of its format.
SAME_IN_BATCHES = {"fp32": SAME, "fp16": 0.01, "int8": 0.02}

Answer = Callable[[np.ndarray], np.ndarray]  # views (n, 3, crop, crop) -> logits (n, classes)


def session_answer(session: onnxruntime.InferenceSession) -> Answer:
    """An exported network as a function from views to logits."""
    return lambda views: session.run(None, {INPUT: views})[0]


def logits_of(answer: Answer, images: DeviceImages, crop: int) -> np.ndarray:
    """(n, classes) logits of the evaluation view of every image."""
    views = (evaluation_view(images.batch(index), crop).numpy() for index in batches(images))
    return np.concatenate([answer(batch) for batch in views])


class Gate:
    """The images of a split, what torch says of them, and what a file may differ by."""

    def __init__(
        self,
        reference: np.ndarray,
        images: DeviceImages,
        labels: np.ndarray,
        crop: int,
        threads: int,
        max_loss: float = 0.0,
    ):
        """Keep what every file is compared with.

        Args:
            reference: (n, classes) logits of torch in fp32.
            images: n pictures.
            labels: (n,) their classes.
            crop: side of the view.
            threads: of onnxruntime.
            max_loss: top-1 that int8 may lose, a share.
        """
        self._reference, self._images, self._labels = reference, images, labels
        self._crop, self._threads, self._max_loss = crop, threads, max_loss
        self.logits: dict[str, np.ndarray] = {}  # what the last file of each format said
        index = torch.arange(max(BATCHES)) % len(images)  # images come again where a split has fewer
        self._few = evaluation_view(images.batch(index), crop).numpy()

    def __call__(self, name: str, model: onnx.ModelProto) -> dict[str, Any]:
        """What a file of the format `name` does: accuracies, differences, whether to recommend it, else why not."""
        answer = session_answer(cpu_session(model, self._threads))
        self.logits[name] = logits_of(answer, self._images, self._crop)
        found = compared(self._reference, self.logits[name], self._labels)
        del answer  # and its memory: a batch of 64 of the larger networks takes gigabytes
        careful = session_answer(cpu_session(model, self._threads, hoard=False))
        found["batch_difference"] = batch_difference(careful, self._few)
        reason = verdict(name, found, self._max_loss)
        return found | {"recommended": not reason, "reason": reason}


def compared(reference: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How logits differ from the reference's on the same images; `max_abs_diff` is of a probability."""
    right, found = reference.argmax(axis=1), logits.argmax(axis=1)
    return {
        "images": len(labels),
        "top1": float((found == labels).mean()),
        "top1_torch": float((right == labels).mean()),
        "top1_agreement": float((found == right).mean()),
        "max_abs_diff": float(np.abs(probabilities(logits) - probabilities(reference)).max()),
    }


def batch_difference(answer: Answer, views: np.ndarray) -> float:
    """Largest difference of a probability when the same images come in batches of 1, of 7 and of 64."""
    found = [
        probabilities(np.concatenate([answer(views[start : start + size]) for start in range(0, len(views), size)]))
        for size in BATCHES
    ]
    return float(max(np.abs(found[0] - others).max() for others in found[1:]))


def verdict(name: str, found: Mapping[str, Any], max_loss: float = 0.0) -> str:
    """Why a file falls short, in words; nothing when it does not.

    Args:
        name: of the format.
        found: what `compared` gives, and `batch_difference`.
        max_loss: top-1 that int8 may lose.
    """
    if found["batch_difference"] > SAME_IN_BATCHES[name]:
        return f"answers depend on the batch size: a probability differs by {found['batch_difference']:.2g}"
    if name == "int8":
        lost = found["top1_torch"] - found["top1"]
        if lost <= max_loss + 1e-9:
            return ""
        return (
            f"loses {100 * lost:.1f} points of top-1 on {found['images']} validation images, "
            f"{100 * max_loss:.1f} are allowed"
        )
    if found["top1_agreement"] < AGREEMENT[name]:
        return (
            f"onnxruntime and torch agree on {100 * found['top1_agreement']:.2f} % of the {found['images']} "
            f"validation images, expected at least {100 * AGREEMENT[name]:.1f} %"
        )
    if name == "fp32" and found["max_abs_diff"] > SAME:
        return f"a probability differs from torch's by {found['max_abs_diff']:.2g}, expected at most {SAME:g}"
    return ""
