# Report: needs the manifest and the pixels; makes what the report shows besides the runs: data and provenance.


rule audit:
    input:
        **MANIFEST,
        library=library("audit"),
    output:
        page=in_report(
            "results/data/audit.html", "audit", "data", "audit of the photographs"
        ),
    log:
        f"{LOGS}/audit.log",
    benchmark:
        f"{BENCHMARKS}/audit.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/audit.py"


rule plot_data:
    input:
        **MANIFEST,
        pixels=first_pixels(),
        library=library("plot_data"),
    output:
        samples=data_figure("samples"),
        class_counts=data_figure("class_counts"),
    log:
        f"{LOGS}/plot_data.log",
    benchmark:
        f"{BENCHMARKS}/plot_data.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/plot_data.py"


rule start_page:
    input:
        dataset=MANIFEST["dataset"],
        architectures=f"{COMPARISON}/architectures.csv",
        selection=f"{COMPARISON}/selection.json",
        figure=f"{COMPARISON}/figures/choice.png",
        library=library("start_page"),
    output:
        page=in_report(f"{COMPARISON}/start.html", "start", "answer", "the answer"),
    log:
        f"{LOGS}/start_page.log",
    benchmark:
        f"{BENCHMARKS}/start_page.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/start_page.py"


rule provenance:
    input:
        dataset=MANIFEST["dataset"],
        runs=f"{COMPARISON}/runs.csv",
        library=library("provenance"),
    output:
        provenance="results/provenance.json",
        page=in_report(
            "results/provenance.html",
            "provenance",
            "provenance",
            "configuration, code, versions, machine, data",
        ),
    log:
        f"{LOGS}/provenance.log",
    benchmark:
        f"{BENCHMARKS}/provenance.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=merged_config,
    script:
        "../scripts/provenance.py"
