"""The configuration: checked, completed with its defaults, resolved for one run; types and defaults: schema.yaml."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from florilegium.catalogue import check_network, is_path
from florilegium.errors import UserError, nearest
from florilegium.schema import schema, validated, with_defaults

FLOWERS102_IMAGES = {"train": 1020, "val": 1020}  # of the official split, ten of each class


def read(paths: Iterable[str | os.PathLike]) -> dict[str, Any]:
    """The completed configuration of some files, each merged key by key into those before it, as Snakemake does."""
    config: dict[str, Any] = {}
    for path in paths:
        _merge(config, read_keys(path))
    return complete(config)


def read_keys(path: str | os.PathLike) -> dict[str, Any]:
    """What one file of the configuration holds, unchecked.

    Raises:
        UserError: the file is missing, is no YAML, or holds no keys.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"config: {path} does not exist; expected a YAML file") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"config: {path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise UserError(f"config: {path} holds {found}; expected keys of the configuration, as `seeds: [1, 2]`")
    return content


def complete(config: dict[str, Any]) -> dict[str, Any]:
    """A validated copy of `config` with every default filled in.

    Raises:
        UserError: one line with the key's path, what was found and what is expected.
    """
    config = validated(config)
    recipes = config["recipe_definitions"]
    config["recipe_definitions"] = {name: _extended(recipes, name) for name in recipes}
    completed = with_defaults(config, schema())
    _check_dataset(completed["dataset"])
    _check_recipes(completed)
    _check_weights(completed)
    for architecture in completed["architectures"]:
        for recipe in completed["recipes"]:
            _check_run(completed, recipe, architecture)
    return completed


def _extended(recipes: dict[str, Any], name: str, extended_by: tuple[str, ...] = ()) -> dict[str, Any]:
    """A recipe with the values of the recipe that it extends, its overrides included, below its own."""
    own = {key: value for key, value in recipes[name].items() if key != "extends"}
    base = recipes[name].get("extends")
    if base is None:
        return own
    key, chain = f"recipe_definitions.{name}.extends", (*extended_by, name)
    if base in chain:
        raise UserError(f"{key}: {' extends '.join((*chain, base))}; expected no circle")
    if base not in recipes:
        raise UserError(f"{key}: '{base}' is not defined{nearest(base, recipes)} (defined: {', '.join(recipes)})")
    return _merge(copy.deepcopy(_extended(recipes, base, chain)), own)


def _check_dataset(dataset: dict[str, Any]) -> None:
    split = dataset["split"]
    shares = split["train"] + split["val"] + split["test"]
    if abs(shares - 1) > 1e-6:
        raise UserError(f"dataset.split: train + val + test add up to {shares:g}; expected 1")
    wanted = {"folder": "folder of your photographs", "csv": "CSV that lists your photographs"}.get(dataset["kind"])
    if wanted and not dataset["root"]:
        raise UserError(f"dataset.root: null; expected the {wanted}, because dataset.kind is {dataset['kind']}")
    for key in ("root",) * (dataset["kind"] == "csv") + ("class_names",):
        if dataset[key] and not os.path.isfile(dataset[key]):
            raise UserError(f"dataset.{key}: {dataset[key]} is not a file; expected one, for example a CSV")


def _check_recipes(config: dict[str, Any]) -> None:
    defined = config["recipe_definitions"]
    for recipe in config["recipes"]:
        if recipe not in defined:
            raise UserError(
                f"recipes: '{recipe}' is not defined in recipe_definitions (defined: {', '.join(defined)})"
                f"{nearest(recipe, defined)}"
            )
    for recipe, settings in defined.items():
        for architecture in settings["overrides"]:
            check_network(architecture, "none", f"recipe_definitions.{recipe}.overrides.{architecture}")


def _check_weights(config: dict[str, Any]) -> None:
    for architecture, weights in config["weights"].items():
        if architecture != "default":
            check_network(architecture, weights, f"weights.{architecture}")
    for architecture in config["architectures"]:
        weights = weights_of(config, architecture)
        check_network(architecture, weights)
        if is_path(weights) and not os.path.exists(weights):
            raise UserError(
                f"weights: {weights} (for {architecture}) does not exist; expected a state dict of torchvision's layout"
            )


def _check_run(config: dict[str, Any], recipe: str, architecture: str) -> None:
    settings, key = run_settings(config, recipe, architecture), f"recipe_definitions.{recipe}"
    for side in ("crop", "test_crop"):
        if settings[side] > settings["resize"]:
            raise UserError(
                f"{key}.{side}: {settings[side]} (for {architecture}) is larger than resize {settings['resize']}; "
                f"expected at most resize"
            )
    first = settings["phase2"]["first_crop"]
    if first is not None and first > settings["crop"]:
        raise UserError(
            f"{key}.phase2.first_crop: {first} (for {architecture}) is larger than crop {settings['crop']}; expected "
            f"at most crop, or null"
        )
    images = known_training_images(config["dataset"], settings["train_on"])
    if images is not None and settings["batch_size"] > images:
        raise UserError(
            f"{key}.batch_size: {settings['batch_size']} (for {architecture}) is larger than the training set; "
            f"expected at most its {images} images"
        )


def known_training_images(dataset: dict[str, Any], train_on: str) -> int | None:
    """How many images train, where it follows from the dataset's description; None where files must be counted."""
    garden = dataset["garden"]
    drawn = {part: garden["species"] * garden[part] for part in ("train", "val")}
    images = {"garden": drawn, "flowers102": FLOWERS102_IMAGES}.get(dataset["kind"])
    if images is None or dataset["split"]["folds"]:
        return None
    return sum(images[part] for part in train_on.split("+"))


def weights_of(config: dict[str, Any], architecture: str) -> str:
    """The `weights` value that holds for an architecture."""
    return config["weights"].get(architecture, config["weights"]["default"])


def run_settings(config: dict[str, Any], recipe: str, architecture: str) -> dict[str, Any]:
    """The recipe as one architecture runs it: its overrides merged in, `overrides` gone, `test_crop` a number."""
    settings = copy.deepcopy(config["recipe_definitions"][recipe])
    overrides = settings.pop("overrides", {})
    _merge(settings, overrides.get(architecture, {}))
    if settings["test_crop"] is None:
        settings["test_crop"] = settings["crop"]
    return settings


def pixels_name(settings: dict[str, Any]) -> str:
    """The name of the pixel file that a resolved recipe reads: `pixels_256.npy`, `pixels_256_center.npy`."""
    mode = "" if settings["resize_mode"] == "squash" else f"_{settings['resize_mode']}"
    return f"pixels_{settings['resize']}{mode}.npy"


def runs(config: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Every (recipe, architecture, seed) that a completed configuration wants."""
    return [(r, a, s) for r in config["recipes"] for a in config["architectures"] for s in config["seeds"]]


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        below = base.get(key)
        base[key] = _merge(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return base
