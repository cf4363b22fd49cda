"""A training that is killed at any moment ends, when it is started again, with the bits of one that never was."""

import json
import os
import random
import re
import shutil
import signal
import time

import numpy as np
import pandas as pd
import pytest
import torch

import steps
from florilegium.configuration import complete, run_settings

KILLS = {1: 6, 2: 14}  # by phase
EPOCHS = {1: 60, 2: 8}
IMAGES = {"train": 64, "val": 32, "test": 16}
RUN = {"recipe": "small", "architecture": "mobilenet_v3_small", "seed": "42"}  # has BatchNorm and dropout
PARTS = ("data", "forward", "backward", "update", "validation")
TIMING = ["seconds", *(f"{part}_seconds" for part in PARTS), "images_per_second", "peak_memory_mb"]
RECIPE = {
    "resize": 40,
    "crop": 32,
    "batch_size": 8,
    "precision": "fp32",
    "augmentation": {"rotation": 10, "hue": 0.02},
    "phase1": {"epochs": EPOCHS[1], "learning_rate": 0.003},
    "phase2": {"epochs": EPOCHS[2], "backbone_learning_rate": 0.001, "head_learning_rate": 0.002},
    "early_stopping": {"patience": 100},
}


class Training:
    """Both phases of one run on light and dark patches, in a folder of its own, step by step as the rules run them."""

    def __init__(self, data, folder):
        self.folder, self.attempts = folder, 0
        folder.mkdir()
        config = {"dataset": {"kind": "garden"}, "recipes": ["small"], "architectures": [RUN["architecture"]]}
        config |= {"seeds": [42], "weights": {"default": "none"}, "recipe_definitions": {"small": RECIPE}}
        config = complete(config)
        self.settings = run_settings(config, "small", RUN["architecture"]) | {"weights": "none"} | config["evaluation"]
        manifest = {"manifest": data / "manifest.csv", "dataset": data / "dataset.json"}
        features = {
            "weights": "",
            "train": data / "features.npy",
            "val": data / "val.npy",
            "report": data / "report.json",
        }
        checkpoints = {"best": folder / "phase2_best.pth", "final": folder / "final.pth"}
        tables = ("val", "test", "per_class", "confusion", "confused_pairs", "calibration", "risk_coverage")
        made = {name: folder / f"{name}.csv" for name in tables}
        made |= {"metrics": folder / "metrics.json", "logits": folder / "logits.npz"}
        self.steps = {
            1: (
                "train_head",
                manifest | features,
                {"checkpoint": folder / "phase1_best.pth", "history": folder / "1.csv"},
            ),
            2: (
                "fine_tune",
                manifest | {"pixels": data / "pixels.npy", "checkpoint": folder / "phase1_best.pth"},
                checkpoints | {"history": folder / "2.csv"},
            ),
            3: ("evaluate", manifest | {"pixels": data / "pixels.npy", "checkpoint": folder / "final.pth"}, made),
        }

    def start(self, step):
        """The process of a step and its log."""
        script, given, made = self.steps[step]
        self.attempts += 1
        log = self.folder / f"{self.attempts}.log"
        return steps.process(script, log, {"input": given, "output": made}, self.settings, RUN), log

    def finish(self, step):
        """Run a step to its end; returns its log's text."""
        process, log = self.start(step)
        assert steps.ended(process) == 0, log.read_text()
        return log.read_text()

    def outputs(self, step):
        """The files that a step makes."""
        return list(self.steps[step][2].values())

    def results(self):
        """Everything that must not depend on interruptions, by file."""
        found = {}
        for name in ("phase1_best.pth", "phase2_best.pth", "final.pth"):
            content = torch.load(self.folder / name, weights_only=True)
            metadata = {key: value for key, value in content["metadata"].items() if key not in ("seconds", "training")}
            del metadata["provenance"]["written"]
            found[name] = {k: v.numpy().tobytes() for k, v in content["state_dict"].items()} | {"metadata": metadata}
        for name in ("1.csv", "2.csv"):
            found[name] = pd.read_csv(self.folder / name, dtype=str).drop(columns=TIMING).to_csv()
        for path in (self.folder / "val.csv", self.folder / "test.csv", self.folder / "logits.npz"):
            found[path.name] = path.read_bytes()
        return found


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Manifest, pixels, and features of a phase 1, which need no backbone to be killed at."""
    folder = tmp_path_factory.mktemp("data")
    random_numbers = np.random.default_rng(0)
    count = sum(IMAGES.values())
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(count)], "label": np.arange(count) % 2})
    table["class_name"] = table["label"].map({0: "dark", 1: "light"})
    table["split"] = np.repeat([*IMAGES], [*IMAGES.values()])
    table.to_csv(folder / "manifest.csv", index=False)
    about = {"class_names": ["dark", "light"], "fingerprint": "patches", "protocol": "fixed split"}
    (folder / "dataset.json").write_text(json.dumps(about))
    patches = random_numbers.integers(0, 200, (count, 40, 40, 3)) + 55 * table["label"].to_numpy()[:, None, None, None]
    np.save(folder / "pixels.npy", patches.astype(np.uint8))
    labels = table["label"].to_numpy()
    features = random_numbers.normal(size=(EPOCHS[1], IMAGES["train"], 1024)) + 0.1 * labels[: IMAGES["train"], None]
    np.save(folder / "features.npy", features.astype(np.float16))
    np.save(folder / "val.npy", random_numbers.normal(size=(IMAGES["val"], 1024)).astype(np.float32))
    (folder / "report.json").write_text('{"seconds": 1.5, "arithmetic": "cpu, fp32"}')
    return folder


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    """A training that nothing interrupts."""
    training = Training(data, tmp_path_factory.mktemp("undisturbed") / "run")
    for step in (1, 2, 3):
        training.finish(step)
    return training


def epochs_in(text, phase):
    """The first epoch that a log announces, and the last one it reports as done."""
    begun = int(re.search(rf"phase {phase}: begins at epoch (\d+)", text)[1])
    done = [int(number) for number in re.findall(rf"phase {phase} epoch +(\d+)/", text)]
    return begun, max(done, default=begun - 1)


def kill_in_training(training, phase, wait):
    """Kill a step `wait` seconds after it began to train; returns its log, or None when it had ended by itself."""
    process, log = training.start(phase)
    assert steps.says(process, log, "begins at epoch"), log.read_text()
    time.sleep(wait)
    process.kill()
    return log.read_text() if steps.ended(process) == -signal.SIGKILL else None


def test_twenty_kills_over_both_phases_leave_the_bits_of_an_undisturbed_training(data, undisturbed, tmp_path, capsys):
    training, moments = Training(data, tmp_path / "run"), random.Random(20)
    killed, resumed = dict.fromkeys(KILLS, 0), 0
    for phase, wanted in KILLS.items():
        seconds = pd.read_csv(undisturbed.folder / f"{phase}.csv")["seconds"].sum()
        done = 0  # epochs of this training that a log has reported
        while killed[phase] < wanted:
            text = kill_in_training(training, phase, moments.uniform(0, 2.5 * seconds / wanted))
            if text is None:  # it was faster: this one is done, the next is to be killed
                for path in training.outputs(phase):
                    path.unlink()
                done = 0
                continue
            killed[phase] += 1
            begun, last = epochs_in(text, phase)
            assert begun > done, f"epoch {done} was done before the kill and is not repeated"
            resumed, done = resumed + (begun > 1), last
        assert epochs_in(training.finish(phase), phase)[0] > done
    training.finish(3)
    expected, found = undisturbed.results(), training.results()
    assert [name for name in expected if expected[name] != found[name]] == []
    assert resumed >= sum(KILLS.values()) // 2, "the kills must fall into the training, not before it"
    partials = [path for path in training.folder.rglob("*") if "partial" in path.name or path.suffix == ".aside"]
    assert partials == [] and os.listdir(training.folder / "resume") == ["phase1.lock", "phase2.lock"]
    with capsys.disabled():
        print(f"\nkills survived: {killed[1]} in phase 1, {killed[2]} in phase 2; files compared: {len(expected)}")


def test_a_stopped_training_ends_soon_with_one_line_and_goes_on_later(data, undisturbed, tmp_path):
    training = Training(data, tmp_path / "run")
    for name in ("phase1_best.pth", "1.csv"):
        shutil.copy(undisturbed.folder / name, training.folder / name)
    for number, epoch in ((signal.SIGINT, 2), (signal.SIGTERM, 4)):
        process, log = training.start(2)
        assert steps.says(process, log, f"phase 2 epoch {epoch:>2}/"), log.read_text()
        begun = time.monotonic()
        os.kill(process.pid, number)
        assert steps.ended(process) == 128 + number
        assert time.monotonic() - begun < 15
        text = log.read_text()
        assert f"stopped by {number.name}: nothing is left half-written; run again to continue" in text.splitlines()[-1]
        assert "Traceback" not in text
        names = sorted(path.name for path in training.folder.rglob("*") if path.suffix not in (".log", ".csv"))
        assert len(names) == 4 and names[0] == "phase1_best.pth" and names[2:] == ["phase2.lock", "resume"], names
    assert epochs_in(training.finish(2), 2)[0] > 4
    training.finish(3)
    expected, found = undisturbed.results(), training.results()
    assert [name for name in expected if expected[name] != found[name]] == []
