"""What an average of the probabilities of several networks gives, and what it costs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from florilegium.comparison import t_interval, transferred
from florilegium.resampling import image_means, interval, seed_deviations

COSTS = ("parameters", "gmacs", "file_mb", "latency_ms")
COLUMNS = (
    *("recipe", "protocol", "kind", "members", "networks", "seeds", "pretrained", *COSTS),
    *("val_top1", "val_top1_low", "val_top1_high", "test_top1", "test_top1_low", "test_top1_high"),
    *("interval_over", "gain", "gain_low", "gain_high", "chosen"),
)


class Split(NamedTuple):
    """The probabilities of one split, and what is true."""

    probabilities: Sequence[Sequence[np.ndarray]]  # for each row of architectures.csv and seed (images, classes)
    labels: Sequence[np.ndarray]  # (images,) of each seed: with cross-validation the seeds hold out other images
    same_images: bool  # whether all seeds saw the same


def probabilities(logits: np.ndarray) -> np.ndarray:
    """(images, classes) float32 probabilities of a run."""
    return softmax(logits.astype(np.float32), axis=1)


def ensembles(architectures: pd.DataFrame, splits: Mapping[str, Split]) -> pd.DataFrame:
    """ensembles.csv: of each recipe every network alone, every pair, all, with several seeds each network's average.

    `chosen` marks the single network and the pair that validation prefers; `gain` is what a row has more on test than
    that single network. Random backbones are averaged only where a recipe has no other, and recipes trained on
    train + val have no validation: nothing is chosen there, and there is no gain. An average over seeds is one
    classifier, so its interval is over images; others are repeated for every seed and have the t interval over seeds,
    when there are several.

    Args:
        architectures: architectures.csv.
        splits: `val` and `test`.
    """
    tables = []
    for recipe, group in architectures.groupby("recipe", sort=False):
        validated = group["val_top1"].notna().any()
        places = architectures.index.get_indexer(transferred(group).index)
        rows = [_row(architectures.iloc[list(members)], kind) for kind, members in _kinds(places, group)]
        right = {name: [_right(split, *kind) for kind in _kinds(places, group)] for name, split in splits.items()}
        for i, row in enumerate(rows):
            row |= {"recipe": recipe} | _accuracy(right["test"][i], "test", row)
            row |= _accuracy(right["val"][i] if validated else None, "val", row)
        table = pd.DataFrame(rows)
        tables.append(_with_choice(table, right["test"]) if validated else table.assign(chosen=False))
    return pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)


def _kinds(places: Sequence[int], group: pd.DataFrame) -> list[tuple[str, tuple[int, ...]]]:
    """What is averaged: kind and rows of architectures.csv."""
    found = [("one", (place,)) for place in places]
    found += [("seeds", (place,)) for place in places if group["seeds"].min() > 1]
    found += [("pair", pair) for pair in itertools.combinations(places, 2)]
    return found + [("all", tuple(places))] * (len(places) > 2)


def _row(members: pd.DataFrame, kind: str) -> dict[str, Any]:
    networks = len(members) * (members["seeds"].iloc[0] if kind == "seeds" else 1)
    row = {"kind": kind, "members": "; ".join(members["architecture"]), "networks": networks}
    row |= {"seeds": 1 if kind == "seeds" else members["seeds"].iloc[0], "protocol": members["protocol"].iloc[0]}
    row["pretrained"] = bool(members["pretrained"].all())
    row["interval_over"] = "test images" if kind == "seeds" else members["interval_over"].iloc[0]
    return row | {cost: members[cost].sum() * networks / len(members) for cost in COSTS}


def _right(split: Split, kind: str, members: tuple[int, ...]) -> list[np.ndarray] | None:
    """(images,) booleans, for each seed, or for the one average over seeds (None when the seeds saw other images)."""
    seeds = [sum(split.probabilities[member][i] for member in members) for i in range(len(split.labels))]
    if kind != "seeds":
        return [total.argmax(1) == labels for total, labels in zip(seeds, split.labels, strict=True)]
    return [sum(seeds).argmax(1) == split.labels[0]] if split.same_images else None


def _accuracy(right: list[np.ndarray] | None, split: str, row: dict[str, Any]) -> dict[str, float]:
    key = f"{split}_top1"
    if right is None:
        return dict.fromkeys((key, f"{key}_low", f"{key}_high"), float("nan"))
    shares = pd.Series([each.mean() for each in right])
    if len(right) > 1:
        return {key: shares.mean()} | t_interval(shares, key)
    low, high = interval(image_means(right[0][:, None].astype(int)))
    return {key: shares[0], f"{key}_low": low[0], f"{key}_high": high[0]}


def _with_choice(table: pd.DataFrame, right: list[list[np.ndarray]]) -> pd.DataFrame:
    """Mark what validation prefers (the smaller when equal), and say what each row gains over the single network."""
    order = table.assign(val=table["val_top1"].round(12)).sort_values(["val", "parameters"], ascending=[False, True])
    first = {kind: order.index[order["kind"] == kind][0] for kind in ("one", "pair") if (order["kind"] == kind).any()}
    single = right[first["one"]]
    for i, others in enumerate(right):
        repeated = others if len(others) == len(single) else others * len(single)  # one average over all seeds
        each = [other.astype(int) - one for other, one in zip(repeated, single, strict=True)]
        draws = image_means(sum(each)[:, None])[:, 0] / len(each)
        draws = draws + seed_deviations(np.array([[gain.mean()] for gain in each]))[:, 0]
        low, high = interval(draws)
        table.loc[i, ["gain", "gain_low", "gain_high"]] = np.mean([gain.mean() for gain in each]), low, high
    return table.assign(chosen=table.index.isin(first.values()))
