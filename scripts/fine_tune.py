"""Phase 2: the whole network; then the better of the two phases, by validation, becomes final.pth."""

import time

import pandas as pd
import torch

from florilegium.checkpoints import load_network, read_metadata, run_metadata, save_checkpoint
from florilegium.devices import DeviceImages, choose_arithmetic, prepare_process
from florilegium.files import written_whole
from florilegium.fine_tuning import fine_tune
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.state_dicts import read_state
from florilegium.step import log, run_step


def main(job):
    prepare_process(job.threads)
    settings, seed = job.params.settings, int(job.wildcards.seed)
    manifest = Manifest(job.input.manifest, job.input.dataset, seed)
    arithmetic = choose_arithmetic(settings["precision"])
    log.info("phase 2 of %s on %s", job.wildcards.architecture, arithmetic.describe())
    network, before = load_network(job.input.checkpoint)
    arithmetic.place(network)
    split = {
        name: (
            DeviceImages(Pixels(job.input.pixels, manifest.rows(name)), arithmetic.device),
            torch.from_numpy(manifest.labels(name)).to(arithmetic.device),
        )
        for name in ("train", "val")
    }
    start = time.perf_counter()
    outcome = fine_tune(network, split["train"], split["val"], settings, seed, arithmetic)
    seconds = before["seconds"] | {"phase2": time.perf_counter() - start}
    metadata = run_metadata(job.wildcards, before["settings"] | settings, manifest)
    metadata |= {"phase": 2, "epoch": outcome.best_epoch, "val_top1": outcome.best_top1, "seconds": seconds}
    save_checkpoint(job.output.best, outcome.best_state, metadata)
    chosen = job.output.best if outcome.best_top1 >= before["val_top1"] else job.input.checkpoint
    whole = {key: metadata[key] for key in ("seconds", "settings", "provenance")}
    save_checkpoint(job.output.final, read_state(chosen), read_metadata(chosen) | whole)
    with written_whole(job.output.history) as partial:
        pd.DataFrame(outcome.history).to_csv(partial, index=False)
    log.info(
        "phase 2: validation top-1 %.2f %% at epoch %d; final is %s",
        100 * outcome.best_top1,
        outcome.best_epoch,
        chosen,
    )


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
