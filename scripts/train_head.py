"""Phase 1, the cheap half: the head learns from features; the checkpoint is the whole network."""

import time

import numpy as np
import pandas as pd
import torch

from florilegium.checkpoints import run_metadata, save_checkpoint
from florilegium.devices import prepare_process
from florilegium.errors import UserError
from florilegium.files import read_json, written_whole
from florilegium.head import train_head
from florilegium.manifest import Manifest
from florilegium.networks import build_network, head_dropout, head_name, load_backbone
from florilegium.step import log, run_step


def main(job):
    prepare_process(job.threads)
    settings, seed = job.params.settings, int(job.wildcards.seed)
    manifest = Manifest(job.input.manifest, job.input.dataset, seed)
    images = len(manifest.rows("train"))
    if settings["batch_size"] > images:  # planning knows the size of some datasets only
        raise UserError(
            f"recipe_definitions.{job.wildcards.recipe}.batch_size: {settings['batch_size']} (for "
            f"{job.wildcards.architecture}) is larger than the training set; expected at most its {images} images"
        )
    network = build_network(job.wildcards.architecture, len(manifest.class_names), settings["dropout"], seed)
    load_backbone(network, settings["weights"], job.input.weights or None)
    head = network.get_submodule(head_name(network))
    train = (np.load(job.input.train, mmap_mode="r"), torch.from_numpy(manifest.labels("train")))
    val = (torch.from_numpy(np.load(job.input.val)), torch.from_numpy(manifest.labels("val")))
    start = time.perf_counter()
    outcome = train_head(head, head_dropout(network), train, val, settings, seed)
    head.load_state_dict(outcome.best_state)
    seconds = time.perf_counter() - start + read_json(job.input.report)["seconds"]
    metadata = run_metadata(job.wildcards, settings, manifest)
    metadata |= {"phase": 1, "epoch": outcome.best_epoch, "val_top1": outcome.best_top1, "seconds": {"phase1": seconds}}
    save_checkpoint(job.output.checkpoint, network.state_dict(), metadata)
    with written_whole(job.output.history) as partial:
        pd.DataFrame(outcome.history).to_csv(partial, index=False)
    log.info("phase 1: validation top-1 %.2f %% at epoch %d", 100 * outcome.best_top1, outcome.best_epoch)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
