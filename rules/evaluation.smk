# Evaluation: needs final.pth; makes predictions, metrics.json and the figures of one run.

FIGURES_OF_RUN = [
    f"{RUN}/figures/{figure}.png"
    for figure in ("learning_curves", "confusion_matrix", "per_class")
]


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
    log:
        f"{LOGS}/evaluate/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/{RUN_NAME}.tsv"
    script:
        "../scripts/evaluate.py"
