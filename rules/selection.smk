# Selection: needs the comparison and the section `choice`; makes the choice in numbers and words, and what shows it.


rule choose:
    input:
        dataset=MANIFEST["dataset"],
        runs=f"{COMPARISON}/runs.csv",
        architectures=f"{COMPARISON}/architectures.csv",
        pairs=f"{COMPARISON}/pairs.csv",
        val=of_every_run(f"{RUN}/predictions_val.csv"),
        library=library("choose"),
    output:
        selection=f"{COMPARISON}/selection.json",
        text=f"{COMPARISON}/selection.md",
        page=in_report(
            f"{COMPARISON}/selection.html",
            "selection",
            "answer",
            "the choice and its reasons",
        ),
        table=in_report(
            f"{COMPARISON}/table.html", "table", "answer", "table of all networks"
        ),
    log:
        f"{LOGS}/choose.log",
    benchmark:
        f"{BENCHMARKS}/choose.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=choice_settings,
    script:
        "../scripts/choose.py"


rule plot_choice:
    input:
        selection=f"{COMPARISON}/selection.json",
        library=library("plot_choice"),
    output:
        choice=comparison_figure("choice", "choice"),
    log:
        f"{LOGS}/plot_choice.log",
    benchmark:
        f"{BENCHMARKS}/plot_choice.tsv"
    conda:
        "../envs/florilegium.yaml"
    params:
        settings=colour_settings,
    script:
        "../scripts/plot_choice.py"
