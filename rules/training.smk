# Training: needs the pixels and a backbone; makes features, phase1_best.pth, phase2_best.pth, final.pth and histories.


rule download_weights:
    output:
        weights="resources/weights/{architecture}-{entry}.pth",
    log:
        f"{LOGS}/download_weights/{{architecture}}-{{entry}}.log",
    benchmark:
        f"{BENCHMARKS}/download_weights/{{architecture}}-{{entry}}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/download_weights.py"


rule extract_features:
    input:
        **MANIFEST,
        pixels=pixels_file,
        weights=weights_file,
        library=library("extract_features"),
    output:
        train=f"{RUN}/features/train.npy",
        val=f"{RUN}/features/val.npy",
        report=f"{RUN}/features/report.json",
    log:
        f"{LOGS}/extract_features/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/extract_features/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    threads: threads_per_gpu
    params:
        settings=feature_settings,
    script:
        "../scripts/extract_features.py"


rule train_head:
    input:
        **MANIFEST,
        weights=weights_file,
        train=rules.extract_features.output.train,
        val=rules.extract_features.output.val,
        report=rules.extract_features.output.report,
        library=library("train_head"),
    output:
        checkpoint=f"{RUN}/phase1_best.pth",
        history=f"{RUN}/history_phase1.csv",
    log:
        f"{LOGS}/train_head/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/train_head/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=head_settings,
    script:
        "../scripts/train_head.py"


rule fine_tune:
    input:
        **MANIFEST,
        pixels=pixels_file,
        checkpoint=rules.train_head.output.checkpoint,
        library=library("fine_tune"),
    output:
        best=f"{RUN}/phase2_best.pth",
        final=f"{RUN}/final.pth",
        history=f"{RUN}/history_phase2.csv",
    log:
        f"{LOGS}/fine_tune/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/fine_tune/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    threads: threads_per_gpu
    params:
        settings=fine_tune_settings,
    script:
        "../scripts/fine_tune.py"
