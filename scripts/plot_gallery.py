"""Figures of one run made of its photographs: confused pairs, confident mistakes, hardest classes."""

import numpy as np
import pandas as pd

from florilegium import evaluation_figures, galleries
from florilegium.figures import PHOTOGRAPHS_DPI
from florilegium.files import read_json, written_whole
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.step import run_step
from florilegium.style import run_title

NOTES = {
    "confused_pairs": "the calibrated probability of the wrong answer, the surest first",
    "hardest_classes": "the wrong answer and its calibrated probability",
}


def main(job):
    about = read_json(job.input.metrics)
    manifest = Manifest(job.input.manifest, job.input.dataset, about["seed"])
    tables = (job.input.predictions, job.input.per_class, job.input.pairs)
    predictions, per_class, pairs = (pd.read_csv(path, keep_default_na=False) for path in tables)
    training = manifest.images("train").groupby("class_name")["path"].first()
    rows = {
        "confused_pairs": galleries.confused_pairs(pairs, predictions, training),
        "hardest_classes": galleries.hardest_classes(per_class, predictions, training),
    }
    surest = galleries.confident_mistakes(predictions)
    shown = [*surest, *(picture for of in rows.values() for row in of for picture in row.pictures if picture)]
    images = pictures(job.input.pixels, manifest, sorted({picture.path for picture in shown}))
    title, weights = run_title(about), about["weights"]
    drawn = {
        name: evaluation_figures.picture_rows(of, images, f"{title}: {name.replace('_', ' ')}", weights, NOTES[name])
        for name, of in rows.items()
    }
    drawn["confident_mistakes"] = evaluation_figures.mistakes_grid(
        surest, images, f"{title}: confident mistakes", weights
    )
    for name, path in job.output.items():
        with written_whole(path) as partial:
            drawn[name].savefig(partial, format="png", dpi=PHOTOGRAPHS_DPI)


def pictures(pixels, manifest, paths):
    """The pixels of photographs, by path."""
    places = pd.Series(np.arange(len(manifest.table)), index=manifest.table["path"])
    if not paths:
        return {}
    found = Pixels(pixels, np.arange(len(manifest.table)))[places[paths].to_numpy()]
    return dict(zip(paths, found, strict=True))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
