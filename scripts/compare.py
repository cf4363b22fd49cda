"""One row per run, one per architecture, and the page with the answer."""

import pandas as pd

from florilegium.comparison import by_architecture, choose, run_row
from florilegium.files import read_json, write_text, written_whole
from florilegium.pages import comparison_page
from florilegium.step import log, run_step


def main(job):
    files = zip(job.input.metrics, job.input.cost, job.input.check, job.input.phase1, job.input.phase2, strict=True)
    rows = [
        run_row(read_json(metrics), read_json(cost), read_json(check), pd.read_csv(phase1), pd.read_csv(phase2))
        for metrics, cost, check, phase1, phase2 in files
    ]
    runs = pd.DataFrame(rows)
    architectures = by_architecture(runs)
    for path, table in ((job.output.runs, runs), (job.output.architectures, architectures)):
        with written_whole(path) as partial:
            table.to_csv(partial, index=False)
    chosen, rivals = choose(architectures)
    write_text(job.output.page, comparison_page(runs, chosen, rivals, read_json(job.input.dataset)))
    choice = "nothing" if chosen is None else f"{chosen['architecture']} ({chosen['recipe']})"
    log.info("%d runs; validation chooses %s", len(runs), choice)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
