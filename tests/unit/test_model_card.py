"""The model card says what a run's files say, and warns where there is something to warn of."""

import copy

import pandas as pd
import pytest
import yaml

from florilegium.bundle import readme
from florilegium.model_card import card_facts
from florilegium.model_card_text import as_markdown

SECTION = {"images": 200, "top1": 0.874, "top1_low": 0.865, "top1_high": 0.882, "top5": 0.965, "mean_per_class": 0.889}
SECTION |= {"macro_precision": 0.8, "macro_recall": 0.889, "macro_f1": 0.87}
METRICS = {
    **{"recipe": "lesson", "architecture": "mobilenet_v2", "seed": 42, "weights": "IMAGENET1K_V1", "pretrained": True},
    **{"phase": 2, "epoch": 24, "arithmetic": "cpu, bf16", "seconds": {"phase1": 150.0, "phase2": 900.4}},
    **{"protocol": "fixed split", "fold": None, "val": SECTION | {"images": 100, "top1": 0.901}, "test": SECTION},
    "provenance": {
        **{"config_sha256": "c0", "dataset_sha256": "d0", "commit": "abc-dirty", "code_sha256": "s0"},
        **{"versions": {"python": "3.11.7", "onnxruntime": "1.32.0"}, "hardware": {"processor": "A|B"}},
        **{"written": "2026-01-01T00:00:00+00:00", "arithmetic": {"phase1": "cpu, bf16", "phase2": "cpu, fp32"}},
    },
}
COST = {"parameters": 2.35e6, "gmacs": 0.3, "file_mb": 9.1, "latency_ms": 11.25, "latency_conditions": "one thread"}
CHECK = {"images": 100, "top1_agreement": 1.0, "val_top1_onnx": 0.901}
DATASET = {"kind": "flowers102", "images": {"train": 80, "val": 100, "test": 200}, "fingerprint": "f0"}
PER_CLASS = pd.DataFrame({"class_name": ["a|b", "rose"], "support": [20, 180], "recall": [0.25, 0.9]})
SAID = {
    "class_names": ["a|b", "<rose>"],
    "preprocessing": {"input": "RGB", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "size": 224},
    "run": {"settings": {"phase2": {"epochs": 30}, "weights": "IMAGENET1K_V1"}},
}
INT8 = {"top1": 0.7, "top1_agreement": 0.75, "recommended": False, "reason": "loses 20.1 points of top-1"}
CALIBRATION = {"fitted_on": "val", "temperature": 1.25, "ece_before": 0.31, "ece_after": 0.021}
CALIBRATION |= {"brier_before": 0.2, "brier_after": 0.1, "nll_before": 0.9, "nll_after": 0.5}
SURE = {"target_accuracy": 0.95, "threshold": 0.62, "val_coverage": 0.9, "test_coverage": 0.85, "test_accuracy": 0.94}


@pytest.fixture
def facts(tmp_path):
    """A function: the facts of a run whose files say something else than usual."""

    def gather(names=("model.onnx",), metrics=(), cost=(), check=(), dataset=()):
        for name in names:
            (tmp_path / name).write_bytes(b"x" * 9_100_000 if name == "model.onnx" else b"y")
        changed = [dict(a) | dict(b) for a, b in ((METRICS, metrics), (COST, cost), (CHECK, check), (DATASET, dataset))]
        return card_facts(*copy.deepcopy(changed), PER_CLASS, SAID, [tmp_path / name for name in names])

    return gather


