"""A map of features in two dimensions, and how well each photograph's neighbourhood knows its class."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

COMPONENTS = 50  # of the PCA before t-SNE, as its authors do: fewer distances of noise, and faster
PERPLEXITY = 30  # neighbours that t-SNE tries to keep; a third of the images when there are fewer than 91
FEWEST = 4  # images for which t-SNE has something to arrange


def flat_map(features: np.ndarray, seed: int) -> np.ndarray:
    """Places in the plane, near to each other where features are: PCA, then t-SNE (van der Maaten and Hinton 2008).

    Args:
        features: (n, width).
        seed: of t-SNE.

    Returns:
        (n, 2) float32, between 0 and 1 in both directions.
    """
    count, width = features.shape
    if not np.ptp(features, axis=0).any():  # nothing to arrange; t-SNE would take the rounding of a PCA for distances
        return np.zeros((count, 2), np.float32)
    reduced = PCA(min(COMPONENTS, count, width), random_state=seed).fit_transform(features.astype(np.float64))
    if count < FEWEST:
        places = np.pad(reduced[:, :2], ((0, 0), (0, 2 - min(2, reduced.shape[1]))))
    else:
        perplexity = min(PERPLEXITY, (count - 1) / 3)
        places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    low, high = places.min(axis=0), places.max(axis=0)
    return ((places - low) / np.where(high > low, high - low, 1)).astype(np.float32)


def neighbour_share(features: np.ndarray, labels: np.ndarray) -> float:
    """Share of images whose nearest other image, in all dimensions of the features, is of the same class."""
    if len(features) < 2:
        return float("nan")
    nearest = NearestNeighbors(n_neighbors=1).fit(features).kneighbors(return_distance=False)[:, 0]
    return float((labels[nearest] == labels).mean())
