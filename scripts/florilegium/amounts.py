"""Costs, shares and p values as people read them."""

from __future__ import annotations

import math

# Of each cost: what it is, by what a value is multiplied, and its unit.
COSTS = {
    "parameters": ("parameters", 1e-6, "M parameters"),
    "gmacs": ("multiply-adds", 1, "GMACs"),
    "file_mb": ("file", 1, "MB"),
    "latency_ms": ("latency", 1, "ms"),
    "train_minutes": ("training", 1, "min"),
}


def amount(key: str, value: float | None) -> str:
    """A cost with its unit, three digits of it."""
    return "not measured" if value is None else _written(key, value, 3)


def exactly(key: str, value: float | None) -> str:
    """A limit, or what is held against it: four digits, so that the two do not look alike when they are not."""
    return "not measured" if value is None else _written(key, value, 4)


def _written(key: str, value: float, digits: int) -> str:
    _, factor, unit = COSTS[key]
    scaled = value * factor
    return f"{scaled:.0f} {unit}" if scaled >= 10**digits else f"{scaled:.{digits}g} {unit}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as people read it; a dash where nothing was measured (None or not-a-number)."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{digits}f} %"


def points(difference: float) -> str:
    """A difference of shares in points of percent, with its sign."""
    value = 100 * difference
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", "−")


def p_value(p: float | None) -> str:
    """`p = 0.03`, or that it is small."""
    if p is None:
        return "not tested"
    return "p < 0.001" if p < 0.001 else f"p = {min(p, 1):.3f}" if p < 0.995 else "p = 1"
