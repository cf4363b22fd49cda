# Export: needs final.pth and metrics.json; makes four ONNX files, gated on the validation images, and what each costs.


rule export_onnx:
    input:
        **MANIFEST,
        pixels=pixels_file,
        checkpoint=f"{RUN}/final.pth",
        metrics=f"{RUN}/metrics.json",
        library=library("export_onnx"),
    output:
        model=f"{RUN}/model.onnx",
        half=f"{RUN}/model.fp16.onnx",
        service=f"{RUN}/model.service.onnx",
        check=f"{RUN}/export_check.json",
        logits=f"{RUN}/export_logits.npz",
    log:
        f"{LOGS}/export_onnx/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/export_onnx/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/export_onnx.py"


rule quantize:
    input:
        **MANIFEST,
        pixels=pixels_file,
        model=rules.export_onnx.output.model,
        check=rules.export_onnx.output.check,
        logits=rules.export_onnx.output.logits,
        library=library("quantize"),
    output:
        model=f"{RUN}/model.int8.onnx",
        check=f"{RUN}/onnx_check.json",
    log:
        f"{LOGS}/quantize/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/quantize/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=quantize_settings,
    script:
        "../scripts/quantize.py"


rule measure_cost:
    input:
        checkpoint=f"{RUN}/final.pth",
        model=rules.export_onnx.output.model,
        half=rules.export_onnx.output.half,
        int8=rules.quantize.output.model,
        library=library("measure_cost"),
    output:
        cost=f"{RUN}/cost.json",
    log:
        f"{LOGS}/measure_cost/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/measure_cost/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/measure_cost.py"


rule compare_formats:
    input:
        metrics=of_every_run(f"{RUN}/metrics.json"),
        cost=of_every_run(f"{RUN}/cost.json"),
        check=of_every_run(f"{RUN}/onnx_check.json"),
        library=library("compare_formats"),
    output:
        formats=f"{COMPARISON}/formats.csv",
        figure=comparison_figure("formats", "formats"),
    log:
        f"{LOGS}/compare_formats.log",
    benchmark:
        f"{BENCHMARKS}/compare_formats.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=colour_settings,
    script:
        "../scripts/compare_formats.py"
