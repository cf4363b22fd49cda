# Comparison: needs every run's result files; makes the tables of networks beside and against each other, and figures.


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
        pareto=f"{COMPARISON}/pareto.csv",
        scaling=f"{COMPARISON}/scaling.csv",
        expected=f"{COMPARISON}/expected.csv",
    log:
        f"{LOGS}/compare.log",
    benchmark:
        f"{BENCHMARKS}/compare.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=comparison_settings,
    script:
        "../scripts/compare.py"


rule compare_pairs:
    input:
        dataset=MANIFEST["dataset"],
        runs=f"{COMPARISON}/runs.csv",
        architectures=f"{COMPARISON}/architectures.csv",
        val=of_every_run(f"{RUN}/predictions_val.csv"),
        test=of_every_run(f"{RUN}/predictions_test.csv"),
        logits=of_every_run(f"{RUN}/logits.npz"),
        library=library("compare_pairs"),
    output:
        pairs=f"{COMPARISON}/pairs.csv",
        agreement=f"{COMPARISON}/agreement.csv",
        ensembles=f"{COMPARISON}/ensembles.csv",
    log:
        f"{LOGS}/compare_pairs.log",
    benchmark:
        f"{BENCHMARKS}/compare_pairs.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/compare_pairs.py"


rule plot_comparison:
    input:
        **rules.compare.output,
        **rules.compare_pairs.output,
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
