# Each step's own section of the configuration, keys sorted: the one parameter that decides whether it runs again.


def run_section(wildcards, *keys):
    """The named parts of the recipe as this architecture runs it."""
    settings = configuration.run_settings(
        config, wildcards.recipe, wildcards.architecture
    )
    return {key: settings[key] for key in sorted(keys)}


def manifest_settings(wildcards):
    dataset = config["dataset"]
    split = dict(sorted(dataset["split"].items()))
    if dataset["kind"] in ("flowers102", "garden"):
        # They are split already: shares mean nothing to them, the seed only with folds.
        split = {"folds": split["folds"]} | (
            {"seed": split["seed"]} if split["folds"] else {}
        )
    return {
        "class_names": dataset["class_names"],
        "kind": dataset["kind"],
        "on_bad_image": dataset["on_bad_image"],
        "root": dataset_root(),
        "split": split,
    }


def garden_settings(wildcards):
    return dict(sorted(config["dataset"]["garden"].items()))


def feature_settings(wildcards):
    section = run_section(wildcards, "augmentation", "crop", "phase1", "precision")
    section["phase1"] = {"epochs": section["phase1"]["epochs"]}
    return section | {"weights": weights_of(wildcards)}


def head_settings(wildcards):
    section = run_section(
        wildcards,
        "augmentation",
        "batch_size",
        "crop",
        "dropout",
        "early_stopping",
        "label_smoothing",
        "phase1",
        "precision",
        "resize",
        "weight_decay",
    )
    return section | {"weights": weights_of(wildcards)}


def fine_tune_settings(wildcards):
    section = run_section(
        wildcards,
        "augmentation",
        "batch_size",
        "crop",
        "dropout",
        "early_stopping",
        "label_smoothing",
        "phase2",
        "precision",
        "resize",
        "weight_decay",
    )
    return section | {"weights": weights_of(wildcards)}


def colour_settings(wildcards):
    """All architectures: a network's colour is its place among them."""
    return {"architectures": config["architectures"]}


def merged_config(wildcards):
    return config
