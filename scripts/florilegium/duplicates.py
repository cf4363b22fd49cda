"""Pictures that lie in the dataset more than once: the same bytes, or nearly the same picture by a perceptual hash."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

SIDE = 8  # of the grid that a picture is hashed on
NEAR = 10  # of 128 bits may differ: all 25 pairs that this finds in Flowers102 show one and the same picture


def difference_hash(image: Image.Image) -> str:
    """128 bits as hexadecimal text: is a cell of an 8 x 8 grid brighter than its neighbour on the right, and below?

    Neal Krawetz's dHash in both directions; it survives resizing, recompression and small changes of colour. A picture
    without any contrast gets '', because it would be like every other of its kind.
    """
    whole = SIDE * (SIDE + 1)  # both grids divide it: the large picture is passed through once
    grey = image.resize((whole, whole), Image.Resampling.BOX).convert("L")
    across = np.asarray(grey.resize((SIDE + 1, SIDE), Image.Resampling.BOX))
    down = np.asarray(grey.resize((SIDE, SIDE + 1), Image.Resampling.BOX))
    bits = np.concatenate([(across[:, 1:] > across[:, :-1]).ravel(), (down[1:] > down[:-1]).ravel()])
    return np.packbits(bits).tobytes().hex() if bits.any() else ""


def near_groups(hashes: pd.Series, near: int = NEAR) -> np.ndarray:
    """A group number for each hash: two that differ in at most `near` bits are in one group, also by way of others.

    Every pair is compared, one row against all later ones at a time: memory stays flat, and the cost is that of
    counting bits (100 000 different hashes take seconds, decoding them takes minutes).
    """
    place, different = pd.factorize(hashes.where(hashes != ""))  # -1 where there is none
    across, down = np.frombuffer(bytes.fromhex("".join(different)), dtype=np.uint64).reshape(-1, 2).T.copy()
    groups = np.arange(len(different))
    for i in tqdm(range(len(different) - 1), desc="near duplicates", unit="image", disable=None):
        maybe = i + 1 + np.flatnonzero(np.bitwise_count(across[i + 1 :] ^ across[i]) <= near)
        distance = np.bitwise_count(across[maybe] ^ across[i]) + np.bitwise_count(down[maybe] ^ down[i])
        joined = groups[maybe[distance <= near]]
        if (joined != groups[i]).any():
            groups[np.isin(groups, joined)] = groups[i]
    return np.where(place < 0, -1 - np.arange(len(place)), np.append(groups, 0)[place])


def across_splits(table: pd.DataFrame, by: str) -> list[list[dict[str, str]]]:
    """Groups of pictures that are alike in column `by` and lie in more than one split or fold.

    Args:
        table: columns path, class_name, split, fold and `by`.
        by: a column that is equal for pictures that are alike.

    Returns:
        For each group its pictures: path, class_name and part, which is the split or the fold.
    """
    table = table.assign(part=table["split"].where(table["fold"].isna(), "fold " + table["fold"].astype(str)))
    shared = table[table.groupby(by)["part"].transform("nunique") > 1]
    columns = ["path", "class_name", "part"]
    return [group[columns].to_dict("records") for _, group in shared.groupby(by, sort=False)]
