# What the other files share: the checked configuration, the runs, and where files lie.
import functools
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir) / "scripts"
sys.path.insert(0, str(SCRIPTS))

from florilegium import configuration, differences, driver, leases
from florilegium.catalogue import is_path
from florilegium.errors import UserError
from florilegium.listing import fingerprint

try:
    config.update(configuration.complete(config))
except UserError as error:
    raise WorkflowError(f"config: {error}")

RUN = "results/runs/{recipe}/{architecture}/seed{seed}"
LOGS = "results/logs"
BENCHMARKS = "results/benchmarks"
RUN_NAME = "{recipe}.{architecture}.seed{seed}"
MANIFEST = {
    "manifest": "results/data/manifest.csv",
    "dataset": "results/data/dataset.json",
}
LISTING = "results/data/listing.json"


wildcard_constraints:
    recipe="|".join(config["recipe_definitions"]),
    architecture="[a-z0-9_]+",
    seed=r"\d+",
    square=r"\d+(_center|_imagenet)?",  # side, and how the photograph became a square
    entry="[A-Z0-9_]+",


def of_every_run(patterns):
    """The files of every recipe x architecture x seed of the configuration."""
    return expand(
        patterns,
        recipe=config["recipes"],
        architecture=config["architectures"],
        seed=config["seeds"],
    )


def threads_per_gpu(wildcards):
    """All cores without a GPU or with one; else each GPU's share, so that as many jobs run at once as there are GPUs."""
    return max(1, (workflow.cores or 1) // max(1, gpu_count()))


@functools.cache
def gpu_count():
    """How many GPUs of this machine its jobs may use."""
    if os.environ.get("FLORILEGIUM_DEVICE") not in (None, "", "cuda"):
        return 0
    return len(leases.visible_gpus())


def weights_of(wildcards):
    """The config's `weights` value for a run."""
    return configuration.weights_of(config, wildcards.architecture)


def weights_file(wildcards):
    """The file behind `weights`: downloaded, local, or none at all."""
    weights = weights_of(wildcards)
    if weights == "none":
        return []
    return (
        weights
        if is_path(weights)
        else f"resources/weights/{wildcards.architecture}-{weights}.pth"
    )


def pixels_of(recipe, architecture):
    """The pixels as a recipe wants them for an architecture."""
    settings = configuration.run_settings(config, recipe, architecture)
    return f"results/data/{configuration.pixels_name(settings)}"


def pixels_file(wildcards):
    """The pixels of a run."""
    return pixels_of(wildcards.recipe, wildcards.architecture)


def first_pixels():
    """The pixels of the first run: the samples need no more than one size."""
    return pixels_of(config["recipes"][0], config["architectures"][0])


def dataset_root():
    """Where the photographs lie."""
    if config["dataset"]["kind"] == "garden":
        return "results/data/garden"
    return config["dataset"]["root"] or "resources/flowers-102"


def dataset_files(wildcards):
    """What the list of photographs is made from, and what has to be made or downloaded before."""
    dataset = config["dataset"]
    files = [dataset["class_names"]] if dataset["class_names"] else []
    if dataset["kind"] in ("garden", "csv"):
        return [dataset_root(), *files]
    if dataset["root"]:
        return files
    mats = ("imagelabels.mat", "setid.mat")
    return [*(f"{dataset_root()}/{name}" for name in mats), *files]
