"""The tables on the lessons' pages: computed, none is typed. `make docs` writes them between their markers."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torchvision.models import get_model_weights

from florilegium import configuration, lessons, summaries
from florilegium.style import display_name

ROOT = Path(__file__).parents[1]
CLASSES = 102  # of Flowers102
MARKED = re.compile(r"(<!-- made by `make docs`: (?P<table>.+?) -->\n)(?P<rows>.*?)(<!-- end -->)", re.DOTALL)


@functools.cache
def lesson_config() -> dict[str, Any]:
    """config.yaml, complete."""
    return configuration.read([ROOT / "config.yaml"])


def lesson_recipe(architecture: str) -> dict[str, Any]:
    """The recipe `lesson` as an architecture runs it."""
    return configuration.run_settings(lesson_config(), "lesson", architecture)


@functools.cache
def network_of(architecture: str) -> nn.Module:
    """The network with its head for Flowers102, without numbers."""
    return summaries.outline(architecture, CLASSES)


def markdown(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; numbers stand on the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    rule = ["---:" if place and re.match(r"[-+\d.]", rows[0][place]) else "---" for place in range(len(heads))]
    return "".join(f"| {' | '.join(row)} |\n" for row in [heads, rule, *rows])


def stages(architecture: str) -> str:
    """Stages of a network, and what learns in which phase."""
    network, crop = network_of(architecture), lesson_recipe(architecture)["test_crop"]
    rows = []
    for row in summaries.stage_table(network, crop).itertuples():
        learns = "yes" if row.names == ["head"] else "frozen"
        rows.append((row.stage, row.blocks, row.output, f"{row.parameters:,}", f"{row.share:.1%}", learns, "yes"))
    phases = summaries.phase_table(network, lesson_recipe(architecture)["phase2"])["learn"]
    rows.append(("all", "", "", f"{summaries.count(network):,}", "100.0%", f"{phases[0]:,}", f"{phases[1]:,}"))
    side = f"output for {crop} × {crop}"
    heads = ("stage", "blocks", side, "parameters", "share", "learns in phase 1", "learns in phase 2")
    return markdown(heads, rows)


def block(architecture: str, name: str) -> str:
    """The layers of one block."""
    table = summaries.block_table(network_of(architecture), name, lesson_recipe(architecture)["test_crop"])
    rows = [(f"`{row.layer}`", row.kind, row.output, f"{row.parameters:,}") for row in table.itertuples()]
    rows.append((f"all of `{name}`", "", "", f"{table['parameters'].sum():,}"))
    return markdown(("layer", "kind", "output", "parameters"), rows)


def networks(*names: str) -> str:
    """Networks beside each other: size, work, and what torchvision measured of its weights on ImageNet."""
    rows = []
    for name in names or lessons.COURSE:
        crop, network = lesson_recipe(name)["test_crop"], network_of(name)
        size, width = summaries.count(network), network.get_submodule(summaries.head_name(network)).in_features
        imagenet = get_model_weights(name)["IMAGENET1K_V1"].meta["_metrics"]["ImageNet-1K"]["acc@1"]
        work = summaries.multiply_adds(network, crop)
        row = (f"{size / 1e6:.1f} M", f"{work:.2f}", f"{4 * size / 1e6:.0f} MB", width, f"{imagenet:.1f} %")
        rows.append((display_name(name), crop, *row))
    heads = ("network", "pixels", "parameters", "GMACs", "in fp32", "features for the head", "ImageNet top-1")
    return markdown(heads, rows)


def scaling() -> str:
    """EfficientNet-B0 … B7 as torchvision builds them, at the size that their weights were trained for."""
    rows, first = [], None
    for number in range(8):
        name = f"efficientnet_b{number}"
        crop, network = int(get_model_weights(name)["IMAGENET1K_V1"].transforms().crop_size[0]), network_of(name)
        table = summaries.stage_table(network, crop)
        work = summaries.multiply_adds(network, crop)
        first = first or work
        layers = table["blocks"][1:-2].sum()  # without the stem, the last convolution and the head
        width = network.get_submodule(summaries.head_name(network)).in_features
        imagenet = get_model_weights(name)["IMAGENET1K_V1"].meta["_metrics"]["ImageNet-1K"]["acc@1"]
        size = f"{summaries.count(network) / 1e6:.1f} M"
        rows.append(
            (f"B{number}", layers, width, crop, size, f"{work:.2f}", f"{work / first:.1f} ×", f"{imagenet:.1f} %")
        )
    heads = ("", "MBConv blocks", "last channels", "pixels", "parameters", "GMACs", "of B0's", "ImageNet top-1")
    return markdown(heads, rows)


def views() -> str:
    """What the recipe `lesson` does to a photograph, for the four networks of one size and for EfficientNet-B3."""
    names = ("resnet18", "efficientnet_b3")
    recipes = [lesson_recipe(name) for name in names]
    rows = [(f"`{key}`", *(recipe[key] for recipe in recipes)) for key in ("resize", "crop", "batch_size")]
    keys = recipes[0]["augmentation"]
    rows += [(f"`augmentation.{key}`", *(recipe["augmentation"][key] for recipe in recipes)) for key in keys]
    rows = [tuple("null" if value is None else value for value in row) for row in rows]
    return markdown(("key", "every network but one", "EfficientNet-B3"), rows)


TABLES: dict[str, Callable[..., str]] = {
    function.__name__: function for function in (stages, block, networks, scaling, views)
}


def filled(text: str) -> str:
    """A page with every marked table computed anew."""

    def compute(found: re.Match) -> str:
        name, *arguments = found["table"].split()
        return f"{found[1]}{TABLES[name](*arguments)}{found[4]}"

    return MARKED.sub(compute, text)
