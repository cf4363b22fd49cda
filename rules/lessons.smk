# Lessons: needs the first recipe's and seed's runs and the lessons' pages; makes executed notebooks and pages of them.
from florilegium import jupyter, lessons

jupyter.use_this_python(workflow.basedir)

LESSONS = "results/lessons"
# A lesson looks at one run of each network: that of the first recipe and the first seed.
FIRST_RUN = (
    f"results/runs/{config['recipes'][0]}/{{architecture}}/seed{config['seeds'][0]}"
)


def names_of_lessons():
    return ["data", *lessons.in_order(config["architectures"]), "comparison"]


def pages_of_lessons():
    return [f"{LESSONS}/{lesson}.html" for lesson in names_of_lessons()]


def lesson_sources(wildcards):
    """The page and the drawing of a network's lesson; nothing for a network that the course does not have."""
    return lessons.sources(wildcards.architecture)


def lesson_pixels(wildcards):
    """The pixels of the run that a network's lesson looks at."""
    settings = configuration.run_settings(
        config, config["recipes"][0], wildcards.architecture
    )
    return f"results/data/pixels_{settings['resize']}.npy"


def run_before(wildcards):
    """What a lesson compares with: the results of the network in the lesson before, none for the first."""
    before = lessons.previous(wildcards.architecture, config["architectures"])
    names = ("metrics.json", "cost.json", "history_phase1.csv", "history_phase2.csv")
    return expand(f"{FIRST_RUN}/{{name}}", architecture=before or [], name=names)


def lesson_labels(wildcards):
    number = lessons.NUMBERS.get(wildcards.lesson, "–")
    return {"lesson": str(number), "about": wildcards.lesson}


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
