"""The choice under the configuration's limits, in numbers and in words, and the table of all runs that it heads."""

import numpy as np
import pandas as pd

from florilegium.choice_words import headline, sentences
from florilegium.comparison import in_order
from florilegium.files import read_json, write_json, write_text
from florilegium.pages import comparison_page
from florilegium.selection import select
from florilegium.selection_page import selection_markdown, selection_page
from florilegium.step import log, run_step


def main(job):
    runs, architectures = pd.read_csv(job.input.runs), pd.read_csv(job.input.architectures)
    right = [
        pd.read_csv(path, usecols=["correct"])["correct"].to_numpy(np.int64) if np.isfinite(val_top1) else None
        for path, val_top1 in zip(in_order(runs, job.input.val), runs["val_top1"], strict=True)
    ]
    keys = list(zip(runs["recipe"], runs["architecture"], strict=True))
    validation = [
        [given for given, key in zip(right, keys, strict=True) if key == (network.recipe, network.architecture)]
        for network in architectures.itertuples()
    ]  # None: training images
    selection = select(architectures, pd.read_csv(job.input.pairs), validation, job.params.settings)
    selection = {"headline": headline(selection), "sentences": sentences(selection)} | selection
    write_json(job.output.selection, selection)
    write_text(job.output.text, selection_markdown(selection))
    write_text(job.output.page, selection_page(selection))
    write_text(job.output.table, comparison_page(runs, selection, read_json(job.input.dataset)))
    log.info("%s", selection["headline"])


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
