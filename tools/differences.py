"""What differs between two nested dicts, key by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


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
    return [f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}" for key in keys]
