"""One zip of a run, to hand on: the recommended ONNX files, class names, model card, predict.py."""

import json
from importlib import metadata
from pathlib import Path

from florilegium.bundle import PACKAGES, readme, write_archive
from florilegium.files import read_json, written_whole
from florilegium.step import log, run_step


def main(job):
    facts = read_json(job.input.json)
    folder = Path(job.input.card).parent
    models = [file["name"] for file in facts["files"] if file["recommended"]]
    known = facts["provenance"]["versions"]
    packages = {name: known.get(name) or metadata.version(name) for name in PACKAGES}
    contents = {
        **{name: folder / name for name in models},
        "README.md": readme(facts, models, packages),
        "labels.json": json.dumps(facts["classes"], ensure_ascii=False, indent=1) + "\n",
        "labels.txt": "".join(f"{name}\n" for name in facts["classes"]),
        "model_card.md": Path(job.input.card),
        "model_card.json": Path(job.input.json),
        "predict.py": Path(job.input.predict),
    }
    target = Path(job.output.archive)
    with written_whole(target) as partial:
        write_archive(partial, target.stem, contents)
    log.info("%s, %.1f MB", ", ".join(contents), target.stat().st_size / 1e6)


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
