"""Pareto fronts: the networks that no other one beats, for each thing that a network costs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from florilegium.comparison import candidates, labels_of_kind

COSTS = ("parameters", "gmacs", "file_mb", "latency_ms", "train_seconds")
COLUMNS = ("recipe", "architecture", "cost", "value", "val_top1", "test_top1", "on_front", "dominated_by", "note")


def front(accuracy: Sequence[float], cost: Sequence[float]) -> list[int]:
    """For each candidate -1 if it is on the front, else which one dominates it (the most accurate, then cheapest).

    Another one dominates if it is no less accurate and no more expensive, and better in one of the two: of two that are
    equal in both, both are on the front.
    """
    accuracy, cost = np.asarray(accuracy, float).round(12), np.asarray(cost, float)
    order = np.lexsort((cost, -accuracy))  # the most accurate first
    found = []
    for mine, price in zip(accuracy, cost, strict=True):
        better = (accuracy >= mine) & (cost <= price) & ((accuracy > mine) | (cost < price))
        found.append(int(next((i for i in order if better[i]), -1)))
    return found


def fronts(architectures: pd.DataFrame) -> pd.DataFrame:
    """pareto.csv: one row per network and cost (a column of architectures.csv); fronts on validation, within a recipe.

    Runs on train + val have no validation accuracy, random backbones stand aside where pretrained ones ran, and a cost
    may not have been measured: such rows are on no front, and `note` says why.
    """
    rows = []
    for (_, group), cost in itertools.product(architectures.groupby("recipe", sort=False), COSTS):
        able = candidates(group).dropna(subset=cost)
        dominated = dict(zip(able.index, front(able["val_top1"], able[cost]), strict=True))
        for place, network in group.iterrows():
            row = {key: network[key] for key in ("recipe", "architecture", "val_top1", "test_top1")}
            row |= {"cost": cost, "value": network[cost], "on_front": dominated.get(place) == -1}
            by = dominated.get(place, -1)
            row["dominated_by"] = able["architecture"].iloc[by] if by >= 0 else ""
            missing = "not measured" if pd.isna(network[cost]) else ""
            rows.append(row | {"note": missing or labels_of_kind(network["pretrained"], network["val_top1"])})
    return pd.DataFrame(rows, columns=COLUMNS)
