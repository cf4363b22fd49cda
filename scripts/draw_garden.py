"""Draw the embedded dataset."""

import shutil
from pathlib import Path

from florilegium.files import room_for
from florilegium.garden import draw_garden
from florilegium.step import log, run_step


def main(job):
    settings = job.params.settings
    target = Path(job.output.garden)
    shutil.rmtree(target, ignore_errors=True)
    pictures = {split: settings[split] for split in ("train", "val", "test")}
    with room_for(target):
        count = draw_garden(target, settings["species"], pictures, settings["size"], settings["seed"])
    log.info("%d pictures of %d species in %s", count, settings["species"], target)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
