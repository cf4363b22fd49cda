"""Phase 1, the expensive half: features of all augmented views and of the validation images."""

import time
from collections import Counter

import numpy as np

from florilegium.devices import DeviceImages, choose_arithmetic, peak_memory_mb, prepare_process
from florilegium.features import training_features
from florilegium.files import reserve_space, write_json, written_whole
from florilegium.inference import evaluation_outputs, inference_arithmetic, inference_engine
from florilegium.manifest import Manifest
from florilegium.networks import build_network, load_backbone, without_head
from florilegium.pixels import Pixels
from florilegium.step import log, run_step


def main(job):
    prepare_process(job.threads)
    settings, seed = job.params.settings, int(job.wildcards.seed)
    manifest = Manifest(job.input.manifest, job.input.dataset, seed, settings["train_on"])
    arithmetic = choose_arithmetic(settings["precision"])
    network = build_network(job.wildcards.architecture, len(manifest.class_names), None, seed)
    load_backbone(network, settings["weights"], job.input.weights or None)
    split = {
        name: DeviceImages(Pixels(job.input.pixels, manifest.rows(name)), arithmetic.device)
        for name in ("train", "val")
    }
    start = time.perf_counter()
    backbone, crop, test_crop = without_head(network), settings["crop"], settings["test_crop"]
    arithmetic = inference_arithmetic(backbone, arithmetic, split["val"], test_crop)
    # An engine may be made for one size of views; training and validation views mostly have the same.
    views_of_side = Counter({crop: settings["phase1"]["epochs"] * len(split["train"])})
    views_of_side[test_crop] += len(split["val"])
    images = views_of_side.total()
    engines = {side: inference_engine(backbone, arithmetic, side, count) for side, count in views_of_side.items()}
    val = evaluation_outputs(engines[test_crop], split["val"], test_crop, desc="validation features").cpu().numpy()
    shape = (settings["phase1"]["epochs"], len(split["train"]), val.shape[1])
    with written_whole(job.output.train) as partial:
        views = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
        reserve_space(partial)
        training_features(engines[crop], split["train"], settings, seed, views)
        views.flush()
    seconds = time.perf_counter() - start
    with written_whole(job.output.val) as partial, open(partial, "wb") as stream:
        np.save(stream, val)
    report = {
        "seconds": seconds,
        "images_per_second": images / seconds,
        "arithmetic": arithmetic.describe(),
        "peak_memory_mb": peak_memory_mb(arithmetic.device),
    }
    write_json(job.output.report, report)
    log.info("%d views, %.0f images/s (%s)", images, report["images_per_second"], report["arithmetic"])


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
