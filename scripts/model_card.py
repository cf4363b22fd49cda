"""The model card of one run, as Markdown for people and as JSON for programs."""

import json
from pathlib import Path

import onnx
import pandas as pd

from florilegium.files import read_json, write_json, write_text
from florilegium.model_card import card_facts
from florilegium.model_card_text import as_markdown
from florilegium.step import log, run_step


def main(job):
    models = job.input.models if isinstance(job.input.models, list) else [job.input.models]
    models = sorted(map(Path, models), key=lambda path: (path.name != "model.onnx", path.name))
    facts = card_facts(
        read_json(job.input.metrics),
        read_json(job.input.cost),
        read_json(job.input.check),
        read_json(job.input.dataset),
        pd.read_csv(job.input.per_class, keep_default_na=False),
        said_by(models[0]),
        models,
    )
    write_json(job.output.json, facts)
    write_text(job.output.card, as_markdown(facts))
    avoided = [file["name"] for file in facts["files"] if not file["recommended"]]
    log.info("%s%s", facts["name"], f"; not recommended: {', '.join(avoided)}" if avoided else "")


def said_by(path):
    """What an ONNX file says of itself."""
    properties = onnx.load(path, load_external_data=False).metadata_props
    texts = {entry.key: entry.value for entry in properties}
    return {key: json.loads(texts[key]) for key in ("class_names", "preprocessing", "run")}


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
