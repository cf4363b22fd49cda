# Export: needs final.pth; makes model.onnx, gated on the real validation images, and what the network costs.


rule export_onnx:
    input:
        **MANIFEST,
        pixels=pixels_file,
        checkpoint=f"{RUN}/final.pth",
        library=library("export_onnx"),
    output:
        model=f"{RUN}/model.onnx",
        check=f"{RUN}/onnx_check.json",
    log:
        f"{LOGS}/export_onnx/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/export_onnx/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/export_onnx.py"


rule measure_cost:
    input:
        checkpoint=f"{RUN}/final.pth",
        model=f"{RUN}/model.onnx",
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
