"""Figure of the choice, drawn from selection.json."""

from florilegium.choice_figures import choice
from florilegium.files import read_json, written_whole
from florilegium.step import run_step


def main(job):
    figure = choice(read_json(job.input.selection), job.params.settings["architectures"])
    with written_whole(job.output.choice) as partial:
        figure.savefig(partial, format="png")


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
