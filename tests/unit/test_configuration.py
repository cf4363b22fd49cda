"""A configuration is either complete and possible, or refused in one line that names the key."""

import copy
import re
from math import inf, nan

import jsonschema
import pytest
import yaml
from snakemake.utils import update_config

from florilegium import configuration
from florilegium.errors import UserError
from florilegium.schema import schema

LESSON = "recipe_definitions.lesson"
STEPS = {"kind": "step", "warmup": 0.3}  # what the schedules of these tests leave to the defaults


def changed(config, path, value):
    """`config` with the value at a dotted path replaced."""
    *parents, last = path.split(".")
    part = config
    for key in parents:
        part = part[key]
    part[last] = value
    return config


def refusal(config):
    with pytest.raises(UserError) as caught:
        configuration.complete(config)
    assert "\n" not in str(caught.value), "an error is one line"
    return str(caught.value)


def test_the_full_reproduction_is_valid_and_names_every_default(config):
    assert configuration.complete(config) == config


def test_every_overlay_is_valid_on_top_of_the_full_reproduction(config, project):
    overlays = [path for path in (project / "config").glob("*.yaml") if path.name != "schema.yaml"]
    assert overlays
    for path in overlays:
        # Snakemake merges an overlay key by key into config.yaml.
        merged = merge(copy.deepcopy(config), yaml.safe_load(path.read_text(encoding="utf-8")))
        assert configuration.complete(merged)["recipes"], path


def merge(base, changes):
    for key, value in changes.items():
        base[key] = merge(base.get(key) or {}, value) if isinstance(value, dict) else value
    return base


def test_the_schema_itself_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_completing_twice_changes_nothing_and_leaves_the_input_alone(config):
    del config["dataset"]["split"], config["recipe_definitions"]["lesson"]["phase2"]
    before = copy.deepcopy(config)
    once = configuration.complete(config)
    assert config == before
    assert once["dataset"]["split"] == {"train": 0.6, "val": 0.2, "test": 0.2, "seed": 42, "folds": None}
    assert once["recipe_definitions"]["lesson"]["phase2"]["schedule"] == STEPS | {"step_size": 15, "gamma": 0.1}
    assert configuration.complete(once) == once


