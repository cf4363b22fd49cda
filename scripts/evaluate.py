"""Predictions and metrics of one run's final network on validation and, once, on test."""

import time

import numpy as np

from florilegium import calibration, metrics, selective
from florilegium.checkpoints import load_network
from florilegium.devices import DeviceImages, choose_arithmetic, prepare_process
from florilegium.files import write_json, written_whole
from florilegium.inference import evaluation_outputs, inference_arithmetic, inference_engine
from florilegium.manifest import Manifest
from florilegium.pixels import Pixels
from florilegium.step import log, run_step

COPIED = ("recipe", "architecture", "seed", "weights", "pretrained", "phase", "epoch", "seconds")


def main(job):
    prepare_process(job.threads)
    trained, about = load_network(job.input.checkpoint)
    manifest = Manifest(job.input.manifest, job.input.dataset, int(job.wildcards.seed), about["settings"]["train_on"])
    logits, conditions = all_logits(job, trained, about, manifest)
    mirrored = logits.pop("mirrored", None)
    labels = {split: manifest.labels(split) for split in logits}
    # Training images would say that the network is surer than it should be: then the temperature stays 1.
    fitted_on = "val" if manifest.validates else None
    temperature = calibration.fit_temperature(logits["val"], labels["val"]) if fitted_on else 1.0
    shares = {split: calibration.probabilities(logits[split], temperature) for split in logits}
    with written_whole(job.output.logits) as partial, open(partial, "wb") as stream:
        np.savez(stream, **logits)
    measured, tables = confidence(logits["test"], shares, labels, temperature, job.params.settings, manifest.validates)
    write_tables(job, manifest, logits, temperature, tables)

    record = {key: about[key] for key in COPIED} | {"protocol": manifest.protocol, "fold": manifest.fold}
    record["epochs"] = about.get("epochs")
    record["val"] = metrics.evaluate(logits["val"], labels["val"]) if manifest.validates else None
    record["test"] = metrics.evaluate(logits["test"], labels["test"])
    record["calibration"] = {"fitted_on": fitted_on, "temperature": temperature} | measured["calibration"]
    record["sure"] = measured["sure"]
    record["test_time_flip"] = flipped(shares["test"], mirrored, labels["test"], temperature)
    write_json(job.output.metrics, record | conditions | {"provenance": about["provenance"]})
    test = record["test"]
    log.info(
        "test top-1 %.2f %% (%.2f – %.2f), mean per class %.2f %%; calibration error %.2f %%, then %.2f %% (T %.2f)",
        *(100 * test[key] for key in ("top1", "top1_low", "top1_high", "mean_per_class")),
        *(100 * record["calibration"][key] for key in ("ece_before", "ece_after")),
        temperature,
    )


def all_logits(job, trained, about, manifest):
    """Logits (images, classes) of val, test and, if wanted, the mirror images of test; and what computed them."""
    wanted, crop = choose_arithmetic(about["settings"]["precision"]), about["settings"]["test_crop"]
    splits = {
        split: DeviceImages(Pixels(job.input.pixels, manifest.rows(split)), wanted.device) for split in ("val", "test")
    }
    logits, start = {}, time.perf_counter()
    arithmetic = inference_arithmetic(trained, wanted, splits["val"], crop)
    engine = inference_engine(trained, arithmetic, crop, len(manifest.table))
    for split, images in splits.items():
        logits[split] = evaluation_outputs(engine, images, crop, desc=split).cpu().numpy()
    seconds = time.perf_counter() - start
    speed = sum(map(len, logits.values())) / seconds
    if job.params.settings["test_time_flip"]:
        mirrored = evaluation_outputs(engine, splits["test"], crop, desc="test, mirrored", mirrored=True)
        logits["mirrored"] = mirrored.cpu().numpy()
    return logits, {"arithmetic": arithmetic.describe(), "evaluation_images_per_second": speed}


def confidence(test, shares, labels, temperature, settings, validates):
    """What the probabilities are worth: two sections of metrics.json, and two tables, all of them of test."""
    scores, bins = calibration.before_and_after(test, labels["test"], temperature)
    answers = {split: (of.max(axis=1), of.argmax(axis=1) == labels[split]) for split, of in shares.items()}
    curve = selective.thinned(selective.risk_coverage(*answers["test"]))
    sure = selective.sure(settings["sure_accuracy"], answers["val"] if validates else None, answers["test"])
    return {"calibration": scores, "sure": sure}, {"calibration": bins, "risk_coverage": curve}


def flipped(shares, mirrored, labels, temperature):
    """A section like `test` for the mean of both pictures' calibrated probabilities; None when it was not asked for."""
    if mirrored is None:
        return None
    mean = (shares + calibration.probabilities(mirrored, temperature)) / 2
    return {"averaged": "calibrated probabilities of each photograph and its mirror image"} | metrics.evaluate(
        mean, labels
    )


def write_tables(job, manifest, logits, temperature, tables):
    names, labels = manifest.class_names, manifest.labels("test")
    confusion = metrics.confusion(logits["test"], labels, names)
    tables |= {
        "per_class": metrics.per_class(logits["test"], labels, names),
        "confused_pairs": metrics.confused_pairs(confusion),
        "confusion": confusion,
    }
    for split in ("val", "test"):
        tables[split] = metrics.predictions(logits[split], manifest.images(split), names, temperature)
    for name, table in tables.items():
        with written_whole(getattr(job.output, name)) as partial:
            table.to_csv(partial, index=name == "confusion")


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
