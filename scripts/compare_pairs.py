"""Networks against each other on the same test images: paired tests, agreement, averages of probabilities."""

import numpy as np
import pandas as pd

from florilegium.agreement import agreement
from florilegium.comparison import in_order
from florilegium.ensembles import Split, ensembles, probabilities
from florilegium.files import read_json, written_whole
from florilegium.paired import check_same_images, paired_tests
from florilegium.step import log, run_step


def main(job):
    runs, architectures = pd.read_csv(job.input.runs), pd.read_csv(job.input.architectures)
    numbers = {name: i for i, name in enumerate(read_json(job.input.dataset)["class_names"])}
    images = {
        split: [
            pd.read_csv(path, keep_default_na=False, usecols=["path", "class_name"]) for path in in_order(runs, paths)
        ]
        for split, paths in (("val", job.input.val), ("test", job.input.test))
    }
    names = [f"{run.recipe}/{run.architecture}/seed{run.seed}" for run in runs.itertuples()]
    check_same_images({name: list(table["path"]) for name, table in zip(names, images["test"], strict=True)})
    labels = {s: [table["class_name"].map(numbers).to_numpy() for table in tables] for s, tables in images.items()}
    rows = [  # of runs.csv and of every input, for each row of architectures.csv
        np.flatnonzero((runs["recipe"] == network.recipe) & (runs["architecture"] == network.architecture))
        for network in architectures.itertuples()
    ]
    logits = [np.load(path) for path in in_order(runs, job.input.logits)]
    answers = [np.stack([logits[i]["test"].argmax(1) for i in places]) for places in rows]
    truth, first = labels["test"][0], rows[0]
    splits = {
        split: Split(
            [[probabilities(logits[i][split]) for i in places] for places in rows],
            [labels[split][i] for i in first],
            len({tuple(images[split][i]["path"]) for i in first}) == 1,
        )
        for split in ("val", "test")
    }
    tables = {
        "pairs": paired_tests(architectures, [given == truth for given in answers]),
        "agreement": agreement(architectures, answers, truth),
        "ensembles": ensembles(architectures, splits),
    }
    for name, path in job.output.items():
        with written_whole(path) as partial:
            tables[name].to_csv(partial, index=False)
    pairs = tables["pairs"]
    log.info("%d of %d pairs differ on the %d test images", pairs["separable"].sum(), len(pairs), len(truth))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
