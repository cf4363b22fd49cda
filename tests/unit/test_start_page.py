"""The report's first page says what the result files say, and nothing that does not hold."""

import numpy as np
import pandas as pd
import pytest

from florilegium.start_page import start_page

DATASET = {"class_names": ["a", "b"], "images": {"train": 40, "val": 25, "test": 30}, "folds": None}


def network(architecture, val=0.8, pretrained=True, **changes):
    row = {"recipe": "lesson", "architecture": architecture, "seeds": 1, "protocol": "fixed split"}
    row |= {"weights": "IMAGENET1K_V1" if pretrained else "none (random backbone)", "pretrained": pretrained}
    row |= {"val_top1": val, "test_top1": 0.75, "test_top1_low": 0.7, "test_top1_high": 0.79, "test_top5": 0.9}
    row |= {"test_mean_per_class": 0.74, "parameters": 11.2e6, "file_mb": 44.7, "latency_ms": 21.0}
    return row | {"train_seconds": 90.0, "interval_over": "test images"} | changes


def page(*networks, chosen="resnet18", **dataset):
    selection = {"headline": "<b>ResNet18</b> is chosen", "sentences": ["It is best.", "It costs & weighs."]}
    selection["chosen"] = chosen and {"recipe": "lesson", "architecture": chosen}
    return start_page(selection, pd.DataFrame(networks), DATASET | dataset, b"picture")


def test_the_best_on_validation_comes_first_and_the_chosen_one_stands_out():
    shown = page(network("resnet18", 0.8), network("mobilenet_v2", 0.9))
    assert shown.index("MobileNetV2") < shown.index("<b>ResNet18</b></td>")
    assert "75.0 % (70.0 – 79.0)" in shown and "74.0 %" in shown and "11.2 M" in shown and "1.5 min" in shown
    assert (
        shown.index("It is best.") < shown.index("<table") < shown.index("<img") < shown.index("It costs &amp; weighs.")
    )


def test_names_cannot_become_markup():
    shown = page(network("resnet18", weights="<script>"))
    assert "<script>" not in shown and "&lt;b&gt;ResNet18" in shown


def test_runs_on_train_and_val_have_no_validation_accuracy_and_nothing_is_said_to_be_chosen():
    shown = page(network("resnet18", np.nan), chosen=None)
    assert "<td>–</td>" in shown and "nan" not in shown
    assert "Validation chose" not in shown and "nothing is chosen" in shown


@pytest.mark.parametrize(("folds", "counts"), [(None, "40 train, 25 val, 30 test"), (5, "65 train + val, 30 test")])
def test_images_are_counted_as_the_protocol_uses_them(folds, counts):
    assert f"2 classes; images: {counts};" in page(network("resnet18"), folds=folds)


def test_random_backbones_beside_pretrained_ones_are_pointed_out():
    note = "Some backbones started from random numbers"
    assert note in page(network("resnet18"), network("mobilenet_v2", pretrained=False))
    assert note not in page(network("resnet18"), network("mobilenet_v2"))
