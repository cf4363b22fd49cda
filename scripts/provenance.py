"""Where these results come from: configuration, code, versions, machine, data."""

from datetime import UTC, datetime

from florilegium.files import read_json, write_json
from florilegium.provenance import commit, digest_of, hardware, versions
from florilegium.step import run_step


def main(job):
    config = job.params.settings
    record = {
        "config": config,
        "config_sha256": digest_of(config),
        "dataset_sha256": read_json(job.input.dataset)["fingerprint"],
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_json(job.output.provenance, record)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
