# Each step's own section of the configuration, keys sorted: the one parameter that decides whether it runs again.


def run_section(wildcards, *keys):
    """The named parts of the recipe as this architecture runs it."""
    settings = configuration.run_settings(
        config, wildcards.recipe, wildcards.architecture
    )
    return {key: settings[key] for key in sorted(keys)}


def manifest_settings(wildcards):
    dataset, root = config["dataset"], dataset_root()
    settings = {
        "class_names": dataset["class_names"],
        "kind": dataset["kind"],
        "on_bad_image": dataset["on_bad_image"],
        "root": root,
        "split": dict(sorted(dataset["split"].items())),
    }
    if dataset["kind"] in ("folder", "csv"):
        # The photographs are no inputs: a hundred thousand of them would make planning slow.
        settings["photographs"] = fingerprint(root, LISTING, MANIFEST["manifest"])
    else:
        # They are split already: shares mean nothing to them, the seed only with folds.
        keys = ("folds", "seed") if dataset["split"]["folds"] else ("folds",)
        settings["split"] = {key: dataset["split"][key] for key in keys}
    return settings


def garden_settings(wildcards):
    return dict(sorted(config["dataset"]["garden"].items()))


def feature_settings(wildcards):
    section = run_section(
        wildcards,
        "augmentation",
        "crop",
        "phase1",
        "precision",
        "test_crop",
        "train_on",
    )
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
        "resize_mode",
        "test_crop",
        "train_on",
        "weight_decay",
    )
    return section | {"weights": weights_of(wildcards)}


def fine_tune_settings(wildcards):
    section = run_section(
        wildcards,
        "augmentation",
        "batch_size",
        "crop",
        "decay_norms",
        "dropout",
        "early_stopping",
        "label_smoothing",
        "phase2",
        "precision",
        "resize",
        "resize_mode",
        "test_crop",
        "train_on",
        "weight_decay",
    )
    return section | {"weights": weights_of(wildcards)}


def evaluate_settings(wildcards):
    return {
        key: config["evaluation"][key] for key in ("sure_accuracy", "test_time_flip")
    }


def robustness_settings(wildcards):
    return {"robustness_images": config["evaluation"]["robustness_images"]}


def explain_settings(wildcards):
    return {"map_images": config["evaluation"]["map_images"]}


def comparison_settings(wildcards):
    """The size at which each network is evaluated."""
    crops = {
        recipe: {
            network: configuration.run_settings(config, recipe, network)["test_crop"]
            for network in sorted(config["architectures"])
        }
        for recipe in sorted(config["recipes"])
    }
    return {"crops": crops}


def recipe_settings(wildcards):
    """The first recipe, and what each one changes against it, network by network."""
    changes = differences.recipe_changes(config)
    return {"base": config["recipes"][0], "changes": changes}


def choice_settings(wildcards):
    return dict(sorted(config["choice"].items()))


def view_settings(wildcards):
    """What decides the views of the first run: the lesson on the data shows them."""
    settings = configuration.run_settings(
        config, config["recipes"][0], config["architectures"][0]
    )
    return {key: settings[key] for key in ("augmentation", "crop")}


def quantize_settings(wildcards):
    return dict(sorted(config["export"].items()))


def colour_settings(wildcards):
    """All architectures: beside the five of the course, a network's colour is its place among them."""
    return {"architectures": sorted(config["architectures"])}


def merged_config(wildcards):
    """The whole configuration, keys sorted on every level."""
    return json.loads(json.dumps(config, sort_keys=True))