def head(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_the_metadata_is_a_hugging_face_card_s(facts):
    found = head(as_markdown(facts()))
    assert {"license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "model-index"} <= found.keys()
    (model,) = found["model-index"]
    (result,) = model["results"]
    assert {"type", "name"} <= result["task"].keys() & result["dataset"].keys()
    assert result["metrics"][0] == {"type": "accuracy", "name": "top-1", "value": 0.874}


def test_numbers_stand_with_their_intervals_and_times_with_their_machine(facts):
    card = as_markdown(facts())
    assert "| top-1 | 90.1 % (86.5 – 88.2 %) | 87.4 % (86.5 – 88.2 %) |" in card
    assert "- phase2: 900 s, cpu, fp32\n" in card
    assert "epoch 24 of phase 2. On A\\|B:" in card
    assert "80 train, 100 val, 200 test" in card
    assert "| a\\|b | 25.0 % | 20 |" in card
    assert "A class has 20 to 180 test images" in card
    assert "&lt;rose&gt;" in card, "a class name is text, whatever it holds"


def test_what_was_not_measured_is_not_claimed(facts):
    card = as_markdown(facts())
    assert "### Calibration\n\nNot measured." in card
    assert "No threshold was fitted" in card


def test_calibration_threshold_and_epochs_are_told(facts):
    epochs = {"phase1": {"planned": 20, "run": 20, "best": 19, "stopped_early": False}}
    epochs["phase2"] = {"planned": 30, "run": 21, "best": 11, "stopped_early": True}
    card = as_markdown(facts(metrics={"calibration": CALIBRATION, "sure": SURE, "epochs": epochs}))
    assert "temperature 1.250 (fitted on validation)" in card
    assert "| expected calibration error | 0.310 | 0.021 |" in card
    assert "Under a calibrated probability of 62.0 %" in card and "names 85.0 % of the pictures, 94.0 % of them" in card
    assert "; 21 of 30 epochs, stopped early, the best was 11" in card
    assert "; 20 of 20 epochs, the best was 19" in card


def test_a_network_that_is_never_sure_is_not_said_to_keep_an_accuracy(facts):
    never = SURE | {"threshold": 1.0, "val_coverage": 0.0, "test_coverage": 0.0, "test_accuracy": None}
    card = as_markdown(facts(metrics={"sure": never}))
    assert "No confidence keeps an accuracy of 95.0 % on validation" in card
    assert "Under a calibrated probability" not in card


def test_a_random_backbone_is_said_before_anything_else(facts):
    card = as_markdown(facts(metrics={"pretrained": False, "weights": "none (random backbone)"}))
    body = card.split("---\n", 2)[2]
    assert body.index("The backbone started from random numbers") < body.index("## ")
    assert "no transfer\n> learning" in body and "No pretrained weights were used." in body
    assert "random-backbone" in head(card)["tags"]
    assert "random" not in as_markdown(facts())


def test_a_file_that_is_not_recommended_is_marked_with_its_reason_and_left_out_of_the_zip(facts):
    names = ("model.onnx", "model.fp16.onnx", "model.int8.onnx", "model.service.onnx")
    formats = {"fp32": {"top1": 0.901, "top1_agreement": 1.0, "recommended": True, "reason": ""}, "int8": INT8}
    speed = {"formats": {"int8": {"p50_ms_1thread": 4.2}}}
    found = facts(names, cost=speed, check={"formats": formats, "service": {"top1_agreement": 0.99}})
    row = next(line for line in as_markdown(found).splitlines() if line.startswith("| `model.int8.onnx`"))
    assert "**not recommended:** loses 20.1 points of top-1" in row and "| 75.00 % | 4.2 ms |" in row
    assert [file["top1_agreement"] for file in found["files"]] == [1.0, None, 0.75, 0.99]
    usable = [file["name"] for file in found["files"] if file["recommended"]]
    assert usable == ["model.onnx", "model.fp16.onnx", "model.service.onnx"]
    text = readme(found, usable, {"numpy": "2.4.6"})
    assert "not recommended: model.int8.onnx" in text and "pip install numpy==2.4.6" in text


def test_without_validation_nothing_is_said_of_it(facts):
    found = facts(metrics={"val": None, "protocol": "trained on train + val (180 images), nothing validates"})
    assert found["data"]["images"] == {"train": 180, "val": 0, "test": 200}
    card = as_markdown(found)
    assert "|  | test |" in card and "Nothing validated this run" in card


@pytest.mark.parametrize(
    ("weights", "kind", "said"),
    [
        ("IMAGENET1K_V1", "flowers102", ("non-commercial research", "grants no licence for them")),
        ("IMAGENET1K_SWAG_E2E_V1", "folder", ("CC-BY-NC 4.0", "the user's own")),
        ("file my_weights.pth", "garden", ("file my\\_weights.pth", "drawn by this workflow")),
    ],
)
def test_the_licences_of_weights_and_photographs_are_told_apart(facts, weights, kind, said):
    card = as_markdown(facts(metrics={"weights": weights}, dataset={"kind": kind}))
    assert [text for text in said if text not in card] == []
    assert "BSD 3-Clause" in card
