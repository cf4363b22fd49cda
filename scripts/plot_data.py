"""Figures of the dataset: samples with their names, and images per class and split."""

import numpy as np

from florilegium import figures
from florilegium.files import written_whole
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.step import run_step

CLASSES, COLUMNS = 15, 5


def main(job):
    manifest = Manifest(job.input.manifest, job.input.dataset)
    train = manifest.images("train")
    # Classes spread evenly over the list, each by its first training picture.
    chosen = np.unique(np.linspace(0, len(manifest.class_names) - 1, CLASSES).round().astype(int))
    rows = [train.index[train["label"] == label][0] for label in chosen]
    images = Pixels(job.input.pixels, np.arange(len(manifest.table)))[np.array(rows)]
    names = [manifest.class_names[label] for label in chosen]
    counts = manifest.table.groupby(["class_name", "split"]).size().rename("images").reset_index()
    drawn = {
        "samples": figures.sample_grid(images, names, COLUMNS, "Training pictures as the networks see them"),
        "class_counts": figures.class_counts(counts),
    }
    for name, path in job.output.items():
        with written_whole(path) as partial:
            drawn[name].savefig(partial, format="png")


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
