"""The audit as a page: what the manifest and dataset.json say of the photographs, with thumbnails."""

from florilegium.audit_page import audit_page
from florilegium.files import write_text
from florilegium.manifest import Manifest
from florilegium.step import run_step


def main(job):
    manifest = Manifest(job.input.manifest, job.input.dataset)
    write_text(job.output.page, audit_page(manifest.table, manifest.dataset))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
