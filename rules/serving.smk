# Serving: needs a run's ONNX files and its numbers; makes its model card, and one zip to hand on.

BUNDLE = f"{RUN}/{{recipe}}-{{architecture}}-seed{{seed}}.zip"


def exported_models():
    """Every ONNX file that the rules above write for a run."""
    paths = [str(path) for rule in workflow.rules for path in rule.output]
    return [path for path in paths if path.endswith(".onnx")]


rule model_card:
    input:
        dataset=MANIFEST["dataset"],
        metrics=f"{RUN}/metrics.json",
        per_class=f"{RUN}/per_class.csv",
        cost=f"{RUN}/cost.json",
        check=f"{RUN}/onnx_check.json",
        models=exported_models(),
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
        models=exported_models(),
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
