"""Figures of recipes beside each other, drawn from the tables of compare_recipes."""

import pandas as pd

from florilegium.files import written_whole
from florilegium.recipe_figures import recipe_gains, time_to_accuracy
from florilegium.step import log, run_step


def main(job):
    ablation = pd.read_csv(job.input.ablation).fillna({"changes": "", "interval_over": ""})
    figures = {
        "time_to_accuracy": time_to_accuracy(pd.read_csv(job.input.progress), ablation),
        "recipe_gains": recipe_gains(ablation),
    }
    for name, path in job.output.items():
        with written_whole(path) as partial:
            figures[name].savefig(partial, format="png")
    log.info("%d figures of %d recipes", len(figures), ablation["recipe"].nunique())


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
