# Evaluation: needs final.pth; makes predictions, metrics.json, tables and the figures of one run.


rule evaluate:
    input:
        **MANIFEST,
        pixels=pixels_file,
        checkpoint=f"{RUN}/final.pth",
        library=library("evaluate"),
    output:
        metrics=f"{RUN}/metrics.json",
        val=f"{RUN}/predictions_val.csv",
        test=f"{RUN}/predictions_test.csv",
        logits=f"{RUN}/logits.npz",
        per_class=f"{RUN}/per_class.csv",
        confusion=f"{RUN}/confusion_matrix.csv",
        confused_pairs=f"{RUN}/confused_pairs.csv",
        calibration=f"{RUN}/calibration.csv",
        risk_coverage=f"{RUN}/risk_coverage.csv",
    log:
        f"{LOGS}/evaluate/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    threads: threads_per_gpu
    params:
        settings=evaluate_settings,
    script:
        "../scripts/evaluate.py"


rule plot_run:
    input:
        metrics=f"{RUN}/metrics.json",
        confusion=f"{RUN}/confusion_matrix.csv",
        per_class=f"{RUN}/per_class.csv",
        calibration=f"{RUN}/calibration.csv",
        risk_coverage=f"{RUN}/risk_coverage.csv",
        phase1=f"{RUN}/history_phase1.csv",
        phase2=f"{RUN}/history_phase2.csv",
        library=library("plot_run"),
    output:
        **{name: run_figure(name, caption) for name, caption in RUN_FIGURES.items()},
    log:
        f"{LOGS}/plot_run/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/plot_run/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/plot_run.py"


rule plot_gallery:
    input:
        **MANIFEST,
        pixels=pixels_file,
        metrics=f"{RUN}/metrics.json",
        predictions=f"{RUN}/predictions_test.csv",
        per_class=f"{RUN}/per_class.csv",
        pairs=f"{RUN}/confused_pairs.csv",
        library=library("plot_gallery"),
    output:
        **{name: run_figure(name, caption) for name, caption in GALLERY_FIGURES.items()},
    log:
        f"{LOGS}/plot_gallery/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/plot_gallery/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/plot_gallery.py"
