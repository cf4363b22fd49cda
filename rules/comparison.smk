# Comparison: needs every run's result files; makes runs.csv, architectures.csv, the page with the answer, the figures.


rule compare:
    input:
        dataset=MANIFEST["dataset"],
        metrics=of_every_run(f"{RUN}/metrics.json"),
        cost=of_every_run(f"{RUN}/cost.json"),
        check=of_every_run(f"{RUN}/onnx_check.json"),
        phase1=of_every_run(f"{RUN}/history_phase1.csv"),
        phase2=of_every_run(f"{RUN}/history_phase2.csv"),
        library=library("compare"),
    output:
        runs=f"{COMPARISON}/runs.csv",
        architectures=f"{COMPARISON}/architectures.csv",
        page=in_report(
            f"{COMPARISON}/table.html", "table", "answer", "table of all networks"
        ),
    log:
        f"{LOGS}/compare.log",
    benchmark:
        f"{BENCHMARKS}/compare.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/compare.py"


rule plot_comparison:
    input:
        runs=f"{COMPARISON}/runs.csv",
        confusion=of_every_run(f"{RUN}/confusion_matrix.csv"),
        phase1=of_every_run(f"{RUN}/history_phase1.csv"),
        phase2=of_every_run(f"{RUN}/history_phase2.csv"),
        library=library("plot_comparison"),
    output:
        **{
            name: comparison_figure(name, caption)
            for name, caption in COMPARISON_FIGURES.items()
        },
    log:
        f"{LOGS}/plot_comparison.log",
    benchmark:
        f"{BENCHMARKS}/plot_comparison.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=colour_settings,
    script:
        "../scripts/plot_comparison.py"
