"""The choice: the best network on validation that keeps to the limits, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from florilegium.comparison import candidates, labels_of_kind
from florilegium.resampling import RESAMPLES, image_means, seed_deviations

LIMITS = ("parameters", "gmacs", "file_mb", "latency_ms", "train_minutes")  # the keys of the section `choice`
SHOWN = (
    *("recipe", "architecture", "protocol", "weights", "pretrained", "seeds", *LIMITS, "phase1_val_top1"),
    *("phase2_val_top1", "val_top1", "val_top1_low", "val_top1_high", "test_top1", "test_top1_low", "test_top1_high"),
    *("test_mean_per_class", "interval_over"),
)


def select(
    architectures: pd.DataFrame,
    pairs: pd.DataFrame,
    validation: Sequence[Sequence[np.ndarray]],
    limits: Mapping[str, Any],
) -> dict[str, Any]:
    """selection.json, without its sentences.

    Chosen is the best validation top-1 among the networks that keep to every limit, the smaller one when equal. Runs on
    train + val are never chosen, random backbones only where nothing else ran. Test accuracies play no part in it: they
    and the paired tests only say what the choice is worth.

    Args:
        architectures: architectures.csv.
        pairs: pairs.csv.
        validation: for each row of architectures.csv and each of its runs (images,) booleans, whether the validation
            image was named right; empty lists for runs without validation. Seeds are in the same order everywhere.
        limits: section `choice` of the configuration; null sets no limit.
    """
    table = _ranked(architectures.assign(train_minutes=architectures["train_seconds"] / 60))
    able = candidates(table)
    broken = {place: _broken(network, limits) for place, network in able.iterrows()}
    allowed = able.loc[[place for place in able.index if not broken[place]]]
    chosen = None if allowed.empty else allowed.iloc[0]
    others = [] if chosen is None else [against(chosen, other, pairs) for _, other in allowed[1:].iterrows()]
    shares = _shares_of_resamples(allowed, validation)
    return {
        "chosen": None if chosen is None else _shown(chosen),
        "limits": {key: limits.get(key) for key in LIMITS},
        "confidence": None if chosen is None else _confidence(allowed, shares, validation),
        "runner_up": others[0] if others else None,
        "rivals": [other for other in others if not other["separable"]],
        "beaten": [other for other in others if other["separable"]],
        "candidates": [
            _shown(network)
            | {"within_limits": not broken[place], "broken_limits": broken[place]}
            | {"share_of_resamples": shares.get(place)}
            for place, network in able.iterrows()
        ],
        "excluded": _excluded(table, able, broken),
        "without_limits": None if able.empty else _shown(able.iloc[0]),
        "nearest": _nearest(able, broken) if chosen is None else None,
    }


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    order = table.assign(rounded=table["val_top1"].round(12))
    keys, upwards = ["rounded", "parameters", "architecture", "recipe"], [False, True, True, True]
    return table.loc[order.sort_values(keys, ascending=upwards).index]


def _broken(network: pd.Series, limits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Which limits a network does not keep to; a cost that was not measured keeps to none."""
    wanted = {key: limits[key] for key in LIMITS if limits.get(key) is not None}
    return [
        {"limit": key, "allowed": most, "value": plain(network[key])}
        for key, most in wanted.items()
        if not network[key] <= most
    ]


def against(chosen: pd.Series, other: pd.Series, pairs: pd.DataFrame) -> dict[str, Any]:
    """The chosen network beside another one: differences (chosen minus other) on validation and, tested, on test."""
    result = _shown(other) | {"val_difference": chosen["val_top1"] - other["val_top1"]}
    result |= dict.fromkeys(("test_difference", "low", "high", "test", "p", "p_holm", "tests")) | {"separable": False}
    for sign, (first, second) in ((1, (chosen, other)), (-1, (other, chosen))):
        same = (pairs["recipe_a"] == first["recipe"]) & (pairs["a"] == first["architecture"])
        same &= (pairs["recipe_b"] == second["recipe"]) & (pairs["b"] == second["architecture"])
        for pair in pairs[same].to_dict("records"):
            ends = sorted((sign * pair["low"], sign * pair["high"]))
            result |= {key: plain(pair[key]) for key in ("test", "p", "p_holm", "tests", "separable")}
            result |= {"test_difference": sign * pair["difference"], "low": ends[0], "high": ends[1]}
    return result


def _shares_of_resamples(allowed: pd.DataFrame, validation: Sequence[Sequence[np.ndarray]]) -> dict[int, float]:
    """In which share of bootstrap resamples each network would be chosen: of the validation images, and of the seeds.

    Seeds that hold out different folds are resampled each on its own images. The rows come ranked, so that the first of
    several equal ones is the smaller, as in the choice itself.
    """
    order = np.argsort(allowed["parameters"].to_numpy(), kind="stable")
    runs = [validation[allowed.index[place]] for place in order]
    if not runs:
        return {}
    seeds = range(len(runs[0]))
    means = np.array([[network[seed].mean() for network in runs] for seed in seeds])
    if (allowed["interval_over"] == "folds").any():
        draws = sum(image_means(np.stack([n[seed] for n in runs], axis=1), seed=seed) for seed in seeds) / len(seeds)
    else:
        draws = image_means(np.stack([np.sum(network, axis=0) for network in runs], axis=1)) / len(seeds)
    winners = (draws + seed_deviations(means)).round(12).argmax(axis=1)
    counts = np.bincount(winners, minlength=len(runs)) / RESAMPLES
    return {allowed.index[place]: float(share) for place, share in zip(order, counts, strict=True)}


def _confidence(allowed: pd.DataFrame, shares: Mapping[int, float], validation: Any) -> dict[str, Any]:
    several = len(validation[allowed.index[0]]) > 1
    return {
        "share": shares[allowed.index[0]],
        "resamples": RESAMPLES,
        "over": "validation images and seeds" if several else "validation images",
        "among": len(allowed),
    }


def _excluded(table: pd.DataFrame, able: pd.DataFrame, broken: Mapping[int, list]) -> list[dict[str, Any]]:
    """Every network that could not be chosen: which limits it breaks, or what else it is."""
    found = []
    for place, network in table.iterrows():
        kind = labels_of_kind(network["pretrained"], network["val_top1"]) if place not in able.index else ""
        if kind or broken[place]:
            found.append(_shown(network) | {"kind": kind or None, "broken_limits": broken.get(place, [])})
    return found


def _nearest(able: pd.DataFrame, broken: Mapping[int, list]) -> dict[str, Any] | None:
    """The candidate whose worst excess over a limit is the smallest factor; None when every one lacks a measurement."""
    factors = {
        place: max(limit["value"] / limit["allowed"] if limit["value"] is not None else np.inf for limit in limits)
        for place, limits in broken.items()
    }
    finite = {place: factor for place, factor in factors.items() if np.isfinite(factor)}
    if not finite:
        return None
    place = min(finite, key=finite.get)
    return _shown(able.loc[place]) | {"broken_limits": broken[place], "factor": finite[place]}


def _shown(network: pd.Series) -> dict[str, Any]:
    return {key: plain(network[key]) for key in SHOWN if key in network}


def plain(value: Any) -> Any:
    """A value as JSON knows it: numpy's numbers as Python's, a missing one as None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if value is None or (isinstance(value, float) and not np.isfinite(value)) else value
