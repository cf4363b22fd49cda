"""A part of a split in which every class has as equal a share as its images allow."""

from __future__ import annotations

import numpy as np


def evenly_by_class(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Positions of `count` images, drawn class by class in turn until all classes that still have some are through.

    Args:
        labels: (n,) of the split.
        count: how many; all when there are fewer.
        seed: same seed, same images.

    Returns:
        Sorted positions in `labels`. Two classes differ by at most one image, unless the smaller one is used up.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    order = np.argsort(labels[shuffled], kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    turn = np.empty(len(labels))
    places = [np.arange(size) for size in sizes]
    turn[shuffled[order]] = np.concatenate([[], *places])  # each image's place in its class
    ranked = shuffled[np.argsort(turn[shuffled], kind="stable")]
    return np.sort(ranked[:count])
