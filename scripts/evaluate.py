"""Predictions and metrics of one run's final network on validation and, once, on test."""

import time

import numpy as np

from florilegium import metrics
from florilegium.checkpoints import load_network
from florilegium.devices import DeviceImages, choose_arithmetic, prepare_process
from florilegium.files import write_json, written_whole
from florilegium.inference import evaluation_outputs, inference_engine
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.step import log, run_step


def main(job):
    prepare_process(job.threads)
    trained, about = load_network(job.input.checkpoint)
    seed, train_on = int(job.wildcards.seed), about["settings"]["train_on"]
    manifest = Manifest(job.input.manifest, job.input.dataset, seed, train_on)
    arithmetic = choose_arithmetic(about["settings"]["precision"])
    logits, found, start = {}, {}, time.perf_counter()
    engine = inference_engine(trained, arithmetic, about["settings"]["crop"], len(manifest.table))
    for split, table in (("val", job.output.val), ("test", job.output.test)):
        images = DeviceImages(Pixels(job.input.pixels, manifest.rows(split)), arithmetic.device)
        outputs = evaluation_outputs(engine, images, about["settings"]["crop"], desc=split)
        logits[split] = outputs.cpu().numpy()
        found[split] = metrics.evaluate(logits[split], manifest.labels(split))
        with written_whole(table) as partial:
            metrics.predictions(logits[split], manifest.images(split), manifest.class_names).to_csv(
                partial, index=False
            )
    seconds = time.perf_counter() - start
    with written_whole(job.output.logits) as partial, open(partial, "wb") as stream:
        np.savez(stream, **logits)
    for path, table in ((job.output.per_class, metrics.per_class), (job.output.confusion, metrics.confusion)):
        frame = table(logits["test"], manifest.labels("test"), manifest.class_names)
        with written_whole(path) as partial:
            frame.to_csv(partial, index=path == job.output.confusion)
    keys = ("recipe", "architecture", "seed", "weights", "pretrained", "phase", "epoch", "seconds")
    if not manifest.validates:
        found["val"] = None  # training images: their accuracy says nothing
    record = {key: about[key] for key in keys} | {"protocol": manifest.protocol, "fold": manifest.fold} | found
    record |= {
        "arithmetic": arithmetic.describe(),
        "evaluation_images_per_second": sum(map(len, logits.values())) / seconds,
    }
    write_json(job.output.metrics, record | {"provenance": about["provenance"]})
    log.info(
        "test top-1 %.2f %%, mean per class %.2f %%", 100 * found["test"]["top1"], 100 * found["test"]["mean_per_class"]
    )


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
