"""Figures over all runs, drawn from the result files."""

from functools import partial

import numpy as np
import pandas as pd

from florilegium import comparison_figures, figures, gain_figures, pair_figures, training_figures
from florilegium.comparison import in_order
from florilegium.files import written_whole
from florilegium.step import log, run_step
from florilegium.style import run_labels

AGAINST = {
    "accuracy_parameters": ("parameters", "parameters"),
    "accuracy_gmacs": ("gmacs", "10⁹ multiply-adds per picture"),
    "accuracy_latency": ("latency_ms", "milliseconds per picture (ONNX, one thread)"),
    "accuracy_file": ("file_mb", "size of the ONNX file (MB)"),
    "accuracy_time": ("train_minutes", "minutes of training (both phases)"),
}
TABLES = ("runs", "architectures", "pairs", "agreement", "ensembles", "pareto", "expected", "scaling")


def main(job):
    tables = {name: pd.read_csv(getattr(job.input, name)) for name in TABLES}
    everyone = job.params.settings["architectures"]
    drawn = of_runs(tables, everyone) | of_networks(tables, everyone) | of_files(tables["runs"], job.input, everyone)
    for name, path in job.output.items():
        with written_whole(path) as whole:
            drawn[name]().savefig(whole, format="png")
    log.info("%d figures of %d runs", len(list(job.output.items())), len(tables["runs"]))


def of_runs(tables, everyone):
    """Name -> function that draws it: accuracy, costs and times of every run."""
    minutes, costs = tables["runs"]["train_seconds"] / 60, tables["pareto"].copy()
    runs, timed = tables["runs"].assign(train_minutes=minutes), costs["cost"] == "train_seconds"
    costs.loc[timed, "value"] /= 60
    costs.loc[timed, "cost"] = "train_minutes"
    against = partial(comparison_figures.accuracy_against, runs, architectures=everyone, fronts=costs)
    drawn = {name: partial(against, column, label) for name, (column, label) in AGAINST.items()}
    drawn["accuracy"] = partial(comparison_figures.accuracy_bars, runs, everyone)
    return drawn | {"training_time": partial(comparison_figures.training_time, runs, everyone)}


def of_networks(tables, everyone):
    """Name -> function that draws it: networks against each other, and what is gained."""
    networks = tables["architectures"]
    return {
        "phase_gain": partial(gain_figures.phase_gain, tables["runs"], networks, everyone),
        "differences": partial(pair_figures.differences, tables["pairs"], networks),
        "agreement": partial(pair_figures.agreement, tables["agreement"], networks),
        "ensembles": partial(pair_figures.ensembles, tables["ensembles"], networks, everyone),
        "expected": partial(gain_figures.expected, tables["expected"], everyone),
        "scaling": partial(gain_figures.scaling, tables["scaling"], everyone),
    }


def of_files(runs, files, everyone):
    """Name -> function that draws it: histories and confusion matrices of every run."""
    labels = run_labels(runs)
    weights = dict(zip(labels, runs["weights"], strict=True))
    histories = {
        label: (architecture, pd.read_csv(phase1), pd.read_csv(phase2))
        for label, architecture, phase1, phase2 in zip(
            labels, runs["architecture"], in_order(runs, files.phase1), in_order(runs, files.phase2), strict=True
        )
    }
    random = [label for label, pretrained in zip(labels, runs["pretrained"], strict=True) if not pretrained]
    counts = [pd.read_csv(path, index_col=0, keep_default_na=False) for path in in_order(runs, files.confusion)]
    matrices = {label: table.to_numpy(np.int64) for label, table in zip(labels, counts, strict=True)}
    return {
        "learning_curves": partial(training_figures.learning_curves_all, histories, weights, random, everyone),
        "time_per_part": partial(training_figures.time_per_part, histories, weights),
        "confusion_matrices": partial(figures.confusion_grid, matrices, list(counts[0].columns), weights),
    }


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
