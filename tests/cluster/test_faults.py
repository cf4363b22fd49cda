"""Training jobs that SLURM breaks off: each is started again, resumes, and ends as if nothing had happened.

Each job is stopped (SIGSTOP) after its second epoch, so that the fault always meets one that is under way.
"""

import os
import re
import signal
import time
from datetime import datetime, timedelta

import pytest
from cluster_runs import ENDS, LIMIT_SECONDS, RUN, declared, differences, scheduler_record
from slurm_processes import ask

SEEDS = (1, 2, 3)
FAULTS = ("scancel", "time limit", "node lost")
LOG = "results/logs/fine_tune/tiny.mobilenet_v2.seed{}.log"


@pytest.fixture(scope="module")
def broken_off(whole_run, cluster, checkout):
    """Fault -> (the job that met it, all jobs of the same run). The GPUs are asked for as `gres`."""
    checkout.edit_profile("    gpu: 1 ", '    gres: "gpu:1" ')
    for seed in SEEDS:
        (checkout.folder / LOG.format(seed)).unlink()
        for name in ENDS:
            path = checkout.folder / RUN.format(seed) / name
            path.rename(path.with_name(f"undisturbed_{name}"))
    driver = checkout.start("--", *[f"{RUN.format(seed)}/final.pth" for seed in SEEDS])
    try:
        victims = choose_faults(stopped_after_two_epochs(checkout, driver))
        ask("scancel", victims["scancel"]["id"])
        end = (datetime.now() + timedelta(seconds=1)).isoformat(timespec="seconds")
        ask("scontrol", "update", f"JobId={victims['time limit']['id']}", f"EndTime={end}")
        lost = victims["node lost"]
        cluster.lose(lost["node"], [lost["id"]])
        await_that(lambda: any(job["id"] == lost["id"] and job["restarts"] for job in scheduler_record()), driver)
        cluster.bring_back(lost["node"])
        jobs = checkout.finish(driver)
    finally:
        driver.kill()
        checkout.edit_profile('    gres: "gpu:1" ', "    gpu: 1 ")
    return {
        fault: (victim, [job for job in jobs if job["comment"] == victim["comment"]])
        for fault, victim in victims.items()
    }


def seed_of(job):
    """The run that a job trains, from its comment."""
    return int(job["comment"].rsplit("_", 1)[1])


def stopped_after_two_epochs(checkout, driver):
    """The three jobs, each of whose training process is stopped as soon as its log tells of a second epoch."""
    already, stopped = len(checkout.notes()), {}

    def all_stopped():
        for note in checkout.notes()[already:]:
            if note.get("step") == "fine_tune" and note["pid"] not in stopped:
                job = next(job for job in scheduler_record() if job["id"] == note["SLURM_JOB_ID"])
                log = checkout.folder / LOG.format(seed_of(job))
                if log.exists() and "epoch  2/" in log.read_text():
                    os.kill(note["pid"], signal.SIGSTOP)
                    stopped[note["pid"]] = job | {"epochs": len(re.findall(r"epoch +\d+/", log.read_text()))}
        return len(stopped) == len(SEEDS)

    await_that(all_stopped, driver)
    return list(stopped.values())


def choose_faults(jobs):
    """Which job meets which fault: the one that is alone on its node loses it."""
    nodes = [job["node"] for job in jobs]
    lost = next(job for job in jobs if nodes.count(job["node"]) == 1)
    others = [job for job in jobs if job is not lost]
    return {"node lost": lost} | dict(zip(("scancel", "time limit"), others, strict=True))


def await_that(happens, driver):
    """Wait for something that happens while the driver lives, but not for ever."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not happens():
        assert driver.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(("fault", "state"), [("scancel", "CANCELLED"), ("time limit", "TIMEOUT")])
def test_a_job_ended_by_slurm_is_submitted_again_with_more(broken_off, checkout, fault, state):
    jobs, profile = broken_off[fault][1], checkout.profile()
    assert [(job["state"], job["restarts"]) for job in jobs] == [(state, 0), ("COMPLETED", 0)]
    assert jobs[1]["runtime"] == declared(profile, "fine_tune", "runtime", attempt=2)
    assert [job["mem_mb"] for job in jobs] == [declared(profile, "fine_tune", "mem_mb", attempt=n) for n in (1, 2)]


def test_a_job_whose_node_is_lost_runs_again_under_its_id(broken_off):
    assert [(job["state"], job["restarts"]) for job in broken_off["node lost"][1]] == [("COMPLETED", 1)]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_finished_epoch_is_trained_again(broken_off, checkout, fault):
    victim, _ = broken_off[fault]
    log = (checkout.folder / LOG.format(seed_of(victim))).read_text()
    begin = re.search(r"begins at epoch (\d+) of \d+, after the epochs kept", log)
    assert int(begin[1]) > victim["epochs"] >= 2
    assert f"epoch {victim['epochs']:>2}/" not in log


@pytest.mark.parametrize("fault", FAULTS)
def test_the_end_is_that_of_an_undisturbed_run(broken_off, checkout, fault):
    victim, jobs = broken_off[fault]
    assert {job["gpu"] for job in jobs} == {1}
    assert differences(checkout.folder / RUN.format(seed_of(victim)), "undisturbed_") == []