def test_a_recipe_of_nothing_is_the_lesson(config):
    lesson = dict(config["recipe_definitions"]["lesson"], overrides={})
    config["recipe_definitions"]["empty"] = {}
    assert configuration.complete(config)["recipe_definitions"]["empty"] == lesson


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("sedes", [1], ["sedes: unknown key", "nearest: seeds"]),
        ("dataset.roots", "x", ["dataset.roots: unknown key", "nearest: root"]),
        (f"{LESSON}.batchsize", 16, [f"{LESSON}.batchsize: unknown key", "nearest: batch_size"]),
        (f"{LESSON}.phase1.epoch", 16, [f"{LESSON}.phase1.epoch: unknown key", "nearest: epochs"]),
        (f"{LESSON}.overrides.efficientnet_b3.corp", 9, [f"{LESSON}.overrides.efficientnet_b3.corp", "nearest: crop"]),
        ("dataset", None, ["dataset: None is not of type 'object'"]),
        ("dataset.kind", "flower", ["dataset.kind: 'flower' is not one of", "garden"]),
        ("dataset.kind", "folder", ["dataset.root: null", "folder of your photographs"]),
        ("dataset.root", "", ["dataset.root: '' should be non-empty"]),
        ("dataset.split.val", 0.3, ["dataset.split: train + val + test add up to 1.1", "expected 1"]),
        ("dataset.garden.species", 17, ["dataset.garden.species: 17", "maximum of 16"]),
        ("seeds", [], ["seeds: [] should be non-empty"]),
        ("seeds", [1, 1], ["seeds: [1, 1] has non-unique elements"]),
        ("seeds", [-1], ["seeds[0]: -1"]),
        ("architectures", "resnet18", ["architectures: 'resnet18' is not of type 'array'"]),
        ("architectures", ["resnet19"], ["architectures: torchvision has no", "'resnet19'; nearest: resnet18"]),
        ("architectures", ["mobilenetv2"], ["'mobilenetv2'; nearest: mobilenet_v2"]),
        ("recipes", ["lessons"], ["recipes: 'lessons' is not defined", "nearest: lesson"]),
        ("weights.default", "DEFAULT", ["weights.resnet18: torchvision has no weights 'DEFAULT'", "IMAGENET1K_V1"]),
        ("weights.resnet50", "IMAGENET1K_V3", ["weights.resnet50", "expected one of IMAGENET1K_V1, IMAGENET1K_V2"]),
        ("weights.resnet18", "no/such.pth", ["weights: no/such.pth (for resnet18) does not exist"]),
        ("weights.resnet81", "none", ["weights.resnet81: torchvision has no", "nearest: resnet18"]),
        (f"{LESSON}.overrides.resnet", {}, [f"{LESSON}.overrides.resnet: torchvision has no"]),
        (f"{LESSON}.crop", 257, [f"{LESSON}.crop: 257 (for resnet18) is larger than resize 256"]),
        (f"{LESSON}.overrides.efficientnet_b3.crop", 321, [f"{LESSON}.crop: 321 (for efficientnet_b3)"]),
        (f"{LESSON}.test_crop", 257, [f"{LESSON}.test_crop: 257 (for resnet18) is larger than resize 256"]),
        (f"{LESSON}.test_crop", 7, [f"{LESSON}.test_crop: 7 is less than the minimum of 8"]),
        (
            f"{LESSON}.resize_mode",
            "centre",
            [f"{LESSON}.resize_mode: 'centre' is not one of ['squash', 'center', 'imagenet']"],
        ),
        (f"{LESSON}.batch_size", "many", [f"{LESSON}.batch_size: 'many' is not of type 'integer'"]),
        (f"{LESSON}.batch_size", 1, [f"{LESSON}.batch_size: 1 is less than the minimum of 2"]),
        (f"{LESSON}.phase1.epochs", True, [f"{LESSON}.phase1.epochs: True is not of type 'integer'"]),
        (f"{LESSON}.phase1.epochs", 2.5, [f"{LESSON}.phase1.epochs: 2.5 is not of type 'integer'"]),
        (f"{LESSON}.phase1.learning_rate", "1e-3", [f"{LESSON}.phase1.learning_rate", "write 0.001"]),
        (f"{LESSON}.phase2.head_learning_rate", 0, [f"{LESSON}.phase2.head_learning_rate: 0"]),
        (f"{LESSON}.dropout", 1, [f"{LESSON}.dropout: 1"]),
        (f"{LESSON}.precision", "fp8", [f"{LESSON}.precision: 'fp8' is not one of"]),
        (f"{LESSON}.phase1.learning_rate", nan, [f"{LESSON}.phase1.learning_rate: nan", "expected a finite number"]),
        (f"{LESSON}.weight_decay", inf, [f"{LESSON}.weight_decay: inf", "expected a finite number"]),
        (f"{LESSON}.phase1.epochs", inf, [f"{LESSON}.phase1.epochs: inf is not of type 'integer'"]),
        (f"{LESSON}.phase2", [30], [f"{LESSON}.phase2: [30] is not of type 'object'"]),
        (f"{LESSON}.batch_size", 1021, [f"{LESSON}.batch_size: 1021 (for resnet18)", "at most its 1020 images"]),
        (f"{LESSON}.overrides.resnet50", {"batch_size": 2000}, [f"{LESSON}.batch_size: 2000 (for resnet50)"]),
        ("architectures", ["vit_h_14"], ["weights.vit_h_14: torchvision has no weights 'IMAGENET1K_V1'", "E2E"]),
        (f"{LESSON}.extends", "lessen", [f"{LESSON}.extends: 'lessen' is not defined; nearest: lesson"]),
        (f"{LESSON}.extends", "lesson", [f"{LESSON}.extends: lesson extends lesson; expected no circle"]),
        ("recipe_definitions.a/b", {}, ["recipe_definitions: 'a/b' does not match"]),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(config, path, value, expected):
    message = refusal(changed(config, path, value))
    assert message.startswith(expected[0].split(":")[0]) or expected[0] in message
    for text in expected:
        assert text in message


def test_a_missing_section_is_refused_by_name(config):
    del config["architectures"]
    assert refusal(config) == "architectures: missing; expected The networks that run, by their torchvision names."


def test_a_batch_larger_than_the_drawn_training_set_is_refused(config):
    config["dataset"] = {"kind": "garden", "garden": {"species": 5, "train": 6}}
    assert "batch_size: 32 (for resnet18) is larger than the training set; expected at most its 30" in refusal(config)
    config["recipe_definitions"]["lesson"]["train_on"] = "train+val"
    config["dataset"]["garden"]["val"] = 1
    assert configuration.complete(config)["recipes"] == ["lesson"], "30 + 5 images"
    config["recipe_definitions"]["lesson"]["batch_size"] = 36
    assert "batch_size: 36 (for resnet18) is larger than the training set; expected at most its 35" in refusal(config)


