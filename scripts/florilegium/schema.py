"""config/schema.yaml applied: types, limits, unknown keys and defaults of the configuration."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from florilegium.errors import UserError, nearest

SCHEMA = Path(__file__).parents[2] / "config" / "schema.yaml"


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema, or what it refers to."""
    reference = part.get("$ref", "")
    return schema()["$defs"][reference.rsplit("/", 1)[1]] if reference else part


def _is_number(checker: jsonschema.TypeChecker, value: Any) -> bool:
    """YAML knows `.nan` and `.inf`; no limit refuses a nan, because it compares with nothing."""
    return jsonschema.Draft202012Validator.TYPE_CHECKER.is_type(value, "number") and math.isfinite(value)


Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number),
)


def validated(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of `config` whose values have the schema's types.

    Raises:
        UserError: one line with the key's path, what was found and what is expected.
    """
    config = _typed(config, schema())
    errors = Validator(schema()).iter_errors(config)
    first = min(
        errors, key=lambda error: (error.validator != "additionalProperties", str(error.json_path)), default=None
    )
    if first is not None:
        raise UserError(_explain(first))
    return config


def _explain(error: jsonschema.ValidationError) -> str:
    place = error.json_path.removeprefix("$").removeprefix(".") or "config"
    prefix = "" if place == "config" else f"{place}."
    known = error.schema.get("properties", {})
    if error.validator == "additionalProperties":
        unknown = next(key for key in error.instance if key not in known)
        return f"{prefix}{unknown}: unknown key{nearest(unknown, known)} (known here: {', '.join(known)})"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{prefix}{missing}: missing; expected {' '.join(known[missing]['description'].split())}"
    text = f"{place}: {error.message}{_hint(error)}"
    expected = error.schema.get("description", "")
    return f"{text} ({' '.join(expected.split())})" if expected else text


def _hint(error: jsonschema.ValidationError) -> str:
    """YAML takes 1e-3, without a dot, for text."""
    if error.validator != "type" or isinstance(error.instance, bool):
        return ""
    try:
        number = float(error.instance)
    except (TypeError, ValueError):
        return ""
    if not math.isfinite(number):
        return "; expected a finite number"
    return f"; write {number!r}, YAML reads {error.instance} as text" if isinstance(error.instance, str) else ""


def _typed(value: Any, part: Any) -> Any:
    """Numbers and nulls that came as text become what they are: Snakemake's --config hands nested values on as text."""
    part = resolve(part) if isinstance(part, dict) else {}
    if isinstance(value, dict):
        properties, others = part.get("properties", {}), part.get("additionalProperties")
        return {key: _typed(below, properties.get(key, others)) for key, below in value.items()}
    if isinstance(value, list):
        return [_typed(item, part.get("items")) for item in value]
    kinds = [part["type"]] if isinstance(part.get("type"), str) else part.get("type", [])
    is_text = isinstance(value, str) and kinds and ("string" not in kinds or (value == "null" and "null" in kinds))
    return yaml.safe_load(value) if is_text else value


def with_defaults(value: Any, part: dict[str, Any], partial: bool = False) -> Any:
    """A copy of a valid `value` with the defaults of its `part` of the schema filled in, unless `partial`."""
    part = resolve(part)
    if isinstance(value, list):
        return [with_defaults(item, part.get("items", {})) for item in value]
    if not isinstance(value, dict):
        # JSON Schema takes 20.0 for an integer, range() does not.
        return int(value) if part.get("type") == "integer" else value
    properties, others = part.get("properties", {}), part.get("additionalProperties")
    # An override holds only what differs: a default there would undo the recipe's own value.
    partial = partial or part is schema()["$defs"]["overrides"]
    filled = {}
    for key, below in properties.items():
        if key in value:
            filled[key] = with_defaults(value[key], below, partial)
        elif not partial and ("default" in below or "$ref" in below):
            filled[key] = with_defaults(below.get("default", {}), below)
    for key in value:
        if key not in properties:
            filled[key] = with_defaults(value[key], others if isinstance(others, dict) else {})
    return filled
