"""Download Flowers102 and check it against the checksums that torchvision knows; runs on the submitting host."""

import os
import shutil
from pathlib import Path

from florilegium.datasets import missing_flowers102
from florilegium.downloads import download, unpack
from florilegium.files import file_digest
from florilegium.step import log, run_step

PHOTOGRAPHS = 8189


def main(job):
    from torchvision.datasets import Flowers102

    root = Path(job.output.labels).parent
    # The photographs first: with the two small files there, the dataset counts as downloaded.
    for part in ("image", "label", "setid"):
        name, md5 = Flowers102._file_dict[part]
        if part == "image" and len(list((root / "jpg").glob("image_*.jpg"))) == PHOTOGRAPHS:
            continue
        if not (root / name).exists() or file_digest(root / name, "md5") != md5:
            download(Flowers102._download_url_prefix + name, root / name, "md5", md5, missing_flowers102(root))
        if part == "image":
            unpack_photographs(root / name, root)
    log.info("Flowers102 is complete in %s", root)


def unpack_photographs(archive, root):
    """The archive's folder jpg/ under `root`, all of it or nothing."""
    beside = root / ".jpg.partial"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        unpack(archive, beside)
        shutil.rmtree(root / "jpg", ignore_errors=True)
        os.replace(beside / "jpg", root / "jpg")
    finally:
        shutil.rmtree(beside, ignore_errors=True)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
