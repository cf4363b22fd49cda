"""What the cells of a lesson's notebook show: pages, tables, figures. Small, because all of it lies in the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from florilegium import lesson_pages
from florilegium.style import display_name

DPI = 100  # of a figure of 9 inches: 900 pixels, as wide as the report's page
QUALITY = 85  # of JPEG; photographs as PNG would be five times as large


def show_opening(pages: list[str], architecture: str = "") -> None:
    """The lesson's page up to the exercises; for a network without a page only its name.

    Args:
        pages: the page and its drawing, as the rule names them; empty without a page.
        architecture: torchvision's name.
    """
    if not pages:
        text = "The course has no lesson about this network. All that follows is read from its results."
        display(Markdown(f"# {display_name(architecture)}\n\n{text}"))
        return
    _show_text(lesson_pages.parts(Path(pages[0]).read_text(encoding="utf-8"))[0], Path(pages[0]).parent)


def show_closing(pages: list[str]) -> None:
    """The exercises of the lesson's page and all that follows them."""
    if pages:
        _show_text(lesson_pages.parts(Path(pages[0]).read_text(encoding="utf-8"))[1], Path(pages[0]).parent)


def _show_text(text: str, folder: Path) -> None:
    for piece in lesson_pages.pieces(lesson_pages.without_files(text), folder):
        if isinstance(piece, str):
            display(Markdown(piece.strip())) if piece.strip() else None
        else:
            alt, path = piece
            data = base64.b64encode(path.read_bytes()).decode()
            display(HTML(f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}" style="max-width: 100%">'))


def show_figure(figure: Figure, alt: str, photographs: bool = False) -> None:
    """A figure as a picture inside the notebook.

    Args:
        figure: of `figures` or `lesson_figures`.
        alt: what it shows, for people who do not see it.
        photographs: whether it holds photographs, which JPEG keeps small.
    """
    stream, kind = io.BytesIO(), "jpeg" if photographs else "png"
    figure.savefig(stream, format=kind, dpi=DPI, pil_kwargs={"quality": QUALITY} if photographs else {})
    display(Image(stream.getvalue(), format=kind, alt=alt))


def show_table(table: pd.DataFrame, **formats: Callable[[Any], str]) -> None:
    """A table as HTML, without its index; `formats` say how the values of a column are written."""
    display(HTML(table.to_html(index=False, border=0, na_rep="–", formatters=formats)))
