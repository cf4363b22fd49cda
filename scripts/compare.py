"""One row per run, one per architecture, and what follows from them: fronts, compound scaling, the course's numbers."""

import pandas as pd

from florilegium.comparison import by_architecture, run_row
from florilegium.course import expected
from florilegium.files import read_json, written_whole
from florilegium.pareto import fronts
from florilegium.scaling import scaling
from florilegium.step import log, run_step


def main(job):
    files = zip(job.input.metrics, job.input.cost, job.input.check, job.input.phase1, job.input.phase2, strict=True)
    rows = [
        run_row(read_json(metrics), read_json(cost), read_json(check), pd.read_csv(phase1), pd.read_csv(phase2))
        for metrics, cost, check, phase1, phase2 in files
    ]
    runs = pd.DataFrame(rows)
    architectures, crops = by_architecture(runs), job.params.settings["crops"]
    tables = {
        "runs": runs,
        "architectures": architectures,
        "pareto": fronts(architectures),
        "scaling": scaling(architectures, crops),
        "expected": expected(architectures, read_json(job.input.dataset)["kind"], crops),
    }
    for name, path in job.output.items():
        with written_whole(path) as partial:
            tables[name].to_csv(partial, index=False)
    log.info("%d runs of %d networks", len(runs), len(architectures))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
