# What the rule files share: the checked configuration, the runs, and each rule's own section of the configuration.
import ast
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir) / "scripts"
sys.path.insert(0, str(SCRIPTS))

from florilegium import configuration
from florilegium.catalogue import is_path
from florilegium.errors import UserError

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


wildcard_constraints:
    recipe="|".join(config["recipe_definitions"]),
    architecture="[a-z0-9_]+",
    seed=r"\d+",
    resize=r"\d+",
    entry="[A-Z0-9_]+",


def library(step):
    """The library modules that a step's script imports, also by way of others: an edit of one re-runs the step."""
    found, waiting = set(), [SCRIPTS / f"{step}.py"]
    while waiting:
        tree = ast.parse(waiting.pop().read_text(encoding="utf-8"))
        for module in imported_modules(tree):
            path = SCRIPTS / "florilegium" / f"{module}.py"
            if path.exists() and path not in found:
                found.add(path)
                waiting.append(path)
    return sorted(str(path.relative_to(workflow.basedir)) for path in found)


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


def run_section(wildcards, *keys):
    """The named parts of the recipe as this architecture runs it, keys sorted, as the one parameter of a rule."""
    settings = configuration.run_settings(
        config, wildcards.recipe, wildcards.architecture
    )
    return {key: settings[key] for key in sorted(keys)}


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
