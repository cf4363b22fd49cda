# Florilegium: from labelled photographs to a defensible choice of network and a deployable ONNX file.
# This page is the table of contents; each stage has its rules in rules/ and its steps in scripts/.
from snakemake.utils import min_version

min_version("9.27")  # 9.1.1 lost code triggers


configfile: "config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/library.smk"
include: "rules/sections.smk"
include: "rules/figures.smk"
include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/explanation.smk"
include: "rules/export.smk"
include: "rules/serving.smk"
include: "rules/comparison.smk"
include: "rules/recipes.smk"
include: "rules/selection.smk"
include: "rules/report.smk"
include: "rules/lesson_files.smk"
include: "rules/lessons.smk"


onstart:
    driver.pass_signals_on()


localrules:
    all,
    audit,
    bundle,
    choose,
    compare_formats,
    compare_recipes,
    model_card,
    plot_choice,
    plot_data,
    plot_explanations,
    plot_gallery,
    plot_recipes,
    plot_robustness,
    plot_run,
    provenance,
    start_page,
    lesson_data,
    lesson_network,
    lesson_comparison,
    render_lesson,
    download_flowers102,
    download_weights,


rule all:
    default_target: True
    input:
        of_every_run([f"{RUN}/metrics.json", f"{RUN}/model.onnx"]),
        of_every_run([f"{RUN}/model_card.md", BUNDLE]),
        figures_of_runs(),
        "results/comparison/table.html",
        "results/comparison/selection.md",
        "results/comparison/start.html",
        figures_of_comparison(),
        figures_of_data(),
        "results/data/audit.html",
        "results/provenance.json",
        pages_of_lessons(),
