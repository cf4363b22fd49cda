"""Download Flowers102 with torchvision's class, which checks the checksums; runs on the submitting host."""

import socket
from pathlib import Path

from florilegium.datasets import missing_flowers102
from florilegium.errors import UserError
from florilegium.step import log, run_step

TIMEOUT = 20  # seconds without a byte; a firewall that swallows packets must not look like a slow server


def main(job):
    from torchvision.datasets import Flowers102

    socket.setdefaulttimeout(TIMEOUT)
    root = Path(job.output.labels).parent
    try:
        for split in ("train", "val", "test"):
            Flowers102(root.parent, split=split, download=True)  # it appends flowers-102 itself
    except (OSError, RuntimeError) as error:
        raise UserError(f"download failed ({error}). {missing_flowers102(root)}") from error
    log.info("Flowers102 is complete in %s", root)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
