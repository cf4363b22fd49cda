"""How much of its accuracy a run's final network keeps when the test photographs are blurred, darkened, turned …"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from florilegium.checkpoints import load_network
from florilegium.corruptions import CORRUPTIONS, CorruptedImages
from florilegium.devices import DeviceImages, choose_arithmetic, prepare_process
from florilegium.files import written_whole
from florilegium.inference import evaluation_outputs, inference_arithmetic, inference_engine
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.sampling import evenly_by_class
from florilegium.step import log, run_step


def main(job):
    prepare_process(job.threads)
    network, about = load_network(job.input.checkpoint)
    manifest, crop = Manifest(job.input.manifest, job.input.dataset), about["settings"]["test_crop"]
    # The same images for every run, whatever its seed: networks are compared on them.
    sample = evenly_by_class(manifest.labels("test"), job.params.settings["robustness_images"])
    labels = manifest.labels("test")[sample]
    arithmetic = choose_arithmetic(about["settings"]["precision"])
    images = DeviceImages(Pixels(job.input.pixels, manifest.rows("test")[sample]), arithmetic.device)
    versions = {("none", 0, "as it is"): images} | {
        (name, strength, what.level.format(value)): CorruptedImages(images, name, strength)
        for name, what in CORRUPTIONS.items()
        for strength, value in enumerate(what.values, 1)
    }
    arithmetic = inference_arithmetic(network, arithmetic, images, crop)
    engine = inference_engine(network, arithmetic, crop, len(versions) * len(sample))
    rows = []
    for (name, strength, level), damaged in versions.items():
        logits = evaluation_outputs(engine, damaged, crop, desc=f"{name} {strength}").cpu().numpy()
        found = {"corruption": name, "strength": strength, "level": level} | accuracy(logits, labels)
        log.info("%-10s %-24s top-1 %5.1f %%", name, level, 100 * found["top1"])
        rows.append(found)
    with written_whole(job.output.robustness) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False)


def accuracy(logits, labels):
    """Images, top-1 with its 95 % Wilson interval, and the mean of the classes' accuracies, as shares 0 … 1."""
    right = logits.argmax(1) == labels
    interval = binomtest(int(right.sum()), len(labels)).proportion_ci(0.95, method="wilson")
    return {
        "images": len(labels),
        "top1": right.mean(),
        "top1_low": interval.low,
        "top1_high": interval.high,
        "mean_per_class": np.mean([right[labels == label].mean() for label in np.unique(labels)]),
    }


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
