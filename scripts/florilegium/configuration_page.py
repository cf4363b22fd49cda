"""The text of docs/configuration.md, made from the schema: every key with its type, limits, default and description."""

from __future__ import annotations

from typing import Any

import yaml

from florilegium.schema import resolve, schema


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
        others = resolve(part["additionalProperties"])
        below[f"<{others.get('title', 'name')}>"] = others
    for key, value in below.items():
        value = resolve(value)
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
