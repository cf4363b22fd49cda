"""Recipes beside each other: what each run came to, what a recipe gains on validation, and when it was how good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from florilegium.errors import UserError
from florilegium.resampling import image_means, interval, seed_deviations

DOCUMENTED = (  # of recipes.csv, what docs/recipes.csv repeats
    *("recipe", "architecture", "seed", "train_images", "val_top1", "test_top1", "test_mean_per_class", "ece"),
    "train_seconds",
)
ABLATION = (
    *("architecture", "recipe", "base", "seeds", "val_top1", "train_seconds"),
    *("difference", "low", "high", "interval_over", "time_ratio", "changes", "weights", "pretrained"),
)
PROGRESS = ("recipe", "architecture", "seed", "phase", "epoch", "seconds", "val_top1", "best_val_top1")


def recipe_row(metrics: Mapping[str, Any], images: Mapping[str, int]) -> dict[str, Any]:
    """One run's row of recipes.csv: shares 0 … 1, seconds of both phases; nothing where nothing was measured.

    All images of train and val are trained on but those that validate: so it holds for a split, for folds and for
    train + val.

    Args:
        metrics: the run's metrics.json.
        images: how many each split has, from dataset.json.
    """
    validation, flipped = metrics["val"] or {}, metrics["test_time_flip"] or {}
    row = {key: metrics[key] for key in ("recipe", "architecture", "seed")}
    row["train_images"] = images["train"] + images["val"] - validation.get("images", 0)
    row["val_top1"] = validation.get("top1", float("nan"))
    row |= {"test_top1": metrics["test"]["top1"], "test_mean_per_class": metrics["test"]["mean_per_class"]}
    row |= {"ece": metrics["calibration"]["ece_after"], "train_seconds": sum(metrics["seconds"].values())}
    return row | {"test_top1_flip": flipped.get("top1", float("nan"))}


def progress(metrics: Mapping[str, Any], histories: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
    """A run's rows of time_to_accuracy.csv: one for each epoch that was validated, none for training on train + val.

    `seconds` are of training until the end of that epoch. What a phase took besides its epochs counts before the first:
    in phase 1 that is the pass through the frozen backbone. `best_val_top1` is what had been reached by then, the
    validation top-1 of the checkpoint that would be handed on.

    Args:
        metrics: the run's metrics.json.
        histories: of phase 1 and phase 2.
    """
    if metrics["val"] is None:
        return []
    parts, before = [], 0.0
    for phase, history in enumerate(histories, 1):
        whole, epochs = metrics["seconds"][f"phase{phase}"], history["seconds"].cumsum()
        apart = max(0.0, whole - history["seconds"].sum())
        parts.append(history[["phase", "epoch", "val_top1"]].assign(seconds=before + apart + epochs))
        before += whole
    rows = pd.concat(parts, ignore_index=True).dropna(subset="val_top1")
    rows["best_val_top1"] = rows["val_top1"].cummax()
    named = {key: metrics[key] for key in ("recipe", "architecture", "seed")}
    return rows.assign(**named)[list(PROGRESS)].to_dict("records")


def ablation(
    runs: pd.DataFrame, right: Sequence[pd.Series | None], base: str, changes: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """ablation.csv: one row per architecture and recipe, held against the base recipe on validation alone.

    Runs on train + val have no validation and are left out. `difference` is the mean over the seeds that both recipes
    ran, with a 95 % interval; `time_ratio` compares the means of the training seconds of the same seeds. Both are
    missing where the base did not run, or did not validate.

    Args:
        runs: rows of recipes.csv, with `weights` and `pretrained`.
        right: for each of them, whether each validation image was named right, by its path; None where none validates.
        base: the recipe that the others are held against.
        changes: what each recipe changes against it, in words, by recipe and architecture.

    Raises:
        UserError: two runs of one seed validated on different images.
    """
    runs = runs.assign(place=range(len(runs)))[runs["val_top1"].notna().to_numpy()]
    rows = []
    for architecture, of_network in runs.groupby("architecture", sort=False):
        bases = of_network[of_network["recipe"] == base].set_index("seed")
        for recipe, group in of_network.groupby("recipe", sort=False):
            mine = group.set_index("seed")
            row = {"architecture": architecture, "recipe": recipe, "base": base, "seeds": len(mine)}
            row |= {key: mine[key].mean() for key in ("val_top1", "train_seconds")}
            row |= {key: mine[key].iloc[0] for key in ("weights", "pretrained")}
            row |= {"changes": changes.get(recipe, {}).get(architecture, ""), "interval_over": ""}
            seeds = [seed for seed in mine.index if seed in bases.index]
            if seeds:
                pairs = [(right[mine.loc[seed, "place"]], right[bases.loc[seed, "place"]]) for seed in seeds]
                _check_same_images(f"{recipe}/{architecture}", pairs)
                row |= paired_difference(pairs)
                row["time_ratio"] = mine.loc[seeds, "train_seconds"].mean() / bases.loc[seeds, "train_seconds"].mean()
            rows.append(row)
    return pd.DataFrame(rows, columns=ABLATION)


def _check_same_images(name: str, pairs: Sequence[tuple[pd.Series, pd.Series]]) -> None:
    for one, other in pairs:
        if set(one.index) != set(other.index):
            raise UserError(
                f"predictions_val.csv of {name} ({len(one)} images) and of its base ({len(other)} images) list "
                f"different validation images; expected the same: run the workflow again, so that both are evaluated "
                f"on one manifest"
            )


def paired_difference(pairs: Sequence[tuple[pd.Series, pd.Series]]) -> dict[str, Any]:
    """Mean difference of top-1 over seeds (first minus second of each pair), and its 95 % interval.

    The paired bootstrap of `paired.compared`: images are drawn with replacement, each with the answers of both runs of
    every seed that validated on it; to that the spread of the difference over the seeds is added. Folds, whose seeds
    hold out different images, are drawn from all images together.

    Args:
        pairs: of each seed two series of booleans, path -> whether the image was named right.
    """
    by_seed = [one.astype(int) - other.reindex(one.index).astype(int) for one, other in pairs]
    means = np.array([each.mean() for each in by_seed])
    shares = pd.concat([each / len(each) for each in by_seed]).groupby(level=0).sum() / len(pairs)
    draws = len(shares) * image_means(shares.to_numpy()[:, None])[:, 0] + seed_deviations(means[:, None])[:, 0]
    low, high = interval(draws)
    over = "validation images" + " and seeds" * (len(pairs) > 1)
    return {"difference": means.mean(), "low": low, "high": high, "interval_over": over}


def mean_progress(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of one recipe's rows of time_to_accuracy.csv: phase, epoch, seconds, best_val_top1.

    A seed that stopped early stays where it was, so the last row is the mean of where all seeds ended. An epoch that
    comes before the first validation of some seed is left out.
    """
    wide = rows.pivot(index=["phase", "epoch"], columns="seed", values=["seconds", "best_val_top1"]).ffill().dropna()
    return wide.T.groupby(level=0).mean().T.reset_index()
