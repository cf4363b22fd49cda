"""A lesson's page as text: its parts, and what a notebook can show of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

IMAGE = re.compile(r"^!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)$", re.MULTILINE)
EXERCISES = "Exercises"


def parts(text: str) -> tuple[str, str]:
    """What comes before the exercises, and the exercises with all that follows them."""
    before, heading, after = text.partition(f"\n## {EXERCISES}\n")
    return before, (heading + after).strip()


def without_files(text: str) -> str:
    """The text for a place from which no file of the project can be reached: no comments, links only to the web."""
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?://)[^)]*\)", r"\1", text)


def pieces(text: str, folder: Path) -> Iterator[str | tuple[str, Path]]:
    """Markdown, and (alternative text, file) for each image that stands on a line of its own, in their order."""
    start = 0
    for image in IMAGE.finditer(text):
        yield text[start : image.start()]
        yield image["alt"], folder / image["path"]
        start = image.end()
    yield text[start:]
