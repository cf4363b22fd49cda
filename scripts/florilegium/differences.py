"""What differs between two nested dicts, key by key, and so between recipes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from florilegium.configuration import run_settings

WORDS = {None: "null", True: "true", False: "false"}  # as YAML has them


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of everything below a dict that is not a dict itself."""
    if not isinstance(value, dict) or not value:
        yield path, value
    else:
        for key, below in value.items():
            yield from leaves(below, f"{path}.{key}" if path else str(key))


def differences(before: Any, now: Any) -> list[str]:
    """`key: old -> new` for every leaf that differs, `(none)` where a side does not have the key."""
    old, new = dict(leaves(before)), dict(leaves(now))
    keys = [key for key in {**old, **new} if old.get(key, "(none)") != new.get(key, "(none)")]
    return [f"{key}: {_written(old, key)} -> {_written(new, key)}" for key in keys]


def _written(values: dict[str, Any], key: str) -> str:
    value = values.get(key, "(none)")
    return WORDS[value] if value is None or isinstance(value, bool) else str(value)


def recipe_changes(config: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What each recipe that runs changes against the first one, in words, by recipe and architecture, keys sorted.

    Overrides of an architecture are merged in, as its runs have them; what recipes merely define alike is no change.

    Args:
        config: a completed configuration.
    """

    def change(recipe: str, architecture: str) -> str:
        return "; ".join(differences(*(run_settings(config, name, architecture) for name in (base, recipe))))

    base, architectures = config["recipes"][0], sorted(config["architectures"])
    return {recipe: {name: change(recipe, name) for name in architectures} for recipe in sorted(config["recipes"])}
