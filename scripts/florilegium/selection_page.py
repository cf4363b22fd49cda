"""The choice as a page of the report and as Markdown: the same words and tables, written two ways."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from florilegium.amounts import COSTS, amount, exactly, p_value, percent, points
from florilegium.choice_words import headline, name_of, sentences
from florilegium.pages import page, plain_table

HOW = (
    "Validation chooses among the networks that keep to every limit of the section `choice` in the configuration; of "
    "two that are equal the one with fewer parameters. Test reports. Networks trained on train + val are never chosen, "
    "random backbones only where nothing else ran. Change a limit and run the workflow again: nothing is trained anew."
)
MORE_STYLE = """
.over { color: #b3261e; font-weight: 600; }
@media (prefers-color-scheme: dark) { .over { color: #ff8a80; } }
"""
OVER = " ✗"  # behind a cost that breaks its limit


def _code(text: str) -> str:
    """Markdown's backticks as HTML."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", text)


class Table(NamedTuple):
    """A heading, what the columns are, and rows of text; the first `emphasised` rows are the chosen one's."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    emphasised: int = 0


def tables(selection: Mapping[str, Any]) -> list[Table]:
    """The candidates with their costs; the paired tests of the chosen one against the others."""
    limits, within, over = selection["limits"], [], []
    for each in selection["candidates"]:
        (within if each["within_limits"] else over).append(_candidate(each, selection))
    most = ["limit", "", "", *("–" if limits[key] is None else _short(exactly(key, limits[key])) for key in COSTS), ""]
    rows, titles = [*within, *over, most], [title for title, _, _ in COSTS.values()]
    columns = ["network", "validation top-1", "test top-1 (95 % interval)", *titles, "chosen again"]
    found = [Table("Candidates, best on validation first", columns, rows, emphasised=min(1, len(within)))]
    others = [other for other in (*selection["rivals"], *selection["beaten"]) if other["test"]]
    if others:
        columns = ["other network", "verdict", "on validation", "on test", "95 % interval", "p, corrected"]
        rows = [_tested(other, selection) for other in sorted(others, key=lambda other: other["val_difference"])]
        found.append(Table("The chosen network minus each other one, in points", columns, rows))
    return found


def _candidate(each: Mapping[str, Any], selection: Mapping[str, Any]) -> list[str]:
    over = {limit["limit"] for limit in each["broken_limits"]}
    costs = [f"{_short(amount(key, each[key]))}{OVER if key in over else ''}" for key in COSTS]
    test = percent(each["test_top1"])
    if each["test_top1_low"] is not None:
        test += f" ({100 * each['test_top1_low']:.1f} – {100 * each['test_top1_high']:.1f})"
    share = each["share_of_resamples"]
    again = "over a limit" if over else percent(share)
    return [name_of(each, selection), percent(each["val_top1"]), test, *costs, again]


def _short(cost: str) -> str:
    return cost.removesuffix(" parameters")  # the heading says it


def _tested(other: Mapping[str, Any], selection: Mapping[str, Any]) -> list[str]:
    verdict = "differ on test" if other["separable"] else "not told apart"
    interval = f"{points(other['low'])} … {points(other['high'])}"
    differences = points(other["val_difference"]), points(other["test_difference"])
    return [name_of(other, selection), verdict, *differences, interval, p_value(other["p_holm"])]


def selection_markdown(selection: Mapping[str, Any]) -> str:
    """selection.md."""
    parts = [f"# {headline(selection)}", *sentences(selection)]
    for table in tables(selection):
        lines = [table.columns, ["---"] * len(table.columns), *table.rows]
        body = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
        parts += [f"## {table.heading}", body]
    return "\n\n".join([*parts, "## How it is chosen", HOW]) + "\n"


def selection_page(selection: Mapping[str, Any]) -> str:
    """The page of the report: self-contained HTML."""
    parts = [f"<h1>{escape(headline(selection))}</h1>"]
    parts += [f'<p class="note">{escape(sentence)}</p>' for sentence in sentences(selection)]
    for table in tables(selection):
        rows = [[_cell(cell, i < table.emphasised) for cell in row] for i, row in enumerate(table.rows)]
        parts += [f"<h2>{escape(table.heading)}</h2>", plain_table([escape(name) for name in table.columns], rows)]
    parts += ["<h2>How it is chosen</h2>", f'<p class="note">{_code(escape(HOW))}</p>']
    return page("The choice", "\n".join(parts), MORE_STYLE)


def _cell(text: str, emphasised: bool) -> str:
    shown = f'<span class="over">{escape(text)}</span>' if text.endswith(OVER) else escape(text)
    return f"<b>{shown}</b>" if emphasised else shown
