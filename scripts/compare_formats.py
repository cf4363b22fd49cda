"""Torch and every exported file of every run: one table, one figure."""

import pandas as pd

from florilegium.files import read_json, written_whole
from florilegium.format_figures import formats_figure
from florilegium.formats import means, run_formats
from florilegium.step import log, run_step


def main(job):
    files = zip(job.input.metrics, job.input.cost, job.input.check, strict=True)
    rows = [row for paths in files for row in run_formats(*(read_json(path) for path in paths))]
    table = pd.DataFrame(rows)
    with written_whole(job.output.formats) as partial:
        table.to_csv(partial, index=False)
    figure = formats_figure(means(table), job.params.settings["architectures"])
    with written_whole(job.output.figure) as partial:
        figure.savefig(partial, format="png")
    for row in table[~table["recommended"]].itertuples():
        log.info("not recommended: %s of %s (%s), %s", row.format, row.architecture, row.recipe, row.reason)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
