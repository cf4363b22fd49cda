"""Where these results come from: configuration, code, versions, machine, data, times."""

import pandas as pd

from florilegium.files import read_json, write_json
from florilegium.provenance import origin
from florilegium.step import run_step

TIMES = ["recipe", "architecture", "seed", "phase1_seconds", "phase2_seconds", "train_seconds"]


def main(job):
    config = job.params.settings
    times = pd.read_csv(job.input.runs)[TIMES].to_dict("records")
    dataset = read_json(job.input.dataset)["fingerprint"]
    write_json(job.output.provenance, {"config": config, **origin(config, dataset), "times": times})


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
