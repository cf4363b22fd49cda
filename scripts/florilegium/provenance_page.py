"""Where the results come from as a page for people. Self-contained HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import yaml

from florilegium.pages import page, plain_table
from florilegium.style import display_name

MORE_STYLE = """
pre { max-height: 40rem; overflow: auto; padding: 1rem; background: #f3f3f3; max-width: 60rem; font-size: .85rem; }
@media (prefers-color-scheme: dark) { pre { background: #242424; } }
"""


def provenance_page(record: Mapping[str, Any]) -> str:
    """HTML of provenance.json.

    Args:
        record: its content.
    """
    hardware = record["hardware"] | {"gpus": ", ".join(record["hardware"]["gpus"]) or "none"}
    code = {
        "git commit": record["commit"],
        "sha256 of the code": record["code_sha256"],
        "sha256 of the configuration": record["config_sha256"],
        "sha256 of the photographs and their split": record["dataset_sha256"],
        "written": record["written"],
    }
    sections = {
        "Code, configuration, photographs": _pairs(code),
        "Machine": _pairs({key.replace("_", " ").replace("gib", "(GiB)"): value for key, value in hardware.items()}),
        "Packages": _pairs(record["versions"]),
        "Time of each training": _times(record["times"]),
        "Configuration, with every default": f"<pre>{escape(_yaml(record['config']))}</pre>",
    }
    body = "\n".join(f"<h2>{escape(title)}</h2>\n{text}" for title, text in sections.items())
    about = (
        "The same commit, configuration, photographs and package versions give the same numbers, on one machine to the "
        "last bit. A commit that ends in -dirty had uncommitted changes; then the hash of the code tells states apart."
    )
    return page(
        "Provenance", f'<h1>Where these results come from</h1>\n<p class="note">{about}</p>\n{body}', MORE_STYLE
    )


def _pairs(values: Mapping[str, Any]) -> str:
    return plain_table(["", ""], [[escape(key), escape(str(value))] for key, value in values.items()], text=2)


def _times(times: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        [escape(run["recipe"]), escape(display_name(run["architecture"])), str(run["seed"])]
        + [f"{run[f'{part}_seconds'] / 60:.1f}" for part in ("phase1", "phase2", "train")]
        for run in times
    ]
    return plain_table(["recipe", "network", "seed", "phase 1 (min)", "phase 2 (min)", "both (min)"], rows, text=3)


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
