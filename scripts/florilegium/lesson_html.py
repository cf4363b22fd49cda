"""An executed notebook as a page of the report: self-contained HTML in the project's style, code folded away."""

from __future__ import annotations

import re
from html import escape

from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from florilegium.errors import UserError
from florilegium.pages import STYLE

PREAMBLE = "snakemake-job-properties"  # the tag of the cell that Snakemake puts in front
# Only the cells: every other template brings scripts from the web. The code stands behind a click.
TEMPLATE = """
{%- extends 'basic/index.html.j2' -%}
{% block input %}<details><summary>code</summary>{{ super() }}</details>{% endblock input %}
"""
MORE_STYLE = """
main { max-width: 62rem; margin: 0 auto; } h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .3rem; }
.output_area, .rendered_html { overflow-x: auto; } table { margin: .8rem 0; }
th { cursor: auto; } td:nth-child(n), th:nth-child(n) { text-align: right; }
td:first-child, th:first-child, td.text { text-align: left; }
details { margin: .4rem 0; color: #555; } summary { cursor: pointer; font-size: .85rem; }
pre { overflow-x: auto; padding: .6rem .8rem; background: #f3f3f3; border-radius: .3rem; font-size: .85rem; }
code { font-size: .9em; } blockquote { margin-left: 0; padding-left: 1rem; border-left: 3px solid #888; }
@media (prefers-color-scheme: dark) { pre { background: #242424; } details { color: #aaa; } a { color: #8ab4f8; } }
"""


def lesson_page(notebook: NotebookNode, path: str) -> str:
    """HTML that asks the network for nothing.

    Args:
        notebook: as executed.
        path: of it, for messages.

    Raises:
        UserError: the notebook was not executed to its end.
    """
    notebook.cells = [cell for cell in notebook.cells if PREAMBLE not in cell.metadata.get("tags", [])]
    waiting = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None]
    if waiting:
        raise UserError(f"{path}: {len(waiting)} cells were not executed; delete it and run again")
    exporter = HTMLExporter(raw_template=TEMPLATE, exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.exclude_anchor_links = True
    body, _ = exporter.from_notebook_node(notebook)
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.DOTALL)
    title = re.sub(r"<[^>]+>", "", heading[1]) if heading else escape(path)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>{STYLE}{_colours()}{MORE_STYLE}</style></head><body><main>
{body}
</main></body></html>
"""


def _colours() -> str:
    """Colours of code, on white and on black."""
    light, dark = (
        HtmlFormatter(style=name, nobackground=True).get_style_defs(".highlight")
        for name in ("friendly", "github-dark")
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
