"""Phase 2: the whole network; then the better of the two phases, by validation, becomes final.pth."""

from pathlib import Path

import torch

from florilegium.checkpoints import load_network, read_metadata, run_metadata, save_checkpoint, save_history
from florilegium.devices import Arithmetic, DeviceImages, choose_arithmetic, prepare_process
from florilegium.files import file_digest
from florilegium.fine_tuning import fine_tune
from florilegium.locks import only_writer
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.progress import Progress, file_stamp, finished_elsewhere, remove_partials
from florilegium.state_dicts import read_state
from florilegium.step import log, run_step


def main(job):
    prepare_process(job.threads)
    results = [job.output.best, job.output.final, job.output.history]
    folder = Path(job.output.best).parent / "resume"
    with only_writer(folder / "phase2.lock") as waited:
        arithmetic = choose_arithmetic(job.params.settings["precision"])
        manifest = Manifest(
            job.input.manifest, job.input.dataset, int(job.wildcards.seed), job.params.settings["train_on"]
        )
        progress = Progress(folder, "phase2", what_decides(job, manifest, arithmetic))
        if waited and finished_elsewhere(progress, results):
            log.info("phase 2: the process that held the lock has finished this training; its results stand")
            return
        remove_partials(results)
        train(job, manifest, arithmetic, progress)


def what_decides(job, manifest, arithmetic):
    """What names the progress file: a training that differs in any of it starts from the beginning."""
    return {
        "architecture": job.wildcards.architecture,
        "seed": int(job.wildcards.seed),
        "settings": job.params.settings,
        "dataset": manifest.fingerprint,
        "pixels": file_stamp(job.input.pixels),
        "checkpoint": file_digest(job.input.checkpoint),
        "arithmetic": [arithmetic.device.type, str(arithmetic.dtype)],
    }


def train(job, manifest: Manifest, arithmetic: Arithmetic, progress: Progress):
    settings = job.params.settings
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
    judges = split["val"] if manifest.validates else None
    outcome = fine_tune(network, split["train"], judges, settings, int(job.wildcards.seed), arithmetic, progress)
    seconds = before["seconds"] | {"phase2": outcome.seconds}
    computed = before["provenance"]["arithmetic"] | {"phase2": arithmetic.describe()}
    metadata = run_metadata(job.wildcards, before["settings"] | settings, manifest, computed)
    metadata |= {"training": progress.fingerprint}
    metadata |= {"phase": 2, "epoch": outcome.best_epoch, "val_top1": outcome.val_top1, "seconds": seconds}
    metadata |= {"epochs": before["epochs"] | {"phase2": outcome.epochs(settings["phase2"]["epochs"])}}
    save_checkpoint(job.output.best, outcome.best_state, metadata)
    improved = not manifest.validates or outcome.best_top1 >= before["val_top1"]
    chosen = job.output.best if improved else job.input.checkpoint
    whole = {key: metadata[key] for key in ("seconds", "epochs", "settings", "provenance")}
    save_checkpoint(job.output.final, read_state(chosen), read_metadata(chosen) | whole)
    save_history(job.output.history, outcome.history)
    progress.discard()
    log.info("phase 2: %s; final is %s", outcome.describe(), chosen)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
