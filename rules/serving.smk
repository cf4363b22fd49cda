# Serving: needs a run's ONNX files and its numbers; makes its model card, and one zip to hand on.

BUNDLE = f"{RUN}/{{recipe}}-{{architecture}}-seed{{seed}}.zip"
MODELS = [
    f"{RUN}/{name}.onnx"
    for name in ("model", "model.fp16", "model.int8", "model.service")
]


rule model_card:
    input:
        dataset=MANIFEST["dataset"],
        metrics=f"{RUN}/metrics.json",
        per_class=f"{RUN}/per_class.csv",
        cost=f"{RUN}/cost.json",
        check=f"{RUN}/onnx_check.json",
        models=MODELS,
        library=library("model_card"),
    output:
        card=f"{RUN}/model_card.md",
        json=f"{RUN}/model_card.json",
    log:
        f"{LOGS}/model_card/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/model_card/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/model_card.py"


rule bundle:
    input:
        card=f"{RUN}/model_card.md",
        json=f"{RUN}/model_card.json",
        models=MODELS,
        predict="scripts/predict.py",
        library=library("bundle"),
    output:
        archive=BUNDLE,
    log:
        f"{LOGS}/bundle/{RUN_NAME}.log",
    benchmark:
        f"{BENCHMARKS}/bundle/{RUN_NAME}.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/bundle.py"
