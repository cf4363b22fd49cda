# Lessons: needs the first recipe's and seed's runs and the lessons' pages; makes executed notebooks and pages of them.


rule lesson_data:
    input:
        **MANIFEST,
        pixels=first_pixels(),
        page=lessons.sources("data"),
        library=library("lesson_data"),
    output:
        notebook=f"{LESSONS}/data.ipynb",
    log:
        notebook=f"{LESSONS}/data.ipynb",
    benchmark:
        f"{BENCHMARKS}/lesson_data.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=view_settings,
    notebook:
        "../notebooks/lesson_data.py.ipynb"


rule lesson_network:
    input:
        **MANIFEST,
        pixels=lesson_pixels,
        checkpoint=f"{FIRST_RUN}/final.pth",
        metrics=f"{FIRST_RUN}/metrics.json",
        cost=f"{FIRST_RUN}/cost.json",
        phase1=f"{FIRST_RUN}/history_phase1.csv",
        phase2=f"{FIRST_RUN}/history_phase2.csv",
        per_class=f"{FIRST_RUN}/per_class.csv",
        predictions=f"{FIRST_RUN}/predictions_test.csv",
        logits=f"{FIRST_RUN}/logits.npz",
        before=run_before,
        page=lesson_sources,
        library=library("lesson_network"),
    output:
        notebook=f"{LESSONS}/{{architecture}}.ipynb",
    log:
        notebook=f"{LESSONS}/{{architecture}}.ipynb",
    benchmark:
        f"{BENCHMARKS}/lesson_network/{{architecture}}.tsv"
    wildcard_constraints:
        architecture="|".join(config["architectures"]),
    conda:
        "../envs/florilegium.yaml"
    notebook:
        "../notebooks/lesson_network.py.ipynb"


rule lesson_comparison:
    input:
        runs=f"{COMPARISON}/runs.csv",
        architectures=f"{COMPARISON}/architectures.csv",
        selection=f"{COMPARISON}/selection.json",
        page=lessons.sources("comparison"),
        library=library("lesson_comparison"),
    output:
        notebook=f"{LESSONS}/comparison.ipynb",
    log:
        notebook=f"{LESSONS}/comparison.ipynb",
    benchmark:
        f"{BENCHMARKS}/lesson_comparison.tsv"
    conda:
        "../envs/florilegium.yaml"
    notebook:
        "../notebooks/lesson_comparison.py.ipynb"


rule render_lesson:
    input:
        notebook=f"{LESSONS}/{{lesson}}.ipynb",
        library=library("render_lesson"),
    output:
        page=report(
            f"{LESSONS}/{{lesson}}.html",
            caption="../report/lesson.rst",
            category=CATEGORIES["lessons"],
            labels=lesson_labels,
        ),
    log:
        f"{LOGS}/render_lesson/{{lesson}}.log",
    benchmark:
        f"{BENCHMARKS}/render_lesson/{{lesson}}.tsv"
    wildcard_constraints:
        lesson="|".join(names_of_lessons()),
    conda:
        "../envs/florilegium.yaml"
    script:
        "../scripts/render_lesson.py"
