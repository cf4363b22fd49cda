"""The model card as Markdown, in the layout of Hugging Face's cards: metadata in YAML, then the sections."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import yaml

from florilegium import selective
from florilegium.licences import licences
from florilegium.markdown import cell, numbers, percent, table, with_interval
from florilegium.model_card import front_matter

Facts = Mapping[str, Any]

RANDOM = """> **The backbone started from random numbers.** This network shows that the workflow runs. It is no transfer
> learning, its accuracy means nothing, and it is not for use."""
MEANS = [f"{mean}_{of}" for mean in ("macro", "weighted") for of in ("precision", "recall", "f1")]
METRICS = {"top1": "top-1", "top5": "top-5", "mean_per_class": "mean per class"}
METRICS |= {name: name.replace("_", " ").replace("f1", "F1") for name in MEANS}


def as_markdown(facts: Facts) -> str:
    """The whole card."""
    head = yaml.safe_dump(front_matter(facts), sort_keys=False, allow_unicode=True, width=1000)
    sections = (details, uses, limits, how_to_start, training, evaluation, files, licences, provenance)
    parts = [f"---\n{head}---", f"# {escape(facts['name'])}", *([] if facts["pretrained"] else [RANDOM])]
    return "\n\n".join(parts + [section(facts) for section in sections]) + "\n"


def details(facts: Facts) -> str:
    """What it is, and what it tells apart."""
    cost, classes = facts["cost"], facts["classes"]
    return f"""## Model details

An image classifier: torchvision's `{facts["architecture"]}` with a new head for {len(classes)} classes, trained in two
phases (the head on the frozen backbone, then the whole network) by the workflow Florilegium.

- **Backbone from:** {cell(facts["weights"])}
- **Parameters:** {cost["parameters"] / 1e6:.2f} M; {cost["gmacs"]:.3g} × 10⁹ multiply-adds for one picture
- **Input:** {cell(facts["preprocessing"]["input"])}; then minus {numbers(facts["preprocessing"]["mean"])}, divided by \
{numbers(facts["preprocessing"]["std"])}

<details><summary>The {len(classes)} classes, in the order of the outputs</summary>

{", ".join(cell(name) for name in classes)}

</details>"""


def uses(facts: Facts) -> str:
    """For what, and for what not."""
    return f"""## Uses

**Intended:** to name the class of a photograph that shows one of the classes above, taken like those it was trained on
({cell(facts["data"]["name"])}). {selective.in_words(facts["sure"] or {})}

**Out of scope:** pictures of anything else. The network knows no "none of these": it gives one of its classes to every
picture, also to one without any of them, and can do so with a high probability. Decisions about people, safety or
health (as whether a plant may be eaten) must not rest on it."""


def limits(facts: Facts) -> str:
    """Where it is known to be weak."""
    data, (least, most) = facts["data"], facts["data"]["test_images_of_a_class"]
    rows = [[cell(row["class_name"]), percent(row["recall"]), row["support"]] for row in facts["hardest_classes"]]
    overlaps = data["duplicates_across_splits"] + data["near_duplicates_across_splits"]
    found = f"{overlaps} picture(s) lie in two splits, the same or nearly so" if overlaps else "none were found"
    return f"""## Bias, risks and limitations

- Classes are not recognised equally well. Those with the lowest recall on test:

{table(["class", "recall on test", "test images"], rows)}

- A class has {least if least == most else f"{least} to {most}"} test images: single classes' numbers are uncertain.
- Test photographs come from the same collection as the training ones. Other cameras, places and seasons will do worse.
- Duplicates across the splits, which would flatter the test: {found}."""


def how_to_start(_facts: Facts) -> str:
    """The shortest way to an answer."""
    return """## How to get started
```
pip install onnxruntime numpy pillow
python predict.py --model model.onnx photo.jpg
```

`predict.py` is `scripts/predict.py` of the workflow, and lies in the run's zip; it needs no other file. The ONNX files
say their class names, how to prepare a picture, and the temperature (`class_names`, `preprocessing`, `temperature`)."""


def training(facts: Facts) -> str:
    """Data and recipe."""
    data, images = facts["data"], ", ".join(f"{count} {split}" for split, count in facts["data"]["images"].items())
    fold = "" if facts["fold"] is None else f" (fold {facts['fold']} validates)"
    return f"""## Training

