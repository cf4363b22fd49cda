"""Our way, by the library's own functions, measured like course_way.py: one JSON line with the same fields.

`fixed` seconds are paid once, whatever the number of images: the export of the engine, the folding of BatchNorm.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from peak_memory import PeakMemory

from florilegium.configuration import complete, run_settings
from florilegium.devices import DeviceImages, choose_arithmetic, prepare_process
from florilegium.features import training_features
from florilegium.fine_tuning import fine_tune
from florilegium.head import train_head
from florilegium.inference import evaluation_outputs, inference_arithmetic, inference_engine, torch_engine
from florilegium.networks import build_network, head_dropout, head_name, load_backbone, without_head
from florilegium.pixels import Pixels

ROOT = Path(__file__).parents[1]
SEED = 42
FULL = 7169  # images of validation and test, what the engine of an evaluation is chosen for


def lesson(architecture: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The recipe `lesson` of config.yaml for one architecture, with `changes` of its keys."""
    config = complete(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")))
    settings = run_settings(config, "lesson", architecture) | {k: v for k, v in changes.items() if v}
    settings["test_crop"] = settings["crop"]
    settings["early_stopping"] = {"patience": 10**6, "min_delta": 0.0}  # both sides run all epochs
    return settings


def network_of(architecture: str, settings: dict[str, Any], weights: str, classes: int) -> torch.nn.Module:
    """As the steps build it."""
    network = build_network(architecture, classes, settings["dropout"], SEED)
    load_backbone(network, weights, None if weights == "none" else weights)
    return network


class Data:
    """The pixel file and split rows that `probes.py pixels` wrote into a folder."""

    def __init__(self, folder: Path, resize: int, device: torch.device, limits: dict[str, int]):
        """Open; `limits` by split: evenly spaced images."""
        about = json.loads((folder / "splits.json").read_text(encoding="utf-8"))
        self.classes, self._labels = about["classes"], np.array(about["labels"])
        self._path, self._device, self._rows = folder / f"pixels_{resize}.npy", device, {}
        for split, rows in about["rows"].items():
            count = min(limits.get(split, len(rows)), len(rows))
            self._rows[split] = np.array(rows)[np.arange(count) * len(rows) // max(count, 1)]

    def split(self, name: str, repeat: int = 1, first: int | None = None) -> tuple[DeviceImages, torch.Tensor]:
        """Images and labels; `repeat` times, or only the `first` of them."""
        rows = np.tile(self._rows[name][:first], repeat)
        return DeviceImages(Pixels(self._path, rows), self._device), torch.from_numpy(self._labels[rows])


def phase1(architecture: str, data: Data, settings: dict[str, Any], weights: str, epochs: int) -> dict[str, list]:
    """Engine, features of validation and of `epochs` epochs of views, head."""
    arithmetic = choose_arithmetic(settings["precision"])
    network = network_of(architecture, settings, weights, data.classes)
    head, dropout = copy.deepcopy(network.get_submodule(head_name(network))), head_dropout(network)
    (train, train_labels), (val, val_labels) = data.split("train"), data.split("val")
    marks = [time.perf_counter()]
    backbone, crop = without_head(network), settings["crop"]
    engine = inference_engine(backbone, inference_arithmetic(backbone, arithmetic, val, crop), crop, 10**6)
    marks.append(time.perf_counter())
    val_features = evaluation_outputs(engine, val, crop).cpu()
    marks.append(time.perf_counter())
    views = np.empty((epochs, len(train), val_features.shape[1]), dtype=np.float16)
    recipe = settings | {"phase1": settings["phase1"] | {"epochs": epochs}}
    training_features(engine, train, recipe, SEED, views)
    marks.append(time.perf_counter())
    train_head(head, dropout, (views, train_labels), (val_features, val_labels), recipe, SEED)
    marks.append(time.perf_counter())
    engine_s, val_s, train_s, head_s = np.diff(marks).tolist()
    return {
        "engine": [{"images": 0, "seconds": engine_s, "fixed": engine_s, "fixed_images": 0}],
        "val": [steady(len(val), val_s)],
        "train": [steady(epochs * len(train), train_s)],
        "head": [steady(epochs * len(train), head_s)],
    }


def steady(images: int, seconds: float, fixed: float = 0.0) -> dict[str, float]:
    """A pass whose time is `fixed` plus something proportional to its images."""
    return {
        "images": images,
        "seconds": seconds,
        "fixed": fixed,
        "fixed_images": 0,
        "images_per_second": images / seconds,
    }


def shortest(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of a few times: what is subtracted as fixed must not hold a disturbance."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def phase2(
    architecture: str, data: Data, settings: dict[str, Any], weights: str, epochs: int, repeat: int
) -> dict[str, list]:
    """Fine-tuning after one batch of warm-up."""
    arithmetic = choose_arithmetic(settings["precision"])
    network = arithmetic.place(network_of(architecture, settings, weights, data.classes))
    recipe = settings | {"phase2": settings["phase2"] | {"epochs": epochs}}
    batch = settings["batch_size"]
    once = settings | {"phase2": settings["phase2"] | {"epochs": 1}}
    fine_tune(network, data.split("train", first=batch), data.split("val", first=batch), once, SEED, arithmetic)
    folding = shortest(lambda: torch_engine(network, arithmetic))
    train, val = data.split("train", repeat), data.split("val", repeat)
    found: dict[str, list] = {"train": [], "val": []}
    for row in fine_tune(network, train, val, recipe, SEED, arithmetic).history:
        trained = len(train[0]) / row["images_per_second"]
        found["train"].append(steady(len(train[0]), trained))
        found["val"].append(steady(len(val[0]), row["seconds"] - trained, min(folding, row["seconds"] - trained)))
    return found


def evaluation(architecture: str, data: Data, settings: dict[str, Any], weights: str) -> dict[str, list]:
    """Engine and logits of the test images."""
    network = network_of(architecture, settings, weights, data.classes).eval()
    images, _ = data.split("test")
    start = time.perf_counter()
    arithmetic = inference_arithmetic(network, choose_arithmetic(settings["precision"]), images, settings["crop"])
    engine = inference_engine(network, arithmetic, settings["crop"], FULL)
    built = time.perf_counter() - start
    evaluation_outputs(engine, images, settings["crop"])
    return {"test": [steady(len(images), time.perf_counter() - start, built)]}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder written by `probes.py pixels`")
    parser.add_argument("--architecture", default="mobilenet_v2")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--parts", nargs="+", choices=("phase1", "phase2", "evaluation"), required=True)
    for split in ("train", "val", "test"):
        parser.add_argument(f"--{split}", type=int, default=10**6)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1, help="phase 2: take every image this many times")
    for key in ("resize", "crop", "batch"):
        parser.add_argument(f"--{key}", type=int)
    return parser.parse_args()


def main() -> None:
    memory, given = PeakMemory(), arguments()
    prepare_process(os.cpu_count() or 1)
    changes = {"resize": given.resize, "crop": given.crop, "batch_size": given.batch}
    settings = lesson(given.architecture, changes)
    limits = {split: getattr(given, split) for split in ("train", "val", "test")}
    data = Data(given.data, settings["resize"], choose_arithmetic(settings["precision"]).device, limits)
    job = (given.architecture, data, settings, given.weights)
    record: dict[str, Any] = {"architecture": given.architecture}
    if "phase1" in given.parts:
        record["phase1"] = phase1(*job, given.epochs)
    if "phase2" in given.parts:
        record["phase2"] = phase2(*job, given.epochs, given.repeat)
    if "evaluation" in given.parts:
        record["evaluation"] = evaluation(*job)
    print(json.dumps(record | {"peak_memory_gib": memory.gib()}))


if __name__ == "__main__":
    main()
