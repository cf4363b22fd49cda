"""What the tools share that write measured tables into docs/: a page's marked places, CSV files, one-line errors."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from florilegium.errors import UserError
from florilegium.files import write_text, written_whole


def write_docs(page: Path, places: Mapping[str, str], tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables beside a page, and what they say into it.

    Args:
        page: the Markdown file.
        places: what to put between the comments `name` and `/name`, by name; other places stay as they are.
        tables: by the name of their CSV file in the page's folder.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in places.items():
        text = _filled(text, name, content)
    for name, table in tables.items():
        with written_whole(page.parent / name) as partial:
            table.to_csv(partial, index=False, float_format="%.6g")
    write_text(page, text)


def _filled(page: str, name: str, content: str) -> str:
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{content}\n{found[2]}", page, flags=re.DOTALL)


def with_status(main: Callable[[list[str] | None], None]) -> Callable[..., int]:
    """`main` returning an exit status: 0, or 1 after one line on standard error about what was wrong."""

    @functools.wraps(main)
    def run(arguments: list[str] | None = None) -> int:
        try:
            main(arguments)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        return 0

    return run
