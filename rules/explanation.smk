# Explanation: needs final.pth and its predictions; makes what the network bears (robustness) and what it sees.


rule robustness:
    input:
        **MANIFEST,
        pixels=pixels_file,
        checkpoint=f"{RUN}/final.pth",
        library=library("robustness"),
    output:
        robustness=f"{RUN}/robustness.csv",
    log:
        f"{LOGS}/robustness/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/robustness/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    threads: threads_per_gpu
    params:
        settings=robustness_settings,
    script:
        "../scripts/robustness.py"


rule plot_robustness:
    input:
        metrics=f"{RUN}/metrics.json",
        robustness=f"{RUN}/robustness.csv",
        library=library("plot_robustness"),
    output:
        robustness=run_figure("robustness", "robustness"),
    log:
        f"{LOGS}/plot_robustness/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/plot_robustness/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/plot_robustness.py"


rule explain:
    input:
        **MANIFEST,
        pixels=pixels_file,
        checkpoint=f"{RUN}/final.pth",
        predictions=f"{RUN}/predictions_test.csv",
        library=library("explain"),
    output:
        explanations=f"{RUN}/explanations.npz",
    log:
        f"{LOGS}/explain/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/explain/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    threads: threads_per_gpu
    params:
        settings=explain_settings,
    script:
        "../scripts/explain.py"


rule plot_explanations:
    input:
        **MANIFEST,
        pixels=pixels_file,
        metrics=f"{RUN}/metrics.json",
        explanations=f"{RUN}/explanations.npz",
        library=library("plot_explanations"),
    output:
        **{
            name: run_figure(name, caption)
            for name, caption in EXPLANATION_FIGURES.items()
        },
    log:
        f"{LOGS}/plot_explanations/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/plot_explanations/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/plot_explanations.py"
