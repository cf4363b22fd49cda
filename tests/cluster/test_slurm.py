"""The same Snakefile on a real SLURM: what the profile declares is what the scheduler is asked for."""

import json
import subprocess
import sys

import pytest
from cluster_runs import RUN, ClusterCheckout, declared, named
from slurm_processes import environment

SEEDS = [1, 2, 3]
GPU_STEPS = ("extract_features", "fine_tune", "evaluate", "robustness", "explain")
LOCAL_RULES = (
    *("all", "audit", "bundle", "choose", "compare_formats", "compare_recipes", "model_card", "plot_choice"),
    *("plot_data", "plot_explanations", "plot_gallery", "plot_recipes", "plot_robustness", "plot_run"),
    *("provenance", "start_page", "lesson_comparison", "lesson_data", "lesson_network", "render_lesson"),
    *("download_flowers102", "download_weights"),
)
WHERE_AM_I = """
import os
for path in snakemake.output:
    with open(path, "w") as stream:
        stream.write(os.environ.get("SLURM_JOB_ID", "submitting host"))
"""
JOBS = {  # rule or group -> how many, and the rules in it
    "draw_garden": (1, ["draw_garden"]),
    "manifest": (1, ["manifest"]),
    "pixels": (1, ["pixels"]),
    "extract_features": (3, ["extract_features"]),
    "train_head": (3, ["train_head"]),
    "fine_tune": (3, ["fine_tune"]),
    "evaluate": (3, ["evaluate"]),
    "robustness": (3, ["robustness"]),
    "explain": (3, ["explain"]),
    "export": (3, ["export_onnx", "quantize", "measure_cost"]),
    "comparison": (1, ["compare", "compare_pairs", "plot_comparison"]),
}


@pytest.fixture
def jobs(whole_run):
    return whole_run[0]


@pytest.fixture
def notes(whole_run):
    return whole_run[1]


def test_run_succeeds_and_writes_metrics(jobs, checkout):
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    for seed in SEEDS:
        metrics = json.loads((checkout.folder / RUN.format(seed) / "metrics.json").read_text())
        assert 0 <= metrics["test"]["top1"] <= 1
    assert (checkout.folder / "results/comparison/table.html").exists()


def test_every_rule_is_a_job_here_or_local(jobs, checkout):
    listed = [sys.executable, "-m", "snakemake", "--list-rules"]
    done = subprocess.run(listed, cwd=checkout.folder, capture_output=True, text=True, check=True)
    rules = [rule for _, of_job in JOBS.values() for rule in of_job]
    assert sorted(done.stdout.split()) == sorted([*rules, *LOCAL_RULES])
    assert len(jobs) == sum(count for count, _ in JOBS.values())


@pytest.mark.parametrize("step", JOBS)
def test_jobs_ask_for_what_the_profile_declares(jobs, checkout, step):
    (count, rules), profile = JOBS[step], checkout.profile()
    found = named(jobs, step)
    assert len(found) == count
    for job in found:
        assert job["mem_mb"] == max(declared(profile, rule, "mem_mb") for rule in rules)
        assert job["runtime"] == sum(declared(profile, rule, "runtime") for rule in rules)
        assert job["cpus"] == max(profile["set-threads"].get(rule, 1) for rule in rules)
        assert job["gpu"] == max(declared(profile, rule, "gpu") for rule in rules) == (step in GPU_STEPS)
        assert job["nodes"] == max(declared(profile, rule, "nodes") for rule in rules) == 1


def test_gpu_jobs_and_no_others_go_to_the_gpu_partition(jobs):
    assert {(bool(job["gpu"]), job["partition"]) for job in jobs} == {(True, "gpu"), (False, "main")}


def test_jobs_of_a_stage_overlap_on_both_nodes(jobs):
    spans = {"node0": [], "node1": []}
    for job in named(jobs, "extract_features"):  # the stage whose jobs are all submitted at the same time
        spans[job["node"]].append(job["span"])
    assert any(max(one[0], other[0]) < min(one[1], other[1]) for one in spans["node0"] for other in spans["node1"])


@pytest.mark.parametrize("step", GPU_STEPS)
def test_each_gpu_job_sees_one_device_which_no_other_on_its_node_has(jobs, notes, step):
    jobs = {job["id"]: job for job in named(jobs, step)}
    seen = {note["SLURM_JOB_ID"]: note["CUDA_VISIBLE_DEVICES"] for note in notes if note.get("step") == step}
    assert seen.keys() == jobs.keys()
    assert set(seen.values()) <= {"0", "1"}
    for one in jobs:
        for other in jobs:
            if one < other and jobs[one]["node"] == jobs[other]["node"]:
                (start, end), (other_start, other_end) = jobs[one]["span"], jobs[other]["span"]
                assert seen[one] != seen[other] or end <= other_start or other_end <= start


def test_steps_without_a_gpu_see_none(notes):
    assert {n["CUDA_VISIBLE_DEVICES"] for n in notes if n.get("step") not in (None, *GPU_STEPS)} <= {None, "NoDevFiles"}


def test_no_job_tried_to_reach_the_internet(notes):
    assert [note for note in notes if "refused" in note] == []
    assert len([note for note in notes if "step" in note]) == sum(count * len(rules) for count, rules in JOBS.values())


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "https://download.pytorch.org/"])
def test_a_job_that_tried_would_fail(cluster, checkout, tmp_path, url):
    variables = environment() | {
        "PYTHONPATH": str(checkout.folder / "tests" / "cluster" / "node"),
        "CLUSTER_NOTES": str(tmp_path / "notes"),
    }
    command = ["srun", "--time=1", "--mem=100", sys.executable, "-c"]
    command.append(f"import urllib.request; urllib.request.urlopen('{url}', timeout=5)")
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f"this node has no way to {url.split('/')[2]}" in done.stderr
    assert json.loads((tmp_path / "notes").read_text())["refused"] == url.split("/")[2]


def test_what_is_downloaded_is_downloaded_on_the_submitting_host(cluster, tmp_path):
    checkout = ClusterCheckout(tmp_path)
    for step in ("download_flowers102", "download_weights"):
        (checkout.folder / "scripts" / f"{step}.py").write_text(WHERE_AM_I)
    targets = ["resources/flowers-102/setid.mat", "resources/weights/resnet18-IMAGENET1K_V1.pth"]
    assert checkout.run("--", *targets) == []
    assert {(checkout.folder / target).read_text() for target in targets} == {"submitting host"}


def test_logs_of_successes_are_kept_beside_the_steps_logs(jobs, checkout):
    logs = [path.stem for path in (checkout.folder / "results/logs/slurm").rglob("*.log")]
    assert {job["id"] for job in jobs} <= set(logs)
