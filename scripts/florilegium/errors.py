"""The one kind of error that is meant for the person at the keyboard."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something a person can put right; its text is one line: what, found, expected, what to do."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """`; nearest: a, b` for the known names most like `name`, or an empty string when none is like it."""
    close = difflib.get_close_matches(str(name), [str(item) for item in known], n=count, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else ""
