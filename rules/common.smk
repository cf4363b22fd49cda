# What the other files share: the checked configuration, the runs, and where files lie.
import ast
import functools
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir) / "scripts"
NOTEBOOKS = Path(workflow.basedir) / "notebooks"
sys.path.insert(0, str(SCRIPTS))

from florilegium import configuration, driver, leases
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
    resize=r"\d+",
    entry="[A-Z0-9_]+",


def library(step):
    """A step's script or notebook and the library modules that it imports, also by way of others.

    An edit of one re-runs the step.
    """
    script, notebook = SCRIPTS / f"{step}.py", NOTEBOOKS / f"{step}.py.ipynb"
    found = {script if script.exists() else notebook}
    waiting = list(found)
    while waiting:
        tree = ast.parse(code_of(waiting.pop()))
        for module in imported_modules(tree):
            path = SCRIPTS / "florilegium" / f"{module}.py"
            if path.exists() and path not in found:
                found.add(path)
                waiting.append(path)
    return sorted(str(path.relative_to(workflow.basedir)) for path in found)


def code_of(path):
    """The Python of a script, or of all cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join(
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
    )


def imported_modules(tree):
    """Names of the modules of `florilegium` that a parsed file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "florilegium":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "florilegium."
        ):
            yield node.module.split(".")[1]


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


def pixels_file(wildcards):
    """The pixels at the size that a run's recipe wants."""
    settings = run_section(wildcards, "resize")
    return f"results/data/pixels_{settings['resize']}.npy"


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


def first_pixels():
    """The pixels of the first run: the samples need no more than one size."""
    settings = configuration.run_settings(
        config, config["recipes"][0], config["architectures"][0]
    )
    return f"results/data/pixels_{settings['resize']}.npy"
