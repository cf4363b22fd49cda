# Figures and their places in the report: name -> caption (a file of report/).
from florilegium import lessons

CATEGORIES = {
    "answer": "1 Answer",
    "data": "2 Data",
    "networks": "3 Networks",
    "comparison": "4 Comparison",
    "reliability": "5 How sure the numbers are",
    "lessons": "6 Lessons",
    "provenance": "7 Provenance",
}

COMPARISON = "results/comparison"

RUN_FIGURES = {
    "learning_curves": "learning_curves",
    "training_cost": "training_cost",
    "confusion_matrix": "confusion_matrix",
    "per_class": "per_class",
    "reliability": "reliability",
    "risk_coverage": "risk_coverage",
}

GALLERY_FIGURES = {  # of a run, made of its photographs
    "confused_pairs": "confused_pairs",
    "confident_mistakes": "confident_mistakes",
    "hardest_classes": "hardest_classes",
}

EXPLANATION_FIGURES = {  # of a run: what its network sees
    "grad_cam": "grad_cam",
    "first_filters": "first_filters",
    "feature_maps": "feature_maps",
    "picture_map": "picture_map",
}

COMPARISON_FIGURES = {
    "accuracy": "accuracy",
    "accuracy_parameters": "accuracy_against",
    "accuracy_gmacs": "accuracy_against",
    "accuracy_latency": "accuracy_against",
    "accuracy_file": "accuracy_against",
    "accuracy_time": "accuracy_against",
    "phase_gain": "phase_gain",
    "learning_curves": "learning_curves_all",
    "training_time": "training_time",
    "time_per_part": "time_per_part",
    "confusion_matrices": "confusion_matrices",
}
# Those figures of the comparison that are not in its own place.
PLACES = {"differences": "reliability", "agreement": "reliability", "choice": "answer"}
# Only where the configuration has something for them to show.
if len(config["architectures"]) * len(config["recipes"]) > 1:
    COMPARISON_FIGURES["differences"] = "differences"
if len(config["architectures"]) > 1 or len(config["seeds"]) > 1:
    COMPARISON_FIGURES |= {"agreement": "agreement", "ensembles": "ensembles"}
if {*lessons.COURSE} & {*config["architectures"]}:
    COMPARISON_FIGURES["expected"] = "expected"
if {"efficientnet_b0", "efficientnet_b3"} <= {*config["architectures"]}:
    COMPARISON_FIGURES["scaling"] = "scaling"

RECIPE_FIGURES = {  # of several recipes
    "time_to_accuracy": "time_to_accuracy",
    "recipe_gains": "recipe_gains",
}


def in_report(path, caption, category, figure):
    """A file with its place in the report."""
    return report(
        path,
        caption=f"../report/{caption}.rst",
        category=CATEGORIES[category],
        labels={"figure": figure.replace("_", " ")},
    )


def run_figures():
    """Names of all figures of a run, in the order in which they are read."""
    bears = ["robustness"] if config["evaluation"]["robustness_images"] else []
    return [*RUN_FIGURES, *GALLERY_FIGURES, *bears, *EXPLANATION_FIGURES]


def run_figure(name, caption):
    """One figure of a run, with its place in the report, which sorts by the labels."""
    place = run_figures().index(name) + 1 if name in run_figures() else 0
    return report(
        f"{RUN}/figures/{name}.png",
        caption=f"../report/{caption}.rst",
        category=CATEGORIES["networks"],
        subcategory="{architecture}",
        labels={
            "recipe": "{recipe}",
            "network": "{architecture}",
            "seed": "{seed}",
            "figure": f"{place:02} {name.replace('_', ' ')}",
        },
    )


def figures_of_runs():
    return of_every_run([f"{RUN}/figures/{name}.png" for name in run_figures()])


def comparison_figure(name, caption):
    """One figure of the comparison, with its place in the report."""
    category = PLACES.get(name, "comparison")
    return in_report(f"{COMPARISON}/figures/{name}.png", caption, category, name)


def figures_of_comparison():
    names = [*COMPARISON_FIGURES, "choice", "formats"]
    if len(config["recipes"]) > 1:
        names += RECIPE_FIGURES
    return [f"{COMPARISON}/figures/{name}.png" for name in names]


def figures_of_data():
    return [f"results/data/figures/{name}.png" for name in ("samples", "class_counts")]


def data_figure(name):
    """One figure of the dataset, with its place in the report."""
    return in_report(f"results/data/figures/{name}.png", name, "data", name)
