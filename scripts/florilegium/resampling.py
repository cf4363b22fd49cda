"""The bootstrap over images, and over the seeds that were run: how far an accuracy or a difference might be off."""

from __future__ import annotations

import numpy as np

RESAMPLES, SEED = 10_000, 42
BLOCK = 1000  # resamples drawn at once, which bounds the memory


def image_means(values: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """(resamples, columns) means of `values` (images, columns) over images drawn with replacement.

    The columns share each draw, so differences between them are paired. Images with equal rows are drawn together: how
    often each distinct row occurs in a resample is multinomial, which says the same and takes a fraction of the time.
    """
    rows, counts = np.unique(values, axis=0, return_counts=True)
    rng, shares, means = np.random.default_rng(seed), counts / len(values), []
    for start in range(0, resamples, BLOCK):
        drawn = rng.multinomial(len(values), shares, size=min(BLOCK, resamples - start))
        means.append(drawn @ rows.astype(np.float64) / len(values))
    return np.concatenate(means)


def seed_deviations(values: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """(resamples, columns) deviations from the mean of `values` (seeds, columns) over seeds drawn with replacement.

    They are widened by sqrt(n / (n - 1)): a resample of n values varies that much less than n new ones would. One seed
    tells nothing of their spread, its deviations are 0.
    """
    count, mean = len(values), values.mean(axis=0)
    if count == 1:
        return np.zeros((resamples, values.shape[1]))
    drawn = np.random.default_rng(seed + 1).integers(0, count, (resamples, count))
    return (values[drawn].mean(axis=1) - mean) * np.sqrt(count / (count - 1))


def interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the 95 % percentile interval of each column of draws (resamples, columns)."""
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return low, high


def two_sided_p(draws: np.ndarray) -> float:
    """p of "no difference" from bootstrapped differences (resamples,): twice the smaller share beyond 0.

    The observed sample counts as one more draw, so p is never 0; draws that are all 0 give 1.
    """
    beyond = min((draws <= 0).sum(), (draws >= 0).sum())
    return float(min(1.0, 2 * (beyond + 1) / (len(draws) + 1)))
