"""Decode every photograph of the manifest once into one array."""

from florilegium.files import written_whole
from florilegium.manifest import Manifest
from florilegium.pixels import write_pixels
from florilegium.step import log, run_step


def main(job):
    table = Manifest(job.input.manifest, job.input.dataset).table
    paths, sha256 = table["path"].tolist(), table["sha256"].tolist()
    side, _, mode = job.wildcards.square.partition("_")  # 256, 256_center
    with written_whole(job.output.pixels) as partial:
        write_pixels(partial, paths, int(side), job.threads, sha256, mode or "squash")
    log.info("%d images at %s pixels in %s", len(paths), side, job.output.pixels)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
