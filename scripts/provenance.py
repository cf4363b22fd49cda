"""Where these results come from: configuration, code, versions, machine, data, times."""

import pandas as pd

from florilegium.files import read_json, write_json, write_text
from florilegium.provenance import origin
from florilegium.provenance_page import provenance_page
from florilegium.step import run_step

TIMES = ["recipe", "architecture", "seed", "phase1_seconds", "phase2_seconds", "train_seconds"]


def main(job):
    config = job.params.settings
    times = pd.read_csv(job.input.runs)[TIMES].to_dict("records")
    dataset = read_json(job.input.dataset)["fingerprint"]
    record = {"config": config, **origin(config, dataset), "times": times}
    write_json(job.output.provenance, record)
    write_text(job.output.page, provenance_page(record))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
