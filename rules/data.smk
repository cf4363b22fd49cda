# Photographs: needs the network or a folder; makes the manifest and the pixels that every run reads.


rule download_flowers102:
    output:
        labels="resources/flowers-102/imagelabels.mat",
        splits="resources/flowers-102/setid.mat",
    log:
        f"{LOGS}/download_flowers102.log",
    benchmark:
        f"{BENCHMARKS}/download_flowers102.tsv"
    conda:
        "../envs/florilegium.yaml"
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
    conda:
        "../envs/florilegium.yaml"
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
        listing=LISTING,
    log:
        f"{LOGS}/manifest.log",
    benchmark:
        f"{BENCHMARKS}/manifest.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=manifest_settings,
    script:
        "../scripts/manifest.py"


rule pixels:
    input:
        **MANIFEST,
        library=library("pixels"),
    output:
        pixels="results/data/pixels_{square}.npy",
    log:
        f"{LOGS}/pixels/{{square}}.log",
    benchmark:
        f"{BENCHMARKS}/pixels/{{square}}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/pixels.py"
