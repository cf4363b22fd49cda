"""Two runs on one machine give the same bits, however many jobs run beside each other."""

import json

import numpy as np
import onnx
import pytest
import torch

import same
from support import Workflow

RUNS = [f"results/runs/tiny/{network}/seed42" for network in ("mobilenet_v2", "resnet18")]
TABLES = [
    *("predictions_val.csv", "predictions_test.csv", "per_class.csv", "confusion_matrix.csv", "confused_pairs.csv"),
    *("calibration.csv", "risk_coverage.csv"),
]
TARGETS = [f"{run}/{name}" for run in RUNS for name in ("metrics.json", "model.onnx")]


@pytest.fixture(scope="module")
def second_run(tmp_path_factory, small_run):
    """The small run once more, two networks at a time; each job has the two threads that it had in the first."""
    workflow = Workflow(tmp_path_factory.mktemp("second"))
    threads = [f"{step}=2" for step in ("extract_features", "fine_tune", "evaluate")]
    targets = [*TARGETS, "results/provenance.json"]
    done = workflow.snakemake(*targets, "--set-threads", *threads, "--resources", "gpu=2", cores=4)
    assert done.returncode == 0, done.stdout + done.stderr
    return workflow


def meaning(path):
    """metrics.json without times and speeds."""
    record = json.loads(path.read_text())
    times = {"seconds", "evaluation_images_per_second", "provenance"}
    return {key: value for key, value in record.items() if key not in times}


@pytest.mark.parametrize("run", RUNS)
def test_metrics_and_predictions_are_the_same(small_run, second_run, run):
    first, second = small_run.folder / run, second_run.folder / run
    assert meaning(first / "metrics.json") == meaning(second / "metrics.json")
    for name in TABLES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    with np.load(first / "logits.npz") as one, np.load(second / "logits.npz") as other:
        assert {name: one[name].tobytes() for name in one} == {name: other[name].tobytes() for name in other}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", ["phase1_best.pth", "phase2_best.pth", "final.pth"])
def test_weights_are_the_same_bit_for_bit(small_run, second_run, run, name):
    one, other = (torch.load(w.folder / run / name, weights_only=True)["state_dict"] for w in (small_run, second_run))
    assert one.keys() == other.keys()
    assert [key for key in one if not torch.equal(one[key], other[key])] == []


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx"])
def test_the_exported_weights_are_the_same_bit_for_bit(small_run, second_run, run, name):
    weights = []
    for workflow in (small_run, second_run):
        graph = onnx.load(workflow.folder / run / name).graph
        weights.append({tensor.name: onnx.numpy_helper.to_array(tensor).tobytes() for tensor in graph.initializer})
    assert weights[0] == weights[1]


def test_both_come_from_the_same_inputs(small_run, second_run, capsys):
    assert same.main([str(small_run.folder / "results"), str(second_run.folder / "results")]) == 0
    assert "hardware: the same" in capsys.readouterr().out
