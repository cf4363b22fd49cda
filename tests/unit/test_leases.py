"""Jobs side by side on a machine with four stand-in GPUs: no GPU is ever shared, and none is lost."""

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
import torch

from florilegium import devices, leases
from florilegium.errors import UserError
from support import ROOT, Workflow

UUIDS = [f"GPU-{letter * 8}-1111-2222-3333-444444444444" for letter in "abcd"]
LIMIT_SECONDS = 120

# Takes a GPU, says so, keeps it for a moment or for good, and says so before it gives it back by ending.
JOB = """
import logging, os, sys, time
from florilegium.leases import lease_gpu

def say(what):
    os.write(events, f"{what} {os.environ['CUDA_VISIBLE_DEVICES']} {os.getpid()}\\n".encode())

logging.basicConfig(level=logging.INFO, format="%(message)s")
events = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
lease_gpu()
say("takes")
time.sleep(float(sys.argv[2]))
say("gives")
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose nvidia-smi lists four GPUs, with a temp directory of its own; returns its environment."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    lines = "".join(f"{number}, {uuid}\\n" for number, uuid in enumerate(UUIDS))
    program.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    program.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "scripts"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(leases, "_held", [])
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "FLORILEGIUM_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    yield
    for lock in leases._held:
        lock.release()


class Jobs:
    """Processes that lease a GPU each, and what they said about it."""

    def __init__(self, folder):
        self.events = folder / "events"
        self.events.touch()

    def start(self, seconds=0.3):
        return subprocess.Popen(
            [sys.executable, "-c", JOB, str(self.events), str(seconds)], stderr=subprocess.PIPE, text=True
        )

    def said(self):
        return [line.split() for line in self.events.read_text().splitlines()]

    def await_events(self, count, jobs):
        while len(self.said()) < count:
            assert any(job.poll() is None for job in jobs)
        return self.said()


@pytest.fixture
def jobs(machine, tmp_path):
    return Jobs(tmp_path)


def test_eight_jobs_on_four_gpus_never_share_one(jobs):
    running = [jobs.start() for _ in range(8)]
    assert [job.wait(LIMIT_SECONDS) for job in running] == [0] * 8
    said = jobs.said()
    assert {gpu for _, gpu, _ in said} == set(UUIDS)
    for uuid in UUIDS:
        of_gpu = [(what, pid) for what, gpu, pid in said if gpu == uuid]
        assert [what for what, _ in of_gpu] == ["takes", "gives"] * (len(of_gpu) // 2)
        assert all(before[1] == after[1] for before, after in list(pairwise(of_gpu))[::2])
    assert len({pid for _, _, pid in said}) == 8


def test_a_killed_jobs_gpu_goes_to_the_job_that_waits_for_it(jobs):
    holders = [jobs.start(LIMIT_SECONDS) for _ in range(4)]
    try:
        taken = {int(pid): gpu for _, gpu, pid in jobs.await_events(4, holders)}
        assert sorted(taken.values()) == UUIDS
        waiting = jobs.start(0)
        assert waiting.stderr.readline().startswith("all 4 GPUs are taken by other jobs")
        holders[2].send_signal(signal.SIGKILL)
        assert waiting.wait(LIMIT_SECONDS) == 0
        assert jobs.said()[-1] == ["gives", taken[holders[2].pid], str(waiting.pid)]
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, UUIDS),
        ("2,0", [UUIDS[2], UUIDS[0]]),
        (f"{UUIDS[1]}, GPU-dddd", [UUIDS[1], UUIDS[3]]),
        ("MIG-1234", ["MIG-1234"]),
        ("1,-1,2", [UUIDS[1]]),
        ("1,7,2", [UUIDS[1]]),
        ("GPU-", []),
        ("", []),
        ("-1", []),
    ],
)
def test_visible_gpus_are_those_that_cuda_would_see(machine, monkeypatch, visible, expected):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert leases.visible_gpus() == expected


def test_a_job_takes_a_gpu_among_the_visible_ones_and_keeps_it(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert leases.lease_gpu() == UUIDS[3] == os.environ["CUDA_VISIBLE_DEVICES"]
    assert leases.lease_gpu() == UUIDS[3]


def test_the_schedulers_one_gpu_is_not_leased_but_several_are_shared_out(machine, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert leases.lease_gpu() is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert leases.lease_gpu() == UUIDS[2]


def test_without_nvidia_smi_the_devices_are_counted(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(leases, "DEVICES", tmp_path)
    assert leases.visible_gpus() == []
    assert leases.lease_gpu() is None
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert leases.visible_gpus() == ["0", "1", "10"]


def test_a_driver_that_does_not_answer_means_no_gpu(machine, monkeypatch, tmp_path, caplog):
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\necho 'driver/library version mismatch'; exit 18\n")
    assert leases.lease_gpu() is None
    assert "nvidia-smi does not answer" in caplog.text


def test_a_folder_of_somebody_else_is_refused(machine, monkeypatch):
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    with pytest.raises(UserError, match="florilegium-gpus-.* belongs to another user"):
        leases.lease_gpu()


@pytest.mark.parametrize(("wanted", "leased"), [("", True), ("cuda", True), ("cpu", False)])
def test_a_step_leases_before_it_asks_cuda_and_only_for_cuda(machine, monkeypatch, wanted, leased):
    seen = []
    monkeypatch.setenv("FLORILEGIUM_DEVICE", wanted)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen.append(os.environ.get("CUDA_VISIBLE_DEVICES")) or True)
    assert devices.choose_device().type == (wanted or "cuda")
    assert seen == [UUIDS[0] if leased else None]


@pytest.mark.parametrize(
    ("visible", "device", "threads"),
    [(None, "", 2), ("0,1", "", 4), ("3", "", 8), ("", "", 8), (None, "cpu", 8)],
)
def test_as_many_gpu_steps_run_at_once_as_there_are_gpus(machine, monkeypatch, tmp_path, visible, device, threads):
    monkeypatch.setenv("FLORILEGIUM_DEVICE", device)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (tmp_path / "checkout").mkdir()
    done = Workflow(tmp_path / "checkout").snakemake("--dry-run", cores=8)
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in ("extract_features", "fine_tune", "evaluate"):
        blocks = re.findall(rf"^rule {rule}:\n((?: .*\n)*)", done.stdout + done.stderr, re.MULTILINE)
        assert len(blocks) == 2
        assert all(f"threads: {threads}\n" in block and "gpu=1" in block for block in blocks)
