"""Figures of one run, drawn from its result files."""

import numpy as np
import pandas as pd

from florilegium import evaluation_figures, figures, training_figures
from florilegium.files import read_json, written_whole
from florilegium.step import run_step
from florilegium.style import looks, run_title


def main(job):
    about = read_json(job.input.metrics)
    architecture, weights = about["architecture"], about["weights"]
    title = run_title(about)
    confusion = pd.read_csv(job.input.confusion, index_col=0, keep_default_na=False)
    per_class = pd.read_csv(job.input.per_class, keep_default_na=False)
    histories = [pd.read_csv(path) for path in (job.input.phase1, job.input.phase2)]
    bins, curve = pd.read_csv(job.input.calibration), pd.read_csv(job.input.risk_coverage)
    colour = looks([architecture])[architecture].colour
    drawn = {
        "learning_curves": training_figures.learning_curves(*histories, title, weights, colour, about.get("epochs")),
        "training_cost": training_figures.training_cost(*histories, title, weights, colour, about["seconds"]),
        "confusion_matrix": figures.confusion(confusion.to_numpy(np.int64), list(confusion.columns), title, weights),
        "per_class": figures.per_class(per_class, title, weights),
        "reliability": evaluation_figures.reliability(bins, about["calibration"], title, weights, colour),
        "risk_coverage": evaluation_figures.risk_coverage(curve, about["sure"], about["test"], title, weights, colour),
    }
    for name, path in job.output.items():
        with written_whole(path) as partial:
            drawn[name].savefig(partial, format="png")


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
