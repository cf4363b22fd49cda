"""Every key explains itself: in config.yaml, in the schema and on the reference page; the lesson is the course's."""

import re

import pytest
import yaml

from florilegium.configuration_page import reference_page
from florilegium.schema import resolve, schema


def properties(part, path=""):
    """(path, schema) of every property below a part of the schema; references resolved."""
    part = resolve(part)
    below = dict(part.get("properties", {}))
    if isinstance(part.get("additionalProperties"), dict):
        below["*"] = part["additionalProperties"]
    for name, value in below.items():
        value = resolve(value)
        yield f"{path}{name}", value
        yield from properties(value, f"{path}{name}.")


def test_every_property_of_the_schema_is_described():
    found = dict(properties(schema()))
    assert len(found) > 60
    assert [path for path, part in found.items() if not part.get("description")] == []


def test_every_key_of_the_full_reproduction_has_a_comment(project):
    lines = (project / "config.yaml").read_text(encoding="utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"\s*[A-Za-z_0-9]+:", line)]
    assert len(keys) > 50
    commented = [number for number in keys if "#" in lines[number] or lines[number - 1].lstrip().startswith("#")]
    assert [lines[number] for number in keys if number not in commented] == []


def test_the_reference_page_is_made_from_the_schema(project):
    page = (project / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference_page(), "run `make docs`"


def test_the_reference_page_has_a_line_for_every_key(config):
    page = reference_page()
    for path, part in properties(schema()):
        if ".overrides.*." not in path.replace("recipe_definitions.*", "r"):
            name = path.rsplit(".", 1)[-1]
            assert name == "*" or f"{name}`" in page, path
            assert " ".join(part["description"].split()) in page


def flat(part, path=()):
    for key, value in part.items():
        if isinstance(value, dict):
            yield from flat(value, (*path, key))
        else:
            yield ".".join((*path, key)), value


LESSON = """
resize: 256
crop: 224
augmentation: {horizontal_flip: 0.5, rotation: 15, brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1}
batch_size: 32
weight_decay: 0.01
label_smoothing: 0.0
phase1: {epochs: 20, learning_rate: 0.001, schedule: {step_size: 15, gamma: 0.1}}
phase2:
  {epochs: 30, backbone_learning_rate: 0.0001, head_learning_rate: 0.001, schedule: {step_size: 15, gamma: 0.1}}
early_stopping: {patience: 10, min_delta: 0.001}
overrides: {efficientnet_b3: {resize: 320, crop: 300, batch_size: 24, dropout: 0.3}}
"""


@pytest.mark.parametrize(("path", "value"), list(flat(yaml.safe_load(LESSON))))
def test_the_lesson_has_the_numbers_of_the_course(config, path, value):
    assert dict(flat(config["recipe_definitions"]["lesson"]))[path] == value


def test_the_full_reproduction_compares_the_five_networks_of_the_course_once(config):
    assert config["dataset"]["kind"] == "flowers102"
    assert config["recipes"] == ["lesson"]
    assert config["architectures"] == ["resnet18", "resnet50", "efficientnet_b0", "efficientnet_b3", "mobilenet_v2"]
    assert config["seeds"] == [42]
    assert config["weights"] == {"default": "IMAGENET1K_V1"}