**Data:** {cell(data["name"])}; images: {images}. Protocol: {cell(facts["protocol"])}{fold}. Unusable pictures left out:
{data["skipped"]}.

{course(facts["training"], facts["provenance"])}

Recipe `{facts["recipe"]}`, seed {facts["seed"]}:

```yaml
{yaml.safe_dump(facts["training"]["settings"], sort_keys=False, allow_unicode=True).strip()}
```"""


def course(training: Facts, origin: Facts) -> str:
    """How the two phases went: times, arithmetic, and epochs where the run kept count."""
    lines, kept = [], training["kept"]
    for phase, seconds in training["seconds"].items():
        line, epochs = (
            f"- {phase}: {seconds:.0f} s, {origin['arithmetic'][phase]}",
            (training["epochs"] or {}).get(phase),
        )
        if epochs:
            early = ", stopped early" if epochs["stopped_early"] else ""
            line += f"; {epochs['run']} of {epochs['planned']} epochs{early}, the best was {epochs['best']}"
        lines.append(line)
    head = f"**Kept:** epoch {kept['epoch']} of phase {kept['phase']}. On {cell(origin['hardware']['processor'])}:"
    return "\n".join([head, "", *lines])


def evaluation(facts: Facts) -> str:
    """Accuracy with intervals, and calibration."""
    found = {name: section for name, section in facts["evaluation"].items() if section}
    heads = {"val": "validation", "test": "test", "test_time_flip": "test, with the mirror image"}
    rows = [["images", *(section["images"] for section in found.values())]]
    shown = [name for name in METRICS if name in found["test"]]
    rows += [[METRICS[name], *(with_interval(section, name) for section in found.values())] for name in shown]
    val = "Validation chose the epoch, so its numbers flatter; " if "val" in found else "Nothing validated this run; "
    return f"""## Evaluation

{val}test was read once. In brackets: 95 % intervals over the images, where they were computed. Arithmetic:
{facts["arithmetic"]}; the files below compute in formats of their own, and their validation top-1 is told there.

{table(["", *(heads[name] for name in found)], rows)}

### Calibration

{calibration(facts["calibration"])}"""


def calibration(found: Facts | None) -> str:
    """Errors of the probabilities before and after the temperature."""
    if not found:
        return "Not measured."
    errors = (("ece", "expected calibration error"), ("brier", "Brier score"), ("nll", "negative log-likelihood"))
    rows = [[title, f"{found[f'{key}_before']:.3f}", f"{found[f'{key}_after']:.3f}"] for key, title in errors]
    fitted = "fitted on validation" if found["fitted_on"] else "not fitted: there was no validation"
    text = f"Logits are divided by the temperature {found['temperature']:.3f} ({fitted}). On test:"
    return f"{text}\n\n{table(['', 'before', 'after'], rows)}"


def files(facts: Facts) -> str:
    """What lies beside the card, and whether to use it."""
    rows = [
        [
            f"`{file['name']}`",
            file["takes"],
            f"{file['file_mb']:.1f} MB",
            percent(file["val_top1"]),
            percent(file["top1_agreement"], 2),
            "–" if file["p50_ms_1thread"] is None else f"{file['p50_ms_1thread']:.1f} ms",
            "yes" if file["recommended"] else f"**not recommended:** {cell(file['reason'] or 'see onnx_check.json')}",
        ]
        for file in facts["files"]
    ]
    heads = ["file", "takes, gives", "size", "validation top-1", "same answer", "one picture", "recommended"]
    return f"""## Files

{table(heads, rows)}

"Same answer": the share of the validation images to which it gives the class that torch gives (the service file: that
`model.onnx` gives). "One picture" is the median on one thread. `model.onnx`: {facts["cost"]["latency_ms"]:.1f} ms
({cell(facts["cost"]["latency_conditions"])})."""


def provenance(facts: Facts) -> str:
    """Where it comes from."""
    found = facts["provenance"]
    rows = [
        ["code", f"commit `{found['commit']}`, sha256 `{found['code_sha256']}`"],
        ["recipe", f"sha256 `{found['config_sha256']}`"],
        ["photographs", f"sha256 `{found['dataset_sha256']}`"],
        ["written", found["written"]],
        ["versions", ", ".join(f"{name} {version}" for name, version in found["versions"].items())],
    ]
    rows += [[f"`{file['name']}`", f"sha256 `{file['sha256']}`"] for file in facts["files"]]
    return f"## Provenance\n\n{table(['', ''], rows)}"
