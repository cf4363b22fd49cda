"""A hundred training jobs as job arrays.

All hundred are planned from the unchanged Snakefile, submitted by the executor, given a GPU each by the scheduler, and
awaited. Three of them run as they would for a user. For the others a stand-in on the node (node/sitecustomize.py) reads
from the task's own command line which run it is to train, and writes that run's outputs without training. The latency
is for version 2.8.0 of the executor, with which every task waits for the files of its array's first (docs/slurm.md).
"""

import re
from collections import Counter

import pytest
import slurm_cluster
from cluster_runs import ENDS, RUN, declared, differences, named

COUNT = 100
REAL = (1, 2, 3)


@pytest.fixture(scope="module")
def hundred(whole_run, checkout):
    """The jobs and the notes of the hundred, on one model of GPU; their first phase is there already."""
    checkout.edit_profile("    # gpu_model: a100 ", f"    gpu_model: {slurm_cluster.GPU_MODEL} ")
    before = len(checkout.notes())
    for seed in range(1, COUNT + 1):
        folder = checkout.folder / RUN.format(seed)
        if seed in REAL:
            for name in ENDS:
                (folder / name).rename(folder / f"alone_{name}")
        else:
            folder.mkdir(parents=True)
            (folder / "phase1_best.pth").hardlink_to(checkout.folder / RUN.format(REAL[0]) / "phase1_best.pth")
    targets = [f"{RUN.format(seed)}/final.pth" for seed in range(1, COUNT + 1)]
    seeds = f"seeds={list(range(1, COUNT + 1))}"
    options = ["--slurm-array-jobs", "all", "--config", seeds, "--slurm-init-seconds-before-status-checks", "15"]
    options += ["--latency-wait", "120"]
    real = {"CLUSTER_REAL_SEEDS": ",".join(map(str, REAL))}
    jobs = checkout.run(*options, "--", *targets, jobs=COUNT, given=real)
    checkout.edit_profile(f"    gpu_model: {slurm_cluster.GPU_MODEL} ", "    # gpu_model: a100 ")
    return jobs, checkout.notes()[before:]


def test_a_hundred_jobs_are_planned_and_submitted_as_arrays(hundred, checkout):
    jobs, _ = hundred
    planned = dict(re.findall(r"^(\w+) +(\d+)$", checkout.log.read_text(), re.MULTILINE))
    assert planned == {"fine_tune": str(COUNT), "total": str(COUNT)}
    assert len(jobs) == len(named(jobs, "fine_tune")) == COUNT
    limit = checkout.profile()["slurm-array-limit"]
    assert list(Counter(job["array"] for job in jobs).values()) == [limit] * (COUNT // limit)
    assert {job["state"] for job in jobs} == {"COMPLETED"}


def test_each_task_asks_for_what_the_profile_declares(hundred, checkout):
    profile = checkout.profile()
    for job in hundred[0]:
        assert (job["gpu"], job["gpu_model"], job["partition"]) == (1, slurm_cluster.GPU_MODEL, "gpu")
        assert job["runtime"] == declared(profile, "fine_tune", "runtime")
        assert job["cpus"] == profile["set-threads"]["fine_tune"]
        assert (
            0 <= job["mem_mb"] - declared(profile, "fine_tune", "mem_mb") <= 10
        )  # the executor adds the list of tasks


def test_each_task_does_its_own_run_on_one_gpu(hundred, checkout):
    _, notes = hundred
    done = [note for note in notes if "step" in note]
    assert {note["step"] for note in done} == {"nothing", "fine_tune"}
    assert sorted(int(note["seed"]) for note in done if "seed" in note) == list(range(len(REAL) + 1, COUNT + 1))
    assert len({note["SLURM_JOB_ID"] for note in done}) == len(done) == COUNT
    assert {note["CUDA_VISIBLE_DEVICES"] for note in done} == {"0", "1"}
    for seed in range(len(REAL) + 1, COUNT + 1):
        assert {(checkout.folder / RUN.format(seed) / name).read_text() for name in ENDS} == {f"seed {seed}\n"}


@pytest.mark.parametrize("seed", REAL)
def test_a_run_in_an_array_ends_as_one_alone(hundred, checkout, seed):
    assert differences(checkout.folder / RUN.format(seed), "alone_") == []
