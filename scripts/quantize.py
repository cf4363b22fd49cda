"""The exported network in 8-bit integers, calibrated on training images, with the remedies that its accuracy needs."""

import json

import numpy as np
import onnx
import torch

from florilegium.augment import evaluation_view
from florilegium.devices import DeviceImages
from florilegium.files import read_json, write_json
from florilegium.int8_remedies import Remedies, search
from florilegium.manifest import Manifest
from florilegium.onnx_files import description_of, save
from florilegium.onnx_gate import Gate
from florilegium.pixels import Pixels
from florilegium.sampling import evenly_by_class
from florilegium.step import log, run_step


def main(job):
    torch.set_num_threads(max(1, job.threads))
    model, settings = onnx.load(job.input.model), job.params.settings
    texts = description_of(model)
    crop, train_on = json.loads(texts["preprocessing"])["size"], json.loads(texts["run"])["settings"]["train_on"]
    seed = int(job.wildcards.seed)
    manifest = Manifest(job.input.manifest, job.input.dataset, seed, train_on)
    images = DeviceImages(Pixels(job.input.pixels, manifest.rows("val")), torch.device("cpu"))
    with np.load(job.input.logits) as stored:
        reference = stored["torch"]
    gate = Gate(reference, images, manifest.labels("val"), crop, job.threads, settings["int8_max_loss"])
    views = training_views(job.input.pixels, manifest, settings["calibration_images"], crop, seed)
    best, found, tried = search(Remedies(model, views), lambda model: gate("int8", model))
    save(job.output.model, best.model, texts, "int8", found["reason"])
    check = read_json(job.input.check)
    check["formats"]["int8"] = found | {"made_with": best.name, "calibration_images": len(views)}
    write_json(job.output.check, check | {"int8_remedies": tried})
    gained = 100 * (found["top1"] - found["top1_torch"])
    log.info("int8, %s: top-1 %+.2f points; %s", best.name, gained, found["reason"] or "recommended")


def training_views(path, manifest, count, crop, seed):
    """Evaluation views of training images, all classes alike, in random order."""
    chosen = evenly_by_class(manifest.labels("train"), count, seed)
    rows = manifest.rows("train")[np.random.default_rng(seed).permutation(chosen)]
    pixels = Pixels(path, rows)
    parts = np.array_split(np.arange(len(rows)), max(1, len(rows) // 16))
    return np.concatenate([evaluation_view(torch.from_numpy(pixels[part]), crop).numpy() for part in parts])


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
