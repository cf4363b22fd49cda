"""Phase 1, the cheap half: the head learns from features; the checkpoint is the whole network."""

from pathlib import Path

import numpy as np
import torch

from florilegium.checkpoints import run_metadata, save_checkpoint, save_history
from florilegium.devices import prepare_process
from florilegium.errors import UserError
from florilegium.files import file_digest, read_json
from florilegium.head import solve_head, train_head
from florilegium.locks import only_writer
from florilegium.manifest import Manifest
from florilegium.networks import build_network, head_dropout, head_name, load_backbone
from florilegium.progress import Progress, finished_elsewhere, remove_partials
from florilegium.step import log, run_step


def main(job):
    prepare_process(job.threads)
    results = [job.output.checkpoint, job.output.history]
    folder = Path(job.output.checkpoint).parent / "resume"
    with only_writer(folder / "phase1.lock") as waited:
        manifest = Manifest(
            job.input.manifest, job.input.dataset, int(job.wildcards.seed), job.params.settings["train_on"]
        )
        progress = Progress(folder, "phase1", what_decides(job, manifest))
        if waited and finished_elsewhere(progress, results):
            log.info("phase 1: the process that held the lock has finished this training; its results stand")
            return
        remove_partials(results)
        train(job, manifest, progress)


def what_decides(job, manifest):
    """What names the progress file: a training that differs in any of it starts from the beginning."""
    files = {"weights": job.input.weights, "train": job.input.train, "val": job.input.val}
    return {
        "architecture": job.wildcards.architecture,
        "seed": int(job.wildcards.seed),
        "settings": job.params.settings,
        "dataset": manifest.fingerprint,
        "inputs": {name: file_digest(path) for name, path in files.items() if path},
    }


def train(job, manifest: Manifest, progress: Progress):
    settings, seed = job.params.settings, int(job.wildcards.seed)
    images = len(manifest.rows("train"))
    if settings["batch_size"] > images:  # planning knows the size of some datasets only
        raise UserError(
            f"recipe_definitions.{job.wildcards.recipe}.batch_size: {settings['batch_size']} (for "
            f"{job.wildcards.architecture}) is larger than the training set; expected at most its {images} images"
        )
    network = build_network(job.wildcards.architecture, len(manifest.class_names), settings["dropout"], seed)
    load_backbone(network, settings["weights"], job.input.weights or None)
    head = network.get_submodule(head_name(network))
    train_set = (np.load(job.input.train, mmap_mode="r"), torch.from_numpy(manifest.labels("train")))
    val_set = (torch.from_numpy(np.load(job.input.val)), torch.from_numpy(manifest.labels("val")))
    judges = val_set if manifest.validates else None
    solves = settings["phase1"]["solver"] == "logistic"
    if solves:
        outcome = solve_head(head, train_set, judges, settings)
    else:
        outcome = train_head(head, head_dropout(network), train_set, judges, settings, seed, progress)
    head.load_state_dict(outcome.best_state)
    features = read_json(job.input.report)
    seconds = {"phase1": outcome.seconds + features["seconds"]}
    metadata = run_metadata(job.wildcards, settings, manifest, {"phase1": features["arithmetic"]})
    metadata |= {"training": progress.fingerprint}
    metadata |= {"phase": 1, "epoch": outcome.best_epoch, "val_top1": outcome.val_top1, "seconds": seconds}
    metadata |= {"epochs": {"phase1": outcome.epochs(1 if solves else settings["phase1"]["epochs"])}}
    save_checkpoint(job.output.checkpoint, network.state_dict(), metadata)
    save_history(job.output.history, outcome.history)
    progress.discard()
    log.info("phase 1: %s", outcome.describe())


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
