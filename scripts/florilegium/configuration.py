"""The configuration: validated against config/schema.yaml, completed with its defaults, resolved for one run."""

from __future__ import annotations

import copy
import functools
import os
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from florilegium.catalogue import check_network, is_path
from florilegium.errors import UserError, nearest

SCHEMA = Path(__file__).parents[2] / "config" / "schema.yaml"


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def complete(config: dict[str, Any]) -> dict[str, Any]:
    """A validated copy of `config` with every default filled in.

    Raises:
        UserError: one line with the key's path, what was found and what is expected.
    """
    config = _typed(config, schema())
    errors = jsonschema.Draft202012Validator(schema()).iter_errors(config)
    first = min(
        errors, key=lambda error: (error.validator != "additionalProperties", str(error.json_path)), default=None
    )
    if first is not None:
        raise UserError(_explain(first))
    completed = _with_defaults(config, schema())
    _check_meaning(completed)
    return completed


def _explain(error: jsonschema.ValidationError) -> str:
    place = error.json_path.removeprefix("$").removeprefix(".") or "config"
    expected = error.schema.get("description", "")
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        prefix = "" if place == "config" else f"{place}."
        return f"{prefix}{unknown}: unknown key{nearest(unknown, known)} (known here: {', '.join(known)})"
    text = f"{place}: {error.message}{_yaml_hint(error)}"
    return f"{text} ({' '.join(expected.split())})" if expected else text


def _yaml_hint(error: jsonschema.ValidationError) -> str:
    """YAML takes 1e-3, without a dot, for text."""
    try:
        number = float(error.instance) if isinstance(error.instance, str) and error.validator == "type" else None
    except ValueError:
        number = None
    return "" if number is None else f"; write {number!r}, YAML reads {error.instance} as text"


