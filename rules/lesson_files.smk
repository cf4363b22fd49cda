# Where the lessons lie, and what each of them reads.
from florilegium import jupyter

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
    return pixels_of(config["recipes"][0], wildcards.architecture)


def run_before(wildcards):
    """What a lesson compares with: the results of the network in the lesson before, none for the first."""
    before = lessons.previous(wildcards.architecture, config["architectures"])
    names = ("metrics.json", "cost.json", "history_phase1.csv", "history_phase2.csv")
    return expand(f"{FIRST_RUN}/{{name}}", architecture=before or [], name=names)


def lesson_labels(wildcards):
    number = lessons.NUMBERS.get(wildcards.lesson, "–")
    return {"lesson": str(number), "about": wildcards.lesson}
