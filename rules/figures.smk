# Figures and their places in the report.

FIGURES_OF_RUN = [
    f"{RUN}/figures/{figure}.png"
    for figure in ("learning_curves", "confusion_matrix", "per_class")
]

COMPARISON = "results/comparison"

COMPARISON_FIGURES = {
    "accuracy": "accuracy",
    "accuracy_parameters": "accuracy_against",
    "accuracy_gmacs": "accuracy_against",
    "accuracy_latency": "accuracy_against",
    "learning_curves": "learning_curves_all",
    "training_time": "training_time",
    "confusion_matrices": "confusion_matrices",
}


def run_figure(name, caption):
    """One figure of a run, with its place in the report."""
    return report(
        f"{RUN}/figures/{name}.png",
        caption=f"../report/{caption}.rst",
        category="2 Networks",
        subcategory="{architecture}",
        labels={
            "recipe": "{recipe}",
            "network": "{architecture}",
            "seed": "{seed}",
            "figure": name.replace("_", " "),
        },
    )


def figures_of_comparison():
    return [f"{COMPARISON}/figures/{name}.png" for name in COMPARISON_FIGURES]


def comparison_figure(name, caption):
    """One figure of the comparison, with its place in the report."""
    return report(
        f"{COMPARISON}/figures/{name}.png",
        caption=f"../report/{caption}.rst",
        category="1 Comparison",
        labels={"figure": name.replace("_", " ")},
    )


def figures_of_data():
    return [f"results/data/figures/{name}.png" for name in ("samples", "class_counts")]


def data_figure(name):
    """One figure of the dataset, with its place in the report."""
    return report(
        f"results/data/figures/{name}.png",
        caption=f"../report/{name}.rst",
        category="3 Data",
        labels={"figure": name.replace("_", " ")},
    )