def _resolve(part: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref", "")
    return schema()["$defs"][reference.rsplit("/", 1)[1]] if reference else part


def _typed(value: Any, part: Any) -> Any:
    """Numbers and nulls that came as text become what they are: Snakemake's --config hands nested values on as text."""
    part = _resolve(part) if isinstance(part, dict) else {}
    if isinstance(value, dict):
        properties, others = part.get("properties", {}), part.get("additionalProperties")
        return {key: _typed(below, properties.get(key, others)) for key, below in value.items()}
    if isinstance(value, list):
        return [_typed(item, part.get("items")) for item in value]
    kinds = [part["type"]] if isinstance(part.get("type"), str) else part.get("type", [])
    is_text = isinstance(value, str) and kinds and ("string" not in kinds or (value == "null" and "null" in kinds))
    return yaml.safe_load(value) if is_text else value


def _with_defaults(value: Any, part: dict[str, Any], partial: bool = False) -> Any:
    part = _resolve(part)
    if isinstance(value, list):
        return [_with_defaults(item, part.get("items", {})) for item in value]
    if not isinstance(value, dict):
        # JSON Schema takes 20.0 for an integer, range() does not.
        return int(value) if part.get("type") == "integer" else value
    properties, others = part.get("properties", {}), part.get("additionalProperties")
    # An override holds only what differs: a default there would undo the recipe's own value.
    partial = partial or part is schema()["$defs"]["overrides"]
    filled = {}
    for key, below in properties.items():
        if key in value:
            filled[key] = _with_defaults(value[key], below, partial)
        elif not partial and ("default" in below or "$ref" in below):
            filled[key] = _with_defaults(below.get("default", {}), below)
    for key in value:
        if key not in properties:
            filled[key] = _with_defaults(value[key], others if isinstance(others, dict) else {})
    return filled


def _check_meaning(config: dict[str, Any]) -> None:
    """What a schema cannot say: keys that have to fit each other."""
    dataset, split = config["dataset"], config["dataset"]["split"]
    shares = split["train"] + split["val"] + split["test"]
    if abs(shares - 1) > 1e-6:
        raise UserError(f"dataset.split: train + val + test add up to {shares:g}; expected 1")
    wanted = {"folder": "folder of your photographs", "csv": "CSV that lists your photographs"}.get(dataset["kind"])
    if wanted and not dataset["root"]:
        raise UserError(f"dataset.root: null; expected the {wanted}, because dataset.kind is {dataset['kind']}")
    for key in ("root",) * (dataset["kind"] == "csv") + ("class_names",):
        if dataset[key] and not os.path.isfile(dataset[key]):
            raise UserError(f"dataset.{key}: {dataset[key]} is not a file; expected one, for example a CSV")
    for recipe in config["recipes"]:
        if recipe not in config["recipe_definitions"]:
            raise UserError(
                f"recipes: '{recipe}' is not defined in recipe_definitions (defined: "
                f"{', '.join(config['recipe_definitions'])}){nearest(recipe, config['recipe_definitions'])}"
            )
    named = [(f"weights.{name}", name) for name in config["weights"] if name != "default"]
    for recipe, settings in config["recipe_definitions"].items():
        named += [(f"recipe_definitions.{recipe}.overrides.{name}", name) for name in settings["overrides"]]
    for key, architecture in named:
        check_network(architecture, "none", key)
    for architecture in config["architectures"]:
        weights = weights_of(config, architecture)
        check_network(architecture, weights)
        if is_path(weights) and not os.path.exists(weights):
            raise UserError(
                f"weights: {weights} (for {architecture}) does not exist; expected a state dict of torchvision's layout"
            )
        for recipe in config["recipes"]:
            settings = run_settings(config, recipe, architecture)
            if settings["crop"] > settings["resize"]:
                raise UserError(
                    f"recipe_definitions.{recipe}.crop: {settings['crop']} (for {architecture}) is larger than "
                    f"resize {settings['resize']}; expected at most resize"
                )


def weights_of(config: dict[str, Any], architecture: str) -> str:
    """The `weights` value that holds for an architecture."""
    return config["weights"].get(architecture, config["weights"]["default"])


def run_settings(config: dict[str, Any], recipe: str, architecture: str) -> dict[str, Any]:
    """The recipe as one architecture runs it: its overrides merged in, `overrides` itself gone."""
    settings = copy.deepcopy(config["recipe_definitions"][recipe])
    overrides = settings.pop("overrides", {})
    return _merge(settings, overrides.get(architecture, {}))


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        base[key] = _merge(base.get(key, {}), value) if isinstance(value, dict) else value
    return base


def reference_page() -> str:
    """The text of docs/configuration.md: every key with its type, limits, default and description."""
    lines = ["# Configuration reference", "", "Made from `config/schema.yaml` by `make docs`; a test compares the two."]
    for key, part in schema()["properties"].items():
        rows = _rows("", part)
        head = ["", "| key | type | default | meaning |", "|---|---|---|---|"] if rows else []
        kind = "" if rows else f" ({_kind(part)})"
        lines += ["", f"## `{key}`{kind}", "", _description(part), *head, *rows]
    return "\n".join(lines) + "\n"


def _rows(prefix: str, part: dict[str, Any]) -> list[str]:
    rows = []
    below = dict(part.get("properties", {}))
    if isinstance(part.get("additionalProperties"), dict):
        others = _resolve(part["additionalProperties"])
        below[f"<{others.get('title', 'name')}>"] = others
    for key, value in below.items():
        value = _resolve(value)
        has_default = "default" in value and value.get("type") != "object"
        default = f"`{yaml.safe_dump(value['default']).split(chr(10))[0]}`" if has_default else ""
        rows.append(f"| `{prefix}{key}` | {_kind(value)} | {default} | {_description(value)} |")
        if value is not schema()["$defs"]["overrides"]:  # the recipe's own keys once more
            rows += _rows(f"{prefix}{key}.", value)
    return rows


def _description(part: dict[str, Any]) -> str:
    return " ".join(part.get("description", "").split())


def _kind(part: dict[str, Any]) -> str:
    """Type and limits in words."""
    if "enum" in part:
        return " / ".join(f"`{value}`" for value in part["enum"])
    kind = part["type"] if isinstance(part["type"], str) else " or ".join(part["type"])
    kind = {"object": "section", "array": f"list of {part.get('items', {}).get('type')}s"}.get(kind, kind)
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return ", ".join([kind, *(f"{sign} {part[key]}" for key, sign in signs.items() if key in part)])
