# Photographs: needs the network or a folder; makes the manifest and the pixels that every run reads.


def dataset_root():
    """Where the photographs lie."""
    if config["dataset"]["kind"] == "garden":
        return "results/data/garden"
    return config["dataset"]["root"] or "resources/flowers-102"


def dataset_files(wildcards):
    """What has to be made or downloaded before the photographs can be listed."""
    if config["dataset"]["kind"] == "garden":
        return [dataset_root()]
    if config["dataset"]["root"]:
        return []
    return [f"{dataset_root()}/imagelabels.mat", f"{dataset_root()}/setid.mat"]


def manifest_settings(wildcards):
    dataset = config["dataset"]
    return {
        "kind": dataset["kind"],
        "root": dataset_root(),
        "split": dict(sorted(dataset["split"].items())),
    }


def garden_settings(wildcards):
    return dict(sorted(config["dataset"]["garden"].items()))


rule download_flowers102:
    output:
        labels="resources/flowers-102/imagelabels.mat",
        splits="resources/flowers-102/setid.mat",
    log:
        f"{LOGS}/download_flowers102.log",
    benchmark:
        f"{BENCHMARKS}/download_flowers102.tsv"
    script:
        "../scripts/download_flowers102.py"


rule draw_garden:
    input:
        library=library("draw_garden"),
    output:
        garden=directory("results/data/garden"),
    log:
        f"{LOGS}/draw_garden.log",
    benchmark:
        f"{BENCHMARKS}/draw_garden.tsv"
    params:
        settings=garden_settings,
    script:
        "../scripts/draw_garden.py"


rule manifest:
    input:
        files=dataset_files,
        library=library("manifest"),
    output:
        **MANIFEST,
    log:
        f"{LOGS}/manifest.log",
    benchmark:
        f"{BENCHMARKS}/manifest.tsv"
    params:
        settings=manifest_settings,
    script:
        "../scripts/manifest.py"


rule pixels:
    input:
        **MANIFEST,
        library=library("pixels"),
    output:
        pixels="results/data/pixels_{resize}.npy",
    log:
        f"{LOGS}/pixels/{{resize}}.log",
    benchmark:
        f"{BENCHMARKS}/pixels/{{resize}}.tsv"
    script:
        "../scripts/pixels.py"
