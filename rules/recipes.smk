# Recipes: needs every run's metrics, histories and validation predictions; makes tables and figures of several recipes.


rule compare_recipes:
    input:
        dataset=MANIFEST["dataset"],
        metrics=of_every_run(f"{RUN}/metrics.json"),
        val=of_every_run(f"{RUN}/predictions_val.csv"),
        phase1=of_every_run(f"{RUN}/history_phase1.csv"),
        phase2=of_every_run(f"{RUN}/history_phase2.csv"),
        library=library("compare_recipes"),
    output:
        recipes=f"{COMPARISON}/recipes.csv",
        ablation=f"{COMPARISON}/ablation.csv",
        progress=f"{COMPARISON}/time_to_accuracy.csv",
    log:
        f"{LOGS}/compare_recipes.log",
    benchmark:
        f"{BENCHMARKS}/compare_recipes.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=recipe_settings,
    script:
        "../scripts/compare_recipes.py"


rule plot_recipes:
    input:
        ablation=rules.compare_recipes.output.ablation,
        progress=rules.compare_recipes.output.progress,
        library=library("plot_recipes"),
    output:
        **{
            name: comparison_figure(name, caption)
            for name, caption in RECIPE_FIGURES.items()
        },
    log:
        f"{LOGS}/plot_recipes.log",
    benchmark:
        f"{BENCHMARKS}/plot_recipes.tsv"
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/plot_recipes.py"
