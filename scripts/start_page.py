"""The first page of the report: the answer, a table of the networks, one figure."""

from pathlib import Path

import pandas as pd

from florilegium.files import read_json, write_text
from florilegium.start_page import start_page
from florilegium.step import run_step


def main(job):
    selection, architectures = read_json(job.input.selection), pd.read_csv(job.input.architectures)
    figure = Path(job.input.figure).read_bytes()
    write_text(job.output.page, start_page(selection, architectures, read_json(job.input.dataset), figure))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
