"""An executed notebook as a page of the report."""

import nbformat

from florilegium.files import write_text
from florilegium.lesson_html import lesson_page
from florilegium.step import run_step


def main(job):
    notebook = nbformat.read(job.input.notebook, as_version=4)
    write_text(job.output.page, lesson_page(notebook, job.input.notebook))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
