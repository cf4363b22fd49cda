"""Figures over all runs, drawn from the result files."""

import numpy as np
import pandas as pd

from florilegium import comparison_figures, figures, training_figures
from florilegium.files import written_whole
from florilegium.step import log, run_step
from florilegium.style import run_labels

AGAINST = {
    "accuracy_parameters": ("parameters", "parameters"),
    "accuracy_gmacs": ("gmacs", "10⁹ multiply-adds per picture"),
    "accuracy_latency": ("latency_ms", "milliseconds per picture (ONNX, one thread)"),
}


def main(job):
    runs = pd.read_csv(job.input.runs)
    architectures = job.params.settings["architectures"]
    drawn = {
        name: comparison_figures.accuracy_against(runs, column, label, architectures=architectures)
        for name, (column, label) in AGAINST.items()
    }
    drawn["accuracy"] = comparison_figures.accuracy_bars(runs, architectures)
    drawn["training_time"] = comparison_figures.training_time(runs, architectures)
    labels = run_labels(runs)
    weights = dict(zip(labels, runs["weights"], strict=True))
    histories = {
        label: (architecture, pd.read_csv(phase1), pd.read_csv(phase2))
        for label, architecture, phase1, phase2 in zip(
            labels, runs["architecture"], job.input.phase1, job.input.phase2, strict=True
        )
    }
    random = [label for label, pretrained in zip(labels, runs["pretrained"], strict=True) if not pretrained]
    drawn["learning_curves"] = training_figures.learning_curves_all(histories, weights, random, architectures)
    drawn["time_per_part"] = training_figures.time_per_part(histories, weights)
    tables = [pd.read_csv(path, index_col=0, keep_default_na=False) for path in job.input.confusion]
    matrices = {label: table.to_numpy(np.int64) for label, table in zip(labels, tables, strict=True)}
    drawn["confusion_matrices"] = figures.confusion_grid(matrices, list(tables[0].columns), weights)
    for name, path in job.output.items():
        with written_whole(path) as partial:
            drawn[name].savefig(partial, format="png")
    log.info("%d figures of %d runs", len(drawn), len(runs))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
