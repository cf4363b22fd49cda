"""From drawn flowers to the comparison, through the real Snakefile."""

import io
import json
from datetime import datetime

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image

from florilegium.provenance import digest_of
from support import said_by

ARCHITECTURES = ("mobilenet_v2", "resnet18")
NAMES_OF_RUN = [
    *("phase1_best.pth", "phase2_best.pth", "final.pth", "history_phase1.csv", "history_phase2.csv"),
    *("metrics.json", "predictions_val.csv", "predictions_test.csv", "per_class.csv", "confusion_matrix.csv"),
    *("confused_pairs.csv", "calibration.csv", "risk_coverage.csv"),
    *("model.onnx", "model.fp16.onnx", "model.int8.onnx", "model.service.onnx", "onnx_check.json", "cost.json"),
    *("figures/learning_curves.png", "figures/training_cost.png", "figures/confusion_matrix.png"),
    *("figures/per_class.png", "figures/reliability.png", "figures/risk_coverage.png", "figures/confused_pairs.png"),
    *("figures/confident_mistakes.png", "figures/hardest_classes.png", "robustness.csv", "explanations.npz"),
    *("figures/robustness.png", "figures/grad_cam.png", "figures/first_filters.png", "figures/feature_maps.png"),
    "figures/picture_map.png",
]


def run_folder(workflow, architecture):
    return workflow.folder / "results" / "runs" / "tiny" / architecture / "seed42"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_folder_holds_what_the_design_promises(small_run, architecture):
    missing = [name for name in NAMES_OF_RUN if not (run_folder(small_run, architecture) / name).exists()]
    assert missing == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_metrics_can_be_recomputed_from_the_predictions(small_run, architecture):
    folder = run_folder(small_run, architecture)
    metrics = json.loads((folder / "metrics.json").read_text())
    test = pd.read_csv(folder / "predictions_test.csv")
    assert len(test) == metrics["test"]["images"] == 5 * 6
    right = test["class_name"] == test["predicted"]
    assert metrics["test"]["top1"] == pytest.approx(right.mean())
    assert metrics["test"]["mean_per_class"] == pytest.approx(right.groupby(test["class_name"]).mean().mean())
    assert (test["correct"] == right).all()
    confusion = pd.read_csv(folder / "confusion_matrix.csv", index_col=0)
    assert np.trace(confusion.to_numpy()) == right.sum()
    assert (confusion.sum(axis=1) == 6).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_how_sure_a_network_is_can_be_recomputed_from_the_tables(small_run, architecture):
    folder = run_folder(small_run, architecture)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test_time_flip"] is None
    test, bins = pd.read_csv(folder / "predictions_test.csv"), pd.read_csv(folder / "calibration.csv")
    assert list(bins.columns) == ["stage", "low", "high", "images", "confidence", "accuracy"]
    for stage, column in (("before", "probability"), ("after", "calibrated_probability")):
        shown = bins[bins["stage"] == stage]
        assert (len(shown), shown["images"].sum()) == (15, len(test))
        assert (shown["confidence"] * shown["images"]).sum() == pytest.approx(test[column].sum(), abs=1e-4)
        gaps = (shown["confidence"] - shown["accuracy"]).abs() * shown["images"]
        assert metrics["calibration"][f"ece_{stage}"] == pytest.approx(gaps.sum() / len(test))
    whole = pd.read_csv(folder / "risk_coverage.csv").iloc[-1]
    assert (whole["coverage"], whole["accuracy"]) == pytest.approx((1, metrics["test"]["top1"]))
    pairs, wrong = pd.read_csv(folder / "confused_pairs.csv"), test[~test["correct"]]
    counted = wrong.groupby(["class_name", "predicted"]).size()
    assert pairs.set_index(["class_name", "predicted"])["images"].to_dict() == counted.to_dict()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_comparison_says_what_the_runs_say(small_run, architecture):
    runs = pd.read_csv(small_run.folder / "results" / "comparison" / "runs.csv").set_index("architecture")
    folder = run_folder(small_run, architecture)
    metrics = json.loads((folder / "metrics.json").read_text())
    row = runs.loc[architecture]
    assert row["test_top1"] == pytest.approx(metrics["test"]["top1"])
    assert row["weights"] == "none (random backbone)"
    assert row["phase1_val_top1"] == pytest.approx(pd.read_csv(folder / "history_phase1.csv")["val_top1"].max())
    assert row["phase2_val_top1"] == pytest.approx(pd.read_csv(folder / "history_phase2.csv")["val_top1"].max())
    assert (
        row["val_top1"] >= max(row["phase1_val_top1"], row["phase2_val_top1"]) - 0.05
    )  # fp32 against folded arithmetic


