"""Figures of what one run's network sees, drawn from explanations.npz."""

import numpy as np

from florilegium import explanation_figures as figures
from florilegium.figures import PHOTOGRAPHS_DPI
from florilegium.files import read_json, written_whole
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.step import run_step
from florilegium.style import run_title


def main(job):
    about = read_json(job.input.metrics)
    manifest = Manifest(job.input.manifest, job.input.dataset)
    pixels = Pixels(job.input.pixels, np.arange(len(manifest.table)))
    with np.load(job.input.explanations) as stored:
        found = {name: stored[name][()] for name in stored}
    run, weights, names = run_title(about), about["weights"], manifest.class_names
    chosen = figures.nearest_to_cells(found["map_place"], figures.cells_for(len(found["map_place"])))
    mapped = pixels[found["map_row"][list(chosen.values())]]
    photograph = pixels[found["stage_row"]][0]
    drawn = {
        "grad_cam": figures.grad_cam(
            found, pixels[found["cam_row"]], names, f"What spoke for the class: {run}", weights
        ),
        "first_filters": figures.first_filters(found, f"First filters: {run}", weights),
        "feature_maps": figures.feature_maps(found, photograph, f"Maps of each stage: {run}", weights),
        "picture_map": figures.picture_map(found, chosen, mapped, f"Map of the features: {run}", weights),
    }
    for name, path in job.output.items():
        with written_whole(path) as partial:
            drawn[name].savefig(partial, format="png", dpi=PHOTOGRAPHS_DPI)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
