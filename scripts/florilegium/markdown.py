"""Pieces of Markdown: tables, percentages, and text that stays what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from florilegium.amounts import percent


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def with_interval(section: Mapping[str, Any], name: str) -> str:
    """`87.4 % (86.5 – 88.2 %)`, or without an interval where none was computed."""
    low, high = section.get(f"{name}_low"), section.get(f"{name}_high")
    interval = "" if low is None else f" ({100 * low:.1f} – {100 * high:.1f} %)"
    return percent(section[name]) + interval


def numbers(values: Sequence[float]) -> str:
    """`0.485, 0.456, 0.406`."""
    return ", ".join(f"{value:g}" for value in values)


def cell(text: Any) -> str:
    """Text that Markdown, a table and HTML leave as it is."""
    return escape(str(text), quote=False).replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
