"""The figure of what one run's network bears, drawn from robustness.csv."""

import pandas as pd

from florilegium import explanation_figures as figures
from florilegium.files import read_json, written_whole
from florilegium.step import run_step
from florilegium.style import looks, run_title


def main(job):
    about = read_json(job.input.metrics)
    architecture = about["architecture"]
    figure = figures.robustness(
        pd.read_csv(job.input.robustness, keep_default_na=False),
        f"Robustness: {run_title(about)}",
        about["weights"],
        looks([architecture])[architecture].colour,
        about["pretrained"],
    )
    with written_whole(job.output.robustness) as partial:
        figure.savefig(partial, format="png")


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
