"""Recipes beside each other: one row per run, gains over the first recipe on validation, and accuracy over time."""

import pandas as pd

from florilegium.files import read_json, written_whole
from florilegium.recipes import PROGRESS, ablation, progress, recipe_row
from florilegium.step import log, run_step


def main(job):
    images, settings = read_json(job.input.dataset)["images"], job.params.settings
    metrics = [read_json(path) for path in job.input.metrics]
    recipes = pd.DataFrame([recipe_row(run, images) for run in metrics])
    about = recipes.assign(**{key: [run[key] for run in metrics] for key in ("weights", "pretrained")})
    right = [named_right(path) if run["val"] else None for path, run in zip(job.input.val, metrics, strict=True)]
    rows = []
    for run, *paths in zip(metrics, job.input.phase1, job.input.phase2, strict=True):
        rows += progress(run, [pd.read_csv(path) for path in paths])
    tables = {
        "recipes": recipes,
        "ablation": ablation(about, right, settings["base"], settings["changes"]),
        "progress": pd.DataFrame(rows, columns=PROGRESS),
    }
    for name, path in job.output.items():
        with written_whole(path) as partial:
            tables[name].to_csv(partial, index=False)
    log.info("%d runs of %d recipes", len(recipes), recipes["recipe"].nunique())


def named_right(path):
    """Whether each validation image was named right, by its path."""
    table = pd.read_csv(path, keep_default_na=False, usecols=["path", "correct"], dtype={"path": str})
    return table.set_index("path")["correct"]


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