def test_files_are_merged_key_by_key_as_snakemake_does(config, project, tmp_path):
    overlay = {"seeds": [1, 2], "dataset": {"root": "photos"}, "recipe_definitions": {"lesson": {"crop": 200}}}
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    found = configuration.read([project / "config.yaml", tmp_path / "overlay.yaml"])
    update_config(config, overlay)
    assert found == configuration.complete(config)
    assert configuration.runs(found)[:2] == [("lesson", "resnet18", 1), ("lesson", "resnet18", 2)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "mine.yaml does not exist; expected a YAML file"),
        (b"seeds: [1\nrecipes: a: b\n", "mine.yaml cannot be read as YAML: while parsing"),
        (b"seeds: [1] # \xff\n", "mine.yaml cannot be read as YAML: 'utf-8' codec can't decode byte 0xff"),
        (b"", "mine.yaml holds nothing; expected keys of the configuration"),
        (b"- seeds\n", "mine.yaml holds a list; expected keys of the configuration"),
    ],
)
def test_a_file_that_holds_no_configuration_is_refused_by_name(tmp_path, content, expected):
    if content is not None:
        (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(UserError, match=re.escape(expected)) as caught:
        configuration.read([tmp_path / "mine.yaml"])
    assert "\n" not in str(caught.value), "an error is one line"


def test_a_recipe_starts_from_the_values_of_the_one_it_extends(config):
    recipes = config["recipe_definitions"]
    recipes["lesson"]["phase2"]["epochs"] = 7
    recipes["long"] = {"extends": "lesson", "phase2": {"schedule": {"step_size": 3}}}
    recipes["longer"] = {"extends": "long", "overrides": {"efficientnet_b3": {"batch_size": 8}}}
    completed = configuration.complete(config)
    assert completed["recipe_definitions"]["lesson"] == recipes["lesson"], "the base stays as it was"
    settings = configuration.run_settings(completed, "longer", "efficientnet_b3")
    assert settings["phase2"] == recipes["lesson"]["phase2"] | {"schedule": STEPS | {"step_size": 3, "gamma": 0.1}}
    assert [settings[key] for key in ("resize", "crop", "batch_size")] == [320, 300, 8]
    assert "extends" not in settings, "a resolved recipe stands on its own"


def test_recipes_that_extend_each_other_are_refused(config):
    config["recipe_definitions"] |= {"a": {"extends": "b"}, "b": {"extends": "a"}}
    assert refusal(config) == "recipe_definitions.b.extends: a extends b extends a; expected no circle"


def test_a_whole_number_written_with_a_point_is_a_whole_number(config):
    config["seeds"] = [42.0]
    completed = configuration.complete(changed(config, f"{LESSON}.phase1.epochs", 20.0))
    assert isinstance(completed["recipe_definitions"]["lesson"]["phase1"]["epochs"], int)
    assert [str(seed) for seed in completed["seeds"]] == ["42"], "a seed becomes a folder's name"


def test_a_local_file_is_accepted_as_weights(config, tmp_path):
    path = tmp_path / "backbone.pth"
    path.touch()
    config["weights"]["resnet18"] = str(path)
    completed = configuration.complete(config)
    assert configuration.weights_of(completed, "resnet18") == str(path)
    assert configuration.weights_of(completed, "resnet50") == "IMAGENET1K_V1"


def test_an_override_changes_its_architecture_only(config):
    completed = configuration.complete(config)
    large = configuration.run_settings(completed, "lesson", "efficientnet_b3")
    plain = configuration.run_settings(completed, "lesson", "efficientnet_b0")
    assert [large[key] for key in ("resize", "crop", "batch_size", "dropout")] == [320, 300, 24, 0.3]
    assert [plain[key] for key in ("resize", "crop", "batch_size", "dropout")] == [256, 224, 32, None]
    same = large.keys() - {"resize", "crop", "test_crop", "batch_size", "dropout"}
    assert {key: large[key] for key in same} == {key: plain[key] for key in same}
    assert "overrides" not in large


def test_an_override_keeps_the_recipes_own_values_instead_of_defaults(config):
    lesson = config["recipe_definitions"]["lesson"]
    lesson["phase2"]["epochs"], lesson["phase2"]["schedule"]["gamma"] = 7, 0.5
    lesson["overrides"]["resnet18"] = {"phase2": {"schedule": {"step_size": 3}}}
    phase2 = configuration.run_settings(configuration.complete(config), "lesson", "resnet18")["phase2"]
    assert (phase2["epochs"], phase2["schedule"]) == (7, STEPS | {"step_size": 3, "gamma": 0.5})


@pytest.mark.parametrize(
    ("lesson", "override", "expected"),
    [
        ({}, {}, (224, 300)),
        ({"test_crop": 256}, {}, (256, 256)),
        ({"test_crop": 256}, {"test_crop": 320}, (256, 320)),
        ({"test_crop": 256}, {"test_crop": None}, (256, 300)),
    ],
)
def test_views_that_evaluate_have_the_side_of_training_views_unless_the_recipe_says_another(
    config, lesson, override, expected
):
    config["recipe_definitions"]["lesson"] |= lesson
    config["recipe_definitions"]["lesson"]["overrides"]["efficientnet_b3"] |= override
    completed = configuration.complete(config)
    found = [configuration.run_settings(completed, "lesson", name) for name in ("resnet18", "efficientnet_b3")]
    assert tuple(settings["test_crop"] for settings in found) == expected
    assert [settings["crop"] for settings in found] == [224, 300]


@pytest.mark.parametrize("overlays", [["demo"], ["tuned"], ["quick"], ["tuned", "quick"], ["ablation"]], ids="+".join)
def test_the_projects_overlays_are_complete_with_config_yaml(project, overlays):
    files = [project / "config.yaml", *(project / f"config/{name}.yaml" for name in overlays)]
    config = configuration.read(files)
    assert set(config["recipes"]) <= set(config["recipe_definitions"])
    if "ablation" in overlays:
        changes = {recipe: str(config["recipe_definitions"][recipe]) for recipe in config["recipes"]}
        assert len(set(changes.values())) == len(config["recipes"]), "each recipe differs from every other"