def test_the_choice_is_what_the_tables_say_and_its_page_and_text_are_there(small_run):
    folder = small_run.folder / "results" / "comparison"
    selection = json.loads((folder / "selection.json").read_text())
    networks = pd.read_csv(folder / "architectures.csv").sort_values(
        ["val_top1", "parameters"], ascending=[False, True]
    )
    chosen, best = selection["chosen"], networks.iloc[0]
    assert (chosen["architecture"], chosen["test_top1"]) == (best["architecture"], pytest.approx(best["test_top1"]))
    assert sum(each["share_of_resamples"] for each in selection["candidates"]) == pytest.approx(1)
    for name in ("selection.md", "selection.html", "table.html"):
        text = (folder / name).read_text()
        assert selection["headline"] in text and "not transfer learning" in text, name


def test_networks_are_compared_on_the_same_images(small_run):
    folder = small_run.folder / "results" / "comparison"
    answers = {name: pd.read_csv(run_folder(small_run, name) / "predictions_test.csv") for name in ARCHITECTURES}
    accuracy = {name: table["correct"].mean() for name, table in answers.items()}
    (pair,) = pd.read_csv(folder / "pairs.csv").to_dict("records")
    assert pair["difference"] == pytest.approx(accuracy[pair["a"]] - accuracy[pair["b"]])
    (alike,) = pd.read_csv(folder / "agreement.csv").to_dict("records")
    one, other = (answers[alike[side]]["predicted"] for side in "ab")
    assert alike["agreement"] == pytest.approx((one == other).mean())
    singles = pd.read_csv(folder / "ensembles.csv").query("kind == 'one'").set_index("members")["test_top1"]
    assert singles.to_dict() == pytest.approx(accuracy)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_onnx_file_alone_names_a_photograph_as_the_workflow_did(small_run, architecture):
    """What a service would do: only the file, its metadata, Pillow and onnxruntime."""
    folder = run_folder(small_run, architecture)
    assert not list(folder.glob("*.data")), "weights must not lie in a side file"
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    names, recipe = json.loads(about["class_names"]), json.loads(about["preprocessing"])
    run = json.loads(about["run"])
    assert run["weights"] == "none (random backbone)"
    assert run["settings"]["phase2"]["epochs"] == 2
    predicted = pd.read_csv(folder / "predictions_val.csv")
    views = []
    for path in predicted["path"]:
        image = (
            Image.open(small_run.folder / path).convert("RGB").resize((recipe["size"],) * 2, Image.Resampling.BILINEAR)
        )
        views.append((np.asarray(image, dtype=np.float32) / 255 - recipe["mean"]) / recipe["std"])
    batch = np.stack(views).transpose(0, 3, 1, 2).astype(np.float32)
    said = [names[label] for label in session.run(None, {"images": batch})[0].argmax(1)]
    # The workflow resizes twice (40, then 32 pixels), a service once: nearly always the same answer.
    assert np.mean(said == predicted["predicted"]) >= 0.8
    assert session.run(None, {"images": batch[:1]})[0].shape == (1, 5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_exported_file_passed_its_gate_or_says_why_not(small_run, architecture):
    folder = run_folder(small_run, architecture)
    check = json.loads((folder / "onnx_check.json").read_text())
    assert check["images"] == 25 and check["images_are"] == "validation"
    assert check["formats"].keys() == {"fp32", "fp16", "int8"}
    fp32 = check["formats"]["fp32"]
    assert fp32["recommended"] and fp32["top1_agreement"] == check["top1_agreement"] == 1
    assert fp32["max_abs_diff"] <= 1e-3
    for name, found in check["formats"].items():
        assert found["recommended"] == (found["reason"] == ""), name
        file = "model.onnx" if name == "fp32" else f"model.{name}.onnx"
        said = onnxruntime.InferenceSession(folder / file).get_modelmeta().custom_metadata_map
        for key in ("recommended", "reason"):
            assert json.loads(said[key]) == found[key]
        assert json.loads(said["format"]) == name
    assert check["service"]["photographs"] == 25 and check["service"]["top1_agreement"] >= 0.995
    tried = check["int8_remedies"]
    assert tried[0]["remedy"] == "plain" and tried[-1]["top1"] <= 1
    assert any(row["remedy"] == check["formats"]["int8"]["made_with"] for row in tried)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_file_that_takes_photographs_names_them_as_the_workflow_did(small_run, architecture):
    folder = run_folder(small_run, architecture)
    session = onnxruntime.InferenceSession(folder / "model.service.onnx", providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
    predicted = pd.read_csv(folder / "predictions_val.csv")
    pictures = [np.asarray(Image.open(small_run.folder / path).convert("RGB")) for path in predicted["path"]]
    answers = np.concatenate([session.run(["probabilities"], {"pictures": each[None]})[0] for each in pictures])
    assert answers.sum(axis=1) == pytest.approx(1, abs=1e-5)
    said = [names[label] for label in answers.argmax(1)]
    # The workflow resizes twice (40, then 32 pixels), the file once: nearly always the same answer, as sure.
    same = np.array(said) == predicted["predicted"]
    assert same.mean() >= 0.8
    assert np.abs(answers.max(axis=1) - predicted["calibrated_probability"])[same].mean() < 0.1


def test_the_formats_are_compared_as_the_runs_files_say(small_run):
    table = pd.read_csv(small_run.folder / "results/comparison/formats.csv").set_index(["architecture", "format"])
    assert len(table) == 4 * len(ARCHITECTURES)
    for architecture in ARCHITECTURES:
        folder = run_folder(small_run, architecture)
        check, cost = (json.loads((folder / name).read_text()) for name in ("onnx_check.json", "cost.json"))
        assert cost["latency_ms"] == cost["formats"]["fp32"]["p50_ms_1thread"]
        assert cost["file_mb"] == (folder / "model.onnx").stat().st_size / 1e6
        for name, found in check["formats"].items():
            row = table.loc[architecture, name]
            assert row["top1"] == pytest.approx(found["top1"]) and row["recommended"] == found["recommended"]
            for key in ("p50_ms_1thread", "p95_ms_all", "throughput", "load_seconds", "peak_memory_mb"):
                assert row[key] == pytest.approx(cost["formats"][name][key]) and row[key] > 0
        assert table.loc[(architecture, "int8"), "file_mb"] < 0.4 * table.loc[(architecture, "fp32"), "file_mb"]
        assert table.loc[(architecture, "torch"), "top1_agreement"] == 1


def test_checkpoints_are_data_and_say_how_they_were_trained(small_run):
    checkpoint = torch.load(run_folder(small_run, "resnet18") / "final.pth", weights_only=True)
    about = checkpoint["metadata"]
    assert len(about["class_names"]) == 5
    assert about["settings"]["crop"] == 32
    assert {"phase1", "phase2", "augmentation", "weights"} <= about["settings"].keys(), "the whole recipe"


@pytest.mark.parametrize("name", ["phase1_best.pth", "phase2_best.pth", "final.pth", "model.onnx"])
def test_every_file_of_a_network_says_where_it_comes_from(small_run, name):
    about = said_by(run_folder(small_run, "resnet18") / name)
    provenance = about["provenance"]
    whole = json.loads((small_run.folder / "results" / "provenance.json").read_text())
    same = ("dataset_sha256", "commit", "code_sha256", "versions", "hardware")
    assert {key: provenance[key] for key in same} == {key: whole[key] for key in same}
    assert provenance["config_sha256"] == digest_of(about["settings"])
    assert (provenance["protocol"], provenance["fold"]) == ("fixed split", None)
    phases = {"phase1"} if name == "phase1_best.pth" else {"phase1", "phase2"}
    assert about["seconds"].keys() == provenance["arithmetic"].keys() == phases
    assert min(about["seconds"].values()) > 0
    assert datetime.fromisoformat(provenance["written"]) <= datetime.fromisoformat(whole["written"])


def test_the_provenance_of_all_holds_the_configuration_its_hash_and_the_times_of_every_run(small_run):
    whole = json.loads((small_run.folder / "results" / "provenance.json").read_text())
    dataset = json.loads((small_run.folder / "results" / "data" / "dataset.json").read_text())
    assert whole["dataset_sha256"] == dataset["fingerprint"]
    assert whole["config_sha256"] == digest_of(whole["config"])
    assert whole["config"]["recipe_definitions"]["tiny"]["phase2"]["schedule"]["gamma"] == 0.1, "with its defaults"
    assert sorted(run["architecture"] for run in whole["times"]) == sorted(ARCHITECTURES)
    assert all(run["train_seconds"] > 0 for run in whole["times"])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_histories_say_what_each_part_of_an_epoch_took(small_run, architecture):
    for phase in (1, 2):
        history = pd.read_csv(run_folder(small_run, architecture) / f"history_phase{phase}.csv")
        parts = history[[f"{part}_seconds" for part in ("data", "forward", "backward", "update", "validation")]]
        assert (parts > 0).all(axis=None)
        assert (parts.sum(axis=1) <= history["seconds"]).all()


def test_checkpoints_say_how_many_epochs_were_planned_and_ran(small_run):
    folder = run_folder(small_run, "resnet18")
    found = {name: said_by(folder / name)["epochs"] for name in ("phase1_best.pth", "phase2_best.pth", "final.pth")}
    assert found["phase1_best.pth"].keys() == {"phase1"} and found["final.pth"] == found["phase2_best.pth"]
    for phase, planned in (("phase1", 3), ("phase2", 2)):
        about = found["final.pth"][phase]
        assert about == {"planned": planned, "run": planned, "best": about["best"], "stopped_early": False}
        scores = pd.read_csv(folder / f"history_{phase}.csv").set_index("epoch")["val_top1"]
        assert scores[about["best"]] == scores.max()


def test_phase_1_leaves_the_backbone_as_it_was(small_run):
    """Parameters and buffers: the backbone in phase1_best.pth is bit for bit the one that the seed initialised."""
    from florilegium.networks import build_network, head_name

    network = build_network("resnet18", 5, None, seed=42)
    state = torch.load(run_folder(small_run, "resnet18") / "phase1_best.pth", weights_only=True)["state_dict"]
    head = head_name(network)
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, state[name])]
    assert changed == [f"{head}.weight", f"{head}.bias"]


def test_every_figure_is_a_picture_with_something_on_it(small_run):
    figures = sorted((small_run.folder / "results").rglob("figures/*.png"))
    assert len(figures) == 17 + 2 + 14 * len(ARCHITECTURES)
    for path in figures:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            assert min(image.size) >= 300, path
            assert len(image.convert("L").getcolors()) > 10, path


def test_the_log_has_one_line_per_epoch(small_run):
    log = (small_run.folder / "results/logs/fine_tune/tiny.resnet18.seed42.log").read_text()
    assert [f"epoch  {number}/2" in log for number in (1, 2)] == [True, True]
